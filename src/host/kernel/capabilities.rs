//! `kernel.capability`: the capabilities that containers of this process can have at all. Raises and drops none.

use std::collections::BTreeSet;

use caps::{CapSet, Capability};

use super::sysctl;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.capability",
    kinds: &[ElementKind::Flags],
    meaning: "the capabilities that the kernel knows and that are in the bounding set of this process, so a container could \
        get them; for those that it gets, see `bundle.capability`",
    read: "/proc/sys/kernel/cap_last_cap and the bounding set of this process; with another root folder, that of its first \
        process in /proc/1/status",
    nfd: false,
    elements: Some(&NAMES),
    absent: "not available to containers here: the kernel is too old, or the user who runs the engine may not have it",
    since: "Linux 3.2",
    example: "feature: kernel.capability\n  matchExpressions:\n    CAP_BPF: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// capabilities(7): the number of the last capability that the running kernel knows.
const LAST: &str = "/proc/sys/kernel/cap_last_cap";

/// proc_pid_status(5): `CapBnd` is the bounding set.
const INIT: &str = "/proc/1/status";

/// By number, as in `linux/capability.h`.
pub(in crate::host) const NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// Ours, where the machine that we run on is asked about; under another root that of its first process: in a container
/// with the host's tree, ours is the container's.
fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let last = match last(probing) {
        Ok(last) => last,
        Err(unknown) => return Fact::Unknown(unknown),
    };
    if probing.root.is_live() {
        // Its error has nothing but the C library's words.
        let bounds = |it| caps::has_cap(None, CapSet::Bounding, it).ok();
        return Fact::Known(gather(last, wanted, bounds), LAST.to_owned());
    }
    match of_init(probing) {
        Ok(mask) => {
            let bounds = |it: Capability| Some(mask & it.bitmask() != 0);
            Fact::Known(gather(last, wanted, bounds), format!("{LAST} and {INIT}"))
        }
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// The bounding set of the host's first process, which those that it started can at most have.
fn of_init(probing: &Probing<'_>) -> Result<u64, Unknown> {
    let Some(text) = probing.text(INIT)? else {
        return Err(Unknown::new(INIT, "is not there, and our own bounding set is not that of this host"));
    };
    let mask = text.lines().find_map(|it| it.strip_prefix("CapBnd:")).map(str::trim);
    mask.and_then(|it| u64::from_str_radix(it, 16).ok())
        .ok_or_else(|| Unknown::new(INIT, "has no CapBnd that is a hexadecimal number"))
}

/// `bounds` is none if they are unknown.
fn gather(last: u8, wanted: &Wanted, bounds: impl Fn(Capability) -> Option<bool>) -> Feature {
    let (mut flags, mut incomplete) = (BTreeSet::new(), None);
    for capability in caps::all().into_iter().filter(|it| it.index() <= last) {
        let name = capability.to_string();
        if !wanted.has(&name) {
            continue;
        }
        match bounds(capability) {
            Some(true) => drop(flags.insert(name)),
            Some(false) => {}
            None => incomplete = Some(Unknown::new("the bounding set", "cannot be read (PR_CAPBSET_READ)")),
        }
    }
    if usize::from(last) >= NAMES.len() {
        let reason = format!("is {last}: the kernel knows capabilities that this program does not");
        incomplete.get_or_insert(Unknown::new(LAST, reason));
    }
    Feature { incomplete, ..Feature::flags(flags) }
}

fn last(probing: &Probing<'_>) -> Result<u8, Unknown> {
    let Some(text) = sysctl::setting(probing, LAST)? else {
        return Err(Unknown::new(LAST, "is not there, as it is since Linux 3.2"));
    };
    text.parse().map_err(|_| Unknown::new(LAST, format!("holds {text:.20?}, expected a small number")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::{show, told, wanted};
    use crate::testing::FakeHost;

    fn check(last: u8, names: &[&str], expected: &str) {
        let bounds = |it| (it != Capability::CAP_SYS_TIME).then_some(it != Capability::CAP_SYS_ADMIN);
        let feature = gather(last, &wanted(names), bounds);
        assert_eq!(show(&Fact::Known(feature, String::new())), format!("known (): {expected}"));
    }

    #[test]
    fn a_capability_is_there_if_the_kernel_knows_it_and_the_bounding_set_holds_it() {
        check(40, &["CAP_BPF", "CAP_NET_ADMIN", "CAP_SYS_ADMIN", "NET_ADMIN"], "CAP_BPF CAP_NET_ADMIN");
        check(38, &["CAP_BPF", "CAP_PERFMON"], "CAP_PERFMON");
    }

    #[test]
    fn an_unknown_element_makes_the_rest_incomplete() {
        let doubt = "and maybe more: the bounding set: cannot be read (PR_CAPBSET_READ)";
        check(40, &["CAP_KILL", "CAP_SYS_TIME"], &format!("CAP_KILL {doubt}"));
        let doubt = "and maybe more: /proc/sys/kernel/cap_last_cap: \
                     is 41: the kernel knows capabilities that this program does not";
        check(41, &["CAP_KILL", "CAP_NEW"], &format!("CAP_KILL {doubt}"));
    }

    #[test]
    fn the_names_are_all_that_there_are_by_number() {
        let mut all: Vec<_> = caps::all().into_iter().map(|it| (it.index(), it.to_string())).collect();
        all.sort_unstable();
        let names =
            NAMES.iter().enumerate().map(|(index, it)| (u8::try_from(index).unwrap(), (*it).to_owned()));
        assert_eq!(all, names.collect::<Vec<_>>());
    }

    #[test]
    fn under_another_root_the_first_process_is_read() {
        let host = |mask: &str| {
            let status = format!("Name:\tsystemd\nCapEff:\t000001ffffffffff\nCapBnd:\t{mask}\n");
            FakeHost::new().file(OSRELEASE, "6.1.0\n").file(LAST, "40\n").file(INIT, status)
        };
        let check = |mask: &str, expected: &str| {
            let read = "/proc/sys/kernel/cap_last_cap and /proc/1/status";
            assert_eq!(told(&host(mask), FEATURE.name), format!("known ({read}): {expected}"));
        };
        check("0000000000000021", "CAP_CHOWN CAP_KILL");
        check("0000000000000000", "");
    }

    #[test]
    fn another_machine_or_a_number_that_makes_no_sense_is_unknown() {
        let host = || FakeHost::new().file(OSRELEASE, "6.1.0\n");
        let check = |host: FakeHost, reason: &str| {
            assert_eq!(told(&host, FEATURE.name), format!("unknown: {reason}"));
        };
        let other = "is not there, and our own bounding set is not that of this host";
        check(host().file(LAST, "40\n"), &format!("{INIT}: {other}"));
        let strange = host().file(LAST, "40\n").file(INIT, "CapEff:\t1\nCapBnd:\tx\n");
        check(strange, &format!("{INIT}: has no CapBnd that is a hexadecimal number"));
        let hidden = host().file(LAST, "40\n").unreadable(INIT);
        check(hidden, &format!("{INIT}: is a loop of symbolic links"));
        check(host(), &format!("{LAST}: is not there, as it is since Linux 3.2"));
        check(host().file(LAST, "-1\n"), &format!("{LAST}: holds \"-1\", expected a small number"));
        check(host().unreadable(LAST), &format!("{LAST}: is a loop of symbolic links"));
    }
}
