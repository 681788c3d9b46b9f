//! `system.mount`: what is mounted where. Mounts nothing.

use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Instance, Probing, Unknown, Wanted};
use crate::os::file::unescaped;

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.mount",
    kinds: &[ElementKind::Instances],
    meaning: "the mounts of the host: the mount point, the file system's type and the source",
    read: "/proc/1/mountinfo, else /proc/self/mountinfo",
    nfd: false,
    elements: Some(&["target", "fstype", "source"]),
    absent: "not mounted",
    since: "Linux 2.6.26",
    example: "feature: system.mount\n  matchExpressions:\n    target: {op: In, value: [/sys/fs/bpf]}\n    fstype: {op: In, value: [bpf]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// The first process sees the host's mounts. It may be hidden (proc(5), `hidepid`): then what we see ourselves counts.
const PLACES: [&str; 2] = ["/proc/1/mountinfo", "/proc/self/mountinfo"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    match table(probing) {
        Ok((text, place)) => Fact::Known(parse(&text, place, wanted), place.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// The list of mounts, and where it was read.
pub(in crate::host) fn table(probing: &Probing<'_>) -> Result<(String, &'static str), Unknown> {
    for place in PLACES {
        if let Some(text) = probing.text(place)? {
            return Ok((text, place));
        }
    }
    let [place, other] = PLACES;
    Err(Unknown::new(place, format!("is not there, and nor is {other}")))
}

/// A mount, as far as it shows which file system is where.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::host) struct Mount {
    /// The device of the file system, as in `stat` of its files, except for btrfs.
    pub(in crate::host) device: libc::dev_t,
    pub(in crate::host) target: String,
    pub(in crate::host) fstype: String,
}

impl Mount {
    /// From a line of the list; none if it is not as proc(5) describes it.
    pub(in crate::host) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (major, minor) = words.nth(2)?.split_once(':')?;
        let target = unescaped(words.nth(1)?).into_owned();
        let fstype = words.skip_while(|it| *it != "-").nth(1)?.to_owned();
        Some(Self { device: libc::makedev(major.parse().ok()?, minor.parse().ok()?), target, fstype })
    }
}

/// `procfs::process::MountInfos` does not serve: one path that is not UTF-8 costs all mounts, and a source called
/// `none` is lost.
fn parse(text: &str, place: &str, wanted: &Wanted) -> Feature {
    let mut feature = Feature::instances(Vec::new());
    for (index, line) in text.lines().enumerate() {
        match mount(line, wanted) {
            Some(mount) => feature.instances.get_or_insert_default().push(mount),
            None => {
                let reason = || format!("line {} is no mount as proc(5) describes it", index + 1);
                feature.incomplete.get_or_insert_with(|| Unknown::new(place, reason()));
            }
        }
    }
    feature
}

/// `36 35 98:0 / /mnt/data rw,noatime master:1 - ext4 /dev/sda1 rw`: any number of words may stand before the dash.
fn mount(line: &str, wanted: &Wanted) -> Option<Instance> {
    // Not by white space: a source may be empty.
    let mut words = line.split(' ');
    let target = words.nth(4)?;
    let mut words = words.skip_while(|it| *it != "-").skip(1);
    let parts = [("target", target), ("fstype", words.next()?), ("source", words.next()?)];
    let wanted = parts.into_iter().filter(|(name, _)| wanted.has(name));
    let attributes = wanted.map(|(name, text)| (name.to_owned(), unescaped(text).into_owned())).collect();
    Some(Instance { attributes, read: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const LINES: &str = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                         23 22 0:21 / /sys/fs/bpf rw - bpf none rw,mode=700\n";

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn check_line(line: &str, expected: &str) {
        let host = FakeHost::new().file("/proc/1/mountinfo", line);
        check(host, &format!("known (/proc/1/mountinfo): {expected}"));
    }

    #[test]
    fn mounts_are_reported_with_target_type_and_source() {
        let root = "[?: fstype=ext4 source=/dev/sda1 target=/]";
        let bpf = "[?: fstype=bpf source=none target=/sys/fs/bpf]";
        check_line(LINES, &format!("{root} {bpf}"));
        let host = FakeHost::new().file("/proc/1/mountinfo", LINES);
        let some = told_of(&host, FEATURE.name, wanted(&["target"]));
        assert_eq!(some, "known (/proc/1/mountinfo): [?: target=/] [?: target=/sys/fs/bpf]");
    }

    #[test]
    fn the_words_before_the_dash_may_be_none_or_many() {
        let mount = "[?: fstype=tmpfs source= target=/t]";
        check_line("1 2 0:3 / /t rw - tmpfs  rw\n", mount);
        check_line("1 2 0:3 / /t rw shared:1 master:2 new:3 - tmpfs  rw\n", mount);
    }

    #[test]
    fn escapes_are_undone_each_once() {
        let check_target = |escaped: &str, expected: &str| {
            let line = format!("1 2 0:3 / {escaped} rw - tmpfs t rw\n");
            check_line(&line, &format!("[?: fstype=tmpfs source=t target={expected}]"));
        };
        check_target(r"/a\040b\011c\012d\043e", "/a b\tc\nd#e");
        check_target(r"/a\134040b", r"/a\040b");
        check_target(r"/\040", "/ ");
        check_target(r"/a\", r"/a\");
        check_target(r"/a\04", r"/a\04");
        check_target(r"/a\048", r"/a\048");
        check_target(r"/a\+40", r"/a\+40");
        check_target(r"/a\377", r"/a\377");
        check_target(r"/a\é\é", r"/a\é\é");
    }

    #[test]
    fn where_the_first_process_is_hidden_our_own_view_counts() {
        let host = FakeHost::new().file("/proc/self/mountinfo", LINES).file("/proc/version", "Linux");
        let some = told_of(&host, FEATURE.name, wanted(&["fstype"]));
        assert_eq!(some, "known (/proc/self/mountinfo): [?: fstype=ext4] [?: fstype=bpf]");
        let neither = FakeHost::new().file("/proc/version", "Linux");
        check(neither, "unknown: /proc/1/mountinfo: is not there, and nor is /proc/self/mountinfo");
    }

    #[test]
    fn a_host_with_nothing_mounted_has_no_mounts() {
        check_line("", "");
    }

    #[test]
    fn mounts_that_cannot_be_read_are_unknown() {
        let host = FakeHost::new().unreadable("/proc/1/mountinfo").file("/proc/self/mountinfo", LINES);
        check(host, "unknown: /proc/1/mountinfo: is a loop of symbolic links");
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /proc/1/mountinfo: {nothing}"));
    }

    #[test]
    fn a_line_that_is_no_mount_costs_no_other() {
        for line in ["", "x", "1 2 0:3 / /t rw", "1 2 0:3 / /t rw -", "1 2 0:3 / /t rw - tmpfs"] {
            let reason = "line 2 is no mount as proc(5) describes it";
            let more = format!("and maybe more: /proc/1/mountinfo: {reason}");
            let good = "[?: fstype=tmpfs source=t target=/t]";
            let lines = format!("1 2 0:3 / /t rw - tmpfs t rw\n{line}\n{line}\n");
            check_line(&lines, &format!("{good} {more}"));
        }
    }
}
