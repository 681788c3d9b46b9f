//! The programs' own use of the operating system: arguments, the heap, bounded reads of trusted files, signals, timers, limits.
//! Facts about the host are in `host`.

pub mod arguments;
pub mod file;
pub mod heap;
pub mod signals;
