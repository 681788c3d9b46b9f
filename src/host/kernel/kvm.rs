//! `kernel.kvm`: whether the kernel offers virtual machines.

use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.kvm",
    kinds: &[ElementKind::Attributes],
    meaning: "whether the kernel offers virtual machines through /dev/kvm",
    read: "/sys/devices/virtual/misc/kvm",
    nfd: true,
    elements: Some(&["enabled"]),
    absent: "never absent",
    since: "always",
    example: "feature: kernel.kvm\n  matchExpressions:\n    enabled: {op: IsTrue}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Made with the device itself: `kvm_init` registers a misc device of this name.
const DEVICE: &str = "/sys/devices/virtual/misc/kvm";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let feature = |exists: bool| Feature::attributes([("enabled", exists.to_string())]);
    known(probing.exists(DEVICE).map(feature), DEVICE)
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
    fn kvm_is_enabled_if_its_device_is_there() {
        let host = FakeHost::new().folder("/sys/bus");
        check(host, r#"known (/sys/devices/virtual/misc/kvm): enabled="false""#);
        check(FakeHost::new().folder(DEVICE), r#"known (/sys/devices/virtual/misc/kvm): enabled="true""#);
    }

    #[test]
    fn whatever_stands_in_the_device_s_place_counts_as_the_device() {
        check(FakeHost::new().file(DEVICE, "?"), r#"known (/sys/devices/virtual/misc/kvm): enabled="true""#);
    }

    #[test]
    fn without_a_look_at_sysfs_kvm_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new().folder("/sys"), &format!("unknown: /sys/devices/virtual/misc/kvm: {nothing}"));
        let host = FakeHost::new().folder("/sys/bus").unreadable(DEVICE);
        check(host, "unknown: /sys/devices/virtual/misc/kvm: is a loop of symbolic links");
    }
}
