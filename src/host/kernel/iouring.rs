//! `kernel.iouring`: whether processes may use io_uring.

use std::collections::BTreeSet;

use super::{bpf, config, sysctl};
use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.iouring",
    kinds: &[ElementKind::Attributes],
    meaning: "disabled: 0 if all processes may use io_uring, also on kernels without the setting; 1 if only privileged \
        processes and those of the group in kernel.io_uring_group may; 2 if none may",
    read: "/proc/sys/kernel/io_uring_disabled, or the kernel's configuration if that is missing",
    nfd: false,
    elements: Some(&["disabled"]),
    absent: "the kernel has no io_uring; if it has, a seccomp filter of the container may still forbid it",
    since: "io_uring Linux 5.1, the setting Linux 6.6",
    example: "feature: kernel.iouring\n  matchExpressions:\n    disabled: {op: In, value: [\"0\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// `Documentation/admin-guide/sysctl/kernel.rst`.
const DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";
const OPTION: &str = "IO_URING";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let feature = |it| Feature::attributes([("disabled", it)]);
    match sysctl::setting(probing, DISABLED) {
        Ok(Some(text)) => known(bpf::number(DISABLED, text).map(feature), DISABLED),
        Ok(None) => without_setting(probing),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// Before the setting came, io_uring was open to all if it was there.
fn without_setting(probing: &Probing<'_>) -> Fact {
    match config::probe(probing, &Wanted::Names(BTreeSet::from([OPTION.to_owned()]))) {
        Fact::Known(options, place) => match options.attributes.iter().flatten().any(|(_, it)| it == "y") {
            true => Fact::Known(Feature::attributes([("disabled", "0")]), place),
            false => Fact::Absent(place),
        },
        Fact::Absent(_) | Fact::Unknown(_) => {
            let reason = "is not there, nor does a configuration say whether the kernel has io_uring at all";
            Fact::Unknown(Unknown::new(DISABLED, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    const BOOT: &str = "/boot/config-5.14.0";

    fn host() -> FakeHost {
        FakeHost::new().file(OSRELEASE, "5.14.0\n")
    }

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn the_setting_counts_if_there_is_one() {
        let host = host().file(DISABLED, "2\n").file(BOOT, "CONFIG_IO_URING=y\n");
        check(host, r#"known (/proc/sys/kernel/io_uring_disabled): disabled="2""#);
    }

    #[test]
    fn without_a_setting_io_uring_is_open_to_all_if_the_kernel_has_it() {
        check(host().file(BOOT, "CONFIG_IO_URING=y\n"), r#"known (/boot/config-5.14.0): disabled="0""#);
        check(
            host().file(BOOT, "# CONFIG_IO_URING is not set\nCONFIG_A=y\n"),
            "absent (/boot/config-5.14.0)",
        );
    }

    #[test]
    fn without_a_setting_and_a_configuration_nothing_is_known() {
        let reason = "is not there, nor does a configuration say whether the kernel has io_uring at all";
        check(host(), &format!("unknown: {DISABLED}: {reason}"));
    }

    #[test]
    fn what_cannot_be_read_or_makes_no_sense_is_unknown() {
        check(host().unreadable(DISABLED), &format!("unknown: {DISABLED}: is a loop of symbolic links"));
        let reason = "holds \"3\", expected 0, 1 or 2";
        check(host().file(DISABLED, "3\n"), &format!("unknown: {DISABLED}: {reason}"));
        let covered = FakeHost::new().file("/proc/version", "Linux").file(BOOT, "CONFIG_IO_URING=y\n");
        let reason = "is covered or empty: osrelease, which every kernel has, is not there";
        check(covered, &format!("unknown: /proc/sys: {reason}"));
    }
}
