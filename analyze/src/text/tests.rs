//! Phrases with arguments.

use super::*;

#[test]
fn arguments_are_not_placeholders_and_carry_no_escapes() {
    let text = Text::new("place.outside").with("port", "%{port}\u{1b}[31m");
    assert_eq!(text.english(), "behind %{port}\u{fffd}[31m (outside this host)");
}
