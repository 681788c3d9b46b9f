//! What the programs ask of the operating system for themselves: bounded reads of trusted files, signals, timers, limits.
//! What it says of the host is in `host`.

pub mod file;
pub mod signals;
