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

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard options after this one.
    fn set(name: &str, value: &str) -> Result<GateOptions, String> {
        let mut options = GateOptions::standard();
        let known = options.set(name, || Ok(value)).map_err(|err| format!("{err:#}"))?;
        if known { Ok(options) } else { Err(format!("no option {name}")) }
    }

    #[test]
    fn each_option_sets_its_own_place() {
        let place = || PathBuf::from("/x");
        let standard = GateOptions::standard;
        assert_eq!(set("store", "/x"), Ok(GateOptions { store: place(), ..standard() }));
        assert_eq!(set("config", "/x"), Ok(GateOptions { config: place(), ..standard() }));
        assert_eq!(set("root", "/x"), Ok(GateOptions { root: place(), ..standard() }));
        assert_eq!(set("reports", "/x"), Ok(GateOptions { reports: Some(place()), ..standard() }));
        assert_eq!(set("decisions", "/x"), Ok(GateOptions { decisions: Some(place()), ..standard() }));
        assert_eq!(set("journal", "/x"), Ok(GateOptions { journal: place(), ..standard() }));
        assert_eq!(set("syslog", "/x"), Ok(GateOptions { syslog: place(), ..standard() }));
        assert_eq!(set("strict", ""), Ok(GateOptions { defaults: Defaults::Strict, ..standard() }));
        assert_eq!(set("--store", "/x"), Err("no option --store".to_owned()));
    }

    #[test]
    fn a_deadline_is_a_number_of_milliseconds() {
        let deadline = Some(Duration::from_millis(1));
        assert_eq!(set("deadline-ms", "1"), Ok(GateOptions { deadline, ..GateOptions::standard() }));
        for wrong in ["0", "-1", "1s", ""] {
            let message = format!("--deadline-ms needs a number of milliseconds, not {wrong:?}");
            assert_eq!(set("deadline-ms", wrong), Err(message));
        }
    }

    #[test]
    fn what_is_kept_until_the_next_boot_is_beside_the_reports() {
        assert_eq!(GateOptions::standard().memory().as_deref(), Path::new(saved::FOLDER).parent());
        let options = set("reports", "/a/b/reports").expect("an option");
        assert_eq!(options.memory(), Some(PathBuf::from("/a/b")));
    }
}
