//! One test binary: the programs against data, files and runtimes that are not their own.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests make fixtures, look at them, and end at the first surprise"
)]

mod command;
mod schemas;
mod cases;
mod cli;
mod install;
mod package;
mod toolchain;
mod man;
mod units;
mod conformance;
mod nvidia;
mod hosts;
mod vantage;
mod large;
mod features;
mod codes;
mod editor;
mod examples;
mod everything;
mod layers;
mod names;
mod unpacked;
mod unicode;
mod documents;
mod power;
mod runtimes;
mod oracles;
mod recorded;
mod registry;
mod engines;
