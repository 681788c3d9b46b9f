//! `kernel.bpf`: the kernel's support for BPF programs. Loads no program.

use super::{one_by_one, sysctl};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.bpf",
    kinds: &[ElementKind::Attributes],
    meaning: "btf: true if the kernel describes its own types; unprivileged_disabled: 0 if users may load programs, 1 or 2 if \
        not; jit: 1 or 2 if programs are compiled; 0 if not, or if the kernel has no compiler",
    read: "/sys/kernel/btf/vmlinux, /proc/sys/kernel/unprivileged_bpf_disabled and /proc/sys/net/core/bpf_jit_enable",
    nfd: false,
    elements: Some(&ELEMENTS),
    absent: "unprivileged_disabled: the kernel has no bpf(2), or one older than Linux 4.4",
    since: "btf Linux 5.4, unprivileged_disabled Linux 4.4, jit Linux 3.0",
    example: "feature: kernel.bpf\n  matchExpressions:\n    btf: {op: IsTrue}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const ELEMENTS: [&str; 3] = ["btf", "jit", "unprivileged_disabled"];
const READ: &str = "/sys/kernel/btf and /proc/sys";
/// `Documentation/bpf/btf.rst`: there if built with `CONFIG_DEBUG_INFO_BTF`.
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// There on every host with sysfs (`kernel_kobj`).
const FOLDER: &str = "/sys/kernel";
/// `Documentation/admin-guide/sysctl/kernel.rst`: there if built with `CONFIG_BPF_SYSCALL`.
const UNPRIVILEGED: &str = "/proc/sys/kernel/unprivileged_bpf_disabled";
/// `Documentation/admin-guide/sysctl/net.rst`: there if built with `CONFIG_BPF_JIT`, in the first network namespace.
const JIT: &str = "/proc/sys/net/core/bpf_jit_enable";

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    one_by_one::attributes(READ, ELEMENTS.into_iter().filter(|it| wanted.has(it)), |name| match name {
        "btf" => btf(probing).map(|it| Some(it.to_string())),
        "jit" => jit(probing).map(Some),
        _ => sysctl::setting(probing, UNPRIVILEGED)?.map(|it| number(UNPRIVILEGED, it)).transpose(),
    })
}

fn btf(probing: &Probing<'_>) -> Result<bool, Unknown> {
    match probing.exists(BTF)? {
        false if !probing.exists(FOLDER)? => {
            Err(Unknown::new(FOLDER, "is not there, as it is on every host"))
        }
        exists => Ok(exists),
    }
}

fn jit(probing: &Probing<'_>) -> Result<String, Unknown> {
    match sysctl::setting(probing, JIT)? {
        Some(text) => number(JIT, text),
        None => sysctl::host_network(probing).map(|()| "0".to_owned()),
    }
}

/// All three settings are 0, 1 or 2.
pub(super) fn number(path: &str, text: String) -> Result<String, Unknown> {
    match text.as_str() {
        "0" | "1" | "2" => Ok(text),
        _ => Err(Unknown::new(path, format!("holds {text:.20?}, expected 0, 1 or 2"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn host() -> FakeHost {
        FakeHost::new().file(OSRELEASE, "6.1.0\n").folder("/sys/bus").folder(FOLDER)
    }

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn settings_are_given_as_they_are() {
        let host = host().file(BTF, "\u{1}").file(UNPRIVILEGED, "2\n").file(JIT, "1\n");
        check(host, r#"known (/sys/kernel/btf and /proc/sys): btf="true" jit="1" unprivileged_disabled="2""#);
    }

    #[test]
    fn what_the_kernel_was_built_without_is_off_or_absent() {
        let host = host().file("/proc/sys/net/core/netdev_max_backlog", "1000\n");
        check(host, r#"known (/sys/kernel/btf and /proc/sys): btf="false" jit="0""#);
    }

    #[test]
    fn another_network_namespace_does_not_tell_of_the_compiler() {
        let told = told_of(&host(), FEATURE.name, wanted(&["jit"]));
        let doubt = "is not that of the host's network namespace, and shows less";
        assert_eq!(told, format!("unknown: /proc/sys/net: {doubt}"));
    }

    #[test]
    fn what_cannot_be_read_or_makes_no_sense_is_unknown() {
        let check = |host: FakeHost, name, reason: &str| {
            assert_eq!(told_of(&host, FEATURE.name, wanted(&[name])), format!("unknown: {reason}"));
        };
        let loops = "is a loop of symbolic links";
        check(host().unreadable(BTF), "btf", &format!("{BTF}: {loops}"));
        check(host().unreadable(UNPRIVILEGED), "unprivileged_disabled", &format!("{UNPRIVILEGED}: {loops}"));
        check(host().file(JIT, "on\n"), "jit", &format!("{JIT}: holds \"on\", expected 0, 1 or 2"));
        let bare = FakeHost::new().folder("/sys/bus");
        check(bare, "btf", "/sys/kernel: is not there, as it is on every host");
    }
}
