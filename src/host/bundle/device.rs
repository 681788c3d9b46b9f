//! `bundle.device`: the device nodes that the container gets. Opens none, on the host or in the container.

use std::collections::{BTreeMap, BTreeSet};

use super::clean;
use super::config::ConfigPart;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "bundle.device",
    kinds: &[ElementKind::Flags],
    meaning: "the paths of the device nodes that the container gets, including those that every container has, such as \
        `/dev/null`",
    read: "`linux.devices` of the bundle's config.json; a node that one of its `mounts` may bring, by binding it or its \
        folder, is unknown",
    nfd: false,
    elements: None,
    absent: "not given by the engine, whatever the host has (`device.node`); a hook may still add it",
    since: "runtime-spec 1.0",
    example: "feature: bundle.device\n  matchExpressions:\n    /dev/fuse: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

/// runtime-spec, `config-linux.md`, Default Devices.
const DEFAULT: [&str; 7] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"];
/// Only with a terminal.
const CONSOLE: &str = "/dev/console";

pub(super) fn read(config: &ConfigPart<'_>, wanted: &Wanted) -> Result<Fact, Unknown> {
    let mut flags = BTreeSet::from(DEFAULT.map(str::to_owned));
    if let Some(terminal) = config.descend(&["process", "terminal"])?
        && terminal.is_true()?
    {
        flags.insert(CONSOLE.to_owned());
    }
    let mut read = "config.json linux.devices".to_owned();
    if let Some(linux) = config.field("linux")? {
        for item in linux.items("devices")? {
            flags.insert(clean(item.required("path")?.text()?));
        }
        read = format!("{}.devices", linux.place);
    }
    let mut feature = Feature::flags([""; 0]);
    let binds = binds(config)?;
    match wanted {
        Wanted::All => feature.incomplete = binds.iter().find(|it| it.is_of_devices()).map(Bind::doubt),
        Wanted::Names(names) => {
            let missing = names.iter().filter(|it| !flags.contains(*it));
            feature.doubtful = missing.filter_map(|it| brought(it, &binds)).collect::<BTreeMap<_, _>>();
        }
    }
    feature.flags = Some(flags);
    Ok(Fact::Known(feature, read))
}

/// A bind mount: `config.json` does not show what is at its destination.
struct Bind {
    destination: String,
    source: String,
    place: String,
}

impl Bind {
    fn is_of_devices(&self) -> bool {
        self.source == "/" || is_at_or_below(&self.source, "/dev")
    }

    fn doubt(&self) -> Unknown {
        let (source, destination) = (&self.source, &self.destination);
        let reason = format!(
            "binds {source:.80?} at {destination:.80?}: whether the container may open a device there is not told"
        );
        Unknown::new(&*self.place, reason)
    }
}

fn binds(config: &ConfigPart<'_>) -> Result<Vec<Bind>, Unknown> {
    let mut binds = Vec::new();
    for item in config.items("mounts")? {
        let text = |name| item.field(name)?.map_or(Ok(""), |it| it.text());
        let options = item.items("options")?;
        let options: Vec<_> = options.iter().map(ConfigPart::text).collect::<Result<_, _>>()?;
        if text("type")? == "bind" || options.iter().any(|it| matches!(*it, "bind" | "rbind")) {
            let destination = clean(item.required("destination")?.text()?);
            binds.push(Bind { destination, source: clean(text("source")?), place: item.place });
        }
    }
    Ok(binds)
}

/// The device at this path may come with a bind mount at it or above it.
fn brought(path: &str, binds: &[Bind]) -> Option<(String, Unknown)> {
    let bind = binds.iter().find(|it| is_at_or_below(path, &it.destination))?;
    Some((path.to_owned(), bind.doubt()))
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    let rest = path.strip_prefix(folder);
    rest.is_some_and(|it| it.is_empty() || it.starts_with('/') || (folder == "/" && path.starts_with('/')))
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;

    const ALWAYS: &str = "/dev/full /dev/null /dev/ptmx /dev/random /dev/tty /dev/urandom /dev/zero";

    fn check(config: &str, names: &[&str], expected: &str) {
        let expected = expected.replace("ALWAYS", ALWAYS);
        assert_eq!(told(config, FEATURE.name, names), expected, "{config}");
    }

    #[test]
    fn devices_that_are_listed_come_beside_those_that_every_container_has() {
        check(
            r#"{"linux": {"devices": [{"path": "/dev/zzz", "type": "c", "major": 10, "minor": 229}, {"path": "/opt//x"}]}}"#,
            &[],
            "known (config.json linux.devices): ALWAYS /dev/zzz /opt/x",
        );
        let console = "known (config.json linux.devices): /dev/console ALWAYS";
        check(r#"{"process": {"terminal": true}}"#, &[], console);
    }

    #[test]
    fn without_a_list_there_are_only_those_that_every_container_has() {
        let expected = "known (config.json linux.devices): ALWAYS";
        check("{}", &[], expected);
        check(r#"{"linux": {"devices": null}, "process": {"terminal": false}}"#, &["/dev/fuse"], expected);
    }

    #[test]
    fn what_a_bind_mount_may_bring_is_in_doubt_and_nothing_else() {
        let config = r#"{"mounts": [
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            {"destination": "/dev/fuse", "type": "bind", "source": "/dev/fuse", "options": ["bind"]},
            {"destination": "/dev/dri/", "type": "none", "source": "/dev/dri", "options": ["rbind", "ro"]}]}"#;
        let doubt = |path: &str, index: u8, bound: &str| {
            format!(
                "known (config.json linux.devices): ALWAYS and perhaps {path}: config.json mounts[{index}]: binds \
                 {bound:?} at {bound:?}: whether the container may open a device there is not told"
            )
        };
        check(config, &["/dev/fuse"], &doubt("/dev/fuse", 1, "/dev/fuse"));
        check(config, &["/dev/dri/card0"], &doubt("/dev/dri/card0", 2, "/dev/dri"));
        for name in ["/dev/kvm", "/dev/fuse2", "/dev/drive", "dev/fuse", ""] {
            check(config, &[name], "known (config.json linux.devices): ALWAYS");
        }
        check(
            config,
            &[],
            "known (config.json linux.devices): ALWAYS and maybe more: config.json mounts[1]: binds \"/dev/fuse\" at \
             \"/dev/fuse\": whether the container may open a device there is not told",
        );
    }

    #[test]
    fn a_host_bound_as_a_whole_brings_its_devices_there() {
        let config = r#"{"mounts": [{"destination": "/", "source": "/", "options": ["rbind"]}]}"#;
        let told = told(config, FEATURE.name, &["/dev/kvm"]);
        assert!(told.contains("and perhaps /dev/kvm: config.json mounts[0]: binds"), "{told}");
    }

    #[test]
    fn what_is_malformed_is_unknown_with_its_place() {
        let check = |config: &str, expected: &str| {
            check(config, &["/dev/kvm"], &format!("unknown: config.json {expected}"))
        };
        check(r#"{"linux": {"devices": {}}}"#, "linux.devices: is an object, expected a list");
        check(
            r#"{"linux": {"devices": [{"type": "c"}]}}"#,
            "linux.devices[0]: has no path, as every one must",
        );
        check(
            r#"{"linux": {"devices": [{"path": 1}]}}"#,
            "linux.devices[0].path: is a number, expected text",
        );
        check(r#"{"process": {"terminal": "yes"}}"#, "process.terminal: is text, expected true or false");
        check(r#"{"mounts": [{"type": "bind"}]}"#, "mounts[0]: has no destination, as every one must");
    }
}
