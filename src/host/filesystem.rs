//! `storage.filesystem`: the sizes of the mounted file systems. Asks none that may not answer.

use std::collections::BTreeMap;

use super::root::Filesystem;
use super::system::mount::{Mount, table};
use super::{ElementKind, Fact, Feature, FeatureInfo, Instance, Miss, Probing, Unknown, Wanted};
use crate::os::file::is_local;

pub(super) const FEATURE: FeatureInfo = FeatureInfo {
    name: "storage.filesystem",
    kinds: &[ElementKind::Instances],
    meaning: "the local file systems that are mounted on folders: the mount point, the type, the size, and the space left for \
        users other than root (free), both in bytes; d_type: true if folders store the kinds of their entries, which \
        overlayfs needs (XFS made with ftype=0 does not). A container's own /dev/shm is a `bundle.mount`",
    read: "/proc/1/mountinfo, else /proc/self/mountinfo; statvfs(3) and readdir(3) of the mount point; unknown for network \
        and FUSE file systems, which may not answer",
    nfd: false,
    elements: Some(&["target", "fstype", "size", "free", "d_type"]),
    absent: "not mounted on a folder",
    since: "always",
    example: "feature: storage.filesystem\n  matchExpressions:\n    target: {op: In, value: [/dev/shm]}\n    size: {op: Ge, value: [\"8589934592\"]}",
    key: Some(KEY),
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const KEY: &str = "target";
/// Those of the kernel's own making, which hold no data.
const WITHOUT_DATA: [&str; 21] = [
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nsfs",
    "proc",
    "pstore",
    "ramfs",
    "resctrl",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "sysfs",
    "tracefs",
];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let (text, read) = match table(probing) {
        Ok(found) => found,
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut feature = Feature::instances(Vec::new());
    let mounts: Vec<_> = text.lines().filter_map(Mount::parse).collect();
    if mounts.len() < text.lines().count() {
        feature.incomplete = Some(Unknown::new(read, "has a line that is no mount as proc(5) describes it"));
    }
    for (index, mount) in mounts.iter().enumerate().filter(|(_, it)| is_asked_for(it, wanted)) {
        // A mount under another one is not visible.
        let is_hidden = mounts.iter().skip(index + 1).any(|it| it.target == mount.target);
        if is_hidden || WITHOUT_DATA.contains(&mount.fstype.as_str()) {
            continue;
        }
        match ask(probing, mount, &mounts) {
            Ok(Some(found)) => {
                let instance = instance(mount, found, wanted, &mut feature.incomplete);
                feature.instances.get_or_insert_default().push(instance);
            }
            Ok(None) => {}
            Err(unknown) => drop(feature.incomplete.get_or_insert(unknown)),
        }
    }
    Fact::Known(feature, read.to_owned())
}

fn is_asked_for(mount: &Mount, wanted: &Wanted) -> bool {
    !wanted.is_by_key(KEY) || wanted.keys(KEY).any(|it| it == mount.target)
}

/// None for what is mounted on a file.
fn ask(probing: &Probing<'_>, mount: &Mount, mounts: &[Mount]) -> Result<Option<Filesystem>, Unknown> {
    let Mount { device, target, fstype } = mount;
    let unknown = |reason: String| Unknown::new(&**target, reason);
    let may_hang = |it: &&Mount| !is_local(&it.fstype) && !WITHOUT_DATA.contains(&it.fstype.as_str());
    if let Some(above) = mounts.iter().filter(|it| is_on_the_way(&it.target, target)).find(may_hang) {
        let reason = format!("is on a file system that may not answer ({}), and was not asked", above.fstype);
        return Err(unknown(reason));
    }
    match probing.root.filesystem(target) {
        // Each subvolume of btrfs has a device of its own.
        Ok(found) if found.device != *device && fstype != "btrfs" => {
            Err(unknown("is not what is mounted there, as seen from here".to_owned()))
        }
        Ok(found) => Ok(Some(found)),
        Err(Miss::NotFound) => match probing.root.exists(target) {
            Ok(true) => Ok(None),
            Ok(false) => Err(unknown("is not there, as seen from here".to_owned())),
            Err(unknown) => Err(unknown),
        },
        Err(Miss::Unreadable(unknown)) => Err(unknown),
    }
}

/// Whether a path leads through this mount point.
fn is_on_the_way(point: &str, path: &str) -> bool {
    match path.strip_prefix(point.trim_end_matches('/')) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

fn instance(mount: &Mount, found: Filesystem, wanted: &Wanted, incomplete: &mut Option<Unknown>) -> Instance {
    let d_type = match found.tells_kinds {
        None if wanted.has("d_type") => {
            incomplete.get_or_insert_with(|| {
                Unknown::new(&*mount.target, "is empty, so that nothing tells of d_type")
            });
            None
        }
        told => told.map(|it| ("d_type", it.to_string())),
    };
    let attributes = [
        ("target", mount.target.clone()),
        ("fstype", mount.fstype.clone()),
        ("size", found.size.to_string()),
        ("free", found.free.to_string()),
    ];
    let attributes =
        attributes.into_iter().chain(d_type).filter(|(name, _)| *name == KEY || wanted.has(name));
    let attributes: BTreeMap<_, _> = attributes.map(|(name, it)| (name.to_owned(), it)).collect();
    Instance { attributes, read: Some(mount.target.clone()) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const TABLE: &str = "/proc/1/mountinfo";

    /// A host whose mounts are folders of the file system that has the fixture.
    fn host(mounts: &[(&str, &str)]) -> FakeHost {
        let host = FakeHost::new().file("/proc/version", "Linux");
        let device = fs::metadata(host.place("/proc")).expect("a fixture").dev();
        let (major, minor) = (libc::major(device), libc::minor(device));
        let line = |(target, fstype): &(&str, &str)| {
            format!("1 2 {major}:{minor} / {target} rw - {fstype} none rw\n")
        };
        mounts
            .iter()
            .fold(host.file(TABLE, mounts.iter().map(line).collect::<String>()), |host, (target, _)| {
                host.folder(target)
            })
    }

    fn check(host: &FakeHost, names: &[&str], expected: &str) {
        let told = told_of(host, FEATURE.name, wanted(names));
        assert_eq!(told, format!("known (/proc/1/mountinfo): {expected}"), "{names:?}");
    }

    #[test]
    fn a_file_system_reports_its_size_and_whether_it_reports_kinds() {
        let host = host(&[("/data", "ext4"), ("/sys", "sysfs")]).file("/data/x", "");
        check(&host, &["target=/data", "fstype"], "[/data: fstype=ext4 target=/data]");
        check(&host, &["target=/data", "d_type"], "[/data: d_type=true target=/data]");
        let size = told_of(&host, FEATURE.name, wanted(&["target=/data", "size", "free"]));
        let numbers = |it: char| it.is_ascii_digit();
        let shape = size.split_once("): ").map(|(_, it)| it.replace(numbers, "")).expect("facts");
        assert_eq!(shape, "[/data: free= size= target=/data]");
    }

    #[test]
    fn what_is_not_mounted_is_not_there() {
        let host = host(&[("/data", "ext4"), ("/sys", "sysfs")]);
        check(&host, &["target=/dev/shm", "size"], "");
        check(&host, &["target=/sys", "size"], "");
        check(
            &host.file("/file", "").file(TABLE, "1 2 0:0 / /file rw - ext4 none rw\n"),
            &["target=/file", "size"],
            "",
        );
    }

    #[test]
    fn what_may_not_answer_is_not_asked() {
        let host = host(&[
            ("/", "xfs"),
            ("/data", "nfs4"),
            ("/data/fast", "ext4"),
            ("/database", "ext4"),
            ("/auto", "autofs"),
        ]);
        let asked = |it: &str| format!("is on a file system that may not answer ({it}), and was not asked");
        check(&host, &["target=/data", "size"], &format!("and maybe more: /data: {}", asked("nfs4")));
        check(
            &host,
            &["target=/data/fast", "size"],
            &format!("and maybe more: /data/fast: {}", asked("nfs4")),
        );
        check(&host, &["target=/auto", "size"], &format!("and maybe more: /auto: {}", asked("autofs")));
        check(&host, &["target=/database", "fstype"], "[/database: fstype=ext4 target=/database]");
        let rest =
            format!("[/database: fstype=ext4 target=/database] and maybe more: /data: {}", asked("nfs4"));
        check(&host, &["target", "fstype"], &format!("[/: fstype=xfs target=/] {rest}"));
    }

    #[test]
    fn what_lies_under_another_mount_or_is_seen_from_elsewhere_reports_nothing() {
        let twice = host(&[("/data", "nfs4"), ("/data", "ext4")]);
        let asked = "is on a file system that may not answer (nfs4), and was not asked";
        check(&twice, &["target=/data", "fstype"], &format!("and maybe more: /data: {asked}"));
        let twice = host(&[("/data", "xfs"), ("/data", "ext4")]);
        check(&twice, &["target=/data", "fstype"], "[/data: fstype=ext4 target=/data]");
        let other = host(&[]).folder("/data").file(TABLE, "1 2 0:0 / /data rw - ext4 none rw\n");
        let reason = "is not what is mounted there, as seen from here";
        check(&other, &["target=/data", "size"], &format!("and maybe more: /data: {reason}"));
        let gone = host(&[]).file(TABLE, "1 2 0:0 / /data rw - ext4 none rw\n");
        check(&gone, &["target=/data", "size"], "and maybe more: /data: is not there, as seen from here");
    }

    #[test]
    fn what_cannot_be_read_or_is_malformed_is_unknown() {
        let none = FakeHost::new().file("/proc/version", "Linux");
        let reason = "is not there, and nor is /proc/self/mountinfo";
        assert_eq!(told(&none, FEATURE.name), format!("unknown: {TABLE}: {reason}"));
        let hidden = FakeHost::new().unreadable(TABLE);
        assert_eq!(told(&hidden, FEATURE.name), format!("unknown: {TABLE}: is a loop of symbolic links"));
        for line in ["x", "1 2 3 / /data rw - ext4 none rw", "1 2 0:0 / /data rw"] {
            let reason = "has a line that is no mount as proc(5) describes it";
            check(&host(&[]).file(TABLE, line), &["size"], &format!("and maybe more: {TABLE}: {reason}"));
        }
        let empty = host(&[("/data", "ext4")]);
        let told = "[/data: target=/data] and maybe more: /data: is empty, so that nothing tells of d_type";
        check(&empty, &["target=/data", "d_type"], told);
    }
}
