//! The operating system: its name and the host's.

pub(super) mod name;
pub(super) mod osrelease;
pub(super) mod dmiid;
pub(super) mod limit;
pub(super) mod mount;
