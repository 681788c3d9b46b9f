//! What options take: formats, engines, times.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use oci_compat::eval::verdict::Verdict;

/// A version of the language of specs.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum SpecVersion {
    /// Node Feature Discovery's
    #[default]
    V1alpha1,
    /// Ours, which has more
    #[value(name = "oci-compat/v1")]
    Own,
}

/// Whole seconds, from one to a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(u32);

impl Seconds {
    pub(crate) const IMAGE: Self = Self(300);
    pub(crate) const ALL: Self = Self(3000);
}

impl From<Seconds> for Duration {
    fn from(seconds: Seconds) -> Self {
        Self::from_secs(seconds.0.into())
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(seconds @ 1..=86_400) => Ok(Self(seconds)),
            _ => Err("has to be a number of seconds from 1 to 86400".to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineArg {
    /// All engines of this host
    All,
    /// All namespaces: images of Kubernetes, ctr, nerdctl, and of Docker if it keeps them in containerd
    Containerd,
    /// Images in Docker's own storage drivers
    Docker,
    /// Podman and CRI-O
    Podman,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people, with excerpts
    #[default]
    Text,
    /// FILE:LINE:COLUMN: LEVEL[CODE]: MESSAGE
    Short,
    /// For programs; docs/lint.schema.json describes it
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
    /// Annotations in a workflow of GitHub Actions
    Github,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people
    #[default]
    Text,
    /// JUnit's XML, for CI
    Junit,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigFormat {
    /// For people
    #[default]
    Text,
    /// For programs; docs/policy.md describes it
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusFormat {
    /// For people
    #[default]
    Text,
    /// For programs; docs/status.schema.json describes it
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For people
    #[default]
    Text,
    /// For programs; docs/report.schema.json describes it
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people
    #[default]
    Text,
    /// For programs; docs/report.schema.json describes it, and docs/images.schema.json the table
    Json,
    /// For CI systems that show tests
    Junit,
    /// For code hosts that show findings (SARIF 2.1.0)
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogVerdict {
    /// The host lacks something
    Incompatible,
    /// A fact is unknown, or something went wrong
    Undecided,
}

impl LogVerdict {
    /// The verdict that it names.
    pub(crate) fn verdict(self) -> Verdict {
        match self {
            Self::Incompatible => Verdict::Incompatible,
            Self::Undecided => Verdict::Undecided,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogAction {
    /// Any action
    #[default]
    All,
    /// Refused
    Refused,
    /// Would have been refused, if not for the mode "audit"
    WouldRefuse,
    /// Started with a doubt
    Started,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FactsFormat {
    /// For people
    #[default]
    Text,
    /// For programs, and for `check --facts`
    Json,
    /// Node Feature Discovery's format, and only what it can express
    Nfd,
}
