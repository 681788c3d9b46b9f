//! `cpu.security`: protection of guests and enclaves from their host. Starts neither.

use super::{gathered, instruction};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.security",
    kinds: &[ElementKind::Attributes],
    meaning: "which protections of guests and enclaves are enabled: Intel's SGX and TDX, AMD's SEV, IBM's Secure Execution; \
        `sgx.epc` is in bytes, and numbers of keys or ids are totals",
    read: "the CPUID instruction, /sys/module/kvm_{intel,amd}/parameters, /sys/fs/cgroup/misc.capacity and \
           /sys/firmware/uv/prot_virt_host",
    nfd: true,
    elements: Some(&[
        "se.enabled",
        "sev.asids",
        "sev.enabled",
        "sev.encrypted_state_ids",
        "sev.es.enabled",
        "sev.snp.enabled",
        "sgx.enabled",
        "sgx.epc",
        "tdx.enabled",
        "tdx.protected",
        "tdx.total_keys",
    ]),
    absent: "not enabled, or not on this processor; nothing is ever false",
    since: "sev Linux 4.16, sev.es 5.11, sev.snp 6.11, tdx 6.16; numbers of keys and ids 5.13",
    example: "feature: cpu.security\n  matchExpressions:\n    sev.snp.enabled: {op: IsTrue}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const SOURCE: &str = "CPUID, /sys/module and /sys/fs/cgroup";

/// Module parameters: whether KVM starts such guests (`arch/x86/kvm/vmx/tdx.c`, `arch/x86/kvm/svm/sev.c`).
const TDX: &str = "/sys/module/kvm_intel/parameters/tdx";
const SEV: &str = "/sys/module/kvm_amd/parameters/sev";
const SEV_ES: &str = "/sys/module/kvm_amd/parameters/sev_es";
const SEV_SNP: &str = "/sys/module/kvm_amd/parameters/sev_snp";
/// Whether this is a host for protected guests (`arch/s390/kernel/uv.c`).
const SECURE_EXECUTION: &str = "/sys/firmware/uv/prot_virt_host";
/// How much there is of what the misc controller shares out, with cgroup v2 and v1 (`Documentation/admin-guide/cgroup-v2.rst`).
const CAPACITY: [&str; 2] = ["/sys/fs/cgroup/misc.capacity", "/sys/fs/cgroup/misc/misc.capacity"];

/// A way to an attribute's value.
type SecurityReader = fn(&Probing<'_>) -> Result<Option<String>, Unknown>;

static ATTRIBUTES: [(&str, SecurityReader); 11] = [
    ("se.enabled", |it| is_enabled(it, SECURE_EXECUTION, |text| text == "1\n").map(truth)),
    ("sev.asids", |it| number(it, is_enabled(it, SEV, is_yes)?, "sev")),
    ("sev.enabled", |it| is_enabled(it, SEV, is_yes).map(truth)),
    ("sev.encrypted_state_ids", |it| number(it, is_enabled(it, SEV_ES, is_yes)?, "sev_es")),
    ("sev.es.enabled", |it| is_enabled(it, SEV_ES, is_yes).map(truth)),
    ("sev.snp.enabled", |it| is_enabled(it, SEV_SNP, is_yes).map(truth)),
    ("sgx.enabled", |it| Ok(truth(instruction::sgx_epc(it.root)? > 0))),
    ("sgx.epc", |it| Ok(Some(instruction::sgx_epc(it.root)?).filter(|it| *it > 0).map(|it| it.to_string()))),
    ("tdx.enabled", |it| is_enabled(it, TDX, |text| text == "Y\n").map(truth)),
    ("tdx.protected", |it| instruction::is_tdx_guest(it.root).map(truth)),
    ("tdx.total_keys", |it| number(it, is_enabled(it, TDX, |text| text == "Y\n")?, "tdx")),
];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let looks = ATTRIBUTES.iter().filter(|(name, _)| wanted.has(name));
    let elements = looks.map(|(name, look)| look(probing).map(|it| it.map(|it| (*name, it))));
    Fact::Known(gathered(elements), SOURCE.to_owned())
}

/// NFD has no word for what is not enabled.
fn truth(is_enabled: bool) -> Option<String> {
    is_enabled.then(|| true.to_string())
}

/// As the kernel writes a bool, and wrote it while the parameter was a number.
fn is_yes(text: &str) -> bool {
    text.starts_with(['Y', '1'])
}

/// A module that is not loaded enables nothing.
fn is_enabled(probing: &Probing<'_>, path: &str, says: fn(&str) -> bool) -> Result<bool, Unknown> {
    Ok(probing.text(path)?.is_some_and(|it| says(&it)))
}

/// How many keys or ids there are in all; none if they are not enabled, or the controller knows no such resource.
fn number(probing: &Probing<'_>, is_enabled: bool, resource: &str) -> Result<Option<String>, Unknown> {
    if !is_enabled {
        return Ok(None);
    }
    for path in CAPACITY {
        if let Some(text) = probing.text(path)? {
            let count = capacity(&text, resource).map_err(|reason| Unknown::new(path, reason))?;
            return Ok(count.map(|it| it.to_string()));
        }
    }
    let [path, _] = CAPACITY;
    Err(Unknown::new(path, "is not there: this kernel does not count them, or this is not its root cgroup"))
}

/// The line `RESOURCE NUMBER`. NFD takes the first one that *begins* with the name, and so `sev_es` for `sev` where all
/// ids are for the former.
fn capacity(text: &str, resource: &str) -> Result<Option<u64>, String> {
    let mut lines = text.lines().map(|it| it.split_once(' ').unwrap_or((it, "")));
    let Some((_, count)) = lines.find(|(name, _)| *name == resource) else { return Ok(None) };
    let malformed = |_| format!("holds {count:?} for {resource}, not a number such as \"509\"");
    count.trim().parse().map(Some).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told_of, wanted};
    use crate::testing::FakeHost;

    const FILES: [&str; 8] = [
        "se.enabled",
        "sev.asids",
        "sev.enabled",
        "sev.encrypted_state_ids",
        "sev.es.enabled",
        "sev.snp.enabled",
        "tdx.enabled",
        "tdx.total_keys",
    ];

    /// What files say.
    fn check(host: &FakeHost, expected: &str) {
        check_of(host, &FILES, expected);
    }

    fn check_of(host: &FakeHost, names: &[&str], expected: &str) {
        let expected = format!("known (CPUID, /sys/module and /sys/fs/cgroup): {expected}");
        assert_eq!(told_of(host, FEATURE.name, wanted(names)), expected);
    }

    fn host() -> FakeHost {
        FakeHost::new().folder("/sys/bus")
    }

    #[test]
    fn sev_is_enabled_as_the_parameters_say() {
        let all = |yes| host().file(SEV, yes).file(SEV_ES, yes).file(SEV_SNP, yes);
        let capacity = "sev 494\nsev_es 15\n";
        let expected = r#"sev.asids="494" sev.enabled="true" sev.encrypted_state_ids="15" sev.es.enabled="true" sev.snp.enabled="true""#;
        for path in CAPACITY {
            check(&all("Y\n").file(path, capacity), expected);
            check(&all("1\n").file(path, capacity), expected);
            check(&all("N\n").file(path, capacity), "");
            check(&all("0\n").file(path, capacity), "");
            check(&all("y\n").file(path, capacity), "");
        }
    }

    #[test]
    fn tdx_is_enabled_by_a_capital_y() {
        let capacity = |host: FakeHost| host.file(CAPACITY[0], "tdx 63\n");
        check(&capacity(host().file(TDX, "Y\n")), r#"tdx.enabled="true" tdx.total_keys="63""#);
        for text in ["Y", "1\n", "N\n", ""] {
            check(&capacity(host().file(TDX, text)), "");
        }
    }

    #[test]
    fn secure_execution_is_enabled_by_a_one() {
        check(&host().file(SECURE_EXECUTION, "1\n"), r#"se.enabled="true""#);
        check(&host().file(SECURE_EXECUTION, "0\n"), "");
        check(&host().file(SECURE_EXECUTION, "1"), "");
    }

    #[test]
    fn a_host_without_any_has_none() {
        check(&host(), "");
        check(&host().file(CAPACITY[0], "sev 494\ntdx 63\n"), "");
    }

    #[test]
    fn a_resource_is_known_by_its_whole_name() {
        let sev = |capacity| host().file(SEV, "Y\n").file(CAPACITY[0], capacity);
        check(&sev("sev_es 509\n"), r#"sev.enabled="true""#);
        check(&sev("sev_es 15\nsev 494\n"), r#"sev.asids="494" sev.enabled="true""#);
        check(&sev("sev 0\n"), r#"sev.asids="0" sev.enabled="true""#);
        check(&sev(""), r#"sev.enabled="true""#);
    }

    #[test]
    fn a_number_that_is_not_reported_is_unknown() {
        let nowhere = "is not there: this kernel does not count them, or this is not its root cgroup";
        let sev = || host().file(SEV, "Y\n");
        let more = |reason: &str| format!(r#"sev.enabled="true" and maybe more: {}: {reason}"#, CAPACITY[0]);
        check(&sev(), &more(nowhere));
        check(&sev().unreadable(CAPACITY[0]), &more("is a loop of symbolic links"));
        for (text, shown) in [("sev max\n", "max"), ("sev\n", ""), ("sev -1\n", "-1")] {
            let reason = format!("holds {shown:?} for sev, not a number such as \"509\"");
            check(&sev().file(CAPACITY[0], text), &more(&reason));
        }
        check_of(&sev(), &["sev.enabled"], r#"sev.enabled="true""#);
    }

    #[test]
    fn a_parameter_that_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("and maybe more: {SECURE_EXECUTION}: {nothing}"));
        let hidden = host().file(SEV_ES, "N\n").unreadable(SEV_SNP);
        check(&hidden, &format!("and maybe more: {SEV_SNP}: is a loop of symbolic links"));
    }

    #[test]
    fn under_another_root_what_only_the_processor_reports_is_unknown() {
        let reason = "can only be read on the machine itself, not from a tree of its files";
        for name in ["sgx.enabled", "sgx.epc", "tdx.protected"] {
            check_of(&host(), &[name], &format!("and maybe more: CPUID: {reason}"));
        }
    }
}
