//! Reads the features, the model and the setup of the processor. Never judges, and reads only what is asked for.

mod levels;
#[cfg(any(target_arch = "x86_64", test))]
mod cpuid;
#[cfg(any(target_arch = "x86_64", test))]
mod x86;
#[cfg(any(not(target_arch = "x86_64"), test))]
mod without_cpuid;
#[cfg(any(
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "powerpc64",
    target_arch = "s390x",
    test
))]
mod hwcap;
#[cfg(any(target_arch = "aarch64", test))]
mod arm64;
#[cfg(any(target_arch = "arm", target_arch = "powerpc64", test))]
mod unnamed;
#[cfg(any(target_arch = "arm", test))]
mod arm;
#[cfg(any(target_arch = "powerpc64", test))]
mod ppc64le;
#[cfg(any(target_arch = "s390x", test))]
mod s390x;
#[cfg(not(any(
    target_arch = "x86_64",
    target_arch = "aarch64",
    target_arch = "arm",
    target_arch = "powerpc64",
    target_arch = "s390x"
)))]
mod other;
pub(super) mod coprocessor;
pub(super) mod count;
pub(super) mod cstate;
pub(super) mod flag;
pub(super) mod pstate;
pub(super) mod rdt;
pub(super) mod security;
pub(super) mod sst;
pub(super) mod topology;

pub use levels::level_flags;

cfg_select! {
    target_arch = "x86_64" => { use x86 as machine; use x86 as instruction; }
    target_arch = "aarch64" => { use arm64 as machine; use without_cpuid as instruction; }
    target_arch = "arm" => { use arm as machine; use without_cpuid as instruction; }
    target_arch = "powerpc64" => { use ppc64le as machine; use without_cpuid as instruction; }
    target_arch = "s390x" => { use s390x as machine; use without_cpuid as instruction; }
    _ => { use other as machine; use without_cpuid as instruction; }
}

use nix::errno::Errno;

use super::root::reason;
use super::{Fact, Feature, Probing, Root, Unknown, Wanted};

/// A folder for each CPU in the machine, switched on or off; every kernel has it (`cpu_dev_init` in `drivers/base/cpu.c`).
const CPUS: &str = "/sys/bus/cpu/devices";

/// `cpu.cpuid`: instruction sets and other abilities, as flags.
pub(super) fn cpuid(root: &Root, wanted: &Wanted) -> Fact {
    machine::cpuid(root, wanted)
}

/// `cpu.model`: `vendor_id`, `family`, `id` (the model) and `hypervisor`, as attributes.
pub(super) fn model(root: &Root, wanted: &Wanted) -> Fact {
    machine::model(root, wanted)
}

/// The names of the CPUs, such as `cpu0`.
fn cpus(probing: &Probing<'_>) -> Result<Vec<String>, Unknown> {
    match probing.list(CPUS)? {
        Some(cpus) if !cpus.is_empty() => Ok(cpus),
        Some(_) => Err(Unknown::new(CPUS, "lists no CPU")),
        None => Err(Unknown::new(CPUS, "is not there, as it is on every host")),
    }
}

/// The text of a file of cpufreq, trimmed; none if it is not there, or belongs to CPUs that are all switched off.
fn cpufreq(probing: &Probing<'_>, path: &str) -> Result<Option<String>, Unknown> {
    match probing.text(path) {
        Ok(text) => Ok(text.map(|it| it.trim().to_owned())),
        Err(unknown) if is_switched_off(&unknown) => Ok(None),
        Err(unknown) => Err(unknown),
    }
}

/// Newer kernels answer EBUSY for a policy without CPUs (`show` in `drivers/cpufreq/cpufreq.c`).
fn is_switched_off(unknown: &Unknown) -> bool {
    unknown.reason == reason(Errno::EBUSY)
}

/// The attributes that were found; incomplete, with the first reason, if some of them could not be read.
fn gathered(elements: impl IntoIterator<Item = Result<Option<(&'static str, String)>, Unknown>>) -> Feature {
    let mut incomplete = None;
    let found = elements.into_iter().filter_map(|it| match it {
        Ok(found) => found,
        Err(unknown) => {
            incomplete.get_or_insert(unknown);
            None
        }
    });
    let feature = Feature::attributes(found);
    Feature { incomplete, ..feature }
}

/// The text with one underscore in place of each run of characters that no label may have.
#[cfg(any(target_arch = "x86_64", target_arch = "s390x", test))]
fn sanitized(text: &[u8]) -> String {
    let may_stay = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let runs = text.chunk_by(|one, other| may_stay(one) == may_stay(other));
    runs.map(|run| if run.iter().all(may_stay) { String::from_utf8_lossy(run) } else { "_".into() }).collect()
}

/// For a host that is only a tree of files: what we run on is not that host's processor.
fn elsewhere(read: &str) -> Unknown {
    Unknown::new(read, "can only be read on the machine itself, not from a tree of its files")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn the_first_reason_for_an_unreadable_file_is_reported() {
        let unknown = |place: &str| Err(Unknown::new(place, "is hidden"));
        let found = |name, value: &str| Ok(Some((name, value.to_owned())));
        let feature = gathered([found("a", "1"), unknown("/x"), Ok(None), unknown("/y"), found("b", "2")]);
        let incomplete = Some(Unknown::new("/x", "is hidden"));
        assert_eq!(feature, Feature { incomplete, ..Feature::attributes([("a", "1"), ("b", "2")]) });
    }

    #[test]
    fn a_file_of_cpus_that_are_switched_off_says_nothing() {
        assert!(is_switched_off(&Unknown::new("/x", "cannot be read (EBUSY)")));
        let host = FakeHost::new().file("/sys/a", " 1\n").unreadable("/sys/b");
        let root = host.root();
        let read = |path| cpufreq(&Probing::new(&root), path);
        assert_eq!(read("/sys/a"), Ok(Some("1".to_owned())));
        assert_eq!(read("/sys/b"), Err(Unknown::new("/sys/b", "is a loop of symbolic links")));
    }

    #[test]
    fn a_machine_has_cpus() {
        let check = |host: &FakeHost, expected: Result<&[&str], &str>| {
            let root = host.root();
            let expected = expected.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
            let expected = expected.map_err(|reason| Unknown::new(CPUS, reason));
            assert_eq!(cpus(&Probing::new(&root)), expected);
        };
        let cpu = |name| format!("{CPUS}/{name}");
        check(&FakeHost::new().folder(&cpu("cpu1")).folder(&cpu("cpu0")), Ok(&["cpu0", "cpu1"]));
        check(&FakeHost::new().folder(CPUS), Err("lists no CPU"));
        check(&FakeHost::new().folder("/sys/bus"), Err("is not there, as it is on every host"));
        check(&FakeHost::new(), Err("is not there, and nor is the rest of its file system"));
        check(&FakeHost::new().unreadable(CPUS), Err("is a loop of symbolic links"));
    }
}
