//! The features and the model of an arm64 processor. Never executes an instruction to find out.
//!
//! Both come from the kernel: the features from the auxiliary vector (`Documentation/arch/arm64/elf_hwcaps.rst`), the model
//! from sysfs (`Documentation/arch/arm64/cpu-feature-registers.rst`).

use super::hwcap::{self, Tables};
use crate::host::{Fact, Feature, Root, Unknown, Wanted};

/// The main identification register of the processor that the system started on.
const MIDR: &str = "/sys/devices/system/cpu/cpu0/regs/identification/midr_el1";

static TABLES: Tables = Tables { hwcap: &[(0, &HWCAP)], hwcap2: &[(0, &HWCAP2)] };

/// The flags of the bits of `AT_HWCAP`, from the lowest, as far as NFD knows them.
static HWCAP: [&str; 32] = [
    "FP", "ASIMD", "EVTSTRM", "AES", "PMULL", "SHA1", "SHA2", "CRC32", // 0 to 7
    "ATOMICS", "FPHP", "ASIMDHP", "CPUID", "ASIMDRDM", "JSCVT", "FCMA", "LRCPC", // 8 to 15
    "DCPOP", "SHA3", "SM3", "SM4", "ASIMDDP", "SHA512", "SVE", "ASIMDFHM", // 16 to 23
    "DIT", "USCAT", "ILRCPC", "FLAGM", "SSBS", "SB", "PACA", "PACG", // 24 to 31
];

/// The flags of the bits of `AT_HWCAP2`, likewise.
static HWCAP2: [&str; 34] = [
    "DCPODP",
    "SVE2",
    "SVEAES",
    "SVEPMULL",
    "SVEBITPERM",
    "SVESHA3",
    "SVESM4",
    "FLAGM2", // 0 to 7
    "FRINT",
    "SVEI8MM",
    "SVEF32MM",
    "SVEF64MM",
    "SVEBF16",
    "I8MM",
    "BF16",
    "DGH", // 8 to 15
    "RNG",
    "BTI",
    "MTE",
    "ECV",
    "AFP",
    "RPRES",
    "MTE3",
    "SME", // 16 to 23
    "SMEI16I64",
    "SMEF64F64",
    "SMEI8I32",
    "SMEF16F32",
    "SMEB16F32",
    "SMEF32F32",
    "SMEFA64",
    "WFXT", // 24 to 31
    "EBF16",
    "SVEEBF16", // 32, 33
];

/// `cpu.cpuid`, read from this machine. There are no attributes on arm64.
pub(super) fn cpuid(root: &Root, _: &Wanted) -> Fact {
    hwcap::cpuid(root, &TABLES)
}

/// `cpu.model`, read from sysfs; other than the instruction that NFD uses, that works for a tree of files too.
pub(super) fn model(root: &Root, wanted: &Wanted) -> Fact {
    match midr(root) {
        Ok(midr) => Fact::Known(model_feature(midr, wanted), MIDR.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

fn midr(root: &Root) -> Result<u64, Unknown> {
    let text = root.read_text(MIDR).map_err(|miss| miss.unknown(MIDR))?;
    let text = text.trim();
    let digits = text.strip_prefix("0x").and_then(|it| u64::from_str_radix(it, 16).ok());
    digits.ok_or_else(|| {
        Unknown::new(MIDR, format!("holds {text:?}, not a number such as \"0x00000000410fd0c0\""))
    })
}

/// Family and model as NFD cuts them: variant and architecture, and part number and revision. It knows no hypervisor of
/// an arm64 host, and says `none` on all of them.
fn model_feature(midr: u64, wanted: &Wanted) -> Feature {
    let elements = [
        ("vendor_id", vendor(midr >> 24 & 0xff).to_owned()),
        ("family", (midr >> 16 & 0xff).to_string()),
        ("id", (midr & 0xffff).to_string()),
        ("hypervisor", "none".to_owned()),
    ];
    Feature::attributes(elements.into_iter().filter(|(name, _)| wanted.has(name)))
}

/// The implementer (Arm ARM, "MIDR_EL1"), under NFD's name.
fn vendor(implementer: u64) -> &'static str {
    match implementer {
        0x41 => "ARM",
        0x42 => "Broadcom",
        0x43 => "Cavium",
        0x44 => "DEC",
        0x46 => "Fujitsu",
        0x49 => "Infineon",
        0x4d => "Motorola",
        0x4e => "NVIDIA",
        0x50 => "AMCC",
        0x51 => "Qualcomm",
        0x56 => "Marvell",
        0x69 => "Intel",
        0xc0 => "Ampere",
        _ => "VendorUnknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::show;
    use crate::testing::FakeHost;

    const MODEL: [&str; 4] = ["family", "hypervisor", "id", "vendor_id"];

    fn check_flags(hwcap: u64, hwcap2: u64, expected: &str) {
        assert_eq!(TABLES.names(hwcap, hwcap2).collect::<Vec<_>>().join(" "), expected);
    }

    fn check_model(midr: &str, expected: [&str; 4]) {
        let host = FakeHost::new().file(MIDR, midr);
        let expected = Feature::attributes(MODEL.into_iter().zip(expected));
        assert_eq!(model(&host.root(), &Wanted::All), Fact::Known(expected, MIDR.to_owned()));
    }

    fn check_unknown_model(host: &FakeHost, reason: &str) {
        let expected = Fact::Unknown(Unknown::new(MIDR, reason));
        assert_eq!(model(&host.root(), &Wanted::All), expected);
    }

    #[test]
    fn a_flag_is_a_bit_of_either_word() {
        check_flags(0, 0, "");
        check_flags(1, 0, "FP");
        check_flags(1 << 31, 1, "PACG DCPODP");
        check_flags(1 << 11 | 1 << 22, 1 << 1 | 1 << 31 | 1 << 33, "CPUID SVE SVE2 WFXT SVEEBF16");
        check_flags(
            0x1011_9fff,
            0,
            "FP ASIMD EVTSTRM AES PMULL SHA1 SHA2 CRC32 ATOMICS FPHP ASIMDHP CPUID ASIMDRDM LRCPC DCPOP ASIMDDP SSBS",
        );
    }

    #[test]
    fn bits_that_nfd_does_not_know_have_no_flag() {
        check_flags(1 << 32, 1 << 34, "");
        assert_eq!(TABLES.names(u64::MAX, u64::MAX).count(), 32 + 34);
    }

    #[test]
    fn the_model_is_cut_from_the_identification_register() {
        check_model("0x00000000413fd0c1\n", ["63", "none", "53441", "ARM"]);
        check_model("0x00000000c00fac30\n", ["15", "none", "44080", "Ampere"]);
        check_model("0x0000000061000000\n", ["0", "none", "0", "VendorUnknown"]);
    }

    #[test]
    fn only_wanted_attributes_are_reported() {
        let host = FakeHost::new().file(MIDR, "0x00000000413fd0c1\n");
        let wanted = Wanted::Names(["vendor_id".to_owned()].into());
        let expected = Fact::Known(Feature::attributes([("vendor_id", "ARM")]), MIDR.to_owned());
        assert_eq!(model(&host.root(), &wanted), expected);
    }

    #[test]
    fn a_model_that_cannot_be_read_is_unknown() {
        check_unknown_model(&FakeHost::new(), "is not there");
        check_unknown_model(&FakeHost::new().unreadable(MIDR), "is a loop of symbolic links");
        for (text, shown) in [("", ""), ("413fd0c1\n", "413fd0c1"), ("0xnone\n", "0xnone")] {
            let reason = format!("holds {shown:?}, not a number such as \"0x00000000410fd0c0\"");
            check_unknown_model(&FakeHost::new().file(MIDR, text), &reason);
        }
    }

    #[test]
    fn every_implementer_has_nfds_name() {
        let known =
            [0x41, 0x42, 0x43, 0x44, 0x46, 0x49, 0x4d, 0x4e, 0x50, 0x51, 0x56, 0x69, 0xc0].map(vendor);
        let expected =
            "ARM Broadcom Cavium DEC Fujitsu Infineon Motorola NVIDIA AMCC Qualcomm Marvell Intel Ampere";
        assert_eq!(known.join(" "), expected);
    }

    #[test]
    fn a_tree_of_files_has_no_flags() {
        let host = FakeHost::new();
        let reason = "can only be read on the machine itself, not from a tree of its files";
        let flags = show(&cpuid(&host.root(), &Wanted::All));
        assert_eq!(flags, format!("unknown: AT_HWCAP, AT_HWCAP2: {reason}"));
    }
}
