//! Meters on the way of packets that the rules send on.

use netcap_bundle::Nanos;
use netcap_bundle::sources::ovs::openflow::Flow;

/// A meter that a rule on the way of the packets names.
#[derive(Debug, Clone)]
pub(crate) struct Metered {
    /// Bridge of the rule.
    pub bridge: String,
    /// The meter.
    pub id: u32,
    /// The rule, in short.
    pub rule: String,
    pub file: String,
    /// When it was dumped.
    pub at: Nanos,
}

impl Metered {
    /// The first meter on a way through the rules; `file` is the dump of a bridge.
    pub(super) fn of(chain: &[&Flow], at: Nanos, file: impl Fn(&str) -> String) -> Option<Self> {
        let (flow, id) = chain.iter().find_map(|flow| Some((flow, meter_of(&flow.actions)?)))?;
        let (bridge, file) = (flow.bridge.clone(), file(&flow.bridge));
        Some(Self { bridge, id, rule: flow.describe(), file, at })
    }
}

/// The first meter of a list of actions, `meter:1,NORMAL`.
fn meter_of(actions: &str) -> Option<u32> {
    actions.split(',').find_map(|word| word.trim().strip_prefix("meter:")?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_is_an_action_of_its_own() {
        assert_eq!(meter_of("meter:7,NORMAL"), Some(7));
        assert_eq!(meter_of("set_field:1->reg0,meter:12,resubmit(,3)"), Some(12));
        assert_eq!((meter_of("NORMAL"), meter_of("parameter:3")), (None, None));
    }
}
