//! The places that a check reads and writes, and its time limit, with the caller's options.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::policy::{self, Defaults};
use crate::{decide::requirements, outcome::decisions, outcome::saved};

/// The places of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateOptions {
    /// The local store.
    pub store: PathBuf,
    /// The configuration.
    pub config: PathBuf,
    /// The host's root folder.
    pub root: PathBuf,
    /// The folder of reports; `None`: that of the user of this process.
    pub reports: Option<PathBuf>,
    /// The file of decisions, in place of the policy's.
    pub decisions: Option<PathBuf>,
    /// The socket of journald.
    pub journal: PathBuf,
    /// The socket of syslog.
    pub syslog: PathBuf,
    /// The time limit of the check, in place of the policy's.
    pub deadline: Option<Duration>,
    /// The policy where the configuration sets nothing, or cannot be used.
    pub defaults: Defaults,
}

impl GateOptions {
    /// The defaults.
    pub fn standard() -> Self {
        Self {
            store: PathBuf::from(requirements::STORE),
            config: PathBuf::from(policy::FILE),
            root: PathBuf::from("/"),
            reports: None,
            decisions: None,
            journal: PathBuf::from(decisions::JOURNAL),
            syslog: PathBuf::from(decisions::SYSLOG),
            deadline: None,
            defaults: Defaults::Standard,
        }
    }

    /// Where what cannot change before the next boot is kept from one check to the next: beside the reports.
    pub fn memory(&self) -> Option<PathBuf> {
        let reports = self.reports.as_deref().unwrap_or(Path::new(saved::FOLDER));
        reports.parent().map(Path::to_owned)
    }

    /// Takes over the option of this name, which stands without its dashes; `false` if there is none. `value` gives what
    /// comes with it.
    ///
    /// # Errors
    ///
    /// If there is no value, or a wrong one.
    pub fn set<T: AsRef<OsStr>>(
        &mut self,
        name: &str,
        value: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<bool> {
        match name {
            "store" => self.store = value()?.as_ref().into(),
            "config" => self.config = value()?.as_ref().into(),
            "root" => self.root = value()?.as_ref().into(),
            "reports" => self.reports = Some(value()?.as_ref().into()),
            "decisions" => self.decisions = Some(value()?.as_ref().into()),
            "journal" => self.journal = value()?.as_ref().into(),
            "syslog" => self.syslog = value()?.as_ref().into(),
            "strict" => self.defaults = Defaults::Strict,
            "deadline-ms" => self.deadline = Some(milliseconds(value()?.as_ref())?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn milliseconds(text: &OsStr) -> anyhow::Result<Duration> {
    let number = text.to_str().and_then(|it| it.parse().ok()).filter(|it| *it > 0);
    number
        .map(Duration::from_millis)
        .with_context(|| format!("--deadline-ms needs a number of milliseconds, not {text:?}"))
}
