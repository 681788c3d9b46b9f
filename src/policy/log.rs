//! The places where decisions are recorded, in addition to the report. Never writes.

use std::path::PathBuf;

/// Where the file of decisions is unless another one is named.
pub const DECISIONS: &str = "/var/log/oci-compat/decisions.jsonl";

/// The targets of the log, `[log]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The file of decisions, one JSON line each; `None` for no such file.
    pub decisions: Option<PathBuf>,
    /// How large that file may become, in bytes, before it is rotated.
    pub max_bytes: u64,
    /// How many rotated files are kept beside it.
    pub keep: u32,
    /// Whether the journal (journald's native protocol) gets a record of each decision.
    pub journal: bool,
    /// Whether syslog gets one where there is no journal.
    pub syslog: bool,
}

impl LogSettings {
    /// What holds without any configuration.
    pub(super) fn defaults() -> Self {
        Self {
            decisions: Some(PathBuf::from(DECISIONS)),
            max_bytes: 10 << 20,
            keep: 4,
            journal: true,
            syslog: true,
        }
    }
}
