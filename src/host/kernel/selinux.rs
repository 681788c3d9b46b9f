//! `kernel.selinux`: whether SELinux enforces its policy.

use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.selinux",
    kinds: &[ElementKind::Attributes],
    meaning: "whether SELinux enforces its policy; false in permissive mode",
    read: "/sys/fs/selinux/enforce",
    nfd: true,
    elements: Some(&["enabled"]),
    absent: "never absent",
    since: "Linux 2.6.0",
    example: "feature: kernel.selinux\n  matchExpressions:\n    enabled: {op: IsFalse}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Where file systems of this sort are mounted; every kernel with sysfs makes it (`fs_kobj` in `fs/namespace.c`).
const FOLDER: &str = "/sys/fs";
/// The kernel makes this mount point when it starts with SELinux, and only then (`security/selinux/selinuxfs.c`).
const MOUNT_POINT: &str = "/sys/fs/selinux";
const ENFORCE: &str = "/sys/fs/selinux/enforce";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let feature = |it: Option<bool>| Feature::attributes([("enabled", it.unwrap_or(false).to_string())]);
    known(enforces(probing).map(feature), ENFORCE)
}

/// Whether SELinux enforces its policy or only complains; none if the kernel runs without it.
///
/// # Errors
///
/// If it is unknown, as in a container on a host with SELinux.
pub(super) fn enforces(probing: &Probing<'_>) -> Result<Option<bool>, Unknown> {
    match probing.text(ENFORCE)? {
        Some(text) => parse(&text).map(Some),
        // A container sees the mount point of its host's selinuxfs, and not what is mounted there.
        None if probing.exists(MOUNT_POINT)? => {
            let reason = "is not there: selinuxfs is not mounted here, or SELinux runs without a policy";
            Err(Unknown::new(ENFORCE, reason))
        }
        None if probing.exists(FOLDER)? => Ok(None),
        None => Err(Unknown::new(FOLDER, "is not there, as it is on every host")),
    }
}

/// `1` is enforcing, `0` permissive.
fn parse(text: &str) -> Result<bool, Unknown> {
    match text.bytes().next() {
        Some(first) => Ok(first == b'1'),
        None => Err(Unknown::new(ENFORCE, "is empty")),
    }
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
    fn selinux_is_enabled_only_if_it_enforces() {
        check(FakeHost::new().file(ENFORCE, "1"), r#"known (/sys/fs/selinux/enforce): enabled="true""#);
        check(FakeHost::new().file(ENFORCE, "0"), r#"known (/sys/fs/selinux/enforce): enabled="false""#);
    }

    #[test]
    fn a_kernel_without_selinux_has_no_mount_point_for_it() {
        let host = FakeHost::new().folder("/sys/bus").folder("/sys/fs");
        check(host, r#"known (/sys/fs/selinux/enforce): enabled="false""#);
    }

    #[test]
    fn a_mount_point_with_nothing_mounted_says_nothing() {
        let reason = "is not there: selinuxfs is not mounted here, or SELinux runs without a policy";
        let host = FakeHost::new().folder("/sys/bus").folder(MOUNT_POINT);
        check(host, &format!("unknown: /sys/fs/selinux/enforce: {reason}"));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/fs/selinux/enforce: {nothing}"));
        let bare = FakeHost::new().folder("/sys/bus");
        check(bare, "unknown: /sys/fs: is not there, as it is on every host");
        let loops = "unknown: /sys/fs/selinux/enforce: is a loop of symbolic links";
        check(FakeHost::new().unreadable(ENFORCE), loops);
        check(FakeHost::new().file(ENFORCE, ""), "unknown: /sys/fs/selinux/enforce: is empty");
    }

    #[test]
    fn what_is_not_a_one_is_not_enforcing() {
        check(FakeHost::new().file(ENFORCE, "yes"), r#"known (/sys/fs/selinux/enforce): enabled="false""#);
    }
}
