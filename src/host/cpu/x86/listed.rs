//! `/proc/cpuinfo` in the names of `cpu.cpuid`, for a processor that cannot be asked: that of another root folder.

use std::collections::BTreeSet;

use crate::host::cpu::flag;
use crate::host::cpu::levels::{LEVELS, level_flags};
use crate::host::{Fact, Feature, Root, Unknown, Wanted};

/// The kernel's name of a flag and ours (`arch/x86/include/asm/cpufeatures.h`). Every kernel since Linux 3.15 lists these,
/// so that a processor without them in the list does not have them.
static DECIDED: [(&str, &str); 38] = [
    ("cmov", "CMOV"),
    ("cx8", "CMPXCHG8"),
    ("fxsr", "FXSR"),
    ("mmx", "MMX"),
    ("sse", "SSE"),
    ("sse2", "SSE2"),
    ("fpu", "X87"),
    ("cx16", "CX16"),
    ("lahf_lm", "LAHF"),
    ("popcnt", "POPCNT"),
    ("pni", "SSE3"),
    ("sse4_1", "SSE4"),
    ("sse4_2", "SSE42"),
    ("ssse3", "SSSE3"),
    ("avx", "AVX"),
    ("avx2", "AVX2"),
    ("bmi1", "BMI1"),
    ("bmi2", "BMI2"),
    ("f16c", "F16C"),
    ("fma", "FMA3"),
    ("abm", "LZCNT"),
    ("movbe", "MOVBE"),
    // In NFD's library these two are the bit of SSE3.
    ("pni", "OSXSAVE"),
    ("pni", "XSAVE"),
    ("avx512f", "AVX512F"),
    ("avx512cd", "AVX512CD"),
    ("avx512er", "AVX512ER"),
    ("avx512pf", "AVX512PF"),
    ("aes", "AESNI"),
    ("pclmulqdq", "CLMUL"),
    ("rdrand", "RDRAND"),
    ("rdseed", "RDSEED"),
    ("adx", "ADX"),
    ("syscall", "SYSCALL"),
    ("sep", "SYSEE"),
    ("nx", "NX"),
    ("rdtscp", "RDTSCP"),
    ("hypervisor", "HYPERVISOR"),
];

/// Flags that a kernel may not know yet, or leaves out where firmware or an administrator switched them off: listed, they
/// are there; otherwise they are unknown.
static TOLD: [(&str, &str); 24] = [
    ("avx512bw", "AVX512BW"),
    ("avx512dq", "AVX512DQ"),
    ("avx512vl", "AVX512VL"),
    ("avx512ifma", "AVX512IFMA"),
    ("avx512vbmi", "AVX512VBMI"),
    ("avx512_vbmi2", "AVX512VBMI2"),
    ("avx512_vnni", "AVX512VNNI"),
    ("avx512_bitalg", "AVX512BITALG"),
    ("avx512_vpopcntdq", "AVX512VPOPCNTDQ"),
    ("avx512_bf16", "AVX512BF16"),
    ("avx512_fp16", "AVX512FP16"),
    ("avx_vnni", "AVXVNNI"),
    ("amx_tile", "AMXTILE"),
    ("amx_int8", "AMXINT8"),
    ("amx_bf16", "AMXBF16"),
    ("vmx", "VMX"),
    ("svm", "SVM"),
    ("sgx", "SGX"),
    ("erms", "ERMS"),
    ("fsrm", "FSRM"),
    ("sha_ni", "SHA"),
    ("gfni", "GFNI"),
    ("vaes", "VAES"),
    ("vpclmulqdq", "VPCLMULQDQ"),
];

/// The flags of the wanted names that the kernel lists. `unasked` says why the processor itself was not asked: it is
/// said of what the list leaves open, and of everything if there is no list of an x86 processor.
pub(super) fn flags(root: &Root, wanted: impl Fn(&str) -> bool, unasked: Unknown) -> Fact {
    let Fact::Known(Feature { flags: Some(kernels), .. }, read) = flag::of(root, &Wanted::All) else {
        return Fact::Unknown(unasked);
    };
    if !kernels.contains("fpu") {
        return Fact::Unknown(unasked);
    }
    let pairs = DECIDED.iter().chain(&TOLD);
    let mut there: BTreeSet<&str> =
        pairs.filter(|(kernels_name, _)| kernels.contains(*kernels_name)).map(|(_, it)| *it).collect();
    let mut missing: BTreeSet<&str> =
        DECIDED.iter().map(|(_, it)| *it).filter(|it| !there.contains(it)).collect();
    let is_64_bit = there.contains("SYSCALL") || there.contains("SYSEE");
    for level in LEVELS {
        let parts = level_flags(level).unwrap_or_default();
        if is_64_bit && parts.iter().all(|it| there.contains(it)) {
            there.insert(level);
        } else if !is_64_bit || parts.iter().any(|it| missing.contains(it)) {
            missing.insert(level);
        }
    }
    let feature = Feature::flags(there.into_iter().filter(|it| wanted(it)));
    let missing = missing.into_iter().map(str::to_owned).collect();
    Fact::Known(Feature { attributes: Some([].into()), incomplete: Some(unasked), missing, ..feature }, read)
}

#[cfg(test)]
mod tests {
    use super::super::flags::all_names;
    use super::*;
    use crate::host::testing::show;
    use crate::testing::FakeHost;

    const V2: &str = "fpu cmov cx8 fxsr mmx sse sse2 cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3 syscall";
    const V3: &str = "avx avx2 bmi1 bmi2 f16c fma abm movbe";

    fn told(listed: &str) -> Fact {
        let host = FakeHost::new().file("/proc/cpuinfo", format!("processor\t: 0\nflags\t\t: {listed}\n"));
        flags(&host.root(), |_| true, Unknown::new("CPUID", "was not asked"))
    }

    /// Whether the flag is there: yes, no, or unknown.
    fn check(listed: &str, name: &str, expected: Option<bool>) {
        let Fact::Known(feature, _) = told(listed) else { panic!("{listed}") };
        let found = match feature.flags.unwrap().contains(name) {
            true => Some(true),
            false => feature.missing.contains(name).then_some(false),
        };
        assert_eq!(found, expected, "{name} of {listed}");
    }

    #[test]
    fn the_levels_are_decided_by_the_list() {
        for (name, expected) in
            [("X86_64_V1", true), ("X86_64_V2", true), ("X86_64_V3", false), ("X86_64_V4", false)]
        {
            check(V2, name, Some(expected));
        }
        check(&format!("{V2} {V3}"), "X86_64_V3", Some(true));
        check(&format!("{V2} {V3}"), "X86_64_V4", Some(false));
        let v4 = format!("{V2} {V3} avx512f avx512cd avx512bw avx512dq avx512vl");
        check(&v4, "X86_64_V4", Some(true));
        check(&v4.replace("avx512vl", ""), "X86_64_V4", None);
        check(&V2.replace("syscall", ""), "X86_64_V1", Some(false));
    }

    #[test]
    fn a_flag_that_every_kernel_lists_is_there_or_not_and_others_may_be_hidden() {
        check(&format!("{V2} aes vmx"), "AESNI", Some(true));
        check(&format!("{V2} aes vmx"), "VMX", Some(true));
        check(V2, "AESNI", Some(false));
        check(V2, "VMX", None);
        check(V2, "AVX10", None);
    }

    #[test]
    fn a_list_of_another_architecture_reports_nothing() {
        assert_eq!(show(&told("asimd fp")), "unknown: CPUID: was not asked");
        let none = FakeHost::new();
        let fact = flags(&none.root(), |_| true, Unknown::new("CPUID", "was not asked"));
        assert_eq!(show(&fact), "unknown: CPUID: was not asked");
    }

    #[test]
    fn every_name_is_one_of_cpuid() {
        let names: BTreeSet<_> = all_names().collect();
        let strange: Vec<_> = DECIDED.iter().chain(&TOLD).filter(|(_, it)| !names.contains(it)).collect();
        assert_eq!(strange, Vec::<&(&str, &str)>::new());
    }
}
