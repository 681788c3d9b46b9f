//! How runtimes and engines call the gate: as a hook, and as the wrapper of a low-level runtime.

pub mod crun;
pub mod hook;
pub mod wrapper;
