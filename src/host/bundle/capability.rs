//! `bundle.capability`: the capabilities that the container's processes can have. Raises and drops none.

use std::collections::{BTreeMap, BTreeSet};

use super::config::ConfigPart;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "bundle.capability",
    kinds: &[ElementKind::Flags],
    meaning: "the capabilities in the container's bounding set",
    read: "`process.capabilities.bounding` of the bundle's config.json; unknown without any `process.capabilities`, \
        because runtimes differ",
    nfd: false,
    elements: Some(&crate::host::kernel::capabilities::NAMES),
    absent: "not given to the container, whatever the host could give (`kernel.capability`)",
    since: "runtime-spec 1.0",
    example: "feature: bundle.capability\n  matchExpressions:\n    CAP_NET_ADMIN: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

pub(super) fn read(config: &ConfigPart<'_>, _: &Wanted) -> Result<Fact, Unknown> {
    let Some(capabilities) = config.descend(&["process", "capabilities"])? else {
        let reason = "is not there, and runtimes differ on which ones the container has then";
        return Err(Unknown::new("config.json process.capabilities", reason));
    };
    let (mut flags, mut doubtful) = (BTreeSet::new(), BTreeMap::new());
    for item in capabilities.items("bounding")? {
        let name = item.text()?;
        match canonical(name) {
            Some(known) if known == name => drop(flags.insert(known)),
            // crun takes `net_admin` for CAP_NET_ADMIN, runc passes it over with a warning.
            Some(other) => {
                let reason =
                    format!("holds {name:.40?}, which some runtimes take for {other} and others pass over");
                doubtful.insert(other, item.unknown(reason));
            }
            None => return Err(item.unknown(format!("holds {name:.40?}, which is no capability's name"))),
        }
    }
    doubtful.retain(|name, _| !flags.contains(name));
    Ok(Fact::Known(Feature { doubtful, ..Feature::flags(flags) }, capabilities.place))
}

/// How capabilities(7) would write it.
fn canonical(name: &str) -> Option<String> {
    let upper = name.to_ascii_uppercase();
    let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
    let is_part = |it: u8| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_';
    (!name.is_empty() && name.bytes().all(is_part)).then(|| format!("CAP_{name}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;

    fn check(process: &str, expected: &str) {
        let config = format!("{{\"process\": {process}}}");
        assert_eq!(told(&config, FEATURE.name, &[]), expected, "{process}");
    }

    #[test]
    fn the_bounding_set_is_what_the_container_is_given() {
        let process = r#"{"capabilities": {"bounding": ["CAP_KILL", "CAP_CHOWN", "CAP_NEW_1"], "effective": ["CAP_BPF"]}}"#;
        check(process, "known (config.json process.capabilities): CAP_CHOWN CAP_KILL CAP_NEW_1");
    }

    #[test]
    fn a_bounding_set_that_is_empty_or_left_out_gives_none() {
        for capabilities in
            ["{}", r#"{"bounding": []}"#, r#"{"bounding": null}"#, r#"{"effective": ["CAP_BPF"]}"#]
        {
            check(
                &format!("{{\"capabilities\": {capabilities}}}"),
                "known (config.json process.capabilities): ",
            );
        }
    }

    #[test]
    fn without_the_section_runtimes_differ_so_that_it_is_unknown() {
        let expected = "unknown: config.json process.capabilities: \
                        is not there, and runtimes differ on which ones the container has then";
        for process in ["{}", "null", r#"{"capabilities": null}"#] {
            check(process, expected);
        }
        assert_eq!(told("{}", FEATURE.name, &[]), expected);
    }

    #[test]
    fn another_spelling_is_in_doubt_and_no_other_name_is() {
        check(
            r#"{"capabilities": {"bounding": ["CAP_KILL", "net_admin", "CAP_kill"]}}"#,
            "known (config.json process.capabilities): CAP_KILL and perhaps CAP_NET_ADMIN: \
             config.json process.capabilities.bounding[1]: holds \"net_admin\", which some runtimes take for \
             CAP_NET_ADMIN and others pass over",
        );
    }

    #[test]
    fn what_is_malformed_is_unknown_with_its_place() {
        let check = |capabilities: &str, expected: &str| {
            check(&format!("{{\"capabilities\": {capabilities}}}"), &format!("unknown: {expected}"));
        };
        check("[\"CAP_KILL\"]", "config.json process.capabilities: is a list, expected an object");
        let bounding = "config.json process.capabilities.bounding";
        check(r#"{"bounding": "CAP_KILL"}"#, &format!("{bounding}: is text, expected a list"));
        check(r#"{"bounding": ["CAP_KILL", 7]}"#, &format!("{bounding}[1]: is a number, expected text"));
        check(
            r#"{"bounding": ["a b"]}"#,
            &format!("{bounding}[0]: holds \"a b\", which is no capability's name"),
        );
        check(r#"{"bounding": [""]}"#, &format!("{bounding}[0]: holds \"\", which is no capability's name"));
    }
}
