//! The command line: what may be typed, and nothing else.
//!
//! Every option of the old script works with and without `=`, with `_` and with `-`. The words of the filter need no
//! quotes as long as the shell leaves them alone, so a first word decides whether it is a command ([`COMMANDS`]).

use netcap_words::Lang;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};

use crate::ui::units;

/// First words that are commands and not the start of a filter.
pub(super) const COMMANDS: [&str; 9] =
    ["bundle", "seal", "points", "sources", "presets", "status", "stop", "rotate", "help"];

/// Where runs and bundles lie when nothing else is said.
pub(super) const OUT: &str = "/var/lib/netcap";

/// Flight recorder of a KVM host: packets, host state and pings on one clock, in one file
#[derive(Debug, Parser)]
#[command(name = "netcap", version, override_usage = "netcap [OPTIONS] [FILTER]...", max_term_width = 110)]
pub(super) struct Record {
    /// Record this virtual switch: its internal port, every uplink, bond members one by one, and the ports that are
    /// added while it is recorded
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub vswitch: Vec<String>,
    /// Record these interfaces; with NAME:FILTER that one has a filter of its own
    #[arg(long, value_name = "NAME[:FILTER]", value_delimiter = ',')]
    pub iface: Vec<String>,
    /// Record the interfaces of these guest MACs (else of the interfaces' own)
    #[arg(long, alias = "iface_mac", value_name = "MAC", value_delimiter = ',')]
    pub iface_mac: Vec<String>,
    /// Record all interfaces of this virtual machine, also after it was started anew
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub vm: Vec<String>,
    /// Ping this address each second; may be repeated
    #[arg(long, value_name = "IP", value_delimiter = ',', value_parser = units::address)]
    pub ping: Vec<std::net::IpAddr>,
    /// Add a ready-made filter, like arp or icmp:10.0.0.1 (`netcap presets` lists them)
    #[arg(long, value_name = "NAME[:IP]")]
    pub preset: Vec<String>,
    /// What to record, in the language of tcpdump; nothing means everything
    #[arg(value_name = "FILTER")]
    pub filter: Vec<String>,
    /// Limits and places
    #[command(flatten)]
    pub limits: Limits,
    /// How it behaves
    #[command(flatten)]
    pub behaviour: Behaviour,
}

/// Limits and places.
#[derive(Debug, Clone, Args)]
pub(super) struct Limits {
    /// Stop after this time, like 30s, 5m, 2h
    #[arg(long, value_name = "TIME", value_parser = units::duration, allow_hyphen_values = true)]
    pub duration: Option<Duration>,
    /// Stop at this time of the host's clock, like 06:00 or '2026-11-22 06:00'
    #[arg(long, value_name = "TIME", value_parser = units::until, allow_hyphen_values = true)]
    pub until: Option<netcap_bundle::Nanos>,
    /// Stop once this many packets are recorded at all points together (a tenth of a second later at most)
    #[arg(long, alias = "max_packets", value_name = "N", value_parser = units::packets, allow_hyphen_values = true)]
    pub max_packets: Option<u64>,
    /// Directory for runs and bundles
    #[arg(long, value_name = "DIR", default_value = OUT)]
    pub out: PathBuf,
    /// Begin a new segment after this many compressed bytes
    #[arg(long, alias = "rotate_size", value_name = "SIZE", default_value = "64MiB", value_parser = units::segment_size, allow_hyphen_values = true)]
    pub rotate_size: u64,
    /// Begin a new segment after this time
    #[arg(long, alias = "rotate_time", value_name = "TIME", default_value = "5m", value_parser = units::duration, allow_hyphen_values = true)]
    pub rotate_time: Duration,
    /// Bytes kept of each frame, up to 262144; 0 keeps all
    #[arg(long, value_name = "BYTES", default_value_t = netcap_filters::SNAPLEN_MAX_BYTES, value_parser = units::snaplen, allow_hyphen_values = true)]
    pub snaplen: u32,
    /// Ring memory for all points together
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = units::buffer, allow_hyphen_values = true)]
    pub buffer: u64,
    /// Memory for rings, queues and compression together; rings and level are made to fit. Else 256MiB, or an eighth of
    /// what the host has available, or what --buffer needs
    #[arg(long, alias = "max_memory", value_name = "SIZE", value_parser = units::size, allow_hyphen_values = true)]
    pub max_memory: Option<u64>,
    /// Percent of one core that may be taken, like 50%: beyond it compression, then the ends of frames, then whole
    /// points are given up
    #[arg(long, alias = "cpu_limit", value_name = "PERCENT", value_parser = units::percent, allow_hyphen_values = true)]
    pub cpu_limit: Option<u64>,
    /// Bytes of the run on the disk; the oldest segments go first
    #[arg(long, alias = "max_disk", value_name = "SIZE", default_value = "1GiB", value_parser = units::size, allow_hyphen_values = true)]
    pub max_disk: u64,
    /// Bytes of everything in the directory of --out, earlier runs included (they are never deleted)
    #[arg(long, alias = "max_disk_total", value_name = "SIZE", value_parser = units::size, allow_hyphen_values = true)]
    pub max_disk_total: Option<u64>,
    /// Stop when the disk has less room than this left: a size, or a share like 10%
    #[arg(long, alias = "min_free", aliases = ["disk-reserve", "disk_reserve"], value_name = "SIZE", default_value = "10%", value_parser = units::floor, allow_hyphen_values = true)]
    pub min_free: units::Floor,
    /// Compression level of packets (zstd, 1 to 9)
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = units::level, allow_hyphen_values = true)]
    pub level: i32,
    /// Time between two looks at the host's state
    #[arg(long, alias = "state_interval", value_name = "TIME", default_value = "10s", value_parser = units::duration, allow_hyphen_values = true)]
    pub state_interval: Duration,
}

/// How it behaves.
#[derive(Debug, Clone, Args)]
pub(super) struct Behaviour {
    /// Directory of Open vSwitch's sockets
    #[arg(long, alias = "ovs_rundir", env = "OVS_RUNDIR", value_name = "DIR", value_parser = chosen_dir())]
    pub ovs_rundir: Option<PathBuf>,
    /// Directory of tools that are not where netcap looks (/usr/sbin, /usr/bin, /sbin, /bin, then /usr/local and /opt);
    /// looked in first, and only root may be able to change it. PATH does not count
    #[arg(long, env = "NETCAP_TOOLS", value_name = "DIR", value_parser = chosen_dir())]
    pub tools: Option<PathBuf>,
    /// Keep to the points of the start: do not add ports and machines that come later
    #[arg(long, alias = "no_follow")]
    pub no_follow: bool,
    /// Keep the run's directory and make no tar
    #[arg(long, alias = "no_bundle")]
    pub no_bundle: bool,
    /// Explain the run with netcap-analyze when it ends
    #[arg(long)]
    pub analyze: bool,
    /// Take the filter literally: do not look behind VLAN tags
    #[arg(long, alias = "no_vlan")]
    pub no_vlan: bool,
    /// Let the filter also look into VXLAN and Geneve
    #[arg(long)]
    pub inner: bool,
    /// Show what the filter becomes in the kernel, and stop
    #[arg(long, alias = "show_filter")]
    pub show_filter: bool,
    /// List the ready-made filters
    #[arg(long, alias = "list_presets", hide = true)]
    pub list_presets: bool,
    /// Record in the background: return once packets are taken in; go on when the terminal is closed
    #[arg(short, long)]
    pub detach: bool,
    /// Keep all privileges while recording: root in one process instead of a confined one and its helper
    #[arg(long, alias = "no_sandbox")]
    pub no_sandbox: bool,
    /// Record as this user instead of nobody; results are root's all the same
    #[arg(long, value_name = "NAME", conflicts_with = "no_sandbox")]
    pub user: Option<String>,
    /// Say nothing while recording
    #[arg(long)]
    pub quiet: bool,
    /// Language: en or zh-CN; else that of the environment
    #[arg(long, value_name = "LANG")]
    pub lang: Option<Lang>,
}

impl Record {
    /// Nothing was asked to be recorded or done.
    pub(super) fn is_empty(&self) -> bool {
        self.points_empty() && self.ping.is_empty() && self.filter.is_empty() && self.preset.is_empty()
    }

    /// No point was named.
    pub(super) fn points_empty(&self) -> bool {
        self.vswitch.is_empty() && self.iface.is_empty() && self.iface_mac.is_empty() && self.vm.is_empty()
    }
}

/// A directory that the environment may choose. A variable that is empty chooses none, and whoever reads it skips it.
fn chosen_dir() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// The other commands.
#[derive(Debug, Parser)]
#[command(name = "netcap", version)]
pub(super) struct Other {
    /// Which one
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say what could be recorded here, and how
    Points {
        /// Directory of Open vSwitch's sockets
        #[arg(long, alias = "ovs_rundir", env = "OVS_RUNDIR", value_name = "DIR", value_parser = chosen_dir())]
        ovs_rundir: Option<PathBuf>,
        /// Directory of tools that are not where netcap looks
        #[arg(long, env = "NETCAP_TOOLS", value_name = "DIR", value_parser = chosen_dir())]
        tools: Option<PathBuf>,
        /// Language: en or zh-CN
        #[arg(long, value_name = "LANG")]
        lang: Option<Lang>,
    },
    /// List what is recorded of the host's state
    Sources {
        /// Language: en or zh-CN
        #[arg(long, value_name = "LANG")]
        lang: Option<Lang>,
    },
    /// List the ready-made filters
    Presets {
        /// Language: en or zh-CN
        #[arg(long, value_name = "LANG")]
        lang: Option<Lang>,
    },
    /// Make one file of a run's directory
    Bundle {
        /// The run's directory
        dir: PathBuf,
        /// Remove each file as soon as it is in the tar: needs room for one segment, not for a copy; goes on where an
        /// interrupted one stopped
        #[arg(long = "move")]
        moving: bool,
        /// The tar; - is standard output (for ssh). Else beside the directory
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Language: en or zh-CN
        #[arg(long, value_name = "LANG")]
        lang: Option<Lang>,
    },
    /// Say how the runs of this host are doing, and what dead ones left behind
    Status {
        /// Only this one, point by point: its name, its directory, or a part of the name
        run: Option<String>,
        /// As JSON: runs, silent, dead
        #[arg(long)]
        json: bool,
        /// Where to look for what dead runs left behind
        #[arg(long, value_name = "DIR", default_value = OUT)]
        out: PathBuf,
        /// Language: en or zh-CN
        #[arg(long, value_name = "LANG")]
        lang: Option<Lang>,
    },
    /// End a run, wait for its bundle, and say where it is
    Stop {
        /// Which: names, directories, or parts of names. None means the only one there is
        run: Vec<String>,
        /// All runs of this host
        #[arg(long, conflicts_with = "run")]
        all: bool,
        /// Wait no longer than this for a bundle; the run ends all the same
        #[arg(long, value_name = "TIME", default_value = "10m", value_parser = units::duration, allow_hyphen_values = true)]
        timeout: Duration,
        /// Do not wait for the bundle
        #[arg(long, alias = "no_wait")]
        no_wait: bool,
        /// Explain what was recorded with netcap-analyze
        #[arg(long, conflicts_with = "no_wait")]
        analyze: bool,
        /// Where to look for the bundle of a run that is over already
        #[arg(long, value_name = "DIR", default_value = OUT)]
        out: PathBuf,
        /// Language: en or zh-CN
        #[arg(long, value_name = "LANG")]
        lang: Option<Lang>,
    },
    /// Begin new segments now, so that what was recorded up to here can be copied away
    Rotate {
        /// Which: names, directories, or parts of names. None means the only one there is
        run: Vec<String>,
        /// All runs of this host
        #[arg(long, conflicts_with = "run")]
        all: bool,
        /// Language: en or zh-CN
        #[arg(long, value_name = "LANG")]
        lang: Option<Lang>,
    },
    /// Close a run that was killed, and bundle it
    Seal {
        /// The run's directory
        dir: PathBuf,
        /// Keep the directory and make no tar
        #[arg(long, alias = "no_bundle")]
        no_bundle: bool,
        /// Language: en or zh-CN
        #[arg(long, value_name = "LANG")]
        lang: Option<Lang>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn record(words: &[&str]) -> Record {
        Record::try_parse_from(std::iter::once(&"netcap").chain(words)).unwrap()
    }

    #[test]
    fn the_definition_is_sound() {
        Record::command().debug_assert();
        Other::command().debug_assert();
    }

    #[test]
    fn the_old_scripts_options_in_every_spelling() {
        for words in [
            &[
                "--vswitch=vs0",
                "--iface=vnet0,vnet1",
                "--iface_mac=0c:da:41:1d:f6:4b",
                "--ping=10.0.0.1",
                "icmp and host 10.0.0.1",
            ][..],
            &[
                "--vswitch",
                "vs0",
                "--iface",
                "vnet0",
                "--iface",
                "vnet1",
                "--iface-mac",
                "0c:da:41:1d:f6:4b",
                "--ping",
                "10.0.0.1",
                "icmp",
                "and",
                "host",
                "10.0.0.1",
            ],
        ] {
            let got = record(words);
            assert_eq!(
                (got.vswitch, got.iface),
                (vec!["vs0".into()], vec!["vnet0".into(), "vnet1".to_owned()])
            );
            assert_eq!((got.iface_mac.len(), got.ping.len()), (1, 1));
            assert_eq!(got.filter.join(" "), "icmp and host 10.0.0.1");
        }
    }

    #[test]
    fn long_options_with_underscores() {
        let got = record(&["--rotate_size=1M", "--rotate_time=30s", "--no_bundle", "--ovs_rundir=/x"]);
        assert_eq!((got.limits.rotate_size, got.limits.rotate_time.as_secs()), (1 << 20, 30));
        assert!(got.behaviour.no_bundle && got.is_empty());
    }
}
