//! From an input to its view.

use std::sync::Arc;

use netcap_bundle::Role;
use netcap_bundle::input::Input;
use netcap_bundle::topology::SwitchKind;

use super::View;
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
    let mut context = FoldContext::new(&input.points, &bonded).of_files(input.segments.len());
    context.follow = Follow::read(&[input]);
    let host = Host::read(input);
    context.copies = copies::read(input, &host);
    context.sides = sides::read(input);
    let context = Arc::new(context);
    let outcome = engine::run::<Folds>(input, &context, progress);
    let (points, files) = (outcome.points, outcome.files);
    let tables = outcome.fold.finish();
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
