//! `host`: what the machine is: kernel, distribution, processors, uptime, Open vSwitch.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::source::{Cadence, Each, How, Parsed, RawItem, Recipe, Snapshot, SourceDef};
use crate::sources::shared::text::{lines, seconds_as_ms, usable};

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct HostSystem {
    /// Kernel release (`6.1.0-18-amd64`).
    pub kernel: Option<String>,
    /// Milliseconds since it was started.
    pub uptime_ms: Option<u64>,
    /// `os-release`: `PRETTY_NAME`, `ID`, `VERSION_ID`, …
    pub os: BTreeMap<String, String>,
    /// Processors the kernel sees.
    pub cpus: u32,
    /// Name of the first processor.
    pub cpu_model: Option<String>,
    /// Version of the installed ovs-vswitchd; the running one is in OVSDB.
    pub ovs_version: Option<String>,
    /// DPDK version it was built with, if any.
    pub dpdk_version: Option<String>,
}

impl HostSystem {}

/// A small file.
const fn file(item: &'static str, path: &'static str, bytes_max: usize) -> Recipe {
    Recipe { item, each: Each::Once, how: How::File(path), bytes_max, timeout_ms: 1_000 }
}

impl Snapshot for HostSystem {
    const DEF: SourceDef = SourceDef {
        id: "host",
        about: "The machine: kernel, distribution, processors, uptime, Open vSwitch version",
        cadence: Cadence::StartEnd,
        recipes: &[
            file("version", "/proc/version", 64 << 10),
            file("uptime", "/proc/uptime", 64 << 10),
            file("os-release", "/etc/os-release", 64 << 10),
            file("cpuinfo", "/proc/cpuinfo", 1 << 20),
            Recipe {
                item: "vswitchd-version",
                each: Each::Once,
                how: How::Command(&["ovs-vswitchd", "--version"]),
                bytes_max: 64 << 10,
                timeout_ms: 2_000,
            },
        ],
    };

    fn parse(items: &[RawItem<'_>]) -> Parsed<Self> {
        let mut parsed = Parsed::default();
        let mut host = Self::default();
        for item in items {
            let text = usable(item, &mut parsed);
            let understood = match item.item {
                _ if text.trim().is_empty() => true,
                "version" => version(&text, &mut host),
                "uptime" => uptime(&text, &mut host),
                "os-release" => os_release(&text, &mut host),
                "cpuinfo" => cpuinfo(&text, &mut host),
                "vswitchd-version" => vswitchd(&text, &mut host),
                _ => true,
            };
            if !understood {
                parsed.defect(item, 1, format!("not understood: {}", text.trim()));
            }
        }
        parsed.value = host;
        parsed
    }
}

/// `Linux version 6.1.0-18-amd64 (debian-kernel@…) …`.
fn version(text: &str, host: &mut HostSystem) -> bool {
    let release = text.trim().strip_prefix("Linux version ").and_then(|rest| rest.split_whitespace().next());
    host.kernel = release.map(ToOwned::to_owned);
    host.kernel.is_some()
}

/// `350735.47 234388.90`: seconds up, seconds idle of all processors.
fn uptime(text: &str, host: &mut HostSystem) -> bool {
    host.uptime_ms = text.split_whitespace().next().and_then(seconds_as_ms);
    host.uptime_ms.is_some()
}

/// os-release(5): `NAME=value`, the value perhaps in quotes.
fn os_release(text: &str, host: &mut HostSystem) -> bool {
    for (_, line) in lines(text).filter(|(_, line)| !line.trim_start().starts_with('#')).take(200) {
        if let Some((name, value)) = line.split_once('=') {
            host.os.insert(name.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
    !host.os.is_empty()
}

fn cpuinfo(text: &str, host: &mut HostSystem) -> bool {
    for (_, line) in lines(text) {
        let Some((key, value)) = line.split_once(':') else { continue };
        match key.trim() {
            "processor" => host.cpus = host.cpus.saturating_add(1),
            "model name" | "Model" | "cpu model" if host.cpu_model.is_none() => {
                host.cpu_model = Some(value.trim().to_owned());
            }
            _ => {}
        }
    }
    host.cpus > 0
}

/// `ovs-vswitchd (Open vSwitch) 3.1.0`, then perhaps `DPDK 22.11.4`.
fn vswitchd(text: &str, host: &mut HostSystem) -> bool {
    for (_, line) in lines(text) {
        if let Some((_, version)) = line.split_once("(Open vSwitch) ") {
            host.ovs_version = version.split_whitespace().next().map(ToOwned::to_owned);
        } else if let Some(version) = line.trim().strip_prefix("DPDK ") {
            host.dpdk_version = Some(version.trim().to_owned());
        }
    }
    host.ovs_version.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::shared::testing::{hostile, item, parse_one, survives};
    use proptest::prelude::*;

    const VERSION: &str = "Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc-12) #1 SMP\n";
    const OS: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n# remark\nID=debian\n";
    const CPU: &str =
        "processor\t: 0\nmodel name\t: Intel(R) Xeon(R)\n\nprocessor\t: 1\nmodel name\t: other\n";

    #[test]
    fn every_item_adds_its_part() {
        let parsed = HostSystem::parse(&[
            item("version", "", VERSION),
            item("uptime", "", "350735.47 234388.90\n"),
            item("os-release", "", OS),
            item("cpuinfo", "", CPU),
            item("vswitchd-version", "", "ovs-vswitchd (Open vSwitch) 3.1.0\nDPDK 22.11.4\n"),
        ]);
        assert_eq!(parsed.defects, []);
        let host = parsed.value;
        assert_eq!((host.kernel.as_deref(), host.uptime_ms), (Some("6.1.0-18-amd64"), Some(350_735_470)));
        assert_eq!((host.os["PRETTY_NAME"].as_str(), host.cpus), ("Debian GNU/Linux 12 (bookworm)", 2));
        assert_eq!(host.cpu_model.as_deref(), Some("Intel(R) Xeon(R)"));
        assert_eq!(
            (host.ovs_version.as_deref(), host.dpdk_version.as_deref()),
            (Some("3.1.0"), Some("22.11.4"))
        );
    }

    #[test]
    fn something_else_is_a_defect() {
        for name in ["version", "uptime", "os-release", "cpuinfo", "vswitchd-version"] {
            assert_eq!(parse_one::<HostSystem>(name, "", "surprise").defects.len(), 1, "{name}");
        }
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics(bytes in prop_oneof![hostile(VERSION), hostile(OS), hostile(CPU)], cut: bool) {
            survives::<HostSystem>(&bytes, cut);
        }
    }
}
