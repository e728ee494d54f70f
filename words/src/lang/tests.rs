use super::*;

#[test]
fn languages_in_every_spelling_and_no_others() {
    for text in ["zh", "zh-CN", "zh_CN", "ZH_cn", " zh "] {
        assert_eq!(Lang::named(text), Some(Lang::Zh), "{text}");
    }
    assert_eq!(Lang::named("en"), Some(Lang::En));
    for text in ["fr", "", "zhx", "english"] {
        assert_eq!(Lang::named(text), None, "{text}");
        assert!(text.parse::<Lang>().unwrap_err().contains("en, zh-CN"), "{text}");
    }
    assert_eq!(Lang::of_locale("zh_CN.UTF-8"), Lang::Zh);
    assert_eq!(Lang::of_locale("C"), Lang::En);
}

#[test]
fn the_language_is_known_before_the_words_are_read() {
    let asked_in = |line: &str| {
        let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        asked(&words).and_then(Lang::named)
    };
    for line in ["x --lang zh --nonsense", "x status --lang=zh-CN", "x --lang en --lang zh_CN"] {
        assert_eq!(asked_in(line), Some(Lang::Zh), "{line}");
    }
    for line in ["x", "x --lang", "x --lang fr", "x --language=zh"] {
        assert_eq!(asked_in(line), None, "{line}");
    }
}
