use super::*;

#[test]
fn one_is_not_many() {
    rust_i18n::set_locale("en");
    assert_eq!((packets(1), packets(0)), ("1 packet".into(), "0 packets".into()));
    assert_eq!((points(1), segments(2)), ("1 point".into(), "2 segments".into()));
}

#[test]
fn what_is_printed_steers_no_terminal() {
    let mut out = Vec::new();
    write(&mut out, "vnet\u{1b}[2J0\nsecond \u{202e}line");
    assert_eq!(String::from_utf8(out).unwrap(), "vnet\u{fffd}[2J0\nsecond \u{fffd}line\n");
}

#[test]
fn what_is_drawn_steers_no_terminal_but_by_netcaps_own_sequences() {
    let drawn = drawing(2, &["vnet\u{1b}[2J0".into(), "虚拟机\u{202e}".into()]);
    let lines = "\r\x1b[Kvnet\u{fffd}[2J0\n\r\x1b[K虚拟机\u{fffd}\n";
    assert_eq!(drawn, format!("\x1b[?7l\x1b[2A{lines}\r\x1b[J\x1b[?7h"));
}
