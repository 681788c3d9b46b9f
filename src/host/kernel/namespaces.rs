//! `kernel.namespace`: the kinds of namespaces that the kernel has. Enters none.

use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.namespace",
    kinds: &[ElementKind::Flags],
    meaning: "the kinds of namespaces that the kernel has; sysctls such as user.max_user_namespaces decide whether users may \
        create them",
    read: "/proc/self/ns",
    nfd: false,
    elements: Some(&["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]),
    absent: "not built in, or the kernel is too old: user Linux 3.8, cgroup 4.6, time 5.6",
    since: "Linux 3.0",
    example: "feature: kernel.namespace\n  matchExpressions:\n    user: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// namespaces(7): one link for each kind.
const FOLDER: &str = "/proc/self/ns";
/// The links to the namespaces that children will be in, which are no kinds of their own.
const CHILDREN: &str = "_for_children";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    known(kinds(probing).map(Feature::flags), FOLDER)
}

fn kinds(probing: &Probing<'_>) -> Result<Vec<String>, Unknown> {
    // Every kernel has the folder: if it is not there, this is not the procfs of our own pid namespace.
    let mut names = probing.root.list(FOLDER).map_err(|miss: Miss| miss.unknown(FOLDER))?;
    names.retain(|it| !it.ends_with(CHILDREN));
    match names.iter().any(|it| it == "mnt") {
        true => Ok(names),
        false => Err(Unknown::new(FOLDER, "has no mnt, which every kernel has")),
    }
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
    fn each_kind_has_a_link() {
        let host = ["cgroup", "mnt", "pid", "pid_for_children", "time_for_children"]
            .iter()
            .fold(FakeHost::new(), |host, it| host.link(&format!("/proc/7/ns/{it}"), "x:[4026531835]"));
        check(host.link("/proc/self", "7"), "known (/proc/self/ns): cgroup mnt pid");
    }

    #[test]
    fn what_cannot_be_listed_is_unknown() {
        let check = |host, reason: &str| check(host, &format!("unknown: /proc/self/ns: {reason}"));
        check(FakeHost::new(), "is not there");
        check(FakeHost::new().file("/proc/version", "Linux").link("/proc/self", "7"), "is not there");
        check(FakeHost::new().unreadable("/proc/self"), "is a loop of symbolic links");
        check(FakeHost::new().file(FOLDER, ""), "is not a folder");
        check(FakeHost::new().folder(FOLDER), "has no mnt, which every kernel has");
    }
}
