//! A case in the words and with the evidence that causes share: whose packets, where they entered, where they are missing.

use netcap_bundle::Role;

use super::{Case, Death, Group};
use crate::engine::PacketKind;
use crate::engine::flow::protocol_name;
use crate::finding::{Confidence, Evidence, Exoneration, Finding, Severity, Subject};
use crate::text::Text;

/// Packets that died, shown.
const FRAMES_MAX: usize = 3;

impl<'c> Case<'c, '_> {
    /// The name of the point where they were last seen.
    pub(crate) fn port(&self) -> &'c str {
        self.view.points.name(self.group.place.from.point)
    }

    /// They entered at the port of a machine.
    pub(crate) fn is_from_vm(&self) -> bool {
        self.info().is_some_and(|info| matches!(info.role, Role::Vnet { .. }))
    }

    /// The machine that sends them, else the one they are for.
    pub(crate) fn vm(&self) -> Option<String> {
        let from = self.group.place.from.point;
        let points = std::iter::once(from).chain(self.group.exits().iter().copied());
        points.into_iter().find_map(|id| self.vm_at(self.view.points.name(id)))
    }

    /// The machine at a recorded port.
    pub(crate) fn vm_at(&self, port: &str) -> Option<String> {
        let info = self.view.points.by_name(port).and_then(|id| self.view.points.get(id))?;
        match &info.role {
            Role::Vnet { vm: Some(vm), .. } => Some(vm.clone()),
            Role::Vnet { vm: None, .. } => {
                self.view.host.topology().by_iface(port).and_then(|(_, port)| port.vm.clone())
            }
            _ => None,
        }
    }

    /// A port with its machine.
    pub(crate) fn named(&self, port: &str) -> Text {
        match self.vm_at(port) {
            Some(vm) => Text::new("place.vm").with("port", port).with("vm", vm),
            None => Text::verbatim(port),
        }
    }

    /// The port where they enter, with its machine.
    pub(crate) fn who(&self) -> Text {
        self.named(self.port())
    }

    /// Where they had to leave.
    pub(crate) fn exit_names(&self) -> Vec<Text> {
        self.group.exits().iter().map(|id| Text::verbatim(self.view.points.name(*id))).collect()
    }

    /// What dies between these two addresses.
    pub(crate) fn subject(&self) -> Subject {
        let flows = self.flows();
        Subject::Drop {
            vm: self.vm(),
            port: self.port().to_owned(),
            src: self.group.src,
            dst: self.group.dst,
            protocol: protocol_name(self.group.protocol),
            flow: flows.drop.as_ref().map(|flow| flow.line.clone()),
            rule: flows.rule.as_ref().map(|rule| format!("cookie={:#x} {}", rule.cookie, rule.rule)),
            filter: None,
        }
    }

    /// A finding about what is left of them, of which claim, evidence and remedy are still to be said.
    pub(crate) fn finding(&self, id: &'static str, confidence: Confidence) -> Finding {
        let (from, to) = self.span();
        Finding {
            from: Some(from),
            to: Some(to),
            ..Finding::new(
                id,
                if confidence == Confidence::CannotTell { Severity::Warning } else { Severity::Error },
                confidence,
                self.subject(),
            )
        }
    }

    /// How sure it is that they did not leave, where it is certain what ends them: proven when that was `seen` happening.
    pub(crate) fn confidence(&self, seen: bool) -> Confidence {
        match self.sure().count() {
            0 => Confidence::CannotTell,
            1 => Confidence::Likely,
            _ if seen => Confidence::Proven,
            _ => Confidence::Likely,
        }
    }

    /// That the capture is not the cause, where that is so.
    pub(crate) fn recorded(&self) -> Vec<Exoneration> {
        if self.sure().next().is_none() {
            return vec![Exoneration::Open(Text::new("case.not.lossy"))];
        }
        vec![
            Exoneration::RuledOut(Text::new("case.not.capture")),
            Exoneration::RuledOut(Text::new("case.not.filter")),
        ]
    }

    /// Some of the packets where they entered, and that none was seen where it had to leave.
    pub(crate) fn packets(&self) -> Vec<Evidence> {
        let sure: Vec<&Death> = self.sure().collect();
        let shown: Vec<&Death> = if sure.is_empty() { self.rest.iter().collect() } else { sure.clone() };
        let from = self.group.place.from.point;
        let enters = |death: &&Death| {
            let what = Text::new("case.enters").with("port", self.port());
            self.view.frame(Group::sight(death), from, what)
        };
        let mut out: Vec<Evidence> = shown.iter().take(FRAMES_MAX).map(enters).collect();
        if let (Some(first), Some(last)) = (sure.first(), sure.last()) {
            out.extend(self.group.exits().iter().map(|id| {
                let port = self.view.points.name(*id);
                let what = Text::new("case.absence").with("port", port).with("count", sure.len());
                self.view.absence(*id, first.at, last.at, what)
            }));
        }
        out
    }
}

/// What they are, in the words of those who miss them.
pub(crate) fn what(group: &Group<'_>) -> Text {
    match group.kind {
        PacketKind::EchoRequest => Text::new("packets.ping"),
        PacketKind::EchoReply => Text::new("packets.pong"),
        PacketKind::Syn => Text::new("packets.syn"),
        PacketKind::SynAck => Text::new("packets.syn-ack"),
        PacketKind::ArpRequest => Text::new("packets.arp"),
        PacketKind::ArpReply => Text::new("packets.arp-reply"),
        PacketKind::Other => Text::new("packets.other").with("protocol", protocol_name(group.protocol)),
    }
}
