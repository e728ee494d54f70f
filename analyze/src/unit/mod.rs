//! What every entry of a registry has, whatever it does: an id, what it cannot do without, and a manual page.

mod fitting;
mod page;

use netcap_bundle::Role;

use crate::finding::Severity;
use crate::view::View;

/// Findings that a unit makes of one input, where nothing speaks for another number: nobody reads more.
pub(crate) const FINDINGS_MAX: usize = 100;

/// Something a unit cannot do without.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Key of its phrase in the catalogue (`need.…`).
    pub key: &'static str,
    /// Whether it is there; `None` when that cannot be judged because an earlier need of the list is missing.
    pub met: fn(&View<'_>) -> Option<bool>,
}

/// A recorded port of a switch that is known.
pub(crate) const SWITCH_POINT: Need = Need {
    key: "need.switch-point",
    met: |view| Some(view.points.iter().any(|(_, info)| info.vswitch.is_some())),
};

/// A recorded port of a virtual machine.
pub(crate) const VM_PORT: Need = Need { key: "need.vm-port", met: |view| Some(has_vm_port(view)) };

/// One entry of a registry: a detector, a symptom, a cause or a measurement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    /// Stable id.
    pub id: &'static str,
    /// Least and worst severity of its findings; `None` when it only measures.
    pub severity: Option<(Severity, Severity)>,
    /// Findings it makes of one input at most; `None` when its tables bound them.
    pub most: Option<usize>,
    /// What it needs; the runner checks it, so that no unit branches on missing input.
    pub needs: &'static [Need],
    /// Source of its file, whose doc comment is the manual page.
    pub(crate) source: &'static str,
}

/// A unit that could not look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotEvaluated {
    /// Its id.
    pub detector: &'static str,
    /// Keys of what is missing.
    pub missing: Vec<&'static str>,
}

impl Unit {
    /// Keys of the needs that are missing, and only of those: what cannot be judged yet is not asked for.
    pub(crate) fn missing(&self, view: &View<'_>) -> Vec<&'static str> {
        let missing = self.needs.iter().filter(|need| (need.met)(view) == Some(false));
        missing.map(|need| fitting::key(view, need.key)).collect()
    }
}

/// The port of a virtual machine is recorded.
pub(crate) fn has_vm_port(view: &View<'_>) -> bool {
    view.points.iter().any(|(_, info)| matches!(info.role, Role::Vnet { .. }))
}
