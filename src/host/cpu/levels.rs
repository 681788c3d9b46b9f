//! Names the flags that make up each microarchitecture level of x86-64. Never reads a processor.

/// All levels, from the lowest. They are cumulative: a processor of a level has all lower ones.
#[cfg(any(target_arch = "x86_64", test))]
pub(super) const LEVELS: [&str; 4] = ["X86_64_V1", "X86_64_V2", "X86_64_V3", "X86_64_V4"];

/// In the order of the levels, so that each level's flags are the first so many.
static FLAGS: [&str; 28] = [
    "CMOV", "CMPXCHG8", "FXSR", "MMX", "SSE", "SSE2", "X87", // V1
    "CX16", "LAHF", "POPCNT", "SSE3", "SSE4", "SSE42", "SSSE3", // V2
    "AVX", "AVX2", "BMI1", "BMI2", "F16C", "FMA3", "LZCNT", "MOVBE", "OSXSAVE", // V3
    "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512F", "AVX512VL", // V4
];

/// The flags of `cpu.cpuid` that a processor of a level such as `X86_64_V3` has, those of the levels below included;
/// none if there is no such level.
///
/// From the [x86-64 psABI], under NFD's names. Every level needs `SYSCALL` or `SYSEE` besides, as each processor with a
/// 64-bit mode has.
///
/// [x86-64 psABI]: https://gitlab.com/x86-psABIs/x86-64-ABI
pub fn level_flags(level: &str) -> Option<&'static [&'static str]> {
    let count = match level {
        "X86_64_V1" => 7,
        "X86_64_V2" => 14,
        "X86_64_V3" => 23,
        "X86_64_V4" => 28,
        _ => return None,
    };
    FLAGS.get(..count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_ends_with_its_own_flags() {
        let ends = LEVELS.map(|it| level_flags(it).unwrap().last().copied().unwrap());
        assert_eq!(ends, ["X87", "SSSE3", "OSXSAVE", "AVX512VL"]);
    }

    #[test]
    fn there_is_no_level_of_another_name() {
        for name in ["X86_64_V0", "X86_64_V5", "x86_64_v2", "AVX2", ""] {
            assert_eq!(level_flags(name), None, "{name}");
        }
    }
}
