//! The kernel: its version, configuration, modules and a few of its settings. Loads no module.

pub(super) mod version;
pub(super) mod config;
pub(super) mod modules;
pub(super) mod available;
pub(super) mod selinux;
pub(super) mod kvm;
mod options;
