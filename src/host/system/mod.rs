//! The operating system: its name and the host's, its C library and the libraries that it finds. Loads none.

pub(super) mod arch;
pub(super) mod libc;
pub(super) mod library;
pub(super) mod libraryversion;
pub(super) mod name;
pub(super) mod osrelease;
pub(super) mod dmiid;
pub(super) mod l4t;
pub(super) mod limit;
pub(super) mod mount;
