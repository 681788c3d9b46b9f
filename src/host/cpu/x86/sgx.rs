//! The memory that is reserved for SGX enclaves. Not whether an enclave may be created.

use super::flags;
use crate::host::cpu::cpuid::Cpuid;

/// What leaf 0x12 holds from its third sub-leaf on: a section of the enclave page cache each.
const SGX: u32 = 0x12;
/// The library that NFD uses looks at no more sections; a section is a socket's.
const SECTIONS: std::ops::Range<u32> = 2..10;

/// The bytes in all sections of the enclave page cache (Intel's manual, volume 3, "Enumeration of EPC"); zero without SGX,
/// or where firmware left it off.
pub(super) fn epc(cpuid: &Cpuid) -> u64 {
    if !flags::has(cpuid, "SGX") || !cpuid.reaches(SGX) {
        return 0;
    }
    const INVALID: u32 = 0;
    const SECTION: u32 = 1;
    let sections = SECTIONS.map(|it| cpuid.leaf(SGX, it)).take_while(|it| it.eax & 0xf != INVALID);
    let sections = sections.filter(|it| it.eax & 0xf == SECTION);
    sections.map(|it| (u64::from(it.edx & 0xf_ffff) << 32) + u64::from(it.ecx & 0xffff_f000)).sum()
}

#[cfg(test)]
mod tests {
    use super::super::dumps::Leaf;
    use super::*;

    fn check(sections: &[Leaf], expected: u64) {
        check_processor(0x12, 1 << 2, sections, expected);
    }

    fn check_processor(highest: u32, leaf_7: u32, sections: &[Leaf], expected: u64) {
        let base = [(0, 0, [highest, 0, 0, 0]), (7, 0, [0, leaf_7, 0, 0])];
        assert_eq!(epc(&Cpuid::table(&[&base, sections].concat(), 0)), expected, "{sections:#x?}");
    }

    #[test]
    fn the_sizes_of_all_sections_add_up() {
        check(&[(0x12, 2, [0x7020_0001, 0, 0x05d8_0001, 0])], 0x05d8_0000);
        let sockets = [(0x12, 2, [1, 0, 0xc000_0001, 0x1]), (0x12, 3, [1, 0, 0x4000_0001, 0xfff0_0002])];
        check(&sockets, 0x4_0000_0000);
    }

    #[test]
    fn the_list_ends_at_the_first_invalid_section() {
        let section = |subleaf| (0x12, subleaf, [1, 0, 0x1000, 0]);
        check(&[section(2), section(4)], 0x1000);
        check(&[section(2), (0x12, 3, [2, 0, 0x1000, 0]), section(4)], 0x2000);
        check(&(2..12).map(section).collect::<Vec<_>>(), 0x8000);
    }

    #[test]
    fn without_sgx_there_is_no_memory_for_it() {
        let section = [(0x12, 2, [1, 0, 0x1000, 0])];
        check(&[], 0);
        check_processor(0x12, 0, &section, 0);
        check_processor(0x11, 1 << 2, &section, 0);
    }
}
