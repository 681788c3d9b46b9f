//! Checks a host against what a container image demands of it, and says what is missing.
//!
//! The modules are rooms: each has a task, and comes after those that it builds on. A module names only modules before it
//! (`integration/layers.rs` enforces that). `ARCHITECTURE.md` has the map.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests make fixtures and look at them"))]

pub mod words;
pub mod image;
pub mod os;
pub mod store;
pub mod container;
pub mod program;
pub mod spec;
pub mod host;
pub mod eval;
pub mod policy;
pub mod outcome;
pub mod nvidia;
pub mod decide;
pub mod door;
pub mod author;
pub mod supply;
pub mod setup;
pub mod scan;

#[cfg(test)]
mod testing;
