//! Stands in for architectures whose processors cannot be read yet: their facts are unknown, never empty.

use crate::host::{Fact, Root, Unknown, Wanted};

pub(super) fn cpuid(_: &Root, _: &Wanted) -> Fact {
    unknown()
}

pub(super) fn model(_: &Root, _: &Wanted) -> Fact {
    unknown()
}

fn unknown() -> Fact {
    let reason = "no table for this architecture yet";
    Fact::Unknown(Unknown { read: std::env::consts::ARCH.to_owned(), reason: reason.to_owned() })
}
