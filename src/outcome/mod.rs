//! The results of a check: the report, the saved reports for `oci-compat why`, the log of decisions, and the reading of that
//! log.

pub mod report;
pub mod saved;
pub mod decisions;
pub mod history;
