//! `bundle.mount`: what is mounted in the container. Looks at no source, and mounts nothing.

use std::collections::BTreeSet;

use super::UNLIMITED;
use super::config::ConfigPart;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Instance, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "bundle.mount",
    kinds: &[ElementKind::Instances],
    meaning: "the runtime's mounts in the container: the path there, the file system's type, the source, the options \
        separated by commas, and for a tmpfs such as /dev/shm the size in bytes (`9223372036854775807` means no limit). \
        Of several mounts on one path, the last counts",
    read: "`mounts` of the bundle's config.json; size: the option `size=`, with the suffixes k, m, g, t, p and e. The size \
        is unknown without that option, with a percentage, and for bind mounts, such as an engine's own /dev/shm",
    nfd: false,
    elements: Some(&["destination", "type", "source", "options", "size"]),
    absent: "not mounted by the runtime; a hook may still do so",
    since: "runtime-spec 1.0",
    example: "feature: bundle.mount\n  matchExpressions:\n    destination: {op: In, value: [/var/lib/data]}\n    options: {op: InRegexp, value: [\"(^|,)rw(,|$)\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

pub(super) fn read(config: &ConfigPart<'_>, wanted: &Wanted) -> Result<Fact, Unknown> {
    let mut feature = Feature::instances(Vec::new());
    let mut instances = Vec::new();
    let mut covered = BTreeSet::new();
    let mut may_have_a_size = false;
    for item in config.items("mounts")?.iter().rev() {
        match mount(item) {
            // A mount under another one is not visible.
            Ok(mount) if !covered.insert(mount.destination.clone()) => {}
            Ok(mount) => {
                may_have_a_size |= mount.may_have_a_size;
                instances.push(mount.told(wanted));
            }
            Err(unknown) => feature.incomplete = Some(unknown),
        }
    }
    instances.reverse();
    if wanted.has("size") && may_have_a_size {
        feature.doubtful.insert("size".to_owned(), Unknown::new(PLACE, WITHOUT_A_SIZE));
    }
    feature.instances = Some(instances);
    Ok(Fact::Known(feature, PLACE.to_owned()))
}

const PLACE: &str = "config.json mounts";
const WITHOUT_A_SIZE: &str = "tells a size only for a tmpfs with the option size= in bytes: without it a tmpfs gets half of the \
                              host's memory, and what is bound has the size of its source";

/// A mount, as runtimes read it.
#[derive(Debug)]
struct BundleMount {
    destination: String,
    attributes: Vec<(&'static str, String)>,
    /// An unknown one.
    may_have_a_size: bool,
    place: String,
}

impl BundleMount {
    fn told(self, wanted: &Wanted) -> Instance {
        let destination = ("destination", self.destination);
        let attributes = std::iter::once(destination).chain(self.attributes);
        let attributes = attributes.filter(|(name, _)| wanted.has(name));
        Instance {
            attributes: attributes.map(|(name, value)| (name.to_owned(), value)).collect(),
            read: Some(self.place),
        }
    }
}

fn mount(item: &ConfigPart<'_>) -> Result<BundleMount, Unknown> {
    let destination = super::clean(item.required("destination")?.text()?);
    let mut attributes = Vec::new();
    for name in ["type", "source"] {
        if let Some(part) = item.field(name)? {
            attributes.push((name, part.text()?.to_owned()));
        }
    }
    let options = item.items("options")?;
    let options: Vec<_> = options.iter().map(ConfigPart::text).collect::<Result<_, _>>()?;
    let kind = attributes.iter().find(|(name, _)| *name == "type").map(|(_, it)| it.as_str());
    // The runtimes bind whatever the type says, if an option says so.
    let is_bound = options.iter().any(|it| matches!(*it, "bind" | "rbind"));
    let size = if kind == Some("tmpfs") && !is_bound { size(&options) } else { None };
    let may_have_a_size = size.is_none() && (is_bound || matches!(kind, None | Some("tmpfs" | "bind")));
    attributes.extend(size.map(|it| ("size", it)));
    attributes.push(("options", options.join(",")));
    Ok(BundleMount { destination, attributes, may_have_a_size, place: item.place.clone() })
}

/// The bytes that the last option about the size of a tmpfs allows (tmpfs(5); `shmem_parse_one` in Linux's mm/shmem.c).
/// None if none says so in bytes.
fn size(options: &[&str]) -> Option<String> {
    // One text may hold several options, for the kernel splits at commas.
    let mut parts = options.iter().flat_map(|it| it.split(',')).rev();
    let last = parts.find(|it| it.starts_with("size=") || it.starts_with("nr_blocks="))?;
    let size = last.strip_prefix("size=")?;
    let digits = size.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let shift = match size.get(digits.len()..)?.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        "p" => 50,
        "e" => 60,
        _ => return None,
    };
    match digits {
        "0" => Some(UNLIMITED.to_owned()),
        // The kernel reads it as octal.
        it if it.starts_with('0') || !it.bytes().all(|it| it.is_ascii_digit()) => None,
        it => Some(it.parse::<u64>().ok()?.checked_mul(1 << shift)?.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;

    fn check(config: &str, names: &[&str], expected: &str) {
        assert_eq!(told(config, FEATURE.name, names), expected, "{config}");
    }

    #[test]
    fn mounts_are_reported_one_by_one() {
        let config = r#"{"mounts": [
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "size=65536k"]},
            {"destination": "data//x/", "source": "/srv"}]}"#;
        check(
            config,
            &[],
            &format!(
                "known (config.json mounts): [config.json mounts[0]: destination=/dev/shm options=nosuid,size=65536k \
                 size=67108864 source=shm type=tmpfs] [config.json mounts[1]: destination=/data/x options= source=/srv] \
                 and perhaps size: config.json mounts: {WITHOUT_A_SIZE}"
            ),
        );
        check(
            config,
            &["type"],
            "known (config.json mounts): [config.json mounts[0]: type=tmpfs] [config.json mounts[1]: ]",
        );
    }

    #[test]
    fn a_container_may_have_no_mounts() {
        check("{}", &["type"], "known (config.json mounts): ");
        check(r#"{"mounts": []}"#, &["type"], "known (config.json mounts): ");
    }

    #[test]
    fn nothing_is_in_doubt_if_every_mount_has_a_known_size() {
        let config = r#"{"mounts": [{"destination": "/proc", "type": "proc"},
            {"destination": "/dev/shm", "type": "tmpfs", "options": ["size=1k"]}]}"#;
        check(
            config,
            &["size"],
            "known (config.json mounts): [config.json mounts[0]: ] [config.json mounts[1]: size=1024]",
        );
    }

    #[test]
    fn a_tmpfs_has_the_size_that_its_last_option_gives_it() {
        let told = |kind: &str, options: &str, size: &str| {
            let mount = format!(r#"{{"destination": "/dev/shm", "type": "{kind}", "options": {options}}}"#);
            let doubt = match size {
                "" => format!(" and perhaps size: config.json mounts: {WITHOUT_A_SIZE}"),
                _ => String::new(),
            };
            let expected = format!("known (config.json mounts): [config.json mounts[0]: {size}]{doubt}");
            check(&format!(r#"{{"mounts": [{mount}]}}"#), &["size"], &expected);
        };
        told("tmpfs", r#"["size=65536k"]"#, "size=67108864");
        told("tmpfs", r#"["mode=1777", "size=4096"]"#, "size=4096");
        told("tmpfs", r#"["size=64M,mode=1777"]"#, "size=67108864");
        told("tmpfs", r#"["size=1k", "size=2g"]"#, "size=2147483648");
        told("tmpfs", r#"["size=3T"]"#, "size=3298534883328");
        told("tmpfs", r#"["size=0"]"#, "size=9223372036854775807");
        let unknown = [
            "[]",
            r#"["mode=1777"]"#,
            r#"["size=50%"]"#,
            r#"["size="]"#,
            r#"["size=k"]"#,
            r#"["size=1kb"]"#,
            r#"["size=-1"]"#,
            r#"["size=0x10"]"#,
            r#"["size=010"]"#,
            r#"["size=1é"]"#,
            r#"["size=16e"]"#,
            r#"["size=99999999999999999999"]"#,
            r#"["size=1k", "nr_blocks=8"]"#,
            r#"["rbind", "size=1k"]"#,
        ];
        for options in unknown {
            told("tmpfs", options, "");
        }
        told("bind", r#"["size=1k"]"#, "");
    }

    #[test]
    fn of_mounts_on_one_path_the_last_counts() {
        let config = r#"{"mounts": [
            {"destination": "/dev/shm", "type": "tmpfs", "options": ["size=1g"]},
            {"destination": "/data", "type": "tmpfs"},
            {"destination": "/dev//shm", "type": "bind"}]}"#;
        check(
            config,
            &["destination", "type"],
            "known (config.json mounts): [config.json mounts[1]: destination=/data type=tmpfs] \
             [config.json mounts[2]: destination=/dev/shm type=bind]",
        );
    }

    #[test]
    fn what_is_malformed_is_unknown_with_its_place() {
        check(r#"{"mounts": "x"}"#, &[], "unknown: config.json mounts: is text, expected a list");
        check(
            r#"{"mounts": [{"destination": "/a", "type": 5}, {"destination": "/b", "options": "ro"}, {"destination": "/c"}]}"#,
            &["destination"],
            "known (config.json mounts): [config.json mounts[2]: destination=/c] and maybe more: \
             config.json mounts[0].type: is a number, expected text",
        );
        check(
            r#"{"mounts": [{}]}"#,
            &["type"],
            "known (config.json mounts): and maybe more: config.json mounts[0]: has no destination, as every one must",
        );
    }
}
