//! `kernel.filesystem`: the file systems that can be mounted without loading a module. Mounts none.

use std::collections::BTreeSet;

use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.filesystem",
    kinds: &[ElementKind::Flags],
    meaning: "the file systems that are registered with the kernel now",
    read: "/proc/filesystems",
    nfd: false,
    elements: None,
    absent: "not registered now; if there is a module for it, mounting loads it; demand kernel.module to accept that",
    since: "always",
    example: "feature: kernel.filesystem\n  matchExpressions:\n    overlay: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Made at every boot (`fs/filesystems.c`), and never empty, for procfs itself is in it: proc_filesystems(5).
pub(super) const FILESYSTEMS: &str = "/proc/filesystems";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    known(registered(probing).map(Feature::flags), FILESYSTEMS)
}

/// All that are registered.
///
/// # Errors
///
/// If the list cannot be read, or is none.
pub(super) fn registered(probing: &Probing<'_>) -> Result<BTreeSet<String>, Unknown> {
    let text = probing.root.read_text(FILESYSTEMS).map_err(|miss: Miss| miss.unknown(FILESYSTEMS))?;
    let names: BTreeSet<_> = text.lines().filter_map(parse).map(str::to_owned).collect();
    match names.is_empty() {
        true => Err(Unknown::new(FILESYSTEMS, "lists no file system, not even proc")),
        false => Ok(names),
    }
}

/// `nodev` or nothing, a tab, and the name.
fn parse(line: &str) -> Option<&str> {
    let (_, name) = line.split_once('\t')?;
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn file_systems_are_listed_with_and_without_a_device() {
        let text = "nodev\tsysfs\nnodev\tproc\n\text4\n\tfuseblk\nnodev\toverlay\n";
        check(
            FakeHost::new().file(FILESYSTEMS, text),
            "known (/proc/filesystems): ext4 fuseblk overlay proc sysfs",
        );
    }

    #[test]
    fn what_is_no_such_line_is_left_out() {
        check(FakeHost::new().file(FILESYSTEMS, "\n\t\nerofs\n\txfs"), "known (/proc/filesystems): xfs");
    }

    #[test]
    fn a_list_that_cannot_be_read_is_unknown() {
        let check = |host, reason: &str| check(host, &format!("unknown: /proc/filesystems: {reason}"));
        check(FakeHost::new(), "is not there");
        check(FakeHost::new().file("/proc/version", "Linux"), "is not there");
        check(FakeHost::new().unreadable(FILESYSTEMS), "is a loop of symbolic links");
        check(FakeHost::new().file(FILESYSTEMS, ""), "lists no file system, not even proc");
    }
}
