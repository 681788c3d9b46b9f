//! For administrators: setting up engines to call the gate, whether they do, and errors of the configuration.

pub mod engines;
pub mod install;
pub mod placement;
pub mod status;
pub mod config;
