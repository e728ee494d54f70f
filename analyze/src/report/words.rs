//! Which phrase and colour stands for what.

use anstyle::AnsiColor;

use crate::finding::{Confidence, Severity};

pub(super) fn color(severity: Severity) -> AnsiColor {
    match severity {
        Severity::Info => AnsiColor::Cyan,
        Severity::Warning => AnsiColor::Yellow,
        Severity::Error | Severity::Critical => AnsiColor::Red,
    }
}

pub(crate) fn severity_key(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "severity.info",
        Severity::Warning => "severity.warning",
        Severity::Error => "severity.error",
        Severity::Critical => "severity.critical",
    }
}

pub(super) fn count_key(severity: Severity, count: usize) -> &'static str {
    match severity {
        Severity::Warning if count == 1 => "count.warning-one",
        Severity::Error if count == 1 => "count.error-one",
        Severity::Info => "count.info",
        Severity::Warning => "count.warning",
        Severity::Error => "count.error",
        Severity::Critical => "count.critical",
    }
}

pub(super) fn confidence_key(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::CannotTell => "confidence.cannot-tell",
        Confidence::Likely => "confidence.likely",
        Confidence::Proven => "confidence.proven",
    }
}
