//! The match of an OpenFlow rule as it is printed; what it means is [`crate::replay`]'s.

use serde::Serialize;

use crate::sources::shared::OfPort;

/// The match of a rule: its fields in the order printed; a shorthand like `icmp` has an empty value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FlowMatch {
    /// Name and value as printed.
    pub fields: Vec<(String, String)>,
}

impl FlowMatch {
    /// The value of a field, as printed.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// The OpenFlow port matched, when it is given as a number.
    pub fn in_port(&self) -> Option<OfPort> {
        self.get("in_port")?.parse().ok()
    }
}
