//! What came of many inputs together.

use std::collections::BTreeMap;

use crate::analysis::Verdict;
use crate::finding::{Finding, Severity};

/// Counts over all inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Total {
    /// Inputs that were read.
    pub read: u64,
    /// Inputs that could not be read.
    pub unreadable: u64,
    /// Inputs of which something is gone or was given up.
    pub incomplete: u64,
    /// Inputs of which nothing was understood.
    pub not_understood: u64,
    /// Inputs with a finding.
    pub found: u64,
    pub packets: u64,
    /// Findings by severity.
    pub findings: BTreeMap<Severity, u64>,
    /// Findings by detector.
    pub detectors: BTreeMap<&'static str, u64>,
}

impl Total {
    /// Takes one more.
    pub(crate) fn add(&mut self, verdict: &Verdict) {
        self.read += 1;
        self.incomplete += u64::from(verdict.incomplete.is_some());
        self.not_understood += u64::from(verdict.understood_nothing());
        self.found += u64::from(!verdict.findings.is_empty());
        self.packets = self.packets.saturating_add(verdict.stats.packets);
        self.add_findings(&verdict.findings);
    }

    /// Findings, of one input or of several beside each other.
    pub(crate) fn add_findings(&mut self, findings: &[Finding]) {
        for finding in findings {
            *self.findings.entry(finding.severity).or_default() += 1;
            *self.detectors.entry(finding.detector).or_default() += 1;
        }
    }
}
