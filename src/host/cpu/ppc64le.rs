//! The features of a POWER processor. Never executes an instruction to find out.

use super::hwcap::{self, Tables};
use super::unnamed;
use crate::host::{Fact, Root, Wanted};

/// In the order of their bits (`arch/powerpc/include/uapi/asm/cputable.h`).
#[rustfmt::skip] // eight bits a line
static TABLES: Tables = Tables {
    hwcap: &[
        (0, &["PPCLE", "TRUE_LE"]),
        (6, &[
            "ARCHPMU", "VSX", "ARCH_2_06", "POWER6X", "DFP", "PA6T", "ARCH_2_05", "IC_SNOOP", // 6 to 13
            "SMT", "BOOKE", "CELLBE", "POWER5+", "POWER5", "POWER4", "NOTB", "EFPDOUBLE", // 14 to 21
            "EFPFLOAT", "SPE", "UCACHE", "4xxMAC", "MMU", "FPU", "ALTIVEC", "PPC601", // 22 to 29
            "PPC64", "PPC32", // 30, 31
        ]),
    ],
    hwcap2: &[(17, &[
        "MMA", "ARCH_3_1", "HTM-NO-SUSPEND", "SCV", "DARN", "IEEE128", "ARCH_3_00", "HTM-NOSC", // 17 to 24
        "VCRYPTO", "TAR", "ISEL", "EBB", "DSCR", "HTM", "ARCH_2_07", // 25 to 31
    ])],
};

/// `cpu.cpuid`, read from this machine.
pub(super) fn cpuid(root: &Root, _: &Wanted) -> Fact {
    hwcap::cpuid(root, &TABLES)
}

/// `cpu.model`: NFD does not distinguish POWER processors.
pub(super) fn model(root: &Root, wanted: &Wanted) -> Fact {
    unnamed::model(root, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::show;
    use crate::testing::FakeHost;

    /// Each flag's mask, as NFD has it.
    const HWCAP: [(u64, &str); 28] = [
        (0x8000_0000, "PPC32"),
        (0x4000_0000, "PPC64"),
        (0x2000_0000, "PPC601"),
        (0x1000_0000, "ALTIVEC"),
        (0x0800_0000, "FPU"),
        (0x0400_0000, "MMU"),
        (0x0200_0000, "4xxMAC"),
        (0x0100_0000, "UCACHE"),
        (0x0080_0000, "SPE"),
        (0x0040_0000, "EFPFLOAT"),
        (0x0020_0000, "EFPDOUBLE"),
        (0x0010_0000, "NOTB"),
        (0x0008_0000, "POWER4"),
        (0x0004_0000, "POWER5"),
        (0x0002_0000, "POWER5+"),
        (0x0001_0000, "CELLBE"),
        (0x0000_8000, "BOOKE"),
        (0x0000_4000, "SMT"),
        (0x0000_2000, "IC_SNOOP"),
        (0x0000_1000, "ARCH_2_05"),
        (0x0000_0800, "PA6T"),
        (0x0000_0400, "DFP"),
        (0x0000_0200, "POWER6X"),
        (0x0000_0100, "ARCH_2_06"),
        (0x0000_0080, "VSX"),
        (0x0000_0040, "ARCHPMU"),
        (0x0000_0002, "TRUE_LE"),
        (0x0000_0001, "PPCLE"),
    ];
    const HWCAP2: [(u64, &str); 15] = [
        (0x8000_0000, "ARCH_2_07"),
        (0x4000_0000, "HTM"),
        (0x2000_0000, "DSCR"),
        (0x1000_0000, "EBB"),
        (0x0800_0000, "ISEL"),
        (0x0400_0000, "TAR"),
        (0x0200_0000, "VCRYPTO"),
        (0x0100_0000, "HTM-NOSC"),
        (0x0080_0000, "ARCH_3_00"),
        (0x0040_0000, "IEEE128"),
        (0x0020_0000, "DARN"),
        (0x0010_0000, "SCV"),
        (0x0008_0000, "HTM-NO-SUSPEND"),
        (0x0004_0000, "ARCH_3_1"),
        (0x0002_0000, "MMA"),
    ];

    fn check(hwcap: u64, hwcap2: u64, expected: &str) {
        assert_eq!(TABLES.names(hwcap, hwcap2).collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn every_flag_has_nfds_mask() {
        for (mask, name) in HWCAP {
            check(mask, 0, name);
        }
        for (mask, name) in HWCAP2 {
            check(0, mask, name);
        }
        assert_eq!(TABLES.names(u64::MAX, u64::MAX).count(), HWCAP.len() + HWCAP2.len());
    }

    #[test]
    fn a_processor_has_the_flags_of_all_bits_that_are_set() {
        check(
            0xdc00_65c2,
            0xaef0_0000,
            "TRUE_LE ARCHPMU VSX ARCH_2_06 DFP IC_SNOOP SMT MMU FPU ALTIVEC PPC64 PPC32 \
             SCV DARN IEEE128 ARCH_3_00 VCRYPTO TAR ISEL DSCR ARCH_2_07",
        );
    }

    #[test]
    fn bits_that_nfd_does_not_know_have_no_flag() {
        check(0b11_1100 | 1 << 32, 0x0001_ffff | 1 << 32, "");
    }

    #[test]
    fn a_tree_of_files_has_no_processor() {
        let host = FakeHost::new();
        let reason = "can only be read on the machine itself, not from a tree of its files";
        let flags = show(&cpuid(&host.root(), &Wanted::All));
        assert_eq!(flags, format!("unknown: AT_HWCAP, AT_HWCAP2: {reason}"));
        let model = show(&model(&host.root(), &Wanted::All));
        assert_eq!(model, format!("unknown: the architecture: {reason}"));
    }
}
