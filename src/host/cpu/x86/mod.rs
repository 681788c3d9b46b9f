//! CPUID in NFD's names (`source/cpu/` and its library klauspost/cpuid 2.4). Never filters.

mod flags;
mod table;
mod listed;
mod model;
mod rdt;
mod sgx;
#[cfg(test)]
mod dumps;

use std::collections::BTreeSet;

use super::cpuid::Cpuid;
use super::levels::level_flags;
#[cfg(target_arch = "x86_64")]
use crate::host::{Fact, Root, Unknown};
use crate::host::{Feature, Wanted};

#[cfg(target_arch = "x86_64")]
const SOURCE: &str = "CPUID";

/// `cpu.cpuid`, read from this machine; of a tree of files what the kernel lists in it.
#[cfg(target_arch = "x86_64")]
pub(super) fn cpuid(root: &Root, wanted: &Wanted) -> Fact {
    match ask(root, |it| cpuid_feature(it, wanted)) {
        Ok(feature) => Fact::Known(feature, SOURCE.to_owned()),
        Err(unasked) => {
            let names = wanted_names(wanted);
            listed::flags(root, |it| names.contains(it), unasked)
        }
    }
}

/// `cpu.model`, read from this machine.
#[cfg(target_arch = "x86_64")]
pub(super) fn model(root: &Root, wanted: &Wanted) -> Fact {
    known(ask(root, |it| model_feature(it, wanted)))
}

/// The abilities of resource director technology, under NFD's names.
#[cfg(target_arch = "x86_64")]
pub(super) fn rdt(root: &Root) -> Result<Vec<&'static str>, Unknown> {
    ask(root, |it| rdt::abilities(it).collect())
}

/// The bytes of memory that firmware set aside for SGX enclaves; zero without SGX.
#[cfg(target_arch = "x86_64")]
pub(super) fn sgx_epc(root: &Root) -> Result<u64, Unknown> {
    ask(root, sgx::epc)
}

/// Whether this machine is a guest that TDX protects.
#[cfg(target_arch = "x86_64")]
pub(super) fn is_tdx_guest(root: &Root) -> Result<bool, Unknown> {
    ask(root, |it| flags::has(it, "TDX_GUEST"))
}

/// The base frequency that the processor was sold with, in MHz.
#[cfg(target_arch = "x86_64")]
pub(super) fn base_frequency(root: &Root) -> Result<u32, Unknown> {
    let unknown = || Unknown::new(SOURCE, "does not tell the processor's base frequency (leaf 0x16)");
    ask(root, nominal_mhz)?.ok_or_else(unknown)
}

#[cfg(target_arch = "x86_64")]
fn ask<T>(root: &Root, question: impl FnOnce(&Cpuid) -> T) -> Result<T, Unknown> {
    match root.is_this_machine() {
        true => Ok(question(&Cpuid::of_this_machine())),
        false => Err(super::elsewhere(SOURCE)),
    }
}

#[cfg(target_arch = "x86_64")]
fn known(feature: Result<Feature, Unknown>) -> Fact {
    crate::host::probing::known(feature, SOURCE)
}

/// Only Intel has this leaf, and hypervisors usually leave it empty.
fn nominal_mhz(cpuid: &Cpuid) -> Option<u32> {
    const FREQUENCIES: u32 = 0x16;
    let mhz = || cpuid.leaf(FREQUENCIES, 0).eax;
    cpuid.reaches(FREQUENCIES).then(mhz).filter(|it| *it > 0)
}

/// The attributes are there even if empty, as in NFD.
fn cpuid_feature(cpuid: &Cpuid, wanted: &Wanted) -> Feature {
    const AVX10_VERSION: &str = "AVX10_VERSION";
    let names = wanted_names(wanted);
    let version = if wanted.has(AVX10_VERSION) { flags::avx10_version(cpuid) } else { None };
    Feature {
        attributes: Feature::attributes(version.map(|it| (AVX10_VERSION, it.to_string()))).attributes,
        ..Feature::flags(names.into_iter().filter(|it| flags::has(cpuid, it)))
    }
}

/// The names of flags that are looked for.
fn wanted_names(wanted: &Wanted) -> BTreeSet<&str> {
    match wanted {
        Wanted::All => flags::all_names().collect(),
        Wanted::Names(names) => names.iter().flat_map(|it| with_parts(it)).collect(),
    }
}

/// A flag; with a level also all flags that make it up, and whether a hypervisor may be what hides them: a missing level
/// alone would not tell what to do about it.
fn with_parts(name: &str) -> impl Iterator<Item = &str> {
    let parts = level_flags(name);
    let hypervisor = parts.map(|_| "HYPERVISOR");
    std::iter::once(name).chain(parts.into_iter().flatten().copied()).chain(hypervisor)
}

fn model_feature(cpuid: &Cpuid, wanted: &Wanted) -> Feature {
    type ReadText = fn(&Cpuid) -> String;
    let elements: [(&str, ReadText); 4] = [
        ("vendor_id", |it| model::vendor(it).to_owned()),
        ("family", |it| model::family(it).to_string()),
        ("id", |it| model::model(it).to_string()),
        ("hypervisor", model::hypervisor),
    ];
    let wanted = elements.into_iter().filter(|(name, _)| wanted.has(name));
    Feature::attributes(wanted.map(|(name, read)| (name, read(cpuid))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &str) -> Wanted {
        Wanted::Names(names.split_whitespace().map(str::to_owned).collect())
    }

    fn check_flags(cpuid: &Cpuid, wanted: &str, expected: &str) {
        let feature = cpuid_feature(cpuid, &names(wanted));
        assert_eq!(
            feature,
            Feature { attributes: Some([].into()), ..Feature::flags(expected.split_whitespace()) }
        );
    }

    fn check_all_flags(cpuid: &Cpuid, expected: &str) {
        let flags = cpuid_feature(cpuid, &Wanted::All).flags.unwrap();
        assert_eq!(flags, expected.split_whitespace().map(str::to_owned).collect());
    }

    fn check_model(cpuid: &Cpuid, [vendor, family, model, hypervisor]: [&str; 4]) {
        let expected = [("vendor_id", vendor), ("family", family), ("id", model), ("hypervisor", hypervisor)];
        assert_eq!(model_feature(cpuid, &Wanted::All), Feature::attributes(expected));
    }

    /// Live, each of these traps to the hypervisor.
    fn check_asked(cpuid: &Cpuid, wanted: &str, expected: &[(u32, u32)]) {
        cpuid_feature(cpuid, &names(wanted));
        assert_eq!(cpuid.asked(), expected, "{wanted}");
    }

    #[test]
    fn a_nehalem_is_of_level_2() {
        check_all_flags(
            &dumps::nehalem(),
            "X86_64_V1 X86_64_V2 CMOV CMPXCHG8 CX16 FXSR FXSROPT HTT LAHF MMX NX OSXSAVE POPCNT RDTSCP SSE SSE2 SSE3 \
             SSE4 SSE42 SSSE3 SYSCALL SYSEE VMX X87 XSAVE \
             PMU_FIXEDCOUNTER_CYCLES PMU_FIXEDCOUNTER_INSTRUCTIONS PMU_FIXEDCOUNTER_TOPDOWN_SLOTS",
        );
        check_model(&dumps::nehalem(), ["Intel", "6", "26", "none"]);
    }

    #[test]
    fn a_haswell_is_of_level_3() {
        check_all_flags(
            &dumps::haswell(),
            "X86_64_V1 X86_64_V2 X86_64_V3 AESNI AVX AVX2 BMI1 BMI2 CLMUL CMOV CMPXCHG8 CX16 ERMS F16C FLUSH_L1D FMA3 \
             FXSR FXSROPT HTT IBPB LAHF LZCNT MD_CLEAR MMX MOVBE NX OSXSAVE POPCNT RDRAND RDTSCP SPEC_CTRL_SSBD SSE \
             SSE2 SSE3 SSE4 SSE42 SSSE3 STIBP SYSCALL SYSEE VMX X87 XSAVE XSAVEOPT \
             PMU_FIXEDCOUNTER_CYCLES PMU_FIXEDCOUNTER_INSTRUCTIONS PMU_FIXEDCOUNTER_REFCYCLES",
        );
        check_model(&dumps::haswell(), ["Intel", "6", "63", "none"]);
    }

    #[test]
    fn a_skylake_server_is_of_level_4() {
        check_all_flags(
            &dumps::skylake_sp(),
            "X86_64_V1 X86_64_V2 X86_64_V3 X86_64_V4 ADX AESNI AMXFP8 AVX AVX2 AVX512BW AVX512CD AVX512DQ AVX512F \
             AVX512VL BMI1 BMI2 CLMUL CMOV CMPXCHG8 CX16 ERMS F16C FLUSH_L1D FMA3 FXSR FXSROPT HLE HTT IBPB LAHF LZCNT \
             MD_CLEAR MMX MOVBE MPX NX OSXSAVE POPCNT RDRAND RDSEED RDTSCP RTM SPEC_CTRL_SSBD SSE SSE2 SSE3 SSE4 SSE42 \
             SSSE3 STIBP SYSCALL SYSEE VMX X87 XGETBV1 XSAVE XSAVEC XSAVEOPT XSAVES \
             PMU_FIXEDCOUNTER_CYCLES PMU_FIXEDCOUNTER_INSTRUCTIONS PMU_FIXEDCOUNTER_REFCYCLES",
        );
        check_model(&dumps::skylake_sp(), ["Intel", "6", "85", "none"]);
    }

    #[test]
    fn qemus_default_model_is_of_level_1() {
        check_all_flags(
            &dumps::qemu64(),
            "X86_64_V1 CMOV CMPXCHG8 CX16 FXSR FXSROPT HYPERVISOR LAHF MMX NX OSXSAVE SSE SSE2 SSE3 SYSCALL SYSEE \
             TSA_L1_NO TSA_SQ_NO X87 XSAVE",
        );
        check_model(&dumps::qemu64(), ["AMD", "15", "107", "kvm"]);
    }

    #[test]
    fn a_guest_has_what_nfd_says_of_it() {
        check_all_flags(
            &dumps::epyc_guest(),
            "ADX AESNI AVX AVX2 BMI1 BMI2 CETSS CLMUL CLZERO CMOV CMPXCHG8 CX16 ERMS F16C FMA3 FSRM FXSR FXSROPT \
             HYPERVISOR LAHF LZCNT MMX MMXEXT MOVBE MOVU NX OSXSAVE POPCNT PSFD RDRAND RDSEED RDTSCP SHA SSE SSE2 SSE3 \
             SSE4 SSE42 SSE4A SSSE3 SYSCALL SYSEE TOPEXT TSA_L1_NO TSA_SQ_NO VAES VPCLMULQDQ X86_64_V1 X86_64_V2 \
             X86_64_V3 X87 XGETBV1 XSAVE XSAVEC XSAVEOPT XSAVES",
        );
        check_model(&dumps::epyc_guest(), ["AMD", "25", "1", "kvm"]);
    }

    #[test]
    fn only_wanted_flags_are_reported() {
        check_flags(&dumps::haswell(), "AVX2 AVX512F RDRAND avx2 NO_SUCH_FLAG", "AVX2 RDRAND");
        check_flags(&dumps::haswell(), "", "");
    }

    #[test]
    fn a_level_comes_with_the_flags_that_make_it_up() {
        check_flags(&dumps::nehalem(), "X86_64_V1", "X86_64_V1 CMOV CMPXCHG8 FXSR MMX SSE SSE2 X87");
        check_flags(
            &dumps::nehalem(),
            "X86_64_V3",
            "CMOV CMPXCHG8 FXSR MMX SSE SSE2 X87 CX16 LAHF POPCNT SSE3 SSE4 SSE42 SSSE3 OSXSAVE",
        );
    }

    #[test]
    fn a_level_comes_with_the_hypervisor_that_may_hide_it() {
        check_flags(
            &dumps::qemu64(),
            "X86_64_V2",
            "CMOV CMPXCHG8 FXSR MMX SSE SSE2 X87 CX16 LAHF SSE3 HYPERVISOR",
        );
    }

    #[test]
    fn no_more_leaves_are_asked_than_the_wanted_flags_take() {
        check_asked(&dumps::haswell(), "", &[]);
        check_asked(&dumps::haswell(), "NO_SUCH_FLAG AVX10_VERSIONS", &[]);
        check_asked(&dumps::haswell(), "SSE42", &[(0, 0), (1, 0)]);
        check_asked(&dumps::haswell(), "AVX2", &[(0, 0), (1, 0), (7, 0)]);
        check_asked(&dumps::qemu64(), "AVX2", &[(0, 0), (1, 0)]);
        check_asked(&dumps::haswell(), "LZCNT", &[(0, 0), (0x8000_0000, 0), (0x8000_0001, 0)]);
        check_asked(
            &dumps::haswell(),
            "X86_64_V3",
            &[(0, 0), (1, 0), (7, 0), (0x8000_0000, 0), (0x8000_0001, 0)],
        );
    }

    #[test]
    fn no_more_leaves_are_asked_than_the_wanted_attributes_take() {
        for (wanted, expected) in [
            ("vendor_id", &[(0, 0)][..]),
            ("family id", &[(0, 0), (1, 0)]),
            ("hypervisor", &[(0, 0), (1, 0), (0x4000_0000, 0)]),
        ] {
            let cpuid = dumps::epyc_guest();
            model_feature(&cpuid, &names(wanted));
            assert_eq!(cpuid.asked(), expected, "{wanted}");
        }
    }

    #[test]
    fn the_version_of_avx10_is_an_attribute() {
        let granite_rapids = |version| {
            let leaves = [(0, 0, [0x24, 0, 0, 0]), (7, 1, [0, 0, 0, 1 << 19]), (0x24, 0, [0, version, 0, 0])];
            cpuid_feature(&Cpuid::table(&leaves, 0), &names("AVX10 AVX10_VERSION AVX10_512"))
        };
        let flags = Feature::flags(["AVX10", "AVX10_512"]);
        let attributes = Feature::attributes([("AVX10_VERSION", "1")]).attributes;
        assert_eq!(granite_rapids(0x4_0001), Feature { attributes, ..flags.clone() });
        assert_eq!(granite_rapids(0x4_0000), Feature { attributes: Some([].into()), ..flags });
    }

    #[test]
    fn the_base_frequency_is_reported_by_a_leaf_that_not_all_processors_have() {
        let told = |highest, mhz| {
            nominal_mhz(&Cpuid::table(&[(0, 0, [highest, 0, 0, 0]), (0x16, 0, [mhz, 3700, 100, 0])], 0))
        };
        assert_eq!(told(0x16, 2400), Some(2400));
        assert_eq!(told(0x16, 0), None);
        assert_eq!(told(0x15, 2400), None);
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_processor_that_runs_this_is_of_level_1() {
        let Fact::Known(feature, source) = cpuid(&Root::live(), &Wanted::All) else { panic!("unknown") };
        assert_eq!(source, "CPUID");
        assert!(feature.flags.unwrap().contains("X86_64_V1"));
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_tree_of_files_has_no_processor() {
        let reason = "can only be read on the machine itself, not from a tree of its files";
        let unknown = Unknown::new("CPUID", reason);
        let host = crate::testing::FakeHost::new();
        let root = host.root();
        assert_eq!(cpuid(&root, &Wanted::All), Fact::Unknown(unknown.clone()));
        assert_eq!(model(&root, &Wanted::All), Fact::Unknown(unknown.clone()));
        assert_eq!(rdt(&root), Err(unknown.clone()));
        assert_eq!(sgx_epc(&root), Err(unknown.clone()));
        assert_eq!(is_tdx_guest(&root), Err(unknown.clone()));
        assert_eq!(base_frequency(&root), Err(unknown));
    }
}
