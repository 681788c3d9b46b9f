//! What came of a check: the report, the reports that are saved for `oci-compat why`, the log of decisions, and reading
//! that log back.

pub mod report;
pub mod saved;
pub mod decisions;
pub mod history;
