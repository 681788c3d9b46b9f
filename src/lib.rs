//! Checks a host against what a container image demands of it, and says what is missing.
//!
//! Everything goes one way:
//!
//! ```text
//! bytes ─▶ spec::parse ─▶ Spec ─▶ eval::demand ─▶ host::gather ─▶ Facts ─▶ eval::evaluate ─▶ Judgement ─▶ Verdict
//!          from container, store, nvidia, program                                      policy, outcome: what follows
//! ```
//!
//! A program of yours needs four rooms: [`spec`] reads what is demanded, [`host`] has the facts, [`eval`] judges, and
//! [`outcome::report`] lays the result out. `examples/judge.rs` shows them. The other rooms are public for our own programs only,
//! and may change with every release. Codes, exit statuses and JSON documents stay.
//!
//! The modules are rooms: each has a task, and names only rooms before it (`integration/layers.rs` enforces that).
//! `ARCHITECTURE.md` has the map.

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
