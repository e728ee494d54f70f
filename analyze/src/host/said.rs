//! What a source said at some time, with the files that say so: evidence of a state.

use netcap_bundle::Nanos;
use netcap_bundle::input::Input;
use netcap_bundle::source::Snapshot;
use netcap_bundle::state::Round;

/// What a source said last before a time, or first of all.
pub(crate) fn said_at<T: Snapshot>(input: &Input, at: Nanos) -> Option<Round<T>> {
    let state = &input.state;
    let rounds = state.changed(T::DEF.id).into_iter();
    let rounds: Vec<(u32, Nanos)> =
        rounds.filter(|(number, _)| state.is_obtained(T::DEF.id, *number)).collect();
    let next = rounds.partition_point(|(_, then)| *then <= at);
    let (number, _) = rounds.get(next.saturating_sub(1))?;
    state.read::<T>(&input.files, *number)
}
