//! The settings in effect, as plain data. Without the source of defaults, which are in the documentation.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use crate::decide::requirements::SurveyedOwn;
use crate::image::ImagePattern;
use crate::policy::trust::{Require, TrustRule};
use crate::policy::{Expiry, KEYS, Policy, Survey, Waiver};
use crate::words::text::{printable, printable_path};

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Setting {
    /// With its table, such as `action.undecided`.
    pub key: &'static str,
    /// As JSON writes it; TOML writes all of these in the same way.
    pub value: Value,
    /// Where it was set: file and line; absent for a default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// An exception.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaiverInForce {
    /// The pattern of the rules' names; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The pattern of the ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The only code that a rule may fail with; absent for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The pattern of the images.
    pub image: String,
    /// Why it was granted.
    pub reason: String,
    /// As it was written; absent if without end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// File and line.
    pub from: String,
}

/// What is demanded of the artifacts of some repositories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrustReport {
    /// The pattern of the repositories.
    pub repository: String,
    /// `none`, `signature` or `signed-spec`.
    pub require: &'static str,
    /// The age in days from which on `pull` reports an artifact; absent if there is no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_days: Option<u32>,
    /// Files with public keys.
    pub keys: Vec<String>,
    /// The patterns of further repositories under whose names artifacts may have been signed; absent if there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signed_as: Vec<String>,
    /// The external verifier and its arguments; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Vec<String>>,
    /// File and line.
    pub from: String,
}

/// A file of the administrator's own requirements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequirementReport {
    /// Where it is.
    pub file: String,
    /// The patterns of the images that it is for.
    pub images: Vec<String>,
}

/// Every key that is no list of tables.
pub(super) fn of(survey: &Survey) -> Vec<Setting> {
    let from = |key: &str| survey.keys.get(key).map(|(path, at)| format!("{}:{}", path.display(), at.line));
    let setting = |key: &'static str| {
        let value = value(&survey.policy, key)?;
        Some(Setting { key, value, from: from(key).map(|it| printable(&it)) })
    };
    KEYS.into_iter().filter_map(setting).collect()
}

/// `None` for lists of tables.
fn value(policy: &Policy, key: &str) -> Option<Value> {
    Some(match key {
        "mode" => json!(policy.mode.name()),
        "action.incompatible" => json!(policy.incompatible.name()),
        "action.undecided" => json!(policy.undecided.name()),
        "action.malformed" => json!(policy.malformed.name()),
        "action.container_trouble" => json!(policy.container_trouble.name()),
        "action.trouble" => json!(policy.trouble.name()),
        "image_annotation" => json!(policy.image_annotation),
        "may_waive.images" => json!(policy.may_waive.iter().map(ImagePattern::text).collect::<Vec<_>>()),
        "tags" => json!(policy.tags.iter().map(|it| printable(it)).collect::<Vec<_>>()),
        "deadline_ms" => json!(u64::try_from(policy.deadline.as_millis()).unwrap_or(u64::MAX)),
        "disclose" => json!(policy.disclose),
        "sensitive" => json!(policy.sensitive.name()),
        "crun_stderr" => json!(policy.crun_stderr),
        "runtimes" => json!(policy.runtimes.iter().map(|it| printable_path(it)).collect::<Vec<_>>()),
        "requirements" => path_or_false(policy.requirements.as_deref()),
        "builds" => json!(policy.builds.name()),
        "implicit.program" => json!(policy.program.name()),
        "implicit.index" => json!(policy.index.name()),
        "implicit.nvidia" => json!(policy.nvidia.name()),
        "log.decisions" => path_or_false(policy.log.decisions.as_deref()),
        "log.max_bytes" => json!(policy.log.max_bytes),
        "log.keep" => json!(policy.log.keep),
        "log.journal" => json!(policy.log.journal),
        "log.syslog" => json!(policy.log.syslog),
        _ => return None,
    })
}

fn path_or_false(path: Option<&Path>) -> Value {
    path.map_or(Value::Bool(false), |it| json!(printable_path(it)))
}

impl WaiverInForce {
    pub(super) fn new(waiver: &Waiver) -> Self {
        Self {
            rule: waiver.rule.as_ref().map(|it| printable(it.text())),
            id: waiver.id.as_ref().map(|it| printable(it.text())),
            code: waiver.code.as_ref().map(|it| printable(it)),
            image: waiver.image.text().to_owned(),
            reason: printable(&waiver.reason),
            expires: match &waiver.expires {
                Expiry::Never => None,
                Expiry::At { text, .. } => Some(text.clone()),
            },
            from: printable(&waiver.from),
        }
    }
}

impl TrustReport {
    pub(super) fn new(rule: &TrustRule) -> Self {
        Self {
            repository: rule.pattern.text().to_owned(),
            require: match rule.require {
                Require::None => "none",
                Require::Signature => "signature",
                Require::SignedSpec => "signed-spec",
            },
            max_age_days: rule.max_age_days,
            keys: rule.keys.iter().map(|it| printable_path(it)).collect(),
            signed_as: rule.signed_as.iter().map(|it| it.text().to_owned()).collect(),
            verifier: rule.verifier.as_ref().map(|words| words.iter().map(|it| printable(it)).collect()),
            from: printable(&rule.from),
        }
    }
}

impl RequirementReport {
    pub(super) fn new(own: &SurveyedOwn) -> Self {
        Self {
            file: printable_path(&own.path),
            images: own.images.iter().map(|it| it.text().to_owned()).collect(),
        }
    }
}
