//! The result of a check as plain data: the JSON report, and the source of the text and of the one-line message. Never judges
//! again.

mod make;
mod pod;
mod line;
mod text;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::eval::Outcome;
use crate::eval::verdict::Verdict;
use crate::policy::Action;

pub use line::{message, refusal, warning, whole};
pub use make::{Attached, Checked, SpecOrigin, Verification, problems};
pub use pod::Pod;
pub use text::{Style, text};

/// The name and version of the JSON report; fields are only ever added.
pub const SCHEMA: &str = "oci-compat.report/v1";

/// A report. Text that strangers wrote is escaped already: it can go to a terminal or a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// What the judgements of all specs amount to.
    pub verdict: Verdict,
    /// What was done; absent where nothing is done, as by `oci-compat check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<Action>,
    /// When that was (RFC 3339, UTC); absent where nothing is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// What was checked.
    pub subject: Subject,
    /// Why the verdict is not `compatible`, the most important first; empty if it is.
    pub reasons: Vec<Reason>,
    /// Other notes for operators, such as preferred sets that do not fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is recommended and not there, whatever the verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recommendations: Vec<Reason>,
    /// The rules that do not count, because the administrator waived them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waivers: Vec<WaiverReport>,
    /// The specs, in the order in which they were found; all of them must hold.
    pub specs: Vec<SpecReport>,
}

/// What was checked; unknown fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The image's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The digest of the image's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The container's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What Kubernetes calls the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
    /// The bundle's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
}

/// One reason, complete in itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// What kind it is; stable.
    pub code: String,
    /// One line.
    pub message: String,
    /// The same line without values that only root may see, if it has any: the text that engines show to their users.
    #[serde(skip)]
    pub discreet: Option<String>,
    /// The rule's id, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The remedy, by the rule's author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Where to read more, by the rule's author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
}

/// An unmet or unknown rule that does not count because of a waiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaiverReport {
    /// The rule's name; its id if it has none.
    pub rule: String,
    /// The code of the first reason why it is not met.
    pub code: String,
    /// That reason, one line.
    pub message: String,
    /// As in [`Reason`].
    #[serde(skip)]
    pub discreet: Option<String>,
    /// Why the exception was granted.
    pub reason: String,
    /// The pattern of the images that it is for.
    pub image: String,
    /// Until when it holds, as it was written; absent if without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// Where it was granted: file and line, or the annotation.
    pub from: String,
}

/// One spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpecReport {
    /// `inline`, `referenced`, `attached`, `administrator`, `file`, `environment` or `the image's program`.
    pub source: String,
    /// The variable, for `environment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
    /// The file's path, for `administrator` and `file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The digest of the artifact's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// The repository from which the artifact was pulled; absent for one that was added from a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// What was verified of the artifact when it was stored; absent if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verified: Option<VerifiedReport>,
    /// What came of it; unknown also for a spec that is malformed.
    pub outcome: Outcome,
    /// What is wrong with the spec itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemReport>,
    /// The alternatives that were judged.
    pub sets: Vec<SetReport>,
}

/// What was verified of an artifact when it was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedReport {
    /// `key` or `verifier`.
    pub by: String,
    /// The digest of the public key, or of the verifier's command line.
    pub key: String,
    /// The pattern of the rule of trust that held for the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// One thing that is wrong with a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemReport {
    /// From one.
    pub line: usize,
    /// From one.
    pub column: usize,
    /// One sentence.
    pub message: String,
}

/// One alternative.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SetReport {
    /// The author's name for it.
    pub tag: String,
    /// The author's preference.
    pub weight: i64,
    /// The author's words.
    pub description: String,
    /// What came of it.
    pub outcome: Outcome,
    /// In the order of the spec.
    pub rules: Vec<RuleReport>,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleReport {
    /// The author's name for it.
    pub name: String,
    /// By which waivers name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `recommended` or `info`; absent for what is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The remedy, by the author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Where to read more, by the author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether its condition holds here; absent if it does, or if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Outcome>,
    /// Whether it does not count, because it was waived.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub waived: bool,
    /// In the order of the spec.
    pub findings: Vec<FindingReport>,
}

/// One expression, with the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FindingReport {
    /// What kind it is; stable.
    pub code: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The feature.
    pub feature: String,
    /// The element; empty for `matchName` and for a feature as such.
    pub name: String,
    /// What the spec demands.
    pub needed: String,
    /// What the host has.
    pub found: String,
    /// Where that was read.
    pub read: String,
    /// What would mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The place in the spec, from one.
    pub line: usize,
    /// From one.
    pub column: usize,
    /// Which alternative of `matchAny` it belongs to, from zero; absent for `matchFeatures`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternative: Option<usize>,
    /// In which group of the rule it stands, such as `any 2` or `when`; absent outside of groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether the group has to fail for the rule to hold.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub negated: bool,
}
