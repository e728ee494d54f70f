//! What of the host's state could not be had, and what that keeps from being concluded.

use std::collections::BTreeMap;

use netcap_bundle::Nanos;
use netcap_bundle::state::{Fault, Unread};

use crate::host::silence::{self, How, Silence};
use crate::text::Text;
use crate::view::View;

/// Remarks of one kind; the rest is counted.
const REMARKS_MAX: usize = 16;

/// Sources that did not answer, and samples that cannot be used.
pub(super) fn remarks(view: &View<'_>) -> Vec<Text> {
    let offset = view.input.info.as_ref().map_or(0, |info| info.utc_offset_s);
    let silences = silence::read(view.input);
    let mut out: Vec<Text> = silences.iter().take(REMARKS_MAX).map(|one| silent(one, offset)).collect();
    let (unread, further) = view.input.state.unread();
    // Later samples of the same are like the first one.
    let mut alike: BTreeMap<(&str, &str, bool), (&str, &Unread, usize)> = BTreeMap::new();
    for (path, one) in &unread {
        let key = (one.source.as_str(), one.item.as_str(), one.fault == Fault::Altered);
        alike.entry(key).or_insert((path, one, 0)).2 += 1;
    }
    for (path, unread, count) in alike.values().take(REMARKS_MAX) {
        let text = match &unread.fault {
            Fault::Altered => Text::new("remark.state.altered"),
            Fault::NotUnderstood { first, .. } => Text::new("remark.state.unread").with("why", first),
        };
        let path = match count {
            1 => Text::verbatim(path),
            _ => Text::new("remark.state.paths").with("path", path).with("count", count - 1),
        };
        out.push(
            text.with_text("path", path)
                .with("source", &unread.source)
                .with("at", unread.at.clock(offset))
                .with_text("keeps", keeps(&unread.source)),
        );
    }
    let more = silences.len().saturating_sub(REMARKS_MAX) + alike.len().saturating_sub(REMARKS_MAX) + further;
    if more > 0 {
        out.push(Text::new("remark.state.more").with("count", more));
    }
    out
}

fn silent(silence: &Silence, offset: i32) -> Text {
    let clock = |at: Nanos| at.clock(offset);
    let when = if silence.times == 1 {
        Text::new("remark.state.once").with("at", clock(silence.first))
    } else {
        Text::new("remark.state.times").with("from", clock(silence.first)).with("to", clock(silence.last))
    };
    let text = match &silence.how {
        How::TimedOut => Text::new("remark.state.silent"),
        How::Failed(why) => Text::new("remark.state.failed").with("why", why),
    };
    text.with("source", &silence.source)
        .with_list("items", silence.items.iter().map(Text::verbatim).collect())
        .with_text("when", when)
        .with_text("keeps", keeps(&silence.source))
}

/// What cannot be concluded without a source.
fn keeps(source: &str) -> Text {
    Text::new(match source {
        "ovsdb" => "remark.state.keeps.ovsdb",
        "ovs-bond" => "remark.state.keeps.ovs-bond",
        "ovs-datapath" => "remark.state.keeps.ovs-datapath",
        "ovs-openflow" => "remark.state.keeps.ovs-openflow",
        "ovs-fdb" => "remark.state.keeps.ovs-fdb",
        "ovs-conntrack" => "remark.state.keeps.ovs-conntrack",
        "links" => "remark.state.keeps.links",
        "linux-bridge" => "remark.state.keeps.linux-bridge",
        "libvirt" => "remark.state.keeps.libvirt",
        "neighbours" => "remark.state.keeps.neighbours",
        _ => "remark.state.keeps.other",
    })
}
