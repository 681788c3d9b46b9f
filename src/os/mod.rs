//! The programs' own use of the operating system: arguments, the heap, bounded reads of trusted files, signals, timers, limits.
//! Facts about the host are in `host`.

pub mod arguments;
pub mod file;
pub mod heap;
#[cfg(all(target_arch = "x86_64", any(test, target_env = "musl")))]
pub mod memory;
pub mod signals;
