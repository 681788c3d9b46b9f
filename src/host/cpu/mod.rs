//! Reads what the processor can do and which one it is. Never judges, and never asks for more than is wanted.

mod levels;
#[cfg(any(target_arch = "x86_64", test))]
mod cpuid;
#[cfg(any(target_arch = "x86_64", test))]
mod x86;
#[cfg(any(target_arch = "aarch64", test))]
mod arm64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod other;

pub use levels::level_flags;

#[cfg(target_arch = "aarch64")]
use arm64 as machine;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use other as machine;
#[cfg(target_arch = "x86_64")]
use x86 as machine;

use super::{Fact, Root, Wanted};

/// `cpu.cpuid`: instruction sets and other abilities, as flags.
pub(super) fn cpuid(root: &Root, wanted: &Wanted) -> Fact {
    machine::cpuid(root, wanted)
}

/// `cpu.model`: `vendor_id`, `family`, `id` (the model) and `hypervisor`, as attributes.
pub(super) fn model(root: &Root, wanted: &Wanted) -> Fact {
    machine::model(root, wanted)
}

/// For a host that is only a tree of files: what we run on is not that host's processor.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", test))]
fn elsewhere(read: &str) -> Fact {
    let reason = "can only be read on the machine itself, not from a tree of its files";
    Fact::Unknown(super::Unknown { read: read.to_owned(), reason: reason.to_owned() })
}
