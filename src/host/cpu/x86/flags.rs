//! Tells whether a processor has a flag, under the conditions of the library that NFD uses. Never corrects them: a rule
//! has to come out as it does in NFD.

use super::model::{self, AMD, INTEL};
use super::table::{Bits, OnlyIf, TABLE};
use crate::host::cpu::cpuid::Cpuid;
use crate::host::cpu::levels::{LEVELS, level_flags};

/// A flag that needs more than one bit.
type FlagRule = (&'static str, fn(&Cpuid) -> bool);

static RULES: [FlagRule; 12] = [
    ("HTT", has_hyperthreads),
    ("AVX", has_avx),
    ("AVXSLOW", has_slow_avx),
    ("FMA3", has_fma3),
    ("KEYLOCKERW", has_wide_key_locker),
    ("TSA_L1_NO", predates_tsa),
    ("TSA_SQ_NO", predates_tsa),
    ("TDX_GUEST", is_tdx_guest),
    ("PMU_FIXEDCOUNTER_INSTRUCTIONS", |it| has_fixed_counter(it, 0)),
    ("PMU_FIXEDCOUNTER_CYCLES", |it| has_fixed_counter(it, 1)),
    ("PMU_FIXEDCOUNTER_REFCYCLES", |it| has_fixed_counter(it, 2)),
    ("PMU_FIXEDCOUNTER_TOPDOWN_SLOTS", |it| has_fixed_counter(it, 3)),
];

/// The names of all flags that a processor may have; some occur twice.
pub(super) fn all_names() -> impl Iterator<Item = &'static str> {
    let plain = TABLE.iter().flat_map(|it| it.flags).map(|(_, name)| *name);
    plain.chain(RULES.iter().map(|(name, _)| *name)).chain(LEVELS)
}

/// Whether the processor has the flag of this name; it has none that we do not know. Reads what this flag takes only.
pub(super) fn has(cpuid: &Cpuid, name: &str) -> bool {
    if let Some(parts) = level_flags(name) {
        // Either instruction shows that this is a 64-bit processor.
        let has_system_calls = || has(cpuid, "SYSEE") || has(cpuid, "SYSCALL");
        return parts.iter().all(|it| has(cpuid, it)) && has_system_calls();
    }
    let by_rule = RULES.iter().any(|(it, holds)| *it == name && cpuid.reaches(1) && holds(cpuid));
    by_rule || TABLE.iter().any(|it| it.bit(name).is_some_and(|bit| is_set(cpuid, it, bit)))
}

/// The version of AVX10, if the processor has that.
pub(super) fn avx10_version(cpuid: &Cpuid) -> Option<u32> {
    let version = || cpuid.leaf(0x24, 0).ebx & 0xff;
    (has(cpuid, "AVX10") && cpuid.reaches(0x24)).then(version).filter(|it| *it > 0)
}

fn is_set(cpuid: &Cpuid, bits: &Bits, bit: u32) -> bool {
    // A leaf beyond the highest one is undefined, but a processor with SGX is taken to have its leaf.
    let needed = if bits.leaf == 0x12 { 7 } else { bits.leaf };
    let holds = || match bits.only_if {
        OnlyIf::Always => true,
        OnlyIf::Amd => model::vendor(cpuid) == AMD,
        OnlyIf::Flag(name) => has(cpuid, name),
        OnlyIf::ZmmState => saves_zmm(cpuid),
    };
    cpuid.reaches(1) && cpuid.reaches(needed) && holds() && bits.value(cpuid) & 1 << bit != 0
}

/// Whether ECX of leaf 1 has all bits of a mask.
fn leaf1_ecx(cpuid: &Cpuid, mask: u32) -> bool {
    cpuid.leaf(1, 0).ecx & mask == mask
}

/// XSAVE, OSXSAVE, and an operating system that saves masks and all of ZMM.
fn saves_zmm(cpuid: &Cpuid) -> bool {
    const STATES: u64 = 0b1110_0110;
    leaf1_ecx(cpuid, 1 << 26 | 1 << 27) && cpuid.xcr0() & STATES == STATES
}

/// XSAVE, OSXSAVE and AVX, and an operating system that saves XMM and YMM.
fn has_avx(cpuid: &Cpuid) -> bool {
    const STATES: u64 = 0b110;
    leaf1_ecx(cpuid, 1 << 26 | 1 << 27 | 1 << 28) && cpuid.xcr0() & STATES == STATES
}

/// Older than Haswell, or than Zen 2.
fn has_slow_avx(cpuid: &Cpuid) -> bool {
    let (family, model) = (model::family(cpuid), model::model(cpuid));
    has_avx(cpuid)
        && match model::vendor(cpuid) {
            INTEL => family == 6 && model < 60,
            AMD => (family, model) < (23, 49),
            _ => false,
        }
}

/// FMA and OSXSAVE, which for this flag is bit 27, as it should be.
fn has_fma3(cpuid: &Cpuid) -> bool {
    leaf1_ecx(cpuid, 1 << 12 | 1 << 27)
}

/// AES Key Locker enabled by firmware and system, with its wide instructions.
fn has_wide_key_locker(cpuid: &Cpuid) -> bool {
    const ENABLED_AND_WIDE: u32 = 0b101;
    has(cpuid, "KEYLOCKER")
        && cpuid.reaches(0x19)
        && cpuid.leaf(0x19, 0).ebx & ENABLED_AND_WIDE == ENABLED_AND_WIDE
}

/// AMD's processors that transient scheduler attacks do not reach, and that are too old to say so.
///
/// AMD, "Technical guidance for mitigating transient scheduler attacks".
fn predates_tsa(cpuid: &Cpuid) -> bool {
    model::vendor(cpuid) == AMD
        && match model::family(cpuid) {
            0..=0x18 => true,
            0x1a => matches!(model::model(cpuid), 0..=0x4f | 0x60..=0x7f),
            _ => false,
        }
}

/// A TDX guest, by Hyper-V's isolation leaf or TDX's own. Hyper-V's is read without asking whether there is one.
fn is_tdx_guest(cpuid: &Cpuid) -> bool {
    let by_hyperv = || cpuid.leaf(0x4000_000c, 0).ebx == 0xbe3;
    let by_tdx = || {
        let it = cpuid.leaf(0x21, 0);
        model::text([it.ebx, it.edx, it.ecx]) == b"IntelTDX    "
    };
    cpuid.reaches(0x20) && by_hyperv() || cpuid.reaches(0x21) && by_tdx()
}

/// A fixed-function performance counter. EBX lists events that are *not* there, however many of its bits are valid.
fn has_fixed_counter(cpuid: &Cpuid, index: u32) -> bool {
    if !cpuid.reaches(0xa) {
        return false;
    }
    let pmu = cpuid.leaf(0xa, 0);
    let version = pmu.eax & 0xff;
    let count = if version > 1 { pmu.edx & 0x1f } else { 0 };
    match pmu.ebx {
        _ if version == 0 => false,
        0 => matches!(count, 3 | 4) && index < count,
        missing => missing & 1 << index == 0,
    }
}

/// More than one thread per core, on Intel's and AMD's.
fn has_hyperthreads(cpuid: &Cpuid) -> bool {
    const HTT: u32 = 1 << 28;
    let may_have = || cpuid.leaf(1, 0).edx & HTT != 0 && cpuid.reaches(4);
    match model::vendor(cpuid) {
        INTEL => may_have() && threads_of_intel(cpuid) > 1,
        AMD => may_have() && threads_of_amd(cpuid) > 1,
        _ => false,
    }
}

fn threads_of_intel(cpuid: &Cpuid) -> u32 {
    if cpuid.reaches(0xb) {
        return threads_by_topology(cpuid);
    }
    let logical = cpuid.leaf(1, 0).ebx >> 16 & 0xff;
    let cores = || (cpuid.leaf(4, 0).eax >> 26) + 1;
    if logical > 1 { logical / cores() } else { 1 }
}

fn threads_of_amd(cpuid: &Cpuid) -> u32 {
    let topology = if cpuid.reaches(0xb) { threads_by_topology(cpuid) } else { 1 };
    match topology {
        0 if model::family(cpuid) < 23 => 1,
        0 if cpuid.reaches(0x8000_001e) => (cpuid.leaf(0x8000_001e, 0).ebx >> 8 & 0xff) + 1,
        0 => 2,
        threads => threads,
    }
}

/// The threads of a core by the extended topology leaf; zero where that is not filled in.
fn threads_by_topology(cpuid: &Cpuid) -> u32 {
    cpuid.leaf(0xb, 0).ebx & 0xffff
}

#[cfg(test)]
mod tests {
    use super::super::dumps::Leaf;
    use super::*;

    const HTT: u32 = 1 << 28;
    /// Leaf 1 of a Zen 3 and of a Haswell.
    const ZEN_3: u32 = 0x00a0_0f11;
    const HASWELL: u32 = 0x0003_06f2;

    fn intel(highest: u32) -> Leaf {
        (0, 0, [highest, 0x756e_6547, 0x6c65_746e, 0x4965_6e69])
    }

    fn amd(highest: u32) -> Leaf {
        (0, 0, [highest, 0x6874_7541, 0x444d_4163, 0x6974_6e65])
    }

    fn hygon(highest: u32) -> Leaf {
        (0, 0, [highest, 0x6f67_7948, 0x656e_6975, 0x6e65_476e])
    }

    /// Leaf 1 with this signature in EAX, and XSAVE, OSXSAVE and AVX in ECX.
    fn avx(signature: u32) -> Leaf {
        (1, 0, [signature, 0, 0b111 << 26, 0])
    }

    fn check(name: &str, leaves: &[Leaf], expected: bool) {
        check_with(name, leaves, 0xe7, expected);
    }

    fn check_with(name: &str, leaves: &[Leaf], xcr0: u64, expected: bool) {
        assert_eq!(has(&Cpuid::table(leaves, xcr0), name), expected, "{name} {leaves:#x?} {xcr0:#x}");
    }

    #[test]
    fn avx_takes_a_system_that_saves_its_state() {
        for (xcr0, expected) in [(0b111, true), (0b110, true), (0b011, false), (0b101, false), (0, false)] {
            check_with("AVX", &[intel(7), avx(HASWELL)], xcr0, expected);
            check_with("AVX2", &[intel(7), avx(HASWELL), (7, 0, [0, 1 << 5, 0, 0])], xcr0, expected);
        }
    }

    #[test]
    fn avx_512_takes_a_system_that_saves_all_of_its_state() {
        for (xcr0, expected) in
            [(0xe7, true), (0xe6, true), (0x67, false), (0xe3, false), (0xe5, false), (7, false)]
        {
            check_with("AVX512F", &[intel(7), avx(HASWELL), (7, 0, [0, 1 << 16, 0, 0])], xcr0, expected);
        }
    }

    #[test]
    fn avx_512_does_not_take_avx() {
        let leaf_1 = (1, 0, [HASWELL, 0, 0b11 << 26, 0]);
        check("AVX512F", &[intel(7), leaf_1, (7, 0, [0, 1 << 16, 0, 0])], true);
        check("AVX", &[intel(7), leaf_1], false);
    }

    #[test]
    fn avx_is_slow_before_haswell_and_zen_2() {
        let ivy_bridge = 0x0003_06a9;
        let (zen_1, zen_2, piledriver) = (0x0080_0f12, 0x0083_0f10, 0x0060_0f20);
        for (leaf_0, signature, expected) in [
            (intel(7), ivy_bridge, true),
            (intel(7), 0x0003_06c3, false), // Haswell, model 60
            (intel(7), 0x0000_0f00, false), // family 15
            (amd(7), piledriver, true),
            (amd(7), zen_1, true),
            (amd(7), zen_2, false),
            (amd(7), ZEN_3, false),
            (hygon(7), zen_1, false),
        ] {
            check("AVXSLOW", &[leaf_0, avx(signature)], expected);
            check_with("AVXSLOW", &[leaf_0, avx(signature)], 0, false);
        }
    }

    #[test]
    fn fma_takes_a_system_that_saves_state_and_no_more() {
        for (ecx, expected) in [(1 << 12 | 1 << 27, true), (1 << 12 | 1 << 26, false), (1 << 27, false)] {
            check_with("FMA3", &[intel(1), (1, 0, [0, 0, ecx, 0])], 0, expected);
        }
    }

    #[test]
    fn xsave_is_taken_for_sse3_as_in_nfd() {
        for name in ["XSAVE", "OSXSAVE"] {
            check(name, &[intel(1), (1, 0, [0, 0, 1, 0])], true);
            check(name, &[intel(1), (1, 0, [0, 0, 1 << 26 | 1 << 27, 0])], false);
        }
    }

    #[test]
    fn lzcnt_brings_popcnt() {
        let extended = (0x8000_0000, 0, [0x8000_0001, 0, 0, 0]);
        for (leaf_1, leaf_8, lzcnt, popcnt) in [
            (0, 0, false, false),
            (1 << 23, 0, false, true),
            (0, 1 << 5, true, true),
            (1 << 23, 1 << 5, true, true),
        ] {
            let leaves = [intel(1), (1, 0, [0, 0, leaf_1, 0]), extended, (0x8000_0001, 0, [0, 0, leaf_8, 0])];
            check("LZCNT", &leaves, lzcnt);
            check("POPCNT", &leaves, popcnt);
        }
    }

    #[test]
    fn wide_key_locker_takes_both_of_its_bits() {
        let leaf_7 = |ecx| (7, 0, [0, 0, ecx, 0]);
        let leaf_19 = |ebx| (0x19, 0, [0, ebx, 0, 0]);
        check("KEYLOCKERW", &[intel(0x19), leaf_7(1 << 23), leaf_19(0b101)], true);
        check("KEYLOCKERW", &[intel(0x19), leaf_7(1 << 23), leaf_19(0b001)], false);
        check("KEYLOCKERW", &[intel(0x19), leaf_7(1 << 23), leaf_19(0b100)], false);
        check("KEYLOCKERW", &[intel(0x18), leaf_7(1 << 23), leaf_19(0b101)], false);
        check("KEYLOCKERW", &[intel(0x19), leaf_7(0), leaf_19(0b101)], false);
    }

    #[test]
    fn amds_older_and_newer_processors_withstand_tsa_without_saying_so() {
        for (leaf_0, family, model, expected) in [
            (amd(1), 0x17, 0x31, true),
            (amd(1), 0x18, 0, true),
            (amd(1), 0x19, 0x01, false),
            (amd(1), 0x1a, 0x00, true),
            (amd(1), 0x1a, 0x4f, true),
            (amd(1), 0x1a, 0x50, false),
            (amd(1), 0x1a, 0x5f, false),
            (amd(1), 0x1a, 0x60, true),
            (amd(1), 0x1a, 0x7f, true),
            (amd(1), 0x1a, 0x80, false),
            (amd(1), 0x1b, 0, false),
            (intel(1), 0x17, 0x31, false),
            (hygon(1), 0x18, 0, false),
        ] {
            let signature = (family - 0xf) << 20 | (model >> 4) << 16 | 0xf00 | (model & 0xf) << 4;
            check("TSA_L1_NO", &[leaf_0, (1, 0, [signature, 0, 0, 0])], expected);
            check("TSA_SQ_NO", &[leaf_0, (1, 0, [signature, 0, 0, 0])], expected);
        }
    }

    #[test]
    fn a_tdx_guest_is_known_by_its_own_leaf_or_hyper_vs() {
        let hyperv = |ebx| (0x4000_000c, 0, [0, ebx, 0, 0]);
        // "IntelTDX    ", by EBX, EDX and ECX.
        let tdx = (0x21, 0, [0, 0x6574_6e49, 0x2020_2020, 0x5844_546c]);
        check("TDX_GUEST", &[intel(0x20), hyperv(0xbe3)], true);
        check("TDX_GUEST", &[intel(0x1f), hyperv(0xbe3)], false);
        check("TDX_GUEST", &[intel(0x20), hyperv(0xbe2)], false);
        check("TDX_GUEST", &[intel(0x21), tdx], true);
        check("TDX_GUEST", &[intel(0x20), tdx], false);
        check("TDX_GUEST", &[intel(0x21), (0x21, 0, [0, 0x6574_6e49, 0x5844_546c, 0x2020_2020])], false);
    }

    fn check_counters(highest: u32, [eax, ebx, edx]: [u32; 3], expected: &str) {
        let cpuid = Cpuid::table(&[intel(highest), (0xa, 0, [eax, ebx, 0, edx])], 0);
        let counters = ["INSTRUCTIONS", "CYCLES", "REFCYCLES", "TOPDOWN_SLOTS"];
        let had = counters.into_iter().filter(|it| has(&cpuid, &format!("PMU_FIXEDCOUNTER_{it}")));
        assert_eq!(had.collect::<Vec<_>>().join(" "), expected, "{eax:#x} {ebx:#x} {edx:#x}");
    }

    #[test]
    fn fixed_counters_are_the_first_three_or_four() {
        check_counters(0xa, [4, 0, 3], "INSTRUCTIONS CYCLES REFCYCLES");
        check_counters(0xa, [5, 0, 4], "INSTRUCTIONS CYCLES REFCYCLES TOPDOWN_SLOTS");
        check_counters(0xa, [4, 0, 0x603], "INSTRUCTIONS CYCLES REFCYCLES");
        for edx in [0, 2, 5] {
            check_counters(0xa, [4, 0, edx], "");
        }
    }

    #[test]
    fn fixed_counters_take_a_version_that_has_them() {
        check_counters(0xa, [0, 0, 3], "");
        check_counters(0xa, [1, 0, 3], "");
        check_counters(0xa, [0, 0b0001, 0], "");
        check_counters(0x9, [4, 0, 3], "");
    }

    #[test]
    fn events_that_are_not_there_leave_the_other_fixed_counters() {
        check_counters(0xa, [1, 0b0001, 0], "CYCLES REFCYCLES TOPDOWN_SLOTS");
        check_counters(0xa, [4, 0b0100, 3], "INSTRUCTIONS CYCLES TOPDOWN_SLOTS");
        check_counters(0xa, [4, 0b1111, 3], "");
        check_counters(0xa, [4, 1 << 7, 3], "INSTRUCTIONS CYCLES REFCYCLES TOPDOWN_SLOTS");
    }

    #[test]
    fn intels_hyperthreads_are_counted_by_topology() {
        let leaf_1 = (1, 0, [HASWELL, 0, 0, HTT]);
        for (threads, expected) in [(0, false), (1, false), (2, true), (0x1_0001, false)] {
            check("HTT", &[intel(0xb), leaf_1, (0xb, 0, [0, threads, 0, 0])], expected);
        }
        check("HTT", &[intel(0xb), (1, 0, [HASWELL, 0, 0, 0]), (0xb, 0, [0, 2, 0, 0])], false);
    }

    #[test]
    fn intels_hyperthreads_without_topology_are_those_beyond_the_cores() {
        // (highest leaf, logical processors, cores - 1)
        for (highest, logical, cores, expected) in [
            (0xa, 2, 0, true),
            (0xa, 16, 7, true),
            (0xa, 8, 7, false),
            (0xa, 8, 15, false),
            (0xa, 1, 0, false),
            (0x3, 2, 0, false),
        ] {
            let leaf_1 = (1, 0, [HASWELL, logical << 16, 0, HTT]);
            check("HTT", &[intel(highest), leaf_1, (4, 0, [cores << 26, 0, 0, 0])], expected);
        }
    }

    #[test]
    fn amds_hyperthreads_are_counted_by_topology_or_its_own_leaf() {
        let topology = |threads| (0xb, 0, [0, threads, 0, 0]);
        let leaf_1 = |signature| (1, 0, [signature, 2 << 16, 0, HTT]);
        let extended = |highest| (0x8000_0000, 0, [highest, 0, 0, 0]);
        let own = |threads: u32| (0x8000_001e, 0, [0, (threads - 1) << 8, 0, 0]);
        let bulldozer = 0x0060_0f12;
        for (leaves, expected) in [
            (&[amd(0xb), leaf_1(ZEN_3), topology(2)][..], true),
            (&[amd(0xb), leaf_1(ZEN_3), topology(1), extended(0x8000_001e), own(2)], false),
            (&[amd(0xb), leaf_1(ZEN_3), topology(0), extended(0x8000_001e), own(2)], true),
            (&[amd(0xb), leaf_1(ZEN_3), topology(0), extended(0x8000_001e), own(1)], false),
            (&[amd(0xb), leaf_1(ZEN_3), topology(0), extended(0x8000_001d)], true),
            (&[amd(0xb), leaf_1(bulldozer), topology(0), extended(0x8000_001e), own(2)], false),
            (&[amd(0xa), leaf_1(ZEN_3), topology(2), extended(0x8000_001e), own(2)], false),
            (&[amd(0xb), (1, 0, [ZEN_3, 0, 0, 0]), topology(2)], false),
            (&[hygon(0xb), leaf_1(ZEN_3), topology(2)], false),
        ] {
            check("HTT", leaves, expected);
        }
    }

    #[test]
    fn a_level_takes_a_64_bit_processor_and_all_flags() {
        let edx = 1 | 1 << 8 | 1 << 15 | 1 << 23 | 1 << 24 | 1 << 25 | 1 << 26;
        check("X86_64_V1", &[intel(1), (1, 0, [0, 0, 0, edx | 1 << 11])], true);
        check("X86_64_V1", &[intel(1), (1, 0, [0, 0, 0, edx])], false);
        check("X86_64_V1", &[intel(1), (1, 0, [0, 0, 0, edx & !1 | 1 << 11])], false);
        check("X86_64_V2", &[intel(1), (1, 0, [0, 0, 0, edx | 1 << 11])], false);
        let extended = (0x8000_0000, 0, [0x8000_0001, 0, 0, 0]);
        let syscall = (0x8000_0001, 0, [0, 0, 0, 1 << 11]);
        check("X86_64_V1", &[intel(1), (1, 0, [0, 0, 0, edx]), extended, syscall], true);
    }

    #[test]
    fn without_leaf_1_there_are_no_flags_at_all() {
        let leaves = [amd(0), (1, 0, [0, 0, !0, !0]), (0x8000_0000, 0, [0x8000_0021, 0, 0, 0])];
        let all = (0x8000_0001, 0, [!0; 4]);
        let cpuid = Cpuid::table(&[leaves[0], leaves[1], leaves[2], all], 0xe7);
        assert_eq!(all_names().find(|it| has(&cpuid, it)), None);
    }
}
