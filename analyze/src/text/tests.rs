//! Phrases with arguments.

use super::*;

#[test]
fn arguments_are_not_placeholders_and_carry_no_escapes() {
    let text = Text::new("place.outside").with("port", "%{port}\u{1b}[31m");
    assert_eq!(text.english(), "behind %{port}\u{fffd}[31m (outside this host)");
}

#[test]
fn what_stands_in_a_command_is_a_word_of_a_shell() {
    let of = |template: &str| in_command(template, template.rfind("%{").unwrap());
    assert!(of("Switch it off ('ovs-vsctl del-port %{port}')."));
    assert!(of("先用'ip link show %{port}'查看"));
    for no in [
        "'%{port}' is down",
        "the host's port %{port}",
        "%{vm}'s port is %{port}",
        "'ip link' is not for %{port}",
        "'x'%{port}",
    ] {
        assert!(!of(no), "{no}");
    }
    let remedy = Text::new("ping-loss.remedy.refused-too-big").with("who", "a;b").with("dst", "x; reboot");
    let said = remedy.english();
    assert!(said.contains("'ping -M do -s SIZE 'x; reboot''"), "{said}");
    assert!(said.contains("behind a;b is"), "{said}");
}
