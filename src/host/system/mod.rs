//! The operating system: its name and the host's.

pub(super) mod name;
pub(super) mod osrelease;
