//! `kernel.cgroup`: the version of control groups on the host, and its controllers. Creates no group.

use std::collections::BTreeSet;

use super::filesystems::{self, FILESYSTEMS};
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};
use crate::os::file::unescaped;

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.cgroup",
    kinds: &[ElementKind::Flags, ElementKind::Attributes],
    meaning: "version: 1, 2, or hybrid (controllers in 1, and an empty 2 beside it); flags: the usable controllers, by their \
        names in that version, such as blkio in 1 and io in 2",
    read: "/proc/1/mountinfo, else /proc/self/mountinfo; cgroup.controllers of version 2, /proc/cgroups for version 1",
    nfd: false,
    elements: None,
    absent: "no such controller: not built in, disabled at boot (`cgroup_disable=`), not delegated to this group, or of \
        version 1 and not mounted; the whole feature is absent if the kernel was built without control groups",
    since: "version 2: Linux 4.5",
    example: "feature: kernel.cgroup\n  matchExpressions:\n    version: {op: In, value: [\"2\"]}\n    memory: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// The host's mounts are those of its init. If init is hidden from the user (`hidepid` in proc(5)), the user's own mounts
/// are read, which equal the host's for control groups.
const MOUNTS: [&str; 2] = ["/proc/1/mountinfo", "/proc/self/mountinfo"];
/// The controllers of version 1: cgroups(7).
const CONTROLLERS: &str = "/proc/cgroups";
/// Where all engines look (<https://systemd.io/CGROUP_DELEGATION>). What is mounted elsewhere beside it is some tool's own,
/// as in /run/cilium/cgroupv2.
const USUAL: &str = "/sys/fs/cgroup";

/// What is mounted, and where.
#[derive(Debug, Default, PartialEq)]
struct Mounts {
    /// A hierarchy of version 1.
    one: bool,
    /// The hierarchy of version 2.
    two: Option<String>,
    /// Version 2 is at the usual place.
    is_unified: bool,
}

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let (text, place) = match mounts(probing) {
        Ok(found) => found,
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mounts = parse(&text);
    let Some(version) = version(&mounts) else {
        return nowhere(probing, place);
    };
    let mut feature = Feature::attributes([("version", version)]);
    let controllers = match wanted {
        Wanted::Names(names) if names.iter().all(|it| it == "version") => Ok(BTreeSet::new()),
        Wanted::Names(_) | Wanted::All => controllers(probing, &mounts),
    };
    match controllers {
        Ok(names) => feature.flags = Some(names),
        Err(unknown) => (feature.flags, feature.incomplete) = (Some(BTreeSet::new()), Some(unknown)),
    }
    Fact::Known(feature, place.to_owned())
}

fn mounts(probing: &Probing<'_>) -> Result<(String, &'static str), Unknown> {
    let [first, second] = MOUNTS;
    match probing.root.read_text(first) {
        Ok(text) => Ok((text, first)),
        Err(missed) => match (missed, probing.root.read_text(second)) {
            (_, Ok(text)) => Ok((text, second)),
            (Miss::Unreadable(unknown), Err(Miss::NotFound)) => Err(unknown),
            (_, Err(miss)) => Err(miss.unknown(second)),
        },
    }
}

/// Lines as proc_pid_mountinfo(5) has them: the fifth field is the mount point, and the file system follows ` - `. What
/// is mounted later hides what was there before.
fn parse(text: &str) -> Mounts {
    let (mut usual, mut elsewhere) = (Mounts::default(), Mounts::default());
    for (target, kind) in text.lines().filter_map(mount) {
        if target == USUAL {
            usual = Mounts { is_unified: kind == "cgroup2", ..Mounts::default() };
        }
        let is_usual = target.strip_prefix(USUAL).is_some_and(|it| it.is_empty() || it.starts_with('/'));
        let mounts = if is_usual { &mut usual } else { &mut elsewhere };
        match kind {
            "cgroup" => mounts.one = true,
            "cgroup2" => drop(mounts.two.get_or_insert_with(|| unescaped(target).into_owned())),
            _ => {}
        }
    }
    if usual.one || usual.two.is_some() { usual } else { elsewhere }
}

fn mount(line: &str) -> Option<(&str, &str)> {
    let (mount, file_system) = line.split_once(" - ")?;
    Some((mount.split(' ').nth(4)?, file_system.split(' ').next()?))
}

fn version(mounts: &Mounts) -> Option<&'static str> {
    match (mounts.one, &mounts.two) {
        _ if mounts.is_unified => Some("2"),
        (true, Some(_)) => Some("hybrid"),
        (true, None) => Some("1"),
        (false, Some(_)) => Some("2"),
        (false, None) => None,
    }
}

/// A kernel with control groups has a file system of that name, mounted here or not.
fn nowhere(probing: &Probing<'_>, place: &str) -> Fact {
    match filesystems::registered(probing) {
        Ok(names) if names.contains("cgroup") || names.contains("cgroup2") => {
            Fact::Unknown(Unknown::new(place, "lists no mounted cgroup file system, but the kernel has it"))
        }
        Ok(_) => Fact::Absent(FILESYSTEMS.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

fn controllers(probing: &Probing<'_>, mounts: &Mounts) -> Result<BTreeSet<String>, Unknown> {
    let mut names = BTreeSet::new();
    if let Some(folder) = &mounts.two {
        let place = format!("{folder}/cgroup.controllers");
        let text = probing.root.read_text(&place).map_err(|miss| miss.unknown(&place))?;
        names.extend(text.split_ascii_whitespace().map(str::to_owned));
    }
    if mounts.one {
        let text = probing.root.read_text(CONTROLLERS).map_err(|miss| miss.unknown(CONTROLLERS))?;
        names.extend(text.lines().filter_map(attached).map(str::to_owned));
    }
    Ok(names)
}

/// `memory  4  35  1`: a controller, its hierarchy (0 if it is mounted nowhere or used by version 2), the number of its
/// groups, and whether it is enabled.
fn attached(line: &str) -> Option<&str> {
    let mut fields = line.split_ascii_whitespace();
    let (name, hierarchy, _, enabled) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    (!name.starts_with('#') && hierarchy != "0" && enabled == "1").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const INIT: &str = "/proc/1/mountinfo";
    const ROOT: &str = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n";
    const TWO: &str = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n";
    const TMPFS: &str = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n";
    const ONE: &str = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
    const BESIDE: &str = "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const TABLE: &str =
        "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t3\t1\t1\nnet_cls\t0\t1\t1\nmemory\t4\t1\t0\n";

    fn host(mounts: &[&str]) -> FakeHost {
        FakeHost::new()
            .file(INIT, format!("{ROOT}{}", mounts.concat()))
            .file("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids\n")
            .file("/sys/fs/cgroup/unified/cgroup.controllers", "\n")
            .file(CONTROLLERS, TABLE)
    }

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn each_version_has_its_own_controllers() {
        let two = r#"known (/proc/1/mountinfo): cpu cpuset io memory pids version="2""#;
        check(host(&[TWO]), two);
        check(host(&[TMPFS, ONE]), r#"known (/proc/1/mountinfo): cpu version="1""#);
        check(host(&[TMPFS, ONE, BESIDE]), r#"known (/proc/1/mountinfo): cpu version="hybrid""#);
    }

    #[test]
    fn what_is_mounted_over_another_counts() {
        let two = r#"known (/proc/1/mountinfo): cpu cpuset io memory pids version="2""#;
        check(host(&[TMPFS, ONE, BESIDE, TWO]), two);
        check(host(&[TWO, TMPFS, ONE]), r#"known (/proc/1/mountinfo): cpu version="1""#);
    }

    #[test]
    fn a_hierarchy_of_version_1_beside_a_unified_one_is_some_tool_s() {
        let named = "50 31 0:50 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,none,name=systemd\n";
        let told = told_of(&host(&[TWO, named]), FEATURE.name, wanted(&["version"]));
        assert_eq!(told, r#"known (/proc/1/mountinfo): version="2""#);
    }

    #[test]
    fn control_groups_count_elsewhere_only_if_there_are_none_at_the_usual_place() {
        let cilium = "60 27 0:60 / /run/cilium/cgroupv2 rw - cgroup2 none rw\n";
        check(host(&[TMPFS, ONE, cilium]), r#"known (/proc/1/mountinfo): cpu version="1""#);
        let odd = "31 23 0:28 / /dev/cg\\0402 rw - cgroup2 none rw\n";
        let host = host(&[odd]).file("/dev/cg 2/cgroup.controllers", "cpu");
        check(host, r#"known (/proc/1/mountinfo): cpu version="2""#);
    }

    #[test]
    fn one_s_own_mounts_will_do_where_init_is_hidden() {
        let own =
            || FakeHost::new().file("/proc/self/mountinfo", TMPFS.to_owned() + ONE).file(CONTROLLERS, TABLE);
        check(own(), r#"known (/proc/self/mountinfo): cpu version="1""#);
        check(own().unreadable("/proc/1"), r#"known (/proc/self/mountinfo): cpu version="1""#);
    }

    #[test]
    fn a_kernel_without_control_groups_is_distinguished_from_a_sandbox_that_mounts_none() {
        check(host(&[]).file(FILESYSTEMS, "nodev\tproc\n"), "absent (/proc/filesystems)");
        let reason = "lists no mounted cgroup file system, but the kernel has it";
        let host = host(&[]).file(FILESYSTEMS, "nodev\tproc\nnodev\tcgroup2\n");
        check(host, &format!("unknown: /proc/1/mountinfo: {reason}"));
        check(self::host(&[]), "unknown: /proc/filesystems: is not there");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        check(FakeHost::new(), "unknown: /proc/self/mountinfo: is not there");
        check(FakeHost::new().unreadable(INIT), "unknown: /proc/1/mountinfo: is a loop of symbolic links");
        let host = FakeHost::new().file(INIT, TWO);
        let doubt = "/sys/fs/cgroup/cgroup.controllers: is not there";
        let expected = format!("known (/proc/1/mountinfo): version=\"2\" and maybe more: {doubt}");
        assert_eq!(told(&host, FEATURE.name), expected);
        let version = told_of(&host, FEATURE.name, wanted(&["version"]));
        assert_eq!(version, r#"known (/proc/1/mountinfo): version="2""#);
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        assert_eq!(parse("\n - \n1 2 3 - cgroup2\na b c d /x - \n"), Mounts::default());
        assert_eq!(attached("cpu 1"), None);
    }
}
