//! `iommu.groups`: how many groups of devices the IOMMU keeps apart. Changes no group.

use super::probing::known;
use super::{ElementKind, Fact, Feature, FeatureInfo, Probing, Wanted};

pub(super) const FEATURE: FeatureInfo = FeatureInfo {
    name: "iommu.groups",
    kinds: &[ElementKind::Attributes],
    meaning: "the number of IOMMU groups: 0 if the machine has no IOMMU, or if it is switched off",
    read: "/sys/kernel/iommu_groups/*",
    nfd: false,
    elements: Some(&["count"]),
    absent: "never absent",
    since: "Linux 3.6",
    example: "feature: iommu.groups\n  matchExpressions:\n    count: {op: Gt, value: [\"0\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// One folder a group (`Documentation/ABI/testing/sysfs-kernel-iommu_groups`); a kernel that was built without IOMMU
/// support has no such place.
const FOLDER: &str = "/sys/kernel/iommu_groups";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let count = probing.list(FOLDER).map(|groups| groups.map_or(0, |it| it.len()));
    known(count.map(|it| Feature::attributes([("count", it.to_string())])), FOLDER)
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
    fn groups_are_counted() {
        let host = FakeHost::new().folder("/sys/kernel/iommu_groups/0").folder("/sys/kernel/iommu_groups/1");
        check(host, r#"known (/sys/kernel/iommu_groups): count="2""#);
    }

    #[test]
    fn without_an_iommu_there_are_none() {
        check(
            FakeHost::new().folder(FOLDER).folder("/sys/bus"),
            r#"known (/sys/kernel/iommu_groups): count="0""#,
        );
        check(FakeHost::new().folder("/sys/bus"), r#"known (/sys/kernel/iommu_groups): count="0""#);
    }

    #[test]
    fn groups_that_cannot_be_listed_are_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/kernel/iommu_groups: {nothing}"));
        let host = FakeHost::new().unreadable(FOLDER);
        check(host, "unknown: /sys/kernel/iommu_groups: is a loop of symbolic links");
    }

    #[test]
    fn a_file_in_the_folder_s_place_is_unknown() {
        check(FakeHost::new().file(FOLDER, "2"), "unknown: /sys/kernel/iommu_groups: is not a folder");
    }
}
