//! The features of a 32-bit Arm processor. Never executes an instruction to find out.

use super::hwcap::{self, Tables};
use super::unnamed;
use crate::host::{Fact, Root, Wanted};

/// In the order of their bits (`arch/arm/include/uapi/asm/hwcap.h`).
static TABLES: Tables = Tables {
    hwcap: &[(
        0,
        &[
            "SWP", "HALF", "THUMB", "26BIT", "FASTMUL", "FPA", "VFP", "EDSP", // 0 to 7
            "JAVA", "IWMMXT", "CRUNCH", "THUMBEE", "NEON", "VFPv3", "VFPv3D16", "TLS", // 8 to 15
            "VFPv4", "IDIVA", "IDIVT", "VFPD32", "LPAE", "EVTSTRM", // 16 to 21
        ],
    )],
    hwcap2: &[(0, &["AES", "PMULL", "SHA1", "SHA2", "CRC32"])],
};

/// `cpu.cpuid`, read from this machine.
pub(super) fn cpuid(root: &Root, _: &Wanted) -> Fact {
    hwcap::cpuid(root, &TABLES)
}

/// `cpu.model`: NFD does not distinguish 32-bit Arm processors.
pub(super) fn model(root: &Root, wanted: &Wanted) -> Fact {
    unnamed::model(root, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::show;
    use crate::testing::FakeHost;

    fn check(hwcap: u64, hwcap2: u64, expected: &str) {
        assert_eq!(TABLES.names(hwcap, hwcap2).collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn a_flag_is_a_bit_of_either_word() {
        check(1, 0, "SWP");
        check(1 << 3 | 1 << 12 | 1 << 21, 1 | 1 << 4, "26BIT NEON EVTSTRM AES CRC32");
        // A Cortex-A7 (Raspberry Pi 2).
        check(
            0x003f_b0d6,
            0,
            "HALF THUMB FASTMUL VFP EDSP NEON VFPv3 TLS VFPv4 IDIVA IDIVT VFPD32 LPAE EVTSTRM",
        );
    }

    #[test]
    fn bits_that_nfd_does_not_know_have_no_flag() {
        check(1 << 22, 1 << 5, "");
        assert_eq!(TABLES.names(u64::MAX, u64::MAX).count(), 22 + 5);
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
