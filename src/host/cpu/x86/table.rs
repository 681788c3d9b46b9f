//! The flags that are one bit of a CPUID leaf, as in the library that NFD uses. Not whether a processor has them.
//!
//! Its mistakes are kept, because rules are written against what NFD says: `XSAVE` and `OSXSAVE` are bit 0 of their
//! register, which is SSE3 (Go takes `c&1<<26` for `(c&1)<<26`), and `AMXFP8` is the bit of memory protection keys.

use OnlyIf::{Always, Amd, Flag, ZmmState};
use Register::{Eax, Ebx, Ecx, Edx};

use crate::host::cpu::cpuid::Cpuid;

/// Flags in one register that share one condition.
#[derive(Debug)]
pub(super) struct Bits {
    pub(super) leaf: u32,
    subleaf: u32,
    register: Register,
    pub(super) only_if: OnlyIf,
    /// The number of each bit, and the flag's name.
    pub(super) flags: &'static [(u32, &'static str)],
}

#[derive(Debug, Clone, Copy)]
enum Register {
    Eax,
    Ebx,
    Ecx,
    Edx,
}

/// The condition for a bit to count, in addition to the existence of its leaf.
#[derive(Debug, Clone, Copy)]
pub(super) enum OnlyIf {
    /// Nothing.
    Always,
    /// The processor is one of AMD's.
    Amd,
    /// The processor has this flag.
    Flag(&'static str),
    /// The operating system saves all that AVX-512 needs.
    ZmmState,
}

impl Bits {
    /// The bit of a flag, if it is one of these.
    pub(super) fn bit(&self, name: &str) -> Option<u32> {
        self.flags.iter().find(|(_, it)| *it == name).map(|(bit, _)| *bit)
    }

    /// The register, as the processor fills it.
    pub(super) fn value(&self, cpuid: &Cpuid) -> u32 {
        let regs = cpuid.leaf(self.leaf, self.subleaf);
        match self.register {
            Eax => regs.eax,
            Ebx => regs.ebx,
            Ecx => regs.ecx,
            Edx => regs.edx,
        }
    }
}

/// Flags of the register at (leaf, sub-leaf, register).
const fn row(at: (u32, u32, Register), only_if: OnlyIf, flags: &'static [(u32, &'static str)]) -> Bits {
    let (leaf, subleaf, register) = at;
    Bits { leaf, subleaf, register, only_if, flags }
}

/// By leaf, as in the manuals; a flag that occurs twice is there if either bit says so.
#[rustfmt::skip] // A register to a line or two, instead of a bit.
pub(super) static TABLE: &[Bits] = &[
    row((0x1, 0, Ecx), Always, &[
        (0, "OSXSAVE"), (0, "SSE3"), (0, "XSAVE"), (1, "CLMUL"), (5, "VMX"), (9, "SSSE3"), (13, "CX16"),
        (19, "SSE4"), (20, "SSE42"), (22, "MOVBE"), (23, "POPCNT"), (25, "AESNI"), (29, "F16C"),
        (30, "RDRAND"), (31, "HYPERVISOR"),
    ]),
    row((0x1, 0, Edx), Always, &[
        (0, "X87"), (8, "CMPXCHG8"), (11, "SYSEE"), (15, "CMOV"), (23, "MMX"), (24, "FXSR"),
        (25, "FXSROPT"), (25, "SSE"), (26, "SSE2"),
    ]),
    row((0x7, 0, Ebx), Always, &[
        (2, "SGX"), (3, "BMI1"), (4, "HLE"), (9, "ERMS"), (11, "RTM"), (14, "MPX"), (18, "RDSEED"),
        (19, "ADX"), (29, "SHA"),
    ]),
    row((0x7, 0, Ebx), Flag("AVX"), &[(5, "AVX2")]),
    row((0x7, 0, Ebx), Flag("BMI1"), &[(8, "BMI2")]),
    row((0x7, 0, Ebx), ZmmState, &[
        (16, "AVX512F"), (17, "AVX512DQ"), (21, "AVX512IFMA"), (26, "AVX512PF"), (27, "AVX512ER"),
        (28, "AVX512CD"), (30, "AVX512BW"), (31, "AVX512VL"),
    ]),
    row((0x7, 0, Ecx), Always, &[
        (5, "WAITPKG"), (7, "CETSS"), (8, "GFNI"), (9, "VAES"), (10, "VPCLMULQDQ"), (13, "TME"),
        (23, "KEYLOCKER"), (25, "CLDEMOTE"), (27, "MOVDIRI"), (28, "MOVDIR64B"), (29, "ENQCMD"),
        (30, "SGXLC"),
    ]),
    row((0x7, 0, Ecx), ZmmState, &[
        (1, "AVX512VBMI"), (3, "AMXFP8"), (6, "AVX512VBMI2"), (11, "AVX512VNNI"), (12, "AVX512BITALG"),
        (14, "AVX512VPOPCNTDQ"),
    ]),
    row((0x7, 0, Edx), Always, &[
        (4, "FSRM"), (9, "SRBDS_CTRL"), (10, "MD_CLEAR"), (11, "RTM_ALWAYS_ABORT"), (14, "SERIALIZE"),
        (15, "HYBRID_CPU"), (16, "TSXLDTRK"), (18, "PCONFIG"), (20, "CETIBT"), (26, "IBPB"), (27, "STIBP"),
        (28, "FLUSH_L1D"), (29, "IA32_ARCH_CAP"), (30, "IA32_CORE_CAP"), (31, "SPEC_CTRL_SSBD"),
    ]),
    row((0x7, 0, Edx), ZmmState, &[
        (8, "AVX512VP2INTERSECT"), (22, "AMXBF16"), (23, "AVX512FP16"), (24, "AMXTILE"), (25, "AMXINT8"),
    ]),
    row((0x7, 1, Eax), Always, &[
        (1, "SM3_X86"), (2, "SM4_X86"), (7, "CMPCCXADD"), (10, "MOVSB_ZL"), (11, "STOSB_SHORT"),
        (12, "CMPSB_SCADBS_SHORT"), (17, "FRED"), (22, "HRESET"), (23, "AVXIFMA"), (26, "LAM"),
    ]),
    row((0x7, 1, Eax), Flag("AVX"), &[(4, "AVXVNNI")]),
    row((0x7, 1, Eax), ZmmState, &[(5, "AVX512BF16"), (19, "WRMSRNS"), (21, "AMXFP16"), (27, "MSRLIST")]),
    row((0x7, 1, Edx), Always, &[
        (4, "AVXVNNIINT8"), (5, "AVXNECONVERT"), (6, "AMXTRANSPOSE"), (7, "AMXTF32"), (8, "AMXCOMPLEX"),
        (10, "AVXVNNIINT16"), (14, "PREFETCHI"), (19, "AVX10"), (21, "APX_F"),
    ]),
    row((0x7, 2, Edx), Always, &[
        (0, "PSFD"), (1, "IDPRED_CTRL"), (2, "RRSBA_CTRL"), (4, "BHI_CTRL"), (5, "MCDT_NO"),
    ]),
    row((0xd, 1, Eax), Flag("XSAVE"), &[(0, "XSAVEOPT"), (1, "XSAVEC"), (2, "XGETBV1"), (3, "XSAVES")]),
    row((0x12, 0, Eax), Flag("SGX"), &[(12, "SGXPQC")]),
    row((0x24, 0, Ebx), Flag("AVX10"), &[(16, "AVX10_128"), (17, "AVX10_256"), (18, "AVX10_512")]),
    row((0x8000_0001, 0, Ecx), Always, &[
        (0, "LAHF"), (2, "SVM"), (5, "LZCNT"), (5, "POPCNT"), (6, "SSE4A"), (10, "IBS"), (22, "TOPEXT"),
    ]),
    row((0x8000_0001, 0, Ecx), Flag("AVX"), &[(11, "XOP"), (16, "FMA4")]),
    row((0x8000_0001, 0, Edx), Always, &[
        (11, "SYSCALL"), (20, "NX"), (22, "MMXEXT"), (23, "MMX"), (24, "FXSR"), (25, "FXSROPT"),
        (27, "RDTSCP"), (30, "AMD3DNOWEXT"), (31, "AMD3DNOW"),
    ]),
    row((0x8000_0007, 0, Ebx), Always, &[(0, "MCAOVERFLOW"), (1, "SUCCOR"), (2, "HWA")]),
    row((0x8000_0007, 0, Edx), Always, &[(9, "CPBOOST")]),
    row((0x8000_0008, 0, Ebx), Always, &[
        (0, "CLZERO"), (1, "MSRIRC"), (3, "INVLPGB"), (4, "RDPRU"), (8, "MCOMMIT"), (9, "WBNOINVD"),
        (12, "IBPB"), (13, "INT_WBINVD"), (14, "IBRS"), (15, "STIBP"), (17, "STIBP_ALWAYSON"),
        (18, "IBRS_PREFERRED"), (19, "IBRS_PROVIDES_SMP"), (20, "EFER_LMSLE_UNS"), (21, "TLB_FLUSH_NESTED"),
        (23, "PPIN"), (24, "SPEC_CTRL_SSBD"), (27, "CPPC"), (28, "PSFD"),
    ]),
    row((0x8000_000a, 0, Edx), Flag("SVM"), &[
        (0, "SVMNP"), (1, "LBRVIRT"), (2, "SVML"), (3, "NRIPS"), (4, "TSCRATEMSR"), (5, "VMCBCLEAN"),
        (6, "SVMFBASID"), (7, "SVMDA"), (10, "SVMPF"), (12, "SVMPFT"),
    ]),
    row((0x8000_001a, 0, Eax), Always, &[(0, "FP128"), (1, "MOVU"), (2, "FP256")]),
    row((0x8000_001b, 0, Eax), Flag("IBS"), &[
        (0, "IBSFFV"), (1, "IBSFETCHSAM"), (2, "IBSOPSAM"), (3, "IBSRDWROPCNT"), (4, "IBSOPCNT"),
        (5, "IBSBRNTRGT"), (6, "IBSOPCNTEXT"), (7, "IBSRIPINVALIDCHK"), (8, "IBS_OPFUSE"),
        (9, "IBS_FETCH_CTLX"), (10, "IBS_OPDATA4"), (11, "IBS_ZEN4"),
    ]),
    row((0x8000_001f, 0, Eax), Amd, &[
        (0, "SME"), (1, "SEV"), (2, "MSR_PAGEFLUSH"), (3, "SEV_ES"), (4, "SEV_SNP"), (5, "VMPL"),
        (10, "SME_COHERENT"), (11, "SEV_64BIT"), (12, "SEV_RESTRICTED"), (13, "SEV_ALTERNATIVE"),
        (14, "SEV_DEBUGSWAP"), (15, "IBS_PREVENTHOST"), (16, "VTE"), (24, "VMSA_REGPROT"),
    ]),
    row((0x8000_0021, 0, Eax), Amd, &[
        (5, "TSA_VERW_CLEAR"), (23, "AVX512BMM"), (27, "SBPB"), (28, "IBPB_BRTYPE"), (29, "SRSO_NO"),
        (30, "SRSO_USER_KERNEL_NO"), (31, "SRSO_MSR_FIX"),
    ]),
    row((0x8000_0021, 0, Ecx), Amd, &[(1, "TSA_L1_NO"), (2, "TSA_SQ_NO")]),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::Deserialize;

    use super::super::flags;
    use super::*;

    /// One place where the library sets a flag.
    #[derive(Debug, Deserialize)]
    struct TableRow {
        name: String,
        #[serde(default)]
        expr: Option<String>,
        /// The conditions around it.
        within: Vec<String>,
        /// None for a flag that is not one bit.
        #[serde(default)]
        leaf: Option<String>,
        #[serde(default)]
        subleaf: Option<u32>,
        #[serde(default)]
        reg: String,
        #[serde(default)]
        bit: u32,
    }

    /// A bit of a register of a (leaf, sub-leaf).
    type RegisterBit = (u32, u32, usize, u32);

    fn rows() -> Vec<TableRow> {
        const ROWS: &str =
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/integration/conformance/cpuid-flags.json"));
        serde_json::from_str(ROWS).unwrap()
    }

    impl TableRow {
        fn place(&self) -> Option<RegisterBit> {
            let leaf = u32::from_str_radix(self.leaf.as_ref()?.trim_start_matches("0x"), 16).unwrap();
            let register = ["EAX", "EBX", "ECX", "EDX"].iter().position(|it| *it == self.reg).unwrap();
            Some((leaf, self.subleaf.unwrap_or(0), register, self.bit))
        }

        fn conditions(&self) -> String {
            format!("{} {}", self.within.join(" "), self.expr.as_deref().unwrap_or(""))
        }

        /// The other bits that have to be set before this one counts.
        fn needs(&self, rows: &[Self]) -> Vec<RegisterBit> {
            let (xsave, osxsave) = ((1, 0, 2, 26), (1, 0, 2, 27));
            let mut needs = match self.name.as_str() {
                "AVX" => vec![xsave, osxsave],
                "FMA3" => vec![osxsave],
                "BMI2" => vec![(7, 0, 1, 3)],
                _ if self.conditions().contains("hasAVX512") => vec![xsave, osxsave],
                _ => vec![],
            };
            for name in self.conditions().split("inSet(").skip(1).map(|it| it.split(')').next().unwrap()) {
                let row = rows.iter().find(|it| it.name == name).unwrap();
                needs.extend(row.place());
                needs.extend(row.needs(rows));
            }
            needs
        }

        /// The highest leaf that a processor has to name: the library trusts that one with SGX has its leaf.
        fn highest(&self) -> u32 {
            self.place().map(|(leaf, ..)| if leaf == 0x12 { 7 } else { leaf }).unwrap()
        }

        /// A Zen 3, or a processor of an unknown vendor, that has just these bits and no higher leaf than this.
        fn processor(&self, bits: &[RegisterBit], highest: u32) -> Cpuid {
            let amd = self.conditions().contains("vend == AMD");
            let vendor = if amd { [0x6874_7541, 0x444d_4163, 0x6974_6e65] } else { [0; 3] };
            let basic = if highest < 0x8000_0000 { highest } else { 0x24 };
            let extended = highest.max(0x8000_0000);
            let mut leaves = BTreeMap::from([
                ((0, 0), [basic, vendor[0], vendor[1], vendor[2]]),
                ((1, 0), [0x00a0_0f11, 0, 0, 0]),
                ((0x8000_0000, 0), [extended, 0, 0, 0]),
            ]);
            for (leaf, subleaf, register, bit) in bits {
                leaves.entry((*leaf, *subleaf)).or_default()[*register] |= 1 << bit;
            }
            let leaves: Vec<_> =
                leaves.into_iter().map(|((leaf, subleaf), regs)| (leaf, subleaf, regs)).collect();
            Cpuid::table(&leaves, 0xe7)
        }
    }

    fn check(row: &TableRow, rows: &[TableRow]) {
        let Some(place) = row.place() else { return };
        let has = |bits: &[RegisterBit], highest| flags::has(&row.processor(bits, highest), &row.name);
        let needs = row.needs(rows);
        let all = [&needs[..], &[place]].concat();
        assert!(has(&all, row.highest()), "{row:?} with its bit");
        assert!(!has(&needs, row.highest()), "{row:?} without its bit");
        assert!(!has(&all, row.highest() - 1), "{row:?} beyond the highest leaf");
        assert!(needs.is_empty() || !has(&[place], row.highest()), "{row:?} with nothing but its bit");
    }

    #[test]
    fn every_flag_is_where_the_library_reads_it() {
        let rows = rows();
        assert_eq!(rows.len(), 220);
        for row in &rows {
            check(row, &rows);
        }
    }

    #[test]
    fn flags_of_amd_are_not_reported_of_others() {
        for mut row in rows().into_iter().filter(|it| it.conditions().contains("vend == AMD")) {
            let Some(place) = row.place() else { continue };
            row.within.clear();
            assert!(!flags::has(&row.processor(&[place], row.highest()), &row.name), "{row:?}");
        }
    }

    #[test]
    fn there_are_no_flags_but_the_librarys_and_nfds_own() {
        let counters = ["INSTRUCTIONS", "CYCLES", "REFCYCLES", "TOPDOWN_SLOTS"];
        let counters = counters.map(|it| format!("PMU_FIXEDCOUNTER_{it}"));
        let levels = [1, 2, 3, 4].map(|it| format!("X86_64_V{it}"));
        let expected: BTreeSet<_> =
            rows().into_iter().map(|it| it.name).chain(counters).chain(levels).collect();
        assert_eq!(flags::all_names().map(str::to_owned).collect::<BTreeSet<_>>(), expected);
    }
}
