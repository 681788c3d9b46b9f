//! For architectures without the CPUID instruction: the facts that only it provides are absent. Reads nothing.

use super::elsewhere;
use crate::host::{Root, Unknown};

const SOURCE: &str = "CPUID";

pub(super) fn rdt(root: &Root) -> Result<Vec<&'static str>, Unknown> {
    ours(root).map(|()| Vec::new())
}

pub(super) fn sgx_epc(root: &Root) -> Result<u64, Unknown> {
    ours(root).map(|()| 0)
}

pub(super) fn is_tdx_guest(root: &Root) -> Result<bool, Unknown> {
    ours(root).map(|()| false)
}

pub(super) fn base_frequency(root: &Root) -> Result<u32, Unknown> {
    ours(root)?;
    Err(Unknown::new(SOURCE, "is an instruction that this architecture does not have"))
}

/// A tree of files may be of a machine that has the instruction.
fn ours(root: &Root) -> Result<(), Unknown> {
    if root.is_this_machine() { Ok(()) } else { Err(elsewhere(SOURCE)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn facts_of_cpuid_only_are_absent() {
        let root = Root::live();
        assert_eq!((rdt(&root), sgx_epc(&root), is_tdx_guest(&root)), (Ok(vec![]), Ok(0), Ok(false)));
        let reason = "is an instruction that this architecture does not have";
        assert_eq!(base_frequency(&root), Err(Unknown::new("CPUID", reason)));
    }

    #[test]
    fn a_tree_of_files_may_be_of_a_machine_with_cpuid() {
        let host = FakeHost::new();
        let root = host.root();
        let unknown =
            Unknown::new("CPUID", "can only be read on the machine itself, not from a tree of its files");
        assert_eq!(rdt(&root), Err(unknown.clone()));
        assert_eq!(sgx_epc(&root), Err(unknown.clone()));
        assert_eq!(is_tdx_guest(&root), Err(unknown.clone()));
        assert_eq!(base_frequency(&root), Err(unknown));
    }
}
