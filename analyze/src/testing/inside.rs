//! What the unit tests of this crate share.

use std::path::Path;

use netcap_bundle::input::Input;
use netcap_tests::bundle::SealedBundle;
use netcap_tests::{files_below, root};

use crate::analysis::{Verdict, explain};
use crate::engine::Progress;
use crate::finding::{Confidence, Finding, Severity};
use crate::view::View;

/// Explains a file with that many threads.
pub(crate) fn explain_path(path: &Path, threads: usize) -> Verdict {
    let input = Input::open(path).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| explain(&input, None, &Progress::default()))
}

/// Looks at an input as detectors do.
pub(crate) fn with_view(input: &Input, look: impl FnOnce(&View<'_>)) {
    crate::view::read(input, &Progress::default(), look);
}

/// Findings of one detector.
pub(crate) fn found(sealed: &SealedBundle, detector: &str) -> Vec<Finding> {
    let verdict = explain_path(&sealed.path, 2);
    verdict.findings.into_iter().filter(|f| f.detector == detector).collect()
}

/// Severity and confidence of the only finding.
pub(crate) fn only(findings: &[Finding]) -> (Severity, Confidence) {
    assert_eq!(findings.len(), 1, "{findings:#?}");
    (findings[0].severity, findings[0].confidence)
}

/// What causes said of the losses that they do not explain.
pub(crate) fn ruled(sealed: &SealedBundle) -> Vec<String> {
    let said = |finding: &Finding| -> Vec<String> {
        finding.ruled.iter().map(|ruled| ruled.what.sentence().english()).collect()
    };
    found(sealed, "packet-loss").iter().flat_map(said).collect()
}

/// All sentences of this crate with their keys.
pub(crate) fn catalogue() -> String {
    let files = files_below(&root().join("analyze/locales"), ".yml");
    files.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}
