//! Which command was meant, and doing it: the one visible match of the program.

use std::collections::BTreeMap;
use std::path::Path;

use netcap_bundle::{Role, sources};
use netcap_filters::{Filter, Options, VlanMode, any_of, preset};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use rust_i18n::t;
use unicode_width::UnicodeWidthStr;

use crate::cli::{COMMANDS, Command, Manner, Other, Record};
use crate::control::find;
use crate::control::protocol::{Ended, Phase};
use crate::control::show;
use crate::control::stop::{self, Stopping};
use crate::detach::{self, Rope};
use crate::error::{Error, Result};
use crate::exec::Host;
use crate::inventory::Inventory;
use crate::plan::{self, Here, Wanted};
use crate::segments::Rotation;
use crate::session::{self, Known, Plan, Space};
use crate::{cost, finish, help, sandbox, sys, ui, wording};

/// Nice value of everything but the recording threads.
const NICE: i32 = 5;

/// Runs the command line; gives the exit status.
pub fn main() -> u8 {
    cost::begin();
    let words: Vec<_> = std::env::args_os().collect();
    let first = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    if first == sandbox::HELPER {
        return sandbox::helper::main();
    }
    // Help and complaints about the command line come before it is read.
    ui::set_language(help::language(&words).as_deref());
    let done = if COMMANDS.contains(&first) {
        match help::parse::<Other>(&words) {
            Ok(other) => self::other(other.command),
            Err(e) => return usage(&e),
        }
    } else {
        match help::parse::<Record>(&words) {
            Ok(options) => record(options),
            Err(e) => return usage(&e),
        }
    };
    done.unwrap_or_else(|e| {
        ui::tell(&format!("netcap: {e}"));
        e.exit_status()
    })
}

/// Help and version are answers, everything else is a mistake.
fn usage(error: &clap::Error) -> u8 {
    let _ = error.print();
    u8::try_from(error.exit_code()).unwrap_or(2)
}

fn other(command: Command) -> Result<u8> {
    match command {
        Command::Points { ovs_rundir, lang } => {
            ui::set_language(lang.as_deref());
            points(ovs_rundir)
        }
        Command::Sources { lang } => {
            ui::set_language(lang.as_deref());
            for def in sources::ALL {
                ui::answer(&format!("{:<16} {}", def.id, wording::about(def)));
            }
            Ok(0)
        }
        Command::Presets { lang } => {
            ui::set_language(lang.as_deref());
            presets();
            Ok(0)
        }
        Command::Bundle { dir, moving, output, lang } => {
            ui::set_language(lang.as_deref());
            finish::bundle(&dir, moving, output.as_deref())
        }
        Command::Status { run, json, out, lang } => {
            ui::set_language(lang.as_deref());
            show::status(run.as_deref(), json, &out)
        }
        Command::Stop { run, all, timeout, no_wait, analyze, out, lang } => {
            ui::set_language(lang.as_deref());
            let patience = (!no_wait).then_some(timeout);
            stop::stop(&Stopping { words: run, all, patience, analyze, out })
        }
        Command::Rotate { run, all, lang } => {
            ui::set_language(lang.as_deref());
            stop::rotate(&run, all)
        }
        Command::Seal { dir, no_bundle, lang } => {
            ui::set_language(lang.as_deref());
            finish::seal_dead(&dir, !no_bundle)
        }
    }
}

fn presets() {
    for preset in netcap_filters::list() {
        ui::answer(&format!(
            "{:<20} {}\n{:20}   {}",
            preset.usage(),
            wording::matches(preset),
            "",
            preset.expression
        ));
    }
}

/// What could be recorded here, and how.
fn points(ovs_rundir: Option<std::path::PathBuf>) -> Result<u8> {
    let host = Host::this(ovs_rundir);
    let inventory = block_on(Inventory::take(&host))?;
    let here = &inventory.here;
    ui::answer(inventory.table().trim_end());
    for text in &here.unasked {
        ui::answer(text);
    }
    ui::answer("");
    ui::answer(&t!("points.how"));
    let examples = examples(here);
    let width = examples.iter().map(|(command, _)| command.width()).max().unwrap_or(0);
    for (command, about) in examples {
        let pad = " ".repeat(width.saturating_sub(command.width()));
        ui::answer(&format!("  {command}{pad}  # {about}"));
    }
    ui::answer(&t!("points.more"));
    Ok(0)
}

/// Commands that would record here, each with what it means.
fn examples(here: &Here) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for name in here.switches.keys() {
        out.push((format!("netcap --vswitch {name}"), here.describe(name)));
    }
    let vms: std::collections::BTreeSet<&str> = here.points.iter().filter_map(|p| vm_of(&p.role)).collect();
    if let Some(vm) = vms.first() {
        out.push((format!("netcap --vm {vm}"), t!("points.vm", count = vms.len()).into_owned()));
    }
    let mac = here.points.iter().find_map(|p| match &p.role {
        Role::Vnet { guest_mac, .. } => *guest_mac,
        _ => None,
    });
    if let Some(mac) = mac {
        out.push((format!("netcap --iface_mac {mac}"), t!("points.mac").into_owned()));
    }
    let others: Vec<&str> =
        here.points.iter().filter(|p| p.vswitch.is_none()).map(|p| p.iface.as_str()).collect();
    if let Some(first) = others.first() {
        out.push((format!("netcap --iface {first}"), others.join(" ")));
    }
    out
}

fn vm_of(role: &Role) -> Option<&str> {
    match role {
        Role::Vnet { vm, .. } => vm.as_deref(),
        _ => None,
    }
}

fn record(mut options: Record) -> Result<u8> {
    ui::set_language(options.manner.lang.as_deref());
    // Others are told where a run is, and a detached one leaves the directory it was started in.
    for path in [Some(&mut options.limits.out), options.manner.ovs_rundir.as_mut()].into_iter().flatten() {
        *path = std::path::absolute(&*path).unwrap_or_else(|_| path.clone());
    }
    if options.manner.list_presets {
        presets();
        return Ok(0);
    }
    let filter = filter(&options)?;
    let own = own_filters(&mut options)?;
    if options.manner.show_filter {
        ui::answer(filter.describe().trim_end());
        for (iface, filter) in &own {
            ui::answer(&format!("\n{iface}:\n{}", filter.describe().trim_end()));
        }
        return Ok(0);
    }
    if options.is_empty() {
        return points(options.manner.ovs_rundir);
    }
    if options.points_empty() && options.ping.is_empty() {
        return Err(Error::Usage(t!("usage.no_points").into_owned()));
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::Usage(t!("usage.root").into_owned()));
    }
    if options.manner.detach && options.manner.analyze {
        return Err(Error::Usage(t!("usage.detach_analyze").into_owned()));
    }
    if options.manner.detach && !detach::is_recorder() {
        return detach::launch(options.manner.quiet);
    }
    let _ = sys::nice_this_thread(NICE);
    raise_file_limit();
    block_on(run(options, filter, own))?
}

async fn run(options: Record, filter: Filter, own: Own) -> Result<u8> {
    let analyzer = options.manner.analyze.then(finish::analyzer).transpose()?;
    let rope = options.manner.detach.then(Rope::take).transpose()?;
    let host = Host::this(options.manner.ovs_rundir.clone());
    let prepared = prepare(&options, &host, analyzer.as_deref())?;
    let inventory = Inventory::take(&host).await;
    let (bundle, out) = (!options.manner.no_bundle, options.limits.out.clone());
    let plan = Plan { detach: rope, ..plan(options, filter, own, &inventory)? };
    // From here on there is nothing left to lose but the recording itself: packets come next, and threads.
    match prepared {
        Some(prepared) => prepared.enter()?,
        None => sandbox::off(),
    }
    let topology = inventory.table();
    let old = inventory.indexes.into_values().collect();
    let known = Known { host, elements: inventory.elements, taken: inventory.taken, topology, old };
    let ended = session::record(plan, known).await?;
    let failed = matches!(ended.end, netcap_bundle::manifest::End::Failed { .. });
    let (mut signals, control, dir) = (ended.signals, ended.control, ended.run.path.clone());
    control.board.phase(Phase::Sealing);
    let mut sealing = tokio::task::spawn_blocking(move || {
        let manifest = finish::seal_run(&ended.run, ended.at, ended.end, ended.remarks, ended.cost)?;
        let result = finish::wrap_up(&ended.run, &out, bundle, Some(ended.bounds))?;
        Ok::<_, Error>((manifest, result))
    });
    let sealed = loop {
        tokio::select! {
            sealed = &mut sealing => break sealed,
            () = signals.end() => ui::tell(&t!("end.sealing")),
        }
    };
    let sealed = sealed.map_err(|e| Error::Other(e.to_string())).and_then(|sealed| sealed);
    control.finish(sealed.as_ref().map_or_else(
        |e| Ended { path: dir.clone(), unsealed: Some(e.to_string()), status: 1, ..Ended::default() },
        |(_, result)| result.told(u8::from(failed)),
    ));
    let (manifest, result) = sealed.inspect_err(|_| ui::tell(&t!("end.unsealed", dir = dir.display())))?;
    finish::summary(&manifest, &result);
    if let Some(program) = analyzer {
        finish::analyze_run(&program, &result.path).await;
    }
    Ok(u8::from(failed))
}

/// Starts the helper of the sandbox, unless none is wanted.
fn prepare(options: &Record, host: &Host, analyzer: Option<&Path>) -> Result<Option<sandbox::Prepared>> {
    let Manner { no_sandbox, user, .. } = &options.manner;
    if *no_sandbox {
        return Ok(None);
    }
    sandbox::prepare(sandbox::Wish {
        user: sandbox::User::find(user.as_deref())?,
        ovs_rundir: host.ovs_rundir.clone(),
        out: options.limits.out.clone(),
        analyzer: analyzer.map(Path::to_owned),
    })
    .map(Some)
}

/// Filter and presets, joined by "or": each preset adds something to see.
fn filter(options: &Record) -> Result<Filter> {
    let mut parts =
        options.preset.iter().map(|text| preset(text)).collect::<std::result::Result<Vec<_>, _>>()?;
    let typed = options.filter.join(" ");
    if !typed.trim().is_empty() {
        parts.push(typed);
    }
    compile(&any_of(parts), &options.manner)
}

fn compile(expression: &str, manner: &Manner) -> Result<Filter> {
    let vlan = if manner.no_vlan { VlanMode::Literal } else { VlanMode::AsMeant };
    let filter = Filter::compile(expression, Options { vlan, inner: manner.inner })?;
    if filter.needs_live_handle() {
        return Err(Error::Usage(t!("usage.literal_vlan").into_owned()));
    }
    Ok(filter)
}

/// Filters of single interfaces, which replace the common one there.
type Own = BTreeMap<String, Filter>;

/// Takes the filters out of `--iface NAME:FILTER`. A colon is in no interface's name (`dev_valid_name`, net/core/dev.c).
fn own_filters(options: &mut Record) -> Result<Own> {
    let mut own = Own::new();
    for word in &mut options.iface {
        let Some((name, expression)) = word.split_once(':') else { continue };
        let (name, filter) = (name.trim().to_owned(), compile(expression, &options.manner)?);
        if own.insert(name.clone(), filter).is_some() {
            return Err(Error::Usage(t!("usage.two_filters", iface = name).into_owned()));
        }
        *word = name;
    }
    Ok(own)
}

fn plan(options: Record, filter: Filter, own: Own, inventory: &Inventory) -> Result<Plan> {
    let wanted = Wanted {
        vswitches: options.vswitch,
        ifaces: options.iface,
        macs: options.iface_mac,
        vms: options.vm,
    };
    let points = plan::select(&inventory.here, &wanted)?;
    let limits = options.limits;
    let follow = (wanted.can_grow() && !options.manner.no_follow).then_some(wanted);
    let mut pings = options.ping;
    pings.sort_unstable();
    pings.dedup();
    let ns = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    let rotation =
        Rotation { bytes: limits.rotate_size.max(1), ns: ns(limits.rotate_time), level: limits.level };
    let mut plan = Plan {
        points: Vec::new(),
        pings,
        filter,
        own,
        snaplen: limits.snaplen,
        buffer: limits.buffer,
        cpu_limit: limits.cpu_limit,
        max_memory: limits.max_memory,
        follow,
        rotation,
        duration: limits.duration,
        until: limits.until,
        max_packets: limits.max_packets,
        state_interval: limits.state_interval,
        space: Space { max: limits.max_disk, total: limits.max_disk_total, floor: limits.min_free },
        out: limits.out,
        quiet: options.manner.quiet,
        detach: None,
        bundle: !options.manner.no_bundle,
        taken: find::sockets(Path::new("/proc")).iter().map(|socket| socket.run().to_owned()).collect(),
    };
    for mut point in points {
        plan.dress(&mut point);
        plan.points.push(point);
    }
    Ok(plan)
}

/// Each point needs two descriptors; the usual soft limit of 1024 is there for programs that use select(2).
fn raise_file_limit() {
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// One thread is enough: packets have threads of their own, and commands run one after the other. A file of the host that
/// cannot be read to its end (a mount that hangs) is not waited for.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = built.map_err(|e| Error::Other(e.to_string()))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use netcap_bundle::source::{Each, How, Outcome, Recipe};
    use std::time::{Duration, Instant};

    #[test]
    fn a_file_that_hangs_does_not_keep_the_program_from_ending() {
        static RECIPE: Recipe =
            Recipe { item: "pipe", each: Each::Once, how: How::File("/pipe"), bytes_max: 4, timeout_ms: 100 };
        let dir = tempfile::tempdir().unwrap();
        // Nobody ever writes to it: opening it waits for ever, as reading from a server that is gone does.
        nix::unistd::mkfifo(&dir.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let host = Host { root: dir.path().to_owned(), ovs_rundir: dir.path().to_owned() };
        let (tell, done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let taken = block_on(crate::exec::take(&host, "x", &RECIPE, "")).unwrap();
            let _ = tell.send(taken.outcome);
        });
        let began = Instant::now();
        let outcome = done.recv_timeout(Duration::from_secs(5));
        assert_eq!(outcome, Ok(Outcome::TimedOut), "{:?}", began.elapsed());
    }
}
