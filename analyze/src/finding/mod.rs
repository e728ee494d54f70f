//! What a detector says: a claim with its evidence, what would exonerate it, and the remedy.

mod evidence;
mod exoneration;
mod subject;

use std::fmt;
use std::net::IpAddr;

use netcap_bundle::Nanos;
use serde::{Serialize, Serializer};

use crate::engine::FrameRef;
use crate::text::Text;

pub(crate) use evidence::Evidence;
pub(crate) use exoneration::Exoneration;
pub(crate) use subject::{Claimant, Flow, Subject};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Worth knowing.
    Info,
    /// Something is lost or at risk.
    Warning,
    /// Something does not work.
    Error,
    /// Many things do not work, or data is at risk.
    Critical,
}

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) enum Confidence {
    /// Input missing, or the capture was not trustworthy there.
    #[serde(rename = "cannot tell")]
    CannotTell,
    /// One link of the chain is inferred.
    #[serde(rename = "likely")]
    Likely,
    /// The chain of evidence is complete.
    #[serde(rename = "proven")]
    Proven,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CannotTell => "cannot tell",
            Self::Likely => "likely",
            Self::Proven => "proven",
        })
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// Id of the detector.
    pub detector: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// About what.
    pub subject: Subject,
    /// When it began to show.
    pub from: Option<Nanos>,
    /// When it was last seen.
    pub to: Option<Nanos>,
    /// One sentence.
    pub claim: Text,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What would exonerate it, and why that does not apply.
    pub exonerations: Vec<Exoneration>,
    /// What to do.
    pub remedy: Text,
    /// Whose packets this fault stops: findings about these are its symptoms.
    pub victims: Vec<Victim>,
    /// The detector that found the cause of this one.
    pub explained_by: Option<&'static str>,
    /// What died of it, one line for each kind of packets between two addresses.
    pub consequences: Vec<Text>,
    /// A symptom: the packets it is about, each by the frame in which it was last seen.
    pub deaths: Vec<FrameRef>,
    /// A symptom that is not explained, or in part: what causes said of it.
    pub ruled: Vec<Ruled>,
}

/// What a cause, or several for one reason, said of a symptom that it does not explain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ruled {
    /// Their ids.
    pub causes: Vec<&'static str>,
    /// What was said.
    pub what: Exoneration,
}

/// Whose packets a fault stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Victim {
    /// All to and from an address.
    Address(IpAddr),
    /// Pings from one address to another.
    Pair {
        /// Who pings.
        src: IpAddr,
        /// Who is pinged.
        dst: IpAddr,
    },
}

impl Victim {
    /// It is hit when pings of that pair are lost; `src` is `None` for the host that wrote a log.
    pub(crate) fn covers(self, src: Option<IpAddr>, dst: &str) -> bool {
        let is = |ip: IpAddr| ip.to_string() == dst;
        match self {
            Self::Address(ip) => src == Some(ip) || is(ip),
            Self::Pair { src: from, dst: to } => src == Some(from) && is(to),
        }
    }
}

impl Finding {
    /// About something, with nothing said of it yet.
    pub(crate) fn new(
        detector: &'static str,
        severity: Severity,
        confidence: Confidence,
        subject: Subject,
    ) -> Self {
        Self {
            detector,
            severity,
            confidence,
            subject,
            from: None,
            to: None,
            claim: Text::verbatim(""),
            evidence: Vec::new(),
            exonerations: Vec::new(),
            remedy: Text::verbatim(""),
            victims: Vec::new(),
            explained_by: None,
            consequences: Vec::new(),
            deaths: Vec::new(),
            ruled: Vec::new(),
        }
    }

    /// Evidence in order of time; what has no time comes last.
    pub(crate) fn sort_evidence(findings: &mut [Self]) {
        // What a cause claims of deaths begins with what decides.
        let claims = |finding: &Self| finding.victims.is_empty() && !finding.consequences.is_empty();
        for finding in findings.iter_mut().filter(|finding| !claims(finding)) {
            finding.evidence.sort_by_key(|e| e.at().map_or((true, Nanos(0)), |at| (false, at)));
        }
    }

    /// Worst and surest first, then by subject: the order of every report.
    pub(crate) fn sort(findings: &mut [Self]) {
        findings.sort_by_cached_key(|f| {
            let rank = (std::cmp::Reverse(f.severity), std::cmp::Reverse(f.confidence), f.detector);
            (rank, f.subject.line().english(), f.from, f.claim.english())
        });
    }
}

/// A phrase in machine output: English.
pub(crate) fn english<S: Serializer>(text: &Text, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text.english())
}

/// A time in machine output: RFC 3339 in UTC with nanoseconds, whatever zone the host or the reader is in.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
pub(crate) fn utc<S: Serializer>(at: &Nanos, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&utc_text(*at))
}

/// See [`utc`]; null when nothing says.
#[allow(clippy::ref_option)] // serde's signature
pub(crate) fn maybe_utc<S: Serializer>(at: &Option<Nanos>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => utc(at, serializer),
        None => serializer.serialize_none(),
    }
}

/// See [`utc`].
pub(crate) fn utc_text(at: Nanos) -> String {
    match jiff::Timestamp::from_nanosecond(i128::from(at.0)) {
        Ok(stamp) => format!("{stamp:.9}"),
        Err(_) => format!("{} ns", at.0),
    }
}

#[cfg(test)]
mod tests;
