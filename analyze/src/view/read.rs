//! From an input to its view.

use std::sync::Arc;

use netcap_bundle::Role;
use netcap_bundle::input::Input;
use netcap_bundle::topology::SwitchKind;

use super::View;
use crate::engine::copies::Copies;
use crate::engine::follow::Follow;
use crate::engine::points::FoldContext;
use crate::engine::{self, Progress};
use crate::fidelity::Fidelity;
use crate::host::bonds::Bonds;
use crate::host::{Host, copies, sides};
use crate::tables::Folds;

/// Reads the input and shows what is known of it.
pub(crate) fn read<R>(input: &Input, progress: &Progress, look: impl FnOnce(&View<'_>) -> R) -> R {
    let bonds = Bonds::read(input);
    let mut bonded = bonds.member_names();
    bonded.extend(input.points.iter().filter_map(|p| match &p.role {
        Role::Uplink { bond: Some(_) } => Some(p.iface.clone()),
        _ => None,
    }));
    let (follow, host) = (Follow::read(&[input]), Host::read(input));
    let context = |copies: Copies| {
        let mut context = FoldContext::new(&input.points, &bonded).of_files(input.segments.len());
        (context.follow, context.copies, context.sides) = (follow.clone(), copies, sides::read(input));
        Arc::new(context)
    };
    let pass = |context: &Arc<FoldContext>| {
        let outcome = engine::run::<Folds>(input, context, progress);
        (outcome.points, outcome.files, outcome.fold.finish())
    };
    let mut copies = copies::read(input, &host);
    let mut known = context(copies.clone());
    let (mut points, mut files, mut tables) = pass(&known);
    // What is sent to an address that speaks from a second port arrives there, and is no copy: only the pass over all
    // packets tells that, and few recordings have one.
    let spoken = tables.sources.spoken.keys().map(|key| (key.mac, points.name(key.point)));
    if copies.take_homes(spoken) {
        known = context(copies);
        (points, files, tables) = pass(&known);
    }
    let context = known;
    let mut fidelity = Fidelity::new(input, &points, &files, &tables.losses.points);
    if host.offloads {
        let bridge =
            |name: &str| host.topology().switch(name).is_some_and(|s| s.kind == SwitchKind::LinuxBridge);
        let of_switch =
            points.iter().filter(|(_, info)| info.vswitch.as_deref().is_some_and(|name| !bridge(name)));
        fidelity.bypass(of_switch.map(|(id, _)| id));
    }
    let view =
        View { input, tables: &tables, points: &points, files: &files, fidelity, host, bonds, context };
    look(&view)
}
