//! `kernel.security`: the current state of the kernel's security mechanisms. Each is read by itself.

use super::{lsm, one_by_one, selinux, sysctl};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};
use crate::words::version::Version;

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.security",
    kinds: &[ElementKind::Attributes],
    meaning: "selinux: enforcing, permissive or disabled; lockdown: none, integrity or confidentiality; true or false: \
              apparmor, fips (cryptography restricted to FIPS 140) and seccomp (filters)",
    read: "/sys/fs/selinux/enforce, /sys/module/apparmor/parameters/enabled, /sys/kernel/security/lockdown, \
           /proc/sys/crypto/fips_enabled and /proc/sys/kernel/seccomp",
    nfd: false,
    elements: Some(&ELEMENTS),
    absent: "never absent: a part that the kernel was built without is disabled, none or false",
    since: "lockdown Linux 5.4, seccomp Linux 4.14",
    example: "feature: kernel.security\n  matchExpressions:\n    selinux: {op: In, value: [permissive, disabled]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const ELEMENTS: [&str; 5] = ["apparmor", "fips", "lockdown", "seccomp", "selinux"];
const READ: &str = "/sys and /proc/sys";
/// Where parameters of built-in code show; AppArmor cannot be a module.
const MODULES: &str = "/sys/module";
const APPARMOR: &str = "/sys/module/apparmor/parameters/enabled";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
const FIPS: &str = "/proc/sys/crypto/fips_enabled";
/// There if the kernel has seccomp filters (`CONFIG_SECCOMP_FILTER`, `Documentation/userspace-api/seccomp_filter.rst`).
const SECCOMP: &str = "/proc/sys/kernel/seccomp/actions_avail";

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    one_by_one::attributes(READ, ELEMENTS.into_iter().filter(|it| wanted.has(it)), |name| {
        let value = match name {
            "apparmor" => apparmor(probing)?.to_string(),
            "fips" => fips(probing)?.to_string(),
            "lockdown" => lockdown(probing)?,
            "seccomp" => seccomp(probing)?.to_string(),
            _ => selinux(probing)?.to_owned(),
        };
        Ok(Some(value))
    })
}

fn selinux(probing: &Probing<'_>) -> Result<&'static str, Unknown> {
    Ok(match selinux::enforces(probing)? {
        Some(true) => "enforcing",
        Some(false) => "permissive",
        None => "disabled",
    })
}

fn apparmor(probing: &Probing<'_>) -> Result<bool, Unknown> {
    match probing.text(APPARMOR)? {
        Some(text) => switch(APPARMOR, text.trim_end(), ["N", "Y"]),
        None if probing.exists(MODULES)? => Ok(false),
        None => Err(Unknown::new(MODULES, "is not there, as it is on every host")),
    }
}

/// `Documentation/admin-guide/sysctl/crypto.rst`; there only if built with `CONFIG_CRYPTO_FIPS`.
fn fips(probing: &Probing<'_>) -> Result<bool, Unknown> {
    match sysctl::setting(probing, FIPS)? {
        Some(text) => switch(FIPS, &text, ["0", "1"]),
        None => Ok(false),
    }
}

fn switch(path: &str, text: &str, [off, on]: [&str; 2]) -> Result<bool, Unknown> {
    match text {
        _ if text == on => Ok(true),
        _ if text == off => Ok(false),
        _ => Err(Unknown::new(path, format!("holds {text:.20?}, expected {off} or {on}"))),
    }
}

/// kernel_lockdown(7). Without the file nothing is locked down if the security module is not among those active; some
/// distributions' kernels before 5.4 had another implementation, which shows in neither.
fn lockdown(probing: &Probing<'_>) -> Result<String, Unknown> {
    if let Some(text) = probing.text(LOCKDOWN)? {
        let unmarked =
            || Unknown::new(LOCKDOWN, "marks none of its levels, as in [none] integrity confidentiality");
        return marked(&text).map(str::to_owned).ok_or_else(unmarked);
    }
    match lsm::active(probing)?.contains("lockdown") {
        false if is_at_least(probing, "5.4")? => Ok("none".to_owned()),
        _ => Err(Unknown::new(LOCKDOWN, "is not there, but that does not say that nothing is locked down")),
    }
}

/// The word in brackets.
fn marked(text: &str) -> Option<&str> {
    text.split_ascii_whitespace().find_map(|it| it.strip_prefix('[')?.strip_suffix(']'))
}

fn seccomp(probing: &Probing<'_>) -> Result<bool, Unknown> {
    match sysctl::setting(probing, SECCOMP)? {
        Some(_) => Ok(true),
        None if is_at_least(probing, "4.14")? => Ok(false),
        None => Err(Unknown::new(SECCOMP, "is not there, nor would it be before Linux 4.14")),
    }
}

fn is_at_least(probing: &Probing<'_>, version: &str) -> Result<bool, Unknown> {
    let release = probing.release().map_err(Unknown::clone)?;
    Ok(Version::parse(version) <= Version::parse(release))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const LSM: &str = "/sys/kernel/security/lsm";

    fn host() -> FakeHost {
        FakeHost::new()
            .file(OSRELEASE, "6.1.0-13-amd64\n")
            .folder("/sys/bus")
            .folder("/sys/fs")
            .folder(MODULES)
    }

    fn check(host: FakeHost, name: &str, value: &str) {
        let expected = format!("known (/sys and /proc/sys): {name}={value:?}");
        assert_eq!(told_of(&host, FEATURE.name, wanted(&[name])), expected);
    }

    fn check_unknown(host: FakeHost, name: &str, reason: &str) {
        assert_eq!(told_of(&host, FEATURE.name, wanted(&[name])), format!("unknown: {reason}"));
    }

    #[test]
    fn each_mechanism_has_its_state() {
        check(host().file("/sys/fs/selinux/enforce", "1"), "selinux", "enforcing");
        check(host().file("/sys/fs/selinux/enforce", "0"), "selinux", "permissive");
        check(host().file(APPARMOR, "Y\n"), "apparmor", "true");
        check(host().file(APPARMOR, "N\n"), "apparmor", "false");
        check(host().file(FIPS, "1\n"), "fips", "true");
        check(host().file(FIPS, "0\n"), "fips", "false");
        check(host().file(LOCKDOWN, "none [integrity] confidentiality\n"), "lockdown", "integrity");
        check(host().file(LOCKDOWN, "[none] integrity\n"), "lockdown", "none");
        check(host().file(SECCOMP, "kill_process allow\n"), "seccomp", "true");
    }

    #[test]
    fn what_the_kernel_was_built_without_is_off() {
        check(host(), "selinux", "disabled");
        check(host(), "apparmor", "false");
        check(host(), "fips", "false");
        check(host(), "seccomp", "false");
        check(host().file(LSM, "capability,yama"), "lockdown", "none");
    }

    #[test]
    fn lockdown_is_known_only_where_it_would_show() {
        let reason = "is not there: the kernel was built without securityfs";
        check_unknown(host(), "lockdown", &format!("{LSM}: {reason}"));
        let silent = format!("{LOCKDOWN}: is not there, but that does not say that nothing is locked down");
        check_unknown(host().file(LSM, "capability,lockdown"), "lockdown", &silent);
        check_unknown(host().file(LSM, "capability").file(OSRELEASE, "4.15.0\n"), "lockdown", &silent);
    }

    #[test]
    fn an_old_kernel_does_not_tell_of_its_seccomp_filters() {
        let reason = "is not there, nor would it be before Linux 4.14";
        check_unknown(host().file(OSRELEASE, "3.10.0\n"), "seccomp", &format!("{SECCOMP}: {reason}"));
    }

    #[test]
    fn what_makes_no_sense_is_unknown() {
        let said = format!("{APPARMOR}: holds \"maybe\", expected N or Y");
        check_unknown(host().file(APPARMOR, "maybe\n"), "apparmor", &said);
        check_unknown(host().file(FIPS, "\n"), "fips", &format!("{FIPS}: holds \"\", expected 0 or 1"));
        let said = format!("{LOCKDOWN}: marks none of its levels, as in [none] integrity confidentiality");
        check_unknown(host().file(LOCKDOWN, "none\n"), "lockdown", &said);
    }

    #[test]
    fn what_is_hidden_is_unknown_and_costs_nothing_else() {
        let hidden = "/sys/fs/selinux/enforce: is not there, and nor is the rest of its file system";
        check_unknown(FakeHost::new(), "selinux", hidden);
        let bare = FakeHost::new().folder("/sys/bus");
        check_unknown(bare, "apparmor", "/sys/module: is not there, as it is on every host");
        check_unknown(host().unreadable(FIPS), "fips", &format!("{FIPS}: is a loop of symbolic links"));
        let lsm = format!("{LSM}: is not there: the kernel was built without securityfs");
        let expected = format!(
            "known (/sys and /proc/sys): apparmor=\"false\" fips=\"false\" seccomp=\"false\" selinux=\"disabled\" \
             and maybe more: {lsm}"
        );
        assert_eq!(told(&host(), FEATURE.name), expected);
    }
}
