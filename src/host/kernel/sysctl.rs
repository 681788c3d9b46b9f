//! `kernel.sysctl`: settings of the running kernel. Reads below `/proc/sys` only, and only what is asked for by name.

use super::one_by_one;
use crate::host::namespace::{HOST_NETWORK, Namespace};
use crate::host::probing::OSRELEASE;
use crate::host::{ElementKind, Fact, FeatureInfo, Miss, Probing, Shown, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.sysctl",
    kinds: &[ElementKind::Attributes],
    meaning: "kernel settings by their names in sysctl(8), with `.` or `/`; parts of a value are separated by one space; if a \
        rule asks for all, only some well-known ones are read",
    read: "/proc/sys, in the network namespace of the host",
    nfd: false,
    elements: None,
    absent: "this kernel has no such setting: it is too old, or the part that has the setting is not built in or not \
             loaded",
    since: "always; each setting since its own kernel version",
    example: "feature: kernel.sysctl\n  matchExpressions:\n    vm.max_map_count: {op: Ge, value: [\"262144\"]}",
    key: None,
    sensitive: SENSITIVE,
    beyond_nfd: &[],
    probe,
};

const FOLDER: &str = "/proc/sys";
/// Identifiers of this machine and of this boot, and the secrets from which addresses are made.
const SENSITIVE: &[&str] = &[
    "kernel.random.*",
    "kernel/random/*",
    "net.ipv6.conf.*",
    "net/ipv6/conf/*",
    "net.ipv4.tcp_fastopen_key",
];
const NETWORK: &str = "/proc/sys/net";

/// Reading it makes every processor sum up its statistics (`vmstat_refresh` in `mm/vmstat.c`), which is no stranger's to
/// ask for.
const ACTS: &str = "vm/stat_refresh";
/// What requirements are known to be about. All would be thousands of files.
const WELL_KNOWN: [&str; 78] = [
    "fs.aio-max-nr",
    "fs.file-max",
    "fs.inotify.max_queued_events",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
    "fs.nr_open",
    "fs.pipe-max-size",
    "fs.suid_dumpable",
    "kernel.apparmor_restrict_unprivileged_unconfined",
    "kernel.apparmor_restrict_unprivileged_userns",
    "kernel.core_pattern",
    "kernel.dmesg_restrict",
    "kernel.io_uring_disabled",
    "kernel.io_uring_group",
    "kernel.kexec_load_disabled",
    "kernel.keys.maxbytes",
    "kernel.keys.maxkeys",
    "kernel.keys.root_maxbytes",
    "kernel.keys.root_maxkeys",
    "kernel.kptr_restrict",
    "kernel.modules_disabled",
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.numa_balancing",
    "kernel.panic_on_oops",
    "kernel.perf_event_paranoid",
    "kernel.pid_max",
    "kernel.randomize_va_space",
    "kernel.sched_rt_period_us",
    "kernel.sched_rt_runtime_us",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.threads-max",
    "kernel.unprivileged_bpf_disabled",
    "kernel.unprivileged_userns_apparmor_policy",
    "kernel.unprivileged_userns_clone",
    "kernel.yama.ptrace_scope",
    "net.bridge.bridge-nf-call-ip6tables",
    "net.bridge.bridge-nf-call-iptables",
    "net.core.default_qdisc",
    "net.core.netdev_max_backlog",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.conf.all.forwarding",
    "net.ipv4.conf.all.rp_filter",
    "net.ipv4.conf.default.rp_filter",
    "net.ipv4.ip_forward",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_nonlocal_bind",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.neigh.default.gc_thresh3",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv6.conf.all.disable_ipv6",
    "net.ipv6.conf.all.forwarding",
    "net.netfilter.nf_conntrack_max",
    "user.max_user_namespaces",
    "vm.dirty_background_ratio",
    "vm.dirty_ratio",
    "vm.hugetlb_shm_group",
    "vm.max_map_count",
    "vm.min_free_kbytes",
    "vm.nr_hugepages",
    "vm.nr_overcommit_hugepages",
    "vm.overcommit_memory",
    "vm.overcommit_ratio",
    "vm.swappiness",
    "vm.unprivileged_userfaultfd",
    "vm.zone_reclaim_mode",
];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    if let Err(unknown) = folder(probing) {
        return Fact::Unknown(unknown);
    }
    let read = |name: &str| named(probing, name);
    match wanted {
        Wanted::Names(names) => one_by_one::shown(FOLDER, names.iter().map(String::as_str), read),
        Wanted::All => {
            let mut fact = one_by_one::shown(FOLDER, WELL_KNOWN, |name| well_known(probing, name));
            if let Fact::Known(feature, _) = &mut fact {
                let reason = "has more settings, which are read only where a rule names them";
                feature.incomplete.get_or_insert_with(|| Unknown::new(FOLDER, reason));
            }
            fact
        }
    }
}

/// The setting in a file below `/proc/sys`, given by its whole path; none if this kernel does not have it.
///
/// # Errors
///
/// If it may be there and could not be read.
pub(super) fn setting(probing: &Probing<'_>, path: &str) -> Result<Option<String>, Unknown> {
    match probing.text(path)? {
        Some(text) => Ok(Some(parse(&text))),
        None => folder(probing).map(|()| None),
    }
}

/// Whether `/proc/sys/net` is that of the first network namespace; only that one has all settings of the kernel.
///
/// # Errors
///
/// If it is another one, where the absence of a setting says nothing.
pub(super) fn host_network(probing: &Probing<'_>) -> Result<(), Unknown> {
    match probing.exists(HOST_NETWORK)? {
        true => Ok(()),
        false => Err(Unknown::new(NETWORK, "is not that of the host's network namespace, and shows less")),
    }
}

/// What is not there is a setting that the kernel lacks only if `/proc/sys` itself is there: sandboxes cover it.
fn folder(probing: &Probing<'_>) -> Result<(), Unknown> {
    match probing.exists(OSRELEASE)? {
        true => Ok(()),
        false => {
            Err(Unknown::new(FOLDER, "is covered or empty: osrelease, which every kernel has, is not there"))
        }
    }
}

fn named(probing: &Probing<'_>, name: &str) -> Result<Option<(String, Shown)>, Unknown> {
    let path = slashed(name);
    if path == ACTS {
        return Err(Unknown::new(format!("{FOLDER}/{ACTS}"), "is never read: reading it does something"));
    }
    if let Some(namespace) = Namespace::of_setting(&path) {
        probing.shows_host(&format!("{FOLDER}/{path:.60}"), namespace)?;
    }
    let names: Vec<_> = path.split('/').collect();
    found(probing, &path, probing.root.read_below(FOLDER, &names))
}

/// No stranger wrote the name: it takes a third of the calls.
fn well_known(probing: &Probing<'_>, name: &str) -> Result<Option<(String, Shown)>, Unknown> {
    let path = slashed(name);
    let whole = format!("{FOLDER}/{path}");
    if let Some(namespace) = Namespace::of_setting(&path) {
        probing.shows_host(&whole, namespace)?;
    }
    found(probing, &path, probing.root.read_shown(&whole))
}

fn found(
    probing: &Probing<'_>,
    path: &str,
    found: Result<(String, Shown), Miss>,
) -> Result<Option<(String, Shown)>, Unknown> {
    match found {
        Ok((text, shown)) => Ok(Some((parse(&text), shown))),
        Err(Miss::Unreadable(unknown)) => Err(unknown),
        Err(Miss::NotFound) if path.starts_with("net/") => host_network(probing).map(|()| None),
        Err(Miss::NotFound) => Ok(None),
    }
}

/// sysctl.d(5), "Configuration format": if the first separator is a dot, dots and slashes are interchanged, so that
/// `net.ipv4.conf.eth0/100.forwarding` is about the device `eth0.100`.
fn slashed(name: &str) -> String {
    let swap = |it| match it {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    match name.find(['.', '/']).and_then(|it| name.get(it..)) {
        Some(rest) if rest.starts_with('.') => name.chars().map(swap).collect(),
        Some(_) | None => name.to_owned(),
    }
}

/// The kernel ends lines and separates the parts of a value by tabs (`proc_put_char` in `kernel/sysctl.c`); people write
/// spaces, as they may when they set it.
fn parse(text: &str) -> String {
    text.trim_end().replace('\t', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn host() -> FakeHost {
        FakeHost::new()
            .file(OSRELEASE, "6.1.0\n")
            .file("/proc/sys/vm/max_map_count", "65530\n")
            .file("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n")
            .file("/proc/sys/net/ipv4/conf/eth0.100/forwarding", "1\n")
            .file("/proc/cmdline", "secret")
    }

    fn check(host: FakeHost, names: &[&str], expected: &str) {
        assert_eq!(told_of(&host, FEATURE.name, wanted(names)), expected, "{names:.40?}");
    }

    #[test]
    fn settings_are_found_by_both_kinds_of_names_and_called_as_they_were_asked_for() {
        check(host(), &["vm.max_map_count"], r#"known (/proc/sys): vm.max_map_count="65530""#);
        check(host(), &["vm/max_map_count"], r#"known (/proc/sys): vm/max_map_count="65530""#);
        let dotted = "net.ipv4.conf.eth0/100.forwarding";
        check(host(), &[dotted], &format!("known (/proc/sys): {dotted}=\"1\""));
        let slashed = "net/ipv4/conf/eth0.100/forwarding";
        check(host(), &[slashed], &format!("known (/proc/sys): {slashed}=\"1\""));
    }

    #[test]
    fn the_parts_of_a_value_are_separated_by_a_space() {
        let expected = r#"known (/proc/sys): net.ipv4.tcp_rmem="4096 131072 6291456""#;
        check(host(), &["net.ipv4.tcp_rmem"], expected);
        check(
            host().file("/proc/sys/kernel/empty", "\n"),
            &["kernel.empty"],
            "known (/proc/sys): kernel.empty=\"\"",
        );
    }

    #[test]
    fn what_the_kernel_lacks_is_absent() {
        check(host(), &["kernel.io_uring_disabled", "vm", "max_map_count"], "known (/proc/sys): ");
        let host = host().file(HOST_NETWORK, "1000\n");
        check(host, &["net.core.bpf_jit_enable"], "known (/proc/sys): ");
    }

    #[test]
    fn another_network_namespace_does_not_tell_what_the_kernel_lacks() {
        let doubt = "/proc/sys/net: is not that of the host's network namespace, and shows less";
        let expected = format!("known (/proc/sys): vm.max_map_count=\"65530\" and maybe more: {doubt}");
        check(host(), &["net.core.bpf_jit_enable", "vm.max_map_count"], &expected);
    }

    #[test]
    fn what_shows_another_namespace_than_the_host_s_is_unknown() {
        let host = host().file("/proc/sys/kernel/pid_max", "4194304\n").file(HOST_NETWORK, "1000\n");
        let root = host.root();
        let probing = Probing::with_foreign(&root, &[Namespace::Pid, Namespace::Net]);
        let foreign = |path, kind| {
            let reason = format!("is that of the {kind} namespace that we run in, not of the host");
            Err(Unknown::new(path, reason))
        };
        assert_eq!(named(&probing, "kernel.pid_max"), foreign("/proc/sys/kernel/pid_max", "pid"));
        assert_eq!(named(&probing, "net/ipv4/tcp_rmem"), foreign("/proc/sys/net/ipv4/tcp_rmem", "net"));
        assert_eq!(named(&probing, "vm.max_map_count"), Ok(Some(("65530".to_owned(), Shown::ToAll))));
        assert_eq!(
            named(&Probing::new(&root), "kernel.pid_max"),
            Ok(Some(("4194304".to_owned(), Shown::ToAll)))
        );
    }

    #[test]
    fn a_folder_that_is_covered_says_nothing() {
        let reason = "is covered or empty: osrelease, which every kernel has, is not there";
        let covered = FakeHost::new().file("/proc/version", "Linux").folder(FOLDER);
        check(covered, &["vm.max_map_count"], &format!("unknown: /proc/sys: {reason}"));
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &["vm.swappiness"], &format!("unknown: {OSRELEASE}: {nothing}"));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let long = format!("vm.{}", "x".repeat(100_000));
        let names = [
            "../cmdline",
            "//cmdline",
            "vm//////cmdline",
            "vm/../../cmdline",
            "/proc/cmdline",
            "..",
            ".",
            "/",
            "",
            "vm/max_map_count\0",
            "vm\0.max_map_count",
            "kernel/../vm/max_map_count",
            "vm.",
            "vm./max_map_count",
            &long,
        ];
        for name in names {
            check(host(), &[name], "known (/proc/sys): ");
        }
    }

    #[test]
    fn what_only_root_may_read_is_known_and_marked() {
        use std::os::unix::fs::PermissionsExt;
        let host = host()
            .file("/proc/sys/net/ipv4/tcp_fastopen_key", "0-1-2-3\n")
            .file("/proc/sys/kernel/cad_pid", "1\n");
        for path in ["proc/sys/net/ipv4/tcp_fastopen_key", "proc/sys/kernel/cad_pid"] {
            let mode = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(host.root().path().join(path), mode).unwrap();
        }
        let secret = |names: &[&str]| {
            let demand = crate::host::FeatureDemand::from([(FEATURE.name.to_owned(), wanted(names))]);
            let facts = crate::host::gather(&host.root(), &demand);
            let Fact::Known(feature, _) = facts.get(FEATURE.name) else { panic!("{names:?}") };
            Vec::from_iter(feature.secret.clone())
        };
        let names =
            ["net/ipv4/tcp_fastopen_key", "net.ipv4.tcp_fastopen_key", "kernel.cad_pid", "vm.max_map_count"];
        assert_eq!(
            secret(&names),
            ["kernel.cad_pid", "net.ipv4.tcp_fastopen_key", "net/ipv4/tcp_fastopen_key"]
        );
        assert_eq!(secret(&["vm.max_map_count"]), [""; 0]);
    }

    #[test]
    fn links_are_not_followed() {
        let host = host().link("/proc/sys/vm/out", "/proc/cmdline").link("/proc/sys/abi", "..");
        let reason = "leads over a symbolic link, and none is followed here";
        check(host, &["vm.out"], &format!("unknown: /proc/sys/vm/out: {reason}"));
        let host = self::host().link("/proc/sys/abi", "..");
        check(host, &["abi.cmdline"], &format!("unknown: /proc/sys/abi/cmdline: {reason}"));
    }

    #[test]
    fn what_cannot_be_read_costs_nothing_else() {
        let host = host().unreadable("/proc/sys/vm/stat");
        let reason = "leads over a symbolic link, and none is followed here";
        let expected = format!(
            "known (/proc/sys): vm.max_map_count=\"65530\" and maybe more: /proc/sys/vm/stat: {reason}"
        );
        check(host, &["vm.max_map_count", "vm.stat"], &expected);
        let loops = format!("unknown: {OSRELEASE}: is a loop of symbolic links");
        check(FakeHost::new().unreadable(OSRELEASE), &["vm.max_map_count"], &loops);
    }

    #[test]
    fn what_does_something_when_it_is_read_is_not_read() {
        let host = host().file("/proc/sys/vm/stat_refresh", "1\n");
        let expected = "unknown: /proc/sys/vm/stat_refresh: is never read: reading it does something";
        check(host, &["vm.stat_refresh"], expected);
    }

    #[test]
    fn what_only_root_may_read_is_marked_where_all_settings_are_wanted() {
        use std::os::unix::fs::PermissionsExt;
        let host = host();
        let path = host.root().path().join("proc/sys/vm/max_map_count");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let demand = crate::host::FeatureDemand::from([(FEATURE.name.to_owned(), Wanted::All)]);
        let facts = crate::host::gather(&host.root(), &demand);
        let Fact::Known(feature, _) = facts.get(FEATURE.name) else { panic!("no settings") };
        assert_eq!(Vec::from_iter(&feature.secret), ["vm.max_map_count"]);
    }

    #[test]
    fn of_all_settings_only_the_well_known_ones_are_read() {
        let more =
            "and maybe more: /proc/sys: has more settings, which are read only where a rule names them";
        let host = host().file(HOST_NETWORK, "1000\n");
        let host = host.file("/proc/sys/vm/stat_interval", "1\n");
        let found = r#"net.core.netdev_max_backlog="1000" net.ipv4.tcp_rmem="4096 131072 6291456" vm.max_map_count="65530""#;
        assert_eq!(told(&host, FEATURE.name), format!("known (/proc/sys): {found} {more}"));
        assert!(WELL_KNOWN.is_sorted());
    }
}
