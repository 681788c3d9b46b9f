//! `memory.numa`: whether the memory is spread over nodes.

use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "memory.numa",
    kinds: &[ElementKind::Attributes],
    meaning: "the number of NUMA nodes of the host, and whether it has more than one",
    read: "/sys/bus/node/devices",
    nfd: true,
    elements: Some(&["is_numa", "node_count"]),
    absent: "the kernel was built without CONFIG_NUMA",
    since: "always",
    example: "feature: memory.numa\n  matchExpressions:\n    node_count: {op: Gt, value: [\"1\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// A link per node (`node_subsys` in `drivers/base/node.c`).
const FOLDER: &str = "/sys/bus/node/devices";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    match probing.list(FOLDER) {
        Ok(Some(nodes)) => Fact::Known(count(nodes.len()), FOLDER.to_owned()),
        Ok(None) => Fact::Absent(FOLDER.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

fn count(nodes: usize) -> Feature {
    Feature::attributes([("is_numa", (nodes > 1).to_string()), ("node_count", nodes.to_string())])
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
    fn a_host_with_more_than_one_node_is_numa() {
        let known = |rest: &str| format!("known (/sys/bus/node/devices): {rest}");
        let one = || FakeHost::new().folder("/sys/bus/node/devices/node0");
        check(one(), &known(r#"is_numa="false" node_count="1""#));
        check(one().folder("/sys/bus/node/devices/node1"), &known(r#"is_numa="true" node_count="2""#));
        check(FakeHost::new().folder(FOLDER), &known(r#"is_numa="false" node_count="0""#));
    }

    #[test]
    fn a_kernel_that_knows_no_nodes_has_no_such_feature() {
        check(FakeHost::new().folder("/sys/bus"), "absent (/sys/bus/node/devices)");
    }

    #[test]
    fn nodes_that_cannot_be_listed_are_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/bus/node/devices: {nothing}"));
        let host = FakeHost::new().unreadable(FOLDER);
        check(host, "unknown: /sys/bus/node/devices: is a loop of symbolic links");
    }

    #[test]
    fn what_is_no_folder_is_unknown() {
        check(FakeHost::new().file(FOLDER, ""), "unknown: /sys/bus/node/devices: is not a folder");
    }
}
