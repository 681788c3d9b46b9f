//! Whose settings `/proc` shows: those of the reader's namespaces, wherever it is mounted. Enters no namespace.

use super::Root;

/// A kind of namespace (namespaces(7)) that some of `/proc/sys` belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespace {
    Ipc,
    Net,
    Pid,
    User,
    Uts,
}

/// The kinds whose link shows whether they are the first of the machine, and the number of that one
/// (`include/linux/proc_ns.h`, since Linux 3.8).
const FIRST: [(Namespace, &str); 4] = [
    (Namespace::Ipc, "ipc:[4026531839]"),
    (Namespace::Pid, "pid:[4026531836]"),
    (Namespace::User, "user:[4026531837]"),
    (Namespace::Uts, "uts:[4026531838]"),
];
/// Registered in the first network namespace alone (`net_core_table` in `net/core/sysctl_net_core.c`): in another one
/// many settings below `net` are missing, although the kernel has them.
pub(super) const HOST_NETWORK: &str = "/proc/sys/net/core/netdev_max_backlog";

impl Namespace {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ipc => "ipc",
            Self::Net => "net",
            Self::Pid => "pid",
            Self::User => "user",
            Self::Uts => "uts",
        }
    }

    /// What a setting belongs to, given by its path below `/proc/sys`; none if the whole machine has but one of it.
    pub(super) fn of_setting(path: &str) -> Option<Self> {
        let (folder, name) = path.split_once('/')?;
        let starts = |starts: &[&str]| starts.iter().any(|it| name.starts_with(it));
        match folder {
            "net" => Some(Self::Net),
            "user" => Some(Self::User),
            "kernel" if matches!(name, "hostname" | "domainname") => Some(Self::Uts),
            // The first since Linux 6.14.
            "kernel" if matches!(name, "pid_max" | "ns_last_pid") => Some(Self::Pid),
            "kernel" if starts(&["auto_msgmni", "msg", "sem", "shm"]) => Some(Self::Ipc),
            "fs" if starts(&["mqueue/"]) => Some(Self::Ipc),
            _ => None,
        }
    }
}

/// The kinds of namespaces for which `/proc` does not show the host's. With the root `/`, the host is this system; with a root
/// of this very machine, such as `/host` in a container, it is the machine itself; files of another machine count as they are.
pub(super) fn foreign(root: &Root) -> Vec<Namespace> {
    if root.is_live() || !root.is_this_machine() {
        return Vec::new();
    }
    let own = Root::live();
    let is_first =
        |link: &str| own.link_target(&format!("/proc/self/ns/{}", kind(link))) == Ok(link.to_owned());
    let network = (root.exists(HOST_NETWORK) != Ok(true)).then_some(Namespace::Net);
    FIRST.iter().filter(|(_, link)| !is_first(link)).map(|(it, _)| *it).chain(network).collect()
}

/// Whether this process is in the machine's first namespace of a kind; not, where nothing tells that.
pub(super) fn is_first(namespace: Namespace) -> bool {
    let link = FIRST.iter().find(|(it, _)| *it == namespace).map(|(_, link)| *link);
    let is_ours = |link: &str| {
        Root::live().link_target(&format!("/proc/self/ns/{}", kind(link))) == Ok(link.to_owned())
    };
    link.is_some_and(is_ours)
}

fn kind(link: &str) -> &str {
    link.split_once(':').map_or(link, |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn settings_belong_to_a_namespace_or_to_the_machine() {
        let check = |path, expected| assert_eq!(Namespace::of_setting(path), expected, "{path}");
        check("net/ipv4/ip_forward", Some(Namespace::Net));
        check("user/max_user_namespaces", Some(Namespace::User));
        check("kernel/hostname", Some(Namespace::Uts));
        check("kernel/pid_max", Some(Namespace::Pid));
        check("kernel/shmmax", Some(Namespace::Ipc));
        check("kernel/sem", Some(Namespace::Ipc));
        check("fs/mqueue/msg_max", Some(Namespace::Ipc));
        for path in ["vm/max_map_count", "kernel/threads-max", "fs/file-max", "netx/a", "net", ""] {
            check(path, None);
        }
    }

    #[test]
    fn the_names_are_those_of_the_links() {
        for (namespace, link) in FIRST {
            assert_eq!(namespace.name(), kind(link));
        }
    }

    #[test]
    fn of_the_machine_itself_and_of_another_one_nothing_is_foreign() {
        assert_eq!(foreign(&Root::live()), []);
        assert_eq!(foreign(&FakeHost::new().root()), []);
    }
}
