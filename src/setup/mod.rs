//! For administrators: how engines come to call the gate, whether they do, and what is wrong with the configuration.

pub mod engines;
pub mod install;
pub mod placement;
pub mod status;
pub mod config;
