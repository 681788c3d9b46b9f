//! `kernel.lsm`: the security modules that are active.

use std::collections::BTreeSet;

use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.lsm",
    kinds: &[ElementKind::Flags],
    meaning: "the Linux security modules that are active, such as selinux, apparmor, landlock, bpf or lockdown",
    read: "/sys/kernel/security/lsm, if securityfs is mounted",
    nfd: false,
    elements: None,
    absent: "not active: not built in, or not chosen at boot (`lsm=`)",
    since: "Linux 4.11",
    example: "feature: kernel.lsm\n  matchExpressions:\n    landlock: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// `Documentation/admin-guide/LSM/index.rst`: a comma separated list, with `capability` always in it.
const LSM: &str = "/sys/kernel/security/lsm";
/// Made with the kernel's securityfs, mounted or not (`security/inode.c`).
const MOUNT_POINT: &str = "/sys/kernel/security";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    known(active(probing).map(Feature::flags), LSM)
}

/// The modules that are active.
///
/// # Errors
///
/// If the list is not there: without securityfs modules can be active all the same.
pub(super) fn active(probing: &Probing<'_>) -> Result<BTreeSet<String>, Unknown> {
    let Some(text) = probing.text(LSM)? else {
        return Err(Unknown::new(LSM, why_not(probing)?));
    };
    let names: BTreeSet<_> = text.trim().split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect();
    match names.contains("capability") {
        true => Ok(names),
        false => Err(Unknown::new(LSM, "does not list capability, which every kernel has")),
    }
}

fn why_not(probing: &Probing<'_>) -> Result<&'static str, Unknown> {
    Ok(match probing.exists(MOUNT_POINT)? {
        true => "is not there: securityfs is not mounted here, or the kernel is older than Linux 4.11",
        false => "is not there: the kernel was built without securityfs",
    })
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
    fn active_modules_are_listed() {
        let text = "lockdown,capability,landlock,yama,apparmor,bpf";
        let expected = "known (/sys/kernel/security/lsm): apparmor bpf capability landlock lockdown yama";
        check(FakeHost::new().file(LSM, text), expected);
        check(FakeHost::new().file(LSM, "capability,\n"), "known (/sys/kernel/security/lsm): capability");
    }

    #[test]
    fn without_securityfs_nothing_is_known() {
        let check = |host, reason: &str| check(host, &format!("unknown: {LSM}: {reason}"));
        let sysfs = || FakeHost::new().folder("/sys/bus");
        check(
            sysfs().folder(MOUNT_POINT),
            "is not there: securityfs is not mounted here, or the kernel is older than Linux 4.11",
        );
        check(sysfs(), "is not there: the kernel was built without securityfs");
        check(FakeHost::new(), "is not there, and nor is the rest of its file system");
    }

    #[test]
    fn a_list_that_cannot_be_read_or_is_none_is_unknown() {
        let check = |host, reason: &str| check(host, &format!("unknown: {LSM}: {reason}"));
        check(FakeHost::new().unreadable(LSM), "is a loop of symbolic links");
        check(FakeHost::new().file(LSM, ","), "does not list capability, which every kernel has");
        check(FakeHost::new().file(LSM, "nonsense"), "does not list capability, which every kernel has");
    }
}
