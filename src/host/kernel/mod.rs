//! The kernel: its version, configuration, modules and a few of its settings. Loads no module.

pub(super) mod version;
pub(super) mod cmdline;
pub(super) mod config;
pub(super) mod modules;
pub(super) mod inventory;
pub(super) mod available;
pub(super) mod parameters;
pub(super) mod sysctl;
pub(super) mod filesystems;
pub(super) mod binfmt;
pub(super) mod program;
pub(super) mod namespaces;
pub(super) mod cgroup;
pub(super) mod capabilities;
pub(super) mod lsm;
pub(super) mod security;
pub(super) mod selinux;
pub(super) mod bpf;
pub(super) mod bpftype;
pub(super) mod iouring;
pub(super) mod kvm;
mod one_by_one;
mod options;
mod unpacked;
pub(super) mod options_of;
