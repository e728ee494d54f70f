//! What a source said at some time, with the files that say so: evidence of a state.

use netcap_bundle::Nanos;
use netcap_bundle::input::Input;
use netcap_bundle::source::Snapshot;
use netcap_bundle::state::Round;

/// What a source said last before a time, or first of all.
pub(crate) fn said_at<T: Snapshot>(input: &Input, at: Nanos) -> Option<Round<T>> {
    let number = input.state.obtained_at(T::DEF.id, at)?;
    input.state.read::<T>(&input.files, number)
}
