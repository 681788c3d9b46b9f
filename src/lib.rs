//! Holds a host against what a container image demands of it, and says what is missing.
//!
//! The modules stand in the order in which data flows; a module names only what stands before it
//! (`integration/layers.rs` enforces that). `ARCHITECTURE.md` has the map.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make fixtures and look at them"))]

pub mod version;
pub mod moment;
pub mod glob;
pub mod digest;
pub mod image;
pub mod file;
pub mod input;
pub mod artifact;
pub mod registry;
pub mod trust;
pub mod attach;
pub mod identity;
pub mod spec;
pub mod host;
pub mod eval;
pub mod verdict;
pub mod policy;
pub mod pull;
pub mod report;
pub mod check;
pub mod waive;
pub mod requirements;
pub mod reports;
pub mod signals;
pub mod records;
pub mod history;
pub mod gate;
pub mod crun;
pub mod hook;
pub mod wrapper;
pub mod lint;
pub mod convert;
pub mod inspect;
pub mod engines;
pub mod install;
pub mod placement;
pub mod status;

#[cfg(test)]
mod testing;
