//! Lines that both commands print alike.

/// The name in `---- NAME ----`.
pub(super) fn heading(line: &str) -> Option<&str> {
    let name = line.trim().strip_prefix("----")?.strip_suffix("----")?.trim();
    (!name.is_empty()).then_some(name)
}

/// `member eth0: rest`, `slave eth0: rest`, `member: eth0: rest`, `slave: eth0: rest`.
pub(super) fn member_line(line: &str) -> Option<(&str, &str)> {
    let trimmed = line.trim();
    let (word, rest) = trimmed.split_once([' ', ':'])?;
    if !word.eq_ignore_ascii_case("member") && !word.eq_ignore_ascii_case("slave") {
        return None;
    }
    let (name, state) = rest.trim_start_matches([' ', ':']).rsplit_once(':')?;
    Some((name.trim(), state.trim()))
}

/// Truth as OVS prints it.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.trim() {
        "true" | "yes" => Some(true),
        "false" | "no" => Some(false),
        _ => None,
    }
}
