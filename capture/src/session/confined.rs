//! What a run says of its sandbox.

use netcap_bundle::run::Sandbox;
use rust_i18n::t;

use super::view::Session;
use crate::disk::rundir::RunDir;

impl Session {
    /// The journal says how the recording is confined; a layer that is missing is worth a remark.
    pub(super) fn sandbox(&mut self, run: &RunDir) {
        let Some(sandbox) = &run.info.sandbox else { return };
        if !sandbox.on {
            return self.journal.line(&t!("sandbox.off"));
        }
        self.journal.line(&line(sandbox));
        for layer in &sandbox.missing {
            self.remark(&t!("sandbox.missing", layer = layer));
        }
    }

    /// Says once that the helper has ended before the recording.
    pub(super) fn look_after_helper(&mut self) {
        if !self.helper_lost && self.governing.helper_lost() {
            self.helper_lost = true;
            self.remark(&t!("sandbox.lost"));
        }
    }
}

fn line(sandbox: &Sandbox) -> String {
    let yes_or_no = |is: bool| if is { t!("sandbox.yes") } else { t!("sandbox.no") };
    let capabilities = sandbox.capabilities.join(" ");
    let capabilities = if capabilities.is_empty() { t!("sandbox.no").into_owned() } else { capabilities };
    let landlock = sandbox.landlock_abi.map_or_else(|| t!("sandbox.no").into_owned(), |abi| abi.to_string());
    let (user, seccomp) = (&sandbox.user, yes_or_no(sandbox.seccomp));
    let root = yes_or_no(sandbox.own_root);
    t!(
        "sandbox.on",
        user = user,
        capabilities = capabilities,
        landlock = landlock,
        root = root,
        seccomp = seccomp
    )
    .into_owned()
}
