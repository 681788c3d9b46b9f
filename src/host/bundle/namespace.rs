//! `bundle.namespace`: the namespaces that the container does not share with the runtime. Enters none.

use std::collections::BTreeSet;

use super::config::ConfigPart;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Unknown, Wanted};

/// runtime-spec, `config-linux.md`, Namespaces.
const NAMES: [&str; 8] = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"];

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "bundle.namespace",
    kinds: &[ElementKind::Flags],
    meaning: "the namespaces of the container, new or joined, by their names in runtime-spec",
    read: "`linux.namespaces` of the bundle's config.json",
    nfd: false,
    elements: Some(&NAMES),
    absent: "shared with the runtime, usually with the host (such as `--network=host`)",
    since: "runtime-spec 1.0",
    example: "feature: bundle.namespace\n  matchExpressions:\n    network: {op: DoesNotExist}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

pub(super) fn read(config: &ConfigPart<'_>, _: &Wanted) -> Result<Fact, Unknown> {
    let mut flags = BTreeSet::new();
    if let Some(linux) = config.field("linux")? {
        for item in linux.items("namespaces")? {
            flags.insert(item.required("type")?.text()?.to_owned());
        }
    }
    Ok(Fact::Known(Feature::flags(flags), "config.json linux.namespaces".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;

    fn check(config: &str, expected: &str) {
        assert_eq!(told(config, FEATURE.name, &[]), expected, "{config}");
    }

    #[test]
    fn own_and_joined_namespaces_are_named() {
        check(
            r#"{"linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/a"}, {"type": "mount"}]}}"#,
            "known (config.json linux.namespaces): mount network pid",
        );
    }

    #[test]
    fn what_is_not_listed_is_shared() {
        for config in ["{}", r#"{"linux": {}}"#, r#"{"linux": {"namespaces": []}}"#] {
            check(config, "known (config.json linux.namespaces): ");
        }
    }

    #[test]
    fn what_is_malformed_is_unknown_with_its_place() {
        let place = "unknown: config.json linux.namespaces";
        check(r#"{"linux": {"namespaces": {}}}"#, &format!("{place}: is an object, expected a list"));
        check(
            r#"{"linux": {"namespaces": [{"type": 1}]}}"#,
            &format!("{place}[0].type: is a number, expected text"),
        );
        check(r#"{"linux": {"namespaces": [{}]}}"#, &format!("{place}[0]: has no type, as every one must"));
        check(r#"{"linux": 5}"#, "unknown: config.json linux: is a number, expected an object");
    }
}
