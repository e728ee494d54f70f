use super::*;

#[test]
fn worst_and_surest_come_first() {
    assert!(Severity::Critical > Severity::Error && Severity::Error > Severity::Warning);
    assert!(Severity::Warning > Severity::Info);
    assert!(Confidence::Proven > Confidence::Likely && Confidence::Likely > Confidence::CannotTell);
    assert_eq!(serde_json::to_string(&Confidence::CannotTell).unwrap(), "\"cannot tell\"");
}
