//! What the programs ask of the operating system for themselves: arguments, bounded reads of trusted files, signals, timers,
//! limits.
//! What it says of the host is in `host`.

pub mod arguments;
pub mod file;
pub mod signals;
