use super::*;

#[test]
fn long_lists_are_broken_and_nothing_is_lost() {
    let words: Vec<String> = (0..60).map(|n| format!("vnet{n}")).collect();
    let lines = wrap("recording: ", words.iter().map(String::as_str));
    assert!(lines.len() > 3 && lines.iter().all(|line| line.width() <= WIDTH), "{lines:?}");
    assert!(lines[1].starts_with("           vnet"));
    let all = lines.join(" ");
    assert!(all.split_whitespace().skip(1).eq(words.iter().map(String::as_str)));
    let long = "x".repeat(300);
    assert_eq!(wrap("a ", [long.as_str()]), [format!("a {long}")]);
    assert_eq!(wrap("a", []), ["a"]);
}

#[test]
fn one_is_not_many() {
    rust_i18n::set_locale("en");
    assert_eq!((packets(1), packets(0)), ("1 packet".into(), "0 packets".into()));
    assert_eq!((points(1), segments(2)), ("1 point".into(), "2 segments".into()));
}

#[test]
fn languages_in_every_spelling_and_no_others() {
    for text in ["zh", "zh-CN", "zh_CN", "ZH_cn"] {
        assert_eq!(language(text).as_deref(), Ok("zh-CN"), "{text}");
    }
    assert_eq!(language("en").as_deref(), Ok("en"));
    for text in ["fr", "", "zhx", "english"] {
        assert!(language(text).unwrap_err().contains("en, zh-CN"), "{text}");
    }
}
