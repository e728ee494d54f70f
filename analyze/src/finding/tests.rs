use netcap_words::Lang;

use super::*;
use crate::text::phrase;

#[test]
fn worst_and_surest_come_first() {
    assert!(Severity::Critical > Severity::Error && Severity::Error > Severity::Warning);
    assert!(Severity::Warning > Severity::Info);
    assert!(Confidence::Proven > Confidence::Likely && Confidence::Likely > Confidence::CannotTell);
    assert_eq!(serde_json::to_string(&Confidence::CannotTell).unwrap(), "\"cannot tell\"");
}

/// Doubt is a variant, never a beginning of a sentence that a translation may word otherwise.
#[test]
fn what_is_open_says_so_by_its_kind_and_not_by_its_words() {
    let catalogue = crate::testing::catalogue();
    for lang in [Lang::En, Lang::Zh] {
        let open = phrase("report.open", lang);
        let keys =
            catalogue.lines().filter(|line| line.contains(".not.")).filter_map(|line| line.strip_suffix(':'));
        let mut seen = 0;
        for key in keys {
            seen += 1;
            assert!(!phrase(key, lang).starts_with(open.trim_end_matches([':', '：'])), "{key}");
        }
        assert!(seen > 0);
        let text = || Text::new("packet-loss.not.other-way");
        assert!(Exoneration::Open(text()).sentence().render(lang).starts_with(&open));
        assert!(!Exoneration::RuledOut(text()).sentence().render(lang).starts_with(&open));
    }
}
