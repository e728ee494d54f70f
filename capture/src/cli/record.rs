//! The command without a name: recording.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use netcap_bundle::held::Dir;
use netcap_filters::Filter;
use netcap_words::quote;
use rust_i18n::t;

use super::detach::{self, LaunchPipe};
use super::filters::{Own, filter, own_filters};
use super::lists::{points, presets};
use super::options::{Behaviour, Record};
use super::plan::plan;
use super::runtime::{self, block_on, raise_file_limit};
use crate::control::protocol::{Ended, Phase};
use crate::error::{Error, Result};
use crate::host::inventory::Inventory;
use crate::host::services::Host;
use crate::privileged::{Direct, Privileged, Process};
use crate::session::{self, InitialState, OnStarted};
use crate::{finish, sandbox, sys, ui};

/// Nice value of everything but the recording threads.
const NICE: i32 = 5;

/// Records as these options say; the program began at `began`.
pub(super) fn record(mut options: Record, began: Instant) -> Result<u8> {
    ui::set_language(options.behaviour.lang);
    // Others learn where a run is, and a detached one leaves the directory it was started in.
    for path in [Some(&mut options.limits.out), options.behaviour.ovs_rundir.as_mut()].into_iter().flatten() {
        *path = std::path::absolute(&*path).unwrap_or_else(|_| path.clone());
    }
    if options.behaviour.list_presets {
        presets();
        return Ok(0);
    }
    runtime::tools(options.behaviour.tools.as_deref())?;
    let filter = filter(&options)?;
    let own = own_filters(&mut options)?;
    if options.behaviour.show_filter {
        ui::answer(filter.describe().trim_end());
        for (iface, filter) in &own {
            ui::answer(&format!("\n{iface}:\n{}", filter.describe().trim_end()));
        }
        return Ok(0);
    }
    if options.is_empty() {
        return points(options.behaviour.ovs_rundir);
    }
    if options.points_empty() && options.ping.is_empty() {
        return Err(Error::Usage(t!("usage.no_points").into_owned()));
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(Error::Usage(t!("usage.root").into_owned()));
    }
    Dir::check(&options.limits.out).map_err(Error::out(&options.limits.out))?;
    if options.behaviour.detach && options.behaviour.analyze {
        return Err(Error::Usage(t!("usage.detach_analyze").into_owned()));
    }
    if options.behaviour.detach && !detach::is_recorder() {
        return detach::launch(options.behaviour.quiet);
    }
    let _ = sys::nice_this_thread(NICE);
    raise_file_limit();
    block_on(run(options, filter, own, began))?
}

async fn run(options: Record, filter: Filter, own: Own, began: Instant) -> Result<u8> {
    let analyzer = options.behaviour.analyze.then(finish::analyzer).transpose()?;
    let pipe = options.behaviour.detach.then(LaunchPipe::take).transpose()?;
    let on_started = pipe.map(|pipe| Box::new(|run: &_| pipe.report_started(run)) as OnStarted);
    let host = runtime::host(options.behaviour.ovs_rundir.clone())?;
    let prepared = prepare(&options, &host, analyzer.as_deref())?;
    let privileged: Arc<dyn Privileged> = match &prepared {
        Some(prepared) => prepared.helper(),
        None => Arc::new(Direct::new(host.clone())),
    };
    let mut inventory = Inventory::take(&*privileged).await;
    inventory.note_unasked(&host);
    let bundle = !options.behaviour.no_bundle;
    let plan = plan(options, filter, own, &inventory)?;
    // From here on there is nothing left to lose but the recording itself: packets come next, and threads.
    let owner = nix::unistd::getuid().as_raw();
    let old: BTreeSet<u32> = inventory.indexes.values().copied().collect();
    let sandbox = match prepared {
        Some(prepared) => prepared.enter(sandbox::Limits::of(&plan, old.clone()))?,
        None => sandbox::off(),
    };
    let process = Process { privileged: privileged.clone(), sandbox, owner, began };
    let topology = inventory.table();
    let initial = InitialState { host, elements: inventory.elements, taken: inventory.taken, topology, old };
    let ended = session::record(plan, initial, process, on_started).await?;
    let failed = matches!(ended.end, netcap_bundle::run::End::Failed { .. });
    let (mut signals, control, dir) = (ended.signals, ended.control, ended.run.place_now());
    control.board.phase(Phase::Sealing);
    let mut sealing = tokio::task::spawn_blocking(move || {
        let manifest = finish::seal_run(&ended.run, ended.at, ended.end, ended.remarks, ended.cost)?;
        let result = finish::wrap_up(&ended.run, bundle, Some(ended.bounds));
        Ok::<_, Error>((manifest, result))
    });
    let sealed = loop {
        tokio::select! {
            sealed = &mut sealing => break sealed,
            () = signals.end() => ui::note(&t!("end.sealing")),
        }
    };
    let sealed = sealed.map_err(|e| Error::Other(e.to_string())).and_then(|sealed| sealed);
    control.finish(sealed.as_ref().map_or_else(
        |e| Ended { path: dir.clone(), unsealed: Some(e.to_string()), status: 1, ..Ended::default() },
        |(_, result)| Ended::sealed(result, u8::from(failed)),
    ));
    let (manifest, result) =
        sealed.inspect_err(|_| ui::note(&t!("end.unsealed", dir = quote::path(&dir))))?;
    finish::summary(&manifest, &result);
    if let Some(program) = analyzer {
        finish::analyze_run(&*privileged, &program, &result.path).await;
    }
    Ok(u8::from(failed))
}

/// Starts the helper of the sandbox, unless none is wanted.
fn prepare(options: &Record, host: &Host, analyzer: Option<&Path>) -> Result<Option<sandbox::Prepared>> {
    let Behaviour { no_sandbox, user, .. } = &options.behaviour;
    if *no_sandbox {
        return Ok(None);
    }
    sandbox::prepare(sandbox::Options {
        user: sandbox::User::find(user.as_deref())?,
        ovs_rundir: host.ovs_rundir.clone(),
        out: options.limits.out.clone(),
        analyzer: analyzer.map(Path::to_owned),
    })
    .map(Some)
}
