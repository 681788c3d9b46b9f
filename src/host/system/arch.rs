//! `system.arch`: the machine's architecture, and the levels of an arm64 machine. Those of x86-64 are in `cpu.cpuid`.

use std::collections::BTreeSet;
use std::env::consts::ARCH as OURS;

use crate::host::cpu::flag;
use crate::host::probing::ARCH;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};
use crate::words::version::Version;

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.arch",
    kinds: &[ElementKind::Flags, ElementKind::Attributes],
    meaning: "name: the machine's architecture in the kernel's words, such as x86_64 or aarch64; flags: on arm64 the levels \
        of instructions that compilers use (`-march=armv8.2-a`, `GOARM64=v8.2`), the machine's highest and all below it",
    read: "/proc/sys/kernel/arch, or the machine itself; levels from the line Features of /proc/cpuinfo",
    nfd: false,
    elements: Some(&[
        "name", "v8.0", "v8.1", "v8.2", "v8.3", "v8.4", "v8.5", "v8.6", "v8.7", "v8.8", "v8.9", "v9.0",
        "v9.1", "v9.2", "v9.3", "v9.4",
    ]),
    absent: "for a level: a CPU lacks an instruction of it, its hypervisor hides it, or the machine is not arm64; unknown if \
        the kernel is too old to report it",
    since: "name with another root folder Linux 6.1; levels up to v8.3 4.14, v8.4 4.17, v8.5 and v9.0 5.2, v8.6 5.6, v8.7 \
        5.19, v8.8 6.6, v8.9 6.3",
    example: "feature: system.arch\n  matchExpressions:\n    name: {op: In, value: [aarch64]}\n    v8.2: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// A level, the level below it, what it has besides in the kernel's words (`Documentation/arch/arm64/elf_hwcaps.rst`), and the
/// first release of Linux that tells all of that.
///
/// What of a level (Arm ARM, A2; LLVM's `AArch64Features.td`) compilers use in programs. What else belongs to it is the
/// kernel's alone, or does nothing where the kernel leaves it off (pointer authentication, branch targets).
type ArchLevel = (&'static str, &'static [&'static str], &'static [&'static str], &'static str);

const LEVELS: [ArchLevel; 15] = [
    ("v8.0", &[], &["fp", "asimd"], "3.7"),
    ("v8.1", &["v8.0"], &["atomics", "crc32", "asimdrdm"], "4.11"),
    ("v8.2", &["v8.1"], &["dcpop"], "4.14"),
    ("v8.3", &["v8.2"], &["fcma", "jscvt", "lrcpc"], "4.11"),
    ("v8.4", &["v8.3"], &["asimddp", "dit", "flagm", "ilrcpc", "uscat"], "4.17"),
    ("v8.5", &["v8.4"], &["dcpodp", "flagm2", "frint", "sb"], "5.2"),
    ("v8.6", &["v8.5"], &["bf16", "i8mm"], "5.6"),
    ("v8.7", &["v8.6"], &["wfxt"], "5.19"),
    ("v8.8", &["v8.7"], &["hbc", "mops"], "6.6"),
    ("v8.9", &["v8.8"], &["cssc"], "6.3"),
    ("v9.0", &["v8.5"], &["sve", "sve2"], "5.2"),
    ("v9.1", &["v9.0", "v8.6"], &[], "5.6"),
    ("v9.2", &["v9.1", "v8.7"], &[], "5.19"),
    ("v9.3", &["v9.2", "v8.8"], &[], "6.6"),
    ("v9.4", &["v9.3", "v8.9"], &[], "6.6"),
];

/// The levels that the machine has, and those that are unknown.
type FoundLevels = (BTreeSet<&'static str>, BTreeSet<&'static str>);

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let mut feature = Feature { flags: Some(BTreeSet::new()), ..Feature::attributes([("", ""); 0]) };
    let name = name(probing);
    let is_arm64 = name.as_ref().map_or(true, |it| it == "aarch64");
    if is_arm64 && LEVELS.iter().any(|(level, ..)| wanted.has(level)) {
        add_levels(probing, wanted, &mut feature);
    }
    match name {
        Ok(name) => drop(feature.attributes.get_or_insert_default().insert("name".to_owned(), name)),
        Err(unknown) if feature.flags.as_ref().is_none_or(BTreeSet::is_empty) => {
            return Fact::Unknown(unknown);
        }
        Err(unknown) => drop(feature.doubtful.insert("name".to_owned(), unknown)),
    }
    Fact::Known(feature, ARCH.to_owned())
}

/// The architecture in the kernel's words.
///
/// # Errors
///
/// If nothing tells it.
pub(in crate::host) fn name(probing: &Probing<'_>) -> Result<String, Unknown> {
    match probing.text(ARCH) {
        Ok(Some(text)) => match text.trim() {
            name if is_word(name) => Ok(name.to_owned()),
            _ => Err(Unknown::new(ARCH, "names no architecture")),
        },
        Ok(None) if probing.root.is_this_machine() => Ok(as_kernel(OURS).to_owned()),
        Ok(None) => Err(Unknown::new(ARCH, "is not there, nor would it be before Linux 6.1")),
        Err(unknown) => Err(unknown),
    }
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
}

/// An architecture in the kernel's words, given in Rust's.
fn as_kernel(name: &str) -> &str {
    match name {
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        "x86" => "i686",
        name => name,
    }
}

fn add_levels(probing: &Probing<'_>, wanted: &Wanted, feature: &mut Feature) {
    let unknown = match flag::of(probing.root, &Wanted::All) {
        // Other machines, and programs of 32 bits, have other words.
        Fact::Known(Feature { flags: Some(flags), .. }, read) if flags.contains("asimd") => {
            let told = probing.release().ok().and_then(Version::parse);
            let (there, open) = levels(&flags, told.as_ref());
            let reason = "lacks a part of this level, of which a kernel as old as this one tells nothing";
            let doubt = |level: &&str| ((*level).to_owned(), Unknown::new(&*read, reason));
            feature.doubtful.extend(open.iter().filter(|it| wanted.has(it)).map(doubt));
            feature.flags = Some(there.into_iter().filter(|it| wanted.has(it)).map(str::to_owned).collect());
            return;
        }
        Fact::Known(..) | Fact::Absent(_) => match name(probing) {
            Ok(name) if name == "aarch64" => Unknown::new(FLAGS, "does not list what an arm64 machine has"),
            Ok(_) => return,
            Err(unknown) => unknown,
        },
        Fact::Unknown(unknown) => unknown,
    };
    let levels = LEVELS.iter().map(|(level, ..)| *level).filter(|it| wanted.has(it));
    feature.doubtful.extend(levels.map(|it| (it.to_owned(), unknown.clone())));
}

/// Where [`flag`] reads.
const FLAGS: &str = "/proc/cpuinfo";

fn levels(flags: &BTreeSet<String>, release: Option<&Version>) -> FoundLevels {
    let (mut there, mut open) = (BTreeSet::new(), BTreeSet::new());
    for (level, below, own, since) in LEVELS {
        let has_own = own.iter().all(|it| flags.contains(*it));
        let is_told = release.is_some_and(|it| Version::parse(since).is_some_and(|since| since <= *it));
        if below.iter().all(|it| there.contains(it)) && has_own {
            there.insert(level);
        } else if below.iter().all(|it| there.contains(it) || open.contains(it)) && (has_own || !is_told) {
            open.insert(level);
        }
    }
    (there, open)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    /// Of a Raspberry Pi 4, of Graviton 2, 3 and 4, as their kernels list them.
    const CORTEX_A72: &str = "fp asimd evtstrm crc32 cpuid";
    const NEOVERSE_N1: &str = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs";
    const NEOVERSE_V1: &str = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc \
                               dcpop sha3 sm3 sm4 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs paca pacg dcpodp svei8mm \
                               svebf16 i8mm bf16 dgh rng";
    const NEOVERSE_V2: &str = "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm jscvt fcma lrcpc \
                               dcpop sha3 asimddp sha512 sve asimdfhm dit uscat ilrcpc flagm ssbs sb paca pacg dcpodp sve2 sveaes \
                               svepmull svebitperm svesha3 flagm2 frint svei8mm svebf16 i8mm bf16 dgh rng bti";

    fn host(arch: &str, release: &str, flags: &str) -> FakeHost {
        FakeHost::new()
            .file(ARCH, format!("{arch}\n"))
            .file(OSRELEASE, format!("{release}\n"))
            .file(FLAGS, format!("processor\t: 0\nFeatures\t: {flags}\n"))
    }

    fn check(release: &str, flags: &str, expected: &str) {
        let host = host("aarch64", release, flags);
        let expected = format!("known (/proc/sys/kernel/arch): {expected}");
        assert_eq!(told(&host, FEATURE.name), expected, "{release} {flags}");
    }

    #[test]
    fn a_machine_has_the_levels_whose_instructions_it_has() {
        check("6.8.0", CORTEX_A72, r#"v8.0 name="aarch64""#);
        check("6.8.0", NEOVERSE_N1, r#"v8.0 v8.1 v8.2 name="aarch64""#);
        check("6.8.0", NEOVERSE_V1, r#"v8.0 v8.1 v8.2 v8.3 v8.4 name="aarch64""#);
        check("6.8.0", NEOVERSE_V2, r#"v8.0 v8.1 v8.2 v8.3 v8.4 v8.5 v8.6 v9.0 v9.1 name="aarch64""#);
        let newest = format!("{NEOVERSE_V2} wfxt mops hbc cssc");
        let all = "v8.0 v8.1 v8.2 v8.3 v8.4 v8.5 v8.6 v8.7 v8.8 v8.9 v9.0 v9.1 v9.2 v9.3 v9.4";
        check("6.8.0", &newest, &format!(r#"{all} name="aarch64""#));
    }

    #[test]
    fn a_level_that_an_old_kernel_does_not_report_is_unknown() {
        let host = host("aarch64", "4.16.0", NEOVERSE_N1);
        let told = |names| told_of(&host, FEATURE.name, wanted(names));
        let known = "known (/proc/sys/kernel/arch):";
        assert_eq!(told(&["v8.2"]), format!("{known} v8.2 name=\"aarch64\""));
        // The kernel would report v8.3. So v8.4, which it does not report, is absent too.
        assert_eq!(told(&["v8.3", "v8.4", "v9.0"]), format!("{known} name=\"aarch64\""));
        let flags = format!("{NEOVERSE_N1} jscvt fcma");
        let host = self::host("aarch64", "4.16.0", &flags);
        let reason = "lacks a part of this level, of which a kernel as old as this one tells nothing";
        let expected = format!("{known} v8.3 name=\"aarch64\" and perhaps v8.4: /proc/cpuinfo: {reason}");
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["v8.3", "v8.4"])), expected);
    }

    #[test]
    fn other_machines_have_no_such_level() {
        let host = host("x86_64", "6.8.0", "");
        assert_eq!(told(&host, FEATURE.name), r#"known (/proc/sys/kernel/arch): name="x86_64""#);
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let told = |host: FakeHost, name| told_of(&host, FEATURE.name, wanted(&[name]));
        let known = "known (/proc/sys/kernel/arch):";
        let loops = "is a loop of symbolic links";
        assert_eq!(told(FakeHost::new().unreadable(ARCH), "name"), format!("unknown: {ARCH}: {loops}"));
        let old = || FakeHost::new().file(OSRELEASE, "5.10.0\n");
        let reason = "is not there, nor would it be before Linux 6.1";
        assert_eq!(told(old(), "name"), format!("unknown: {ARCH}: {reason}"));
        let listed = old().file(FLAGS, format!("processor\t: 0\nFeatures\t: {CORTEX_A72}\n"));
        assert_eq!(told(listed, "v8.0"), format!("{known} v8.0 and perhaps name: {ARCH}: {reason}"));
        let host = FakeHost::new().file(ARCH, "aarch64\n").unreadable(FLAGS);
        let expected = format!("{known} name=\"aarch64\" and perhaps v8.2: {FLAGS}: {loops}");
        assert_eq!(told(host, "v8.2"), expected);
    }

    #[test]
    fn a_list_of_another_machine_reports_no_level() {
        let told = |arch: &str, flags| told_of(&host(arch, "6.8.0", flags), FEATURE.name, wanted(&["v8.0"]));
        let reason = "does not list what an arm64 machine has";
        let expected = format!(
            "known (/proc/sys/kernel/arch): name=\"aarch64\" and perhaps v8.0: /proc/cpuinfo: {reason}"
        );
        assert_eq!(told("aarch64", "half thumb neon"), expected);
        assert_eq!(told("", "half"), "unknown: /proc/sys/kernel/arch: names no architecture");
        assert_eq!(told("x y", "half"), "unknown: /proc/sys/kernel/arch: names no architecture");
    }
}
