//! `device.node`: the device nodes below `/dev`. Opens no device, and follows no link out of `/dev`.

pub(super) mod autoload;
mod path;

use nix::sys::stat::{self, SFlag};

use path::{PathTarget, follow, is_plain};

use super::{
    ElementKind, Fact, Feature, FeatureInfo, FileStatus, Instance, Miss, Probing, Root, Unknown, Wanted,
};

pub(super) const FEATURE: FeatureInfo = FeatureInfo {
    name: "device.node",
    kinds: &[ElementKind::Instances],
    meaning: "the device nodes below /dev; kind is char or block; mode is the permission bits in octal, such as 666; a link \
        counts as the node that it leads to, if it stays in /dev",
    read: "/dev: the paths that rules give with `In`; if a rule looks for a node in another way, all of /dev except file \
        systems mounted below it",
    nfd: false,
    elements: Some(&["path", "kind", "major", "minor", "mode"]),
    absent: "no such device node now: its driver may not be loaded, or creates the node at first use",
    since: "always",
    example: "feature: device.node\n  matchExpressions:\n    path: {op: In, value: [/dev/kvm]}\n    kind: {op: In, value: [char]}",
    key: Some(KEY),
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const KEY: &str = "path";
const FOLDER: &str = "/dev";
/// Every host has it: without it, `/dev` is an empty folder in place of a host's devices.
const NULL: &str = "/dev/null";
/// A `/dev` with a thousand disks has some ten thousand entries, most of them links of udev's.
const MAX_ENTRIES: usize = 65_536;
/// All bits of a mode that do not say what a file is (inode(7)).
const PERMISSIONS: libc::mode_t = 0o7777;

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let mut keys = wanted.keys(KEY).peekable();
    let looked = match keys.peek() {
        Some(_) => named(probing.root, keys),
        None => listed(probing.root),
    };
    let looked = looked.and_then(|feature| is_populated(probing.root, &feature).map(|()| feature));
    match looked {
        Ok(feature) => Fact::Known(feature, FOLDER.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// The nodes at the paths that rules name. Strangers wrote them: they never lead out of `/dev`.
fn named<'a>(root: &Root, paths: impl Iterator<Item = &'a str>) -> Result<Feature, Unknown> {
    let mut feature = Feature::instances(Vec::new());
    for path in paths {
        let found = match is_plain(path) {
            true => follow(root, path),
            false => Err(Miss::Unreadable(Unknown::new(FOLDER, not_plain(path)))),
        };
        match found {
            Ok(PathTarget::Here(status)) => {
                feature.instances.get_or_insert_default().extend(node(path, status))
            }
            Ok(PathTarget::Outside) => {
                feature.incomplete.get_or_insert(Unknown::new(path, "is a link that leads out of /dev"));
            }
            Err(Miss::NotFound) => {}
            Err(Miss::Unreadable(unknown)) => {
                feature.incomplete.get_or_insert(unknown);
            }
        }
    }
    Ok(feature)
}

/// All nodes in `/dev` and its folders, but not in other file systems (`/dev/shm`, `/dev/pts`), where users write.
fn listed(root: &Root) -> Result<Feature, Unknown> {
    let home = root.status(FOLDER).map_err(|miss| miss.unknown(FOLDER))?.filesystem;
    let mut feature = Feature::instances(Vec::new());
    let mut folders = vec![FOLDER.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        let names = match root.list(&folder) {
            Ok(names) => names,
            Err(miss) if folder == FOLDER => return Err(miss.unknown(FOLDER)),
            // Unplugged since its folder was listed.
            Err(Miss::NotFound) => continue,
            Err(Miss::Unreadable(unknown)) => {
                feature.incomplete.get_or_insert(unknown);
                continue;
            }
        };
        count += names.len();
        if count > MAX_ENTRIES {
            return Err(Unknown::new(FOLDER, format!("has more than {MAX_ENTRIES} entries")));
        }
        for path in names.iter().map(|it| format!("{folder}/{it}")) {
            match entry(root, &path) {
                Ok(Some(status)) if sort(status) == SFlag::S_IFDIR && status.filesystem == home => {
                    folders.push(path);
                }
                Ok(status) => {
                    let node = status.and_then(|it| node(&path, it));
                    feature.instances.get_or_insert_default().extend(node);
                }
                Err(unknown) => drop(feature.incomplete.get_or_insert(unknown)),
            }
        }
    }
    Ok(feature)
}

/// What an entry of a folder is, or leads to; none if that is no node below `/dev`, and for links to folders.
fn entry(root: &Root, path: &str) -> Result<Option<FileStatus>, Unknown> {
    let found = match root.status(path) {
        Ok(status) if sort(status) == SFlag::S_IFLNK => follow(root, path),
        status => return surely(status),
    };
    match found {
        Ok(PathTarget::Here(status)) if sort(status) != SFlag::S_IFDIR => Ok(Some(status)),
        Ok(PathTarget::Here(_) | PathTarget::Outside) => Ok(None),
        Err(miss) => surely(Err(miss)),
    }
}

fn surely(status: Result<FileStatus, Miss>) -> Result<Option<FileStatus>, Unknown> {
    match status {
        Ok(status) => Ok(Some(status)),
        Err(Miss::NotFound) => Ok(None),
        Err(Miss::Unreadable(unknown)) => Err(unknown),
    }
}

/// That a node is not there says something only of a host whose `/dev` holds devices.
fn is_populated(root: &Root, feature: &Feature) -> Result<(), Unknown> {
    if feature.instances.as_ref().is_some_and(|it| !it.is_empty()) || root.exists(NULL)? {
        return Ok(());
    }
    Err(Unknown::new(NULL, "is not there, as it is on every host: this /dev holds no devices"))
}

fn not_plain(path: &str) -> String {
    let start: String = path.chars().take(60).collect();
    format!("does not hold {start:?}; expected a path without . and .., such as /dev/kvm")
}

/// An instance, if this is a device node.
fn node(path: &str, status: FileStatus) -> Option<Instance> {
    let kind = match sort(status) {
        SFlag::S_IFCHR => "char",
        SFlag::S_IFBLK => "block",
        _ => return None,
    };
    let attributes = [
        (KEY, path.to_owned()),
        ("kind", kind.to_owned()),
        ("major", stat::major(status.device).to_string()),
        ("minor", stat::minor(status.device).to_string()),
        ("mode", format!("{:o}", status.mode & PERMISSIONS)),
    ];
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Some(Instance { attributes, read: Some(path.to_owned()) })
}

fn sort(status: FileStatus) -> SFlag {
    SFlag::from_bits_truncate(status.mode) & SFlag::S_IFMT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    /// Tests do not run as root, and only root can create device nodes: nodes are tested apart from folders.
    fn check_node(mode: libc::mode_t, (major, minor): (u64, u64), expected: Option<&str>) {
        let status = FileStatus { mode, filesystem: 5, device: stat::makedev(major, minor) };
        let node = node("/dev/a", status).map(|it| {
            let values: Vec<_> =
                it.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
            values.join(" ")
        });
        assert_eq!(node.as_deref(), expected, "{mode:o}");
    }

    fn check(host: &FakeHost, paths: &[&str], expected: &str) {
        let paths: Vec<_> = paths.iter().map(|it| format!("path={it}")).collect();
        let paths: Vec<_> = paths.iter().map(String::as_str).collect();
        assert_eq!(told_of(host, FEATURE.name, wanted(&paths)), expected);
    }

    fn dev() -> FakeHost {
        FakeHost::new().file(NULL, "")
    }

    #[test]
    fn a_node_has_its_kind_its_numbers_and_its_permissions() {
        check_node(0o020_666, (10, 232), Some("kind=char major=10 minor=232 mode=666 path=/dev/a"));
        check_node(0o060_660, (259, 300), Some("kind=block major=259 minor=300 mode=660 path=/dev/a"));
        check_node(0o020_000, (195, 255), Some("kind=char major=195 minor=255 mode=0 path=/dev/a"));
    }

    #[test]
    fn what_is_no_device_is_no_node() {
        check_node(0o100_644, (0, 0), None);
        check_node(0o040_755, (0, 0), None);
        check_node(0o010_644, (1, 3), None);
        let host = dev().file("/dev/kvm", "").folder("/dev/net/tun");
        check(&host, &["/dev/kvm", "/dev/net/tun"], "known (/dev): ");
        assert_eq!(told(&host, FEATURE.name), "known (/dev): ");
    }

    #[test]
    fn a_node_that_is_not_there_is_known_to_be_absent() {
        check(&dev(), &["/dev/kvm", "/dev/net/tun", "/dev/null/x"], "known (/dev): ");
        check(&dev().link("/dev/kvm", "gone"), &["/dev/kvm"], "known (/dev): ");
    }

    #[test]
    fn a_folder_without_devices_is_no_host_s() {
        let empty = "unknown: /dev/null: is not there, as it is on every host: this /dev holds no devices";
        check(&FakeHost::new().folder("/dev"), &["/dev/kvm"], empty);
        check(&FakeHost::new(), &["/dev/kvm"], empty);
        assert_eq!(told(&FakeHost::new().folder("/dev"), FEATURE.name), empty);
        assert_eq!(told(&FakeHost::new(), FEATURE.name), "unknown: /dev: is not there");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let host = dev().unreadable("/dev/kvm").unreadable("/dev/dri");
        let more =
            |place: &str| format!("known (/dev): and maybe more: {place}: is a loop of symbolic links");
        check(&host, &["/dev/kvm"], &more("/dev/kvm"));
        check(&host, &["/dev/dri/card0"], &more("/dev/dri/card0"));
        assert_eq!(told(&host, FEATURE.name), more("/dev/dri"));
        let dev = FakeHost::new().file("/dev", "");
        assert_eq!(told(&dev, FEATURE.name), "unknown: /dev: is not a folder");
    }

    #[test]
    fn a_path_that_could_lead_elsewhere_is_not_looked_at() {
        let host = dev().file("/etc/shadow", "");
        let long = format!("/dev/{}", "x".repeat(5000));
        let paths = [
            "/etc/shadow",
            "/dev/../etc/shadow",
            "/dev/./kvm",
            "/dev//kvm",
            "/dev/kvm/",
            "/dev",
            "/device",
            "dev/kvm",
            "",
            "/dev/k\0vm",
            &long,
        ];
        for path in paths {
            let start: String = path.chars().take(60).collect();
            let expected = format!(
                "known (/dev): and maybe more: /dev: does not hold {start:?}; \
                 expected a path without . and .., such as /dev/kvm"
            );
            check(&host, &[path], &expected);
        }
    }

    #[test]
    fn a_name_that_is_too_long_for_the_kernel_is_unknown() {
        let long = format!("/dev/{}", "x".repeat(300));
        check(&dev(), &[&long], &format!("known (/dev): and maybe more: {long}: has too long a path"));
    }

    #[test]
    fn a_link_out_of_the_folder_is_not_followed() {
        let host =
            dev().file("/etc/shadow", "").link("/dev/a", "/etc/shadow").link("/dev/b", "../etc/shadow");
        for path in ["/dev/a", "/dev/b"] {
            let expected = format!("known (/dev): and maybe more: {path}: is a link that leads out of /dev");
            check(&host, &[path], &expected);
        }
        assert_eq!(told(&host, FEATURE.name), "known (/dev): ");
    }
}
