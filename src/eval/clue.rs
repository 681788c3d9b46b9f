//! Explanations and remedies for an unmet demand, from facts that no rule names. Decides nothing.

use std::collections::BTreeSet;

use crate::host::{self, Fact, Facts, Feature, FeatureDemand, Wanted};
use crate::spec::{Comparison, Condition, Property, Term, Test};
use crate::words::version::Version;

use super::{Clue, Effort, Evidence, Finding, Judgement, Manager, Outcome, lower, nvidia};

const CMDLINE: &str = "kernel.cmdline";
const CONFIG: &str = "kernel.config";
const OS: &str = "system.osrelease";
const SETTINGS: &str = "kernel.sysctl";
const DISABLED: &str = "kernel.modules_disabled";
const AUTOLOAD: &str = "device.autoload";
const RELEASE: &str = "kernel.version";
/// Modules that the kernel refuses to load for every user.
const BLACKLIST: &str = "module_blacklist";
/// Of which pages `vm.nr_hugepages` is the number.
const PAGE_SIZE: &str = "default_hugepagesz";
const IPV6: &str = "net.ipv6.";
/// The branches of NVIDIA's driver of which Ubuntu has packages `nvidia-driver-BRANCH` (packages.ubuntu.com, 22.04 to 26.04). Some
/// are empty by now, and bring a later branch. Fedora, RHEL and openSUSE have no driver in their own repositories.
const UBUNTU: [u32; 4] = [535, 550, 570, 580];
/// The branch in Debian's `nvidia-driver`, by release (<https://packages.debian.org/src:nvidia-graphics-drivers>; component `non-free`).
const DEBIAN: [(&str, u32); 3] = [("11", 470), ("12", 535), ("13", 550)];

/// What takes something away at boot: feature, element, parameter and value (`Documentation/admin-guide/kernel-parameters.txt`).
const BOOT: [(&str, &str, &str, &str); 8] = [
    ("kernel.security", "apparmor", "apparmor", "0"),
    ("kernel.lsm", "apparmor", "apparmor", "0"),
    ("kernel.security", "selinux", "selinux", "0"),
    ("kernel.lsm", "selinux", "selinux", "0"),
    ("kernel.selinux", "enabled", "selinux", "0"),
    ("iommu.groups", "count", "intel_iommu", "off"),
    ("iommu.groups", "count", "amd_iommu", "off"),
    ("iommu.groups", "count", "iommu", "off"),
];
/// Of the host's release, where the firmware of a Raspberry Pi adds `cgroup_disable=memory`, and heeds `cgroup_enable=`.
const RASPBERRY: [&str; 4] = ["rpi", "-v7", "-v8", "-2712"];

/// File systems whose module is called otherwise.
const FILE_SYSTEMS: [(&str, &str); 4] =
    [("binder", "binder_linux"), ("cifs", "cifs"), ("iso9660", "isofs"), ("nfs4", "nfsv4")];
/// Settings that are there once a module is.
const SETTINGS_OF: [(&str, &str); 4] = [
    ("net.bridge.bridge-nf-", "br_netfilter"),
    ("net.netfilter.nf_conntrack_", "nf_conntrack"),
    ("net.ipv4.vs.", "ip_vs"),
    ("dev.raid.", "md_mod"),
];

/// The kernel modules for which it helps to know whether they can be loaded.
pub fn clues(judgement: &Judgement<'_>) -> BTreeSet<String> {
    unmet(judgement).filter_map(|(_, it)| module(it)).map(str::to_owned).collect()
}

/// What has to be read to explain what is not met, beyond what the rules name.
pub fn explaining(judgement: &Judgement<'_>) -> FeatureDemand {
    let mut demand = FeatureDemand::new();
    for (term, finding) in unmet(judgement) {
        for (feature, element) in explains(term, finding) {
            let wanted = demand.entry(feature.to_owned()).or_insert_with(|| Wanted::Names(BTreeSet::new()));
            if let Wanted::Names(names) = wanted {
                names.insert(element);
            }
        }
    }
    demand
}

fn unmet<'a, 'f>(judgement: &'f Judgement<'a>) -> impl Iterator<Item = (&'a Term, &'f Finding<'a>)> {
    let terms = judgement.sets.iter().flat_map(|it| &it.rules).flat_map(|it| &it.terms);
    let findings = terms.flat_map(|term| term.findings.iter().map(|it| (term.term, it)));
    findings.filter(|(_, it)| it.outcome == Outcome::Unmet)
}

/// Features and elements.
fn explains(term: &Term, finding: &Finding<'_>) -> Vec<(&'static str, String)> {
    let mut demand = Vec::new();
    let mut add = |feature, elements: &[&str]| {
        demand.extend(elements.iter().map(|it| (feature, (*it).to_owned())));
    };
    if let Some(module) = module(finding) {
        add(SETTINGS, &[DISABLED]);
        add(OS, &["ID"]);
        add(CMDLINE, &[BLACKLIST]);
        add(RELEASE, &["full"]);
        if let Some(option) = host::option_of(&module.replace('-', "_")) {
            add(CONFIG, &[option]);
        }
    }
    match &*lower(finding.feature) {
        "kernel.module" => {
            add(CMDLINE, &[BLACKLIST]);
            add(SETTINGS, &[DISABLED]);
            add(OS, &["ID"]);
        }
        SETTINGS | "kernel.iouring" | "kernel.bpf" => {
            add(OS, &["ID"]);
            if finding.element.starts_with(IPV6) {
                add(CMDLINE, &["ipv6.disable"]);
            }
        }
        "memory.hugepages" => {
            add(OS, &["ID"]);
            add(CMDLINE, &[PAGE_SIZE]);
        }
        "kernel.security" | "kernel.lsm" | "kernel.selinux" | "iommu.groups" => {
            let parameters = BOOT.iter().filter(|(it, ..)| *it == &*lower(finding.feature));
            add(CMDLINE, &parameters.map(|(_, _, it, _)| *it).collect::<Vec<_>>());
        }
        "device.node" => {
            let paths: Vec<_> = keys(term, "path").iter().map(String::as_str).collect();
            add(AUTOLOAD, &paths);
            add(CMDLINE, &[BLACKLIST]);
            add(SETTINGS, &[DISABLED]);
            add(OS, &["ID"]);
        }
        "kernel.cgroup" => {
            add(CMDLINE, &["cgroup_disable", "cgroup_no_v1", "systemd.unified_cgroup_hierarchy"]);
            add(RELEASE, &["full"]);
        }
        nvidia::FEATURE if matches!(finding.test, Some(Test::Nvidia(_))) => add(OS, &["ID", "VERSION_ID"]),
        "kernel.program" => {
            add("system.arch", &["name"]);
            add(OS, &["ID"]);
        }
        "cpu.cpuid" => add("cpu.cpuid", &["HYPERVISOR"]),
        "cpu.flag" => add("cpu.flag", &["hypervisor"]),
        _ => {}
    }
    demand
}

/// Why a finding is unmet.
pub(super) fn clue(term: &Term, finding: &Finding<'_>, facts: &Facts) -> Option<Clue> {
    let is_missing = matches!(
        finding.evidence,
        Evidence::Flag { present: false, .. } | Evidence::Value { value: None, .. }
    );
    match (&*lower(finding.feature), &finding.evidence) {
        ("kernel.loadedmodule" | "kernel.enabledmodule", Evidence::Flag { present: false, .. }) => {
            of_module(finding.element, facts)
        }
        (SETTINGS, _)
            if is_missing && finding.element.starts_with(IPV6) && given(facts, "ipv6.disable", "1") =>
        {
            told_at_boot("ipv6.disable", "1")
        }
        ("kernel.filesystem" | SETTINGS, _) if is_missing => {
            let module = module(finding)?;
            let is_loadable = is_loadable(module, facts) == Some(true);
            loaded_by(module, facts)
                .filter(|it| is_loadable && !matches!(it, Clue::LoadedBy { manager: Manager::NoModules, .. }))
        }
        ("kernel.module", Evidence::Nearest { value: Some(state), .. })
            if finding.element == "state" && is_loadable_state(state) && accepts(finding.test, "loaded") =>
        {
            loaded_by(keys(term, "name").first()?, facts)
        }
        ("device.node", Evidence::NoInstance { .. }) if finding.element == "path" => {
            loaded_by(value(facts, AUTOLOAD, keys(term, "path").first()?)?, facts)
        }
        ("kernel.cgroup", _) => of_cgroup(finding, facts),
        ("kernel.security" | "kernel.lsm" | "kernel.selinux" | "iommu.groups", _) => of_boot(finding, facts),
        ("memory.hugepages", Evidence::Value { value: Some(_), .. })
            if is_other_page(finding.element, facts) =>
        {
            Some(Clue::OtherPages(manager(facts)))
        }
        (
            SETTINGS | "kernel.iouring" | "kernel.bpf" | "memory.hugepages",
            Evidence::Value { value: Some(_), .. },
        ) => {
            let manager = manager(facts);
            (manager != Manager::Files).then_some(Clue::Managed(manager))
        }
        ("bundle.seccomp", Evidence::Flag { present: false, .. }) => {
            let answer = value(facts, "bundle.seccomp", &format!("{}.answer", finding.element))?;
            Some(Clue::Answer(answer.to_owned()))
        }
        (nvidia::FEATURE, _) if let Some(Test::Nvidia(condition)) = finding.test => {
            of_driver(condition, facts)
        }
        ("kernel.program", Evidence::Flag { present: false, .. }) if is_of_program(term) => foreign(facts),
        (host::PROGRAM, Evidence::Value { value: None, .. }) => no_interpreter(facts),
        ("cpu.cpuid", Evidence::Flag { present: false, .. }) => {
            let file = || value(facts, host::PROGRAM, "level").map(str::to_owned);
            of_level(finding, facts, if is_of_program(term) { file() } else { None })
        }
        ("memory.page", Evidence::Value { value: Some(_), .. }) if is_of_program(term) => {
            Some(Clue::Linked { file: value(facts, host::PROGRAM, "pages")?.to_owned() })
        }
        ("cpu.flag", Evidence::Flag { present: false, .. }) => {
            flags(facts.explained("cpu.flag"))?.contains("hypervisor").then_some(Clue::Hidden)
        }
        _ => None,
    }
}

/// The module that would mend it, as the rule spells it.
fn module<'a>(finding: &Finding<'a>) -> Option<&'a str> {
    let is_wanted = !matches!(finding.test, Some(Test::DoesNotExist) | None) && !finding.element.is_empty();
    if !is_wanted {
        return None;
    }
    match (&*lower(finding.feature), &finding.evidence) {
        ("kernel.loadedmodule" | "kernel.enabledmodule", Evidence::Flag { present: false, .. }) => {
            Some(finding.element)
        }
        ("kernel.filesystem", Evidence::Flag { present: false, .. }) => {
            let other = FILE_SYSTEMS.iter().find(|(it, _)| *it == finding.element);
            Some(other.map_or(finding.element, |(_, module)| module))
        }
        (SETTINGS, Evidence::Value { value: None, .. }) => {
            let setting = SETTINGS_OF.iter().find(|(it, _)| finding.element.starts_with(it));
            setting.map(|(_, module)| *module)
        }
        _ => None,
    }
}

fn of_module(name: &str, facts: &Facts) -> Option<Clue> {
    match is_loadable(name, facts)? {
        true if is_blacklisted(name, facts) => told_at_boot(BLACKLIST, &name.replace('-', "_")),
        true => Some(Clue::Loadable(manager(facts))),
        false => {
            let option = host::option_of(&name.replace('-', "_"));
            let is_configured = || match facts.explained(CONFIG) {
                Fact::Known(Feature { attributes: Some(options), .. }, _) => {
                    Some(options.get(option?).is_some_and(|it| it == "m"))
                }
                Fact::Known(..) | Fact::Absent(_) | Fact::Unknown(_) => None,
            };
            let (is_module, package) = (is_configured(), package(facts));
            Some(Clue::NotLoadable { option, is_module, package, manager: manager(facts) })
        }
    }
}

fn loaded_by(module: &str, facts: &Facts) -> Option<Clue> {
    if is_blacklisted(module, facts) {
        return told_at_boot(BLACKLIST, module);
    }
    Some(Clue::LoadedBy { module: module.to_owned(), manager: manager(facts) })
}

fn is_blacklisted(module: &str, facts: &Facts) -> bool {
    given(facts, BLACKLIST, module) || given(facts, BLACKLIST, &module.replace('-', "_"))
}

/// Whether a value is among those of a boot parameter.
fn given(facts: &Facts, parameter: &str, word: &str) -> bool {
    value(facts, CMDLINE, parameter).is_some_and(|it| it.split(',').any(|it| it == word))
}

fn told_at_boot(parameter: &str, word: &str) -> Option<Clue> {
    Some(Clue::BootParameter { given: format!("{parameter}={word}"), undone: None })
}

/// What is off by a boot parameter.
fn of_boot(finding: &Finding<'_>, facts: &Facts) -> Option<Clue> {
    let is_off_value = |it: &str| ["0", "false", "disabled"].contains(&it);
    let is_off = if let Evidence::Value { value, .. } = &finding.evidence {
        value.as_deref().is_none_or(is_off_value)
    } else {
        matches!(finding.evidence, Evidence::Flag { present: false, .. })
    };
    let feature = &*lower(finding.feature);
    let mut of = BOOT.iter().filter(|(it, element, ..)| *it == feature && *element == finding.element);
    let (_, _, parameter, word) =
        of.find(|(_, _, parameter, word)| is_off && given(facts, parameter, word))?;
    told_at_boot(parameter, word)
}

/// Whether `vm.nr_hugepages` is the number of other pages than these.
fn is_other_page(element: &str, facts: &Facts) -> bool {
    let default = value(facts, CMDLINE, PAGE_SIZE);
    element == "hugepages-2Mi" && default.is_some_and(|it| !it.eq_ignore_ascii_case("2M"))
}

fn is_loadable(name: &str, facts: &Facts) -> Option<bool> {
    match facts.loadable_modules()? {
        Fact::Known(feature, _) => Some(has_module(feature.flags.as_ref()?, name)),
        Fact::Absent(_) => Some(false),
        Fact::Unknown(_) => None,
    }
}

/// The kernel makes no difference between `-` and `_` in the names of modules, and shows `_`.
fn has_module(names: &BTreeSet<String>, name: &str) -> bool {
    names.contains(name) || names.contains(&name.replace('-', "_"))
}

/// Who sets this host up, so that a remedy is one that works here.
fn manager(facts: &Facts) -> Manager {
    if value(facts, SETTINGS, DISABLED) == Some("1") {
        return Manager::NoModules;
    }
    match value(facts, OS, "ID") {
        Some("talos") => Manager::Talos,
        Some("bottlerocket" | "cos" | "nixos") => Manager::Image,
        _ => Manager::Files,
    }
}

/// How the package with a kernel's further modules is called.
fn package(facts: &Facts) -> Option<String> {
    match value(facts, OS, "ID")? {
        "ubuntu" => {
            let release = value(facts, RELEASE, "full").unwrap_or("RELEASE");
            Some(format!("linux-modules-extra-{release}"))
        }
        "fedora" | "rhel" | "centos" | "rocky" | "almalinux" | "ol" => {
            Some("kernel-modules-extra".to_owned())
        }
        _ => None,
    }
}

/// The boot parameter that disables this.
fn of_cgroup(finding: &Finding<'_>, facts: &Facts) -> Option<Clue> {
    if finding.element == "version" {
        let parameter = "systemd.unified_cgroup_hierarchy";
        let is_second = matches!(&finding.evidence, Evidence::Value { value: Some(it), .. } if it == "2");
        let (words, wanted) = match is_second {
            true => (["1", "true", "yes"], ["1", "hybrid"]),
            false => (["0", "false", "no"], ["2", "2"]),
        };
        let word = words.into_iter().find(|it| given(facts, parameter, it))?;
        let would_mend = wanted.into_iter().any(|it| accepts(finding.test, it));
        return if would_mend { told_at_boot(parameter, word) } else { None };
    }
    if !matches!(finding.evidence, Evidence::Flag { present: false, .. }) {
        return None;
    }
    if given(facts, "cgroup_disable", finding.element) {
        let release = value(facts, RELEASE, "full").unwrap_or_default();
        let is_raspberry = RASPBERRY.iter().any(|it| release.contains(it));
        let undone = is_raspberry.then(|| format!("cgroup_enable={}", finding.element));
        return Some(Clue::BootParameter { given: format!("cgroup_disable={}", finding.element), undone });
    }
    let is_first = value(facts, "kernel.cgroup", "version").is_some_and(|it| it != "2");
    let words = [finding.element, "all"];
    let word = words.into_iter().find(|it| is_first && given(facts, "cgroup_no_v1", it))?;
    told_at_boot("cgroup_no_v1", word)
}

/// From which driver on the condition would hold, and how one is installed here.
fn of_driver(condition: &Condition, facts: &Facts) -> Option<Clue> {
    let is_absent = matches!(facts.get(nvidia::FEATURE), Fact::Absent(_));
    let comparison = condition.comparison.as_ref();
    let least = comparison.and_then(Comparison::at_least);
    let needed = comparison.zip(least).and_then(|(comparison, least)| match comparison.property {
        Property::Cuda => condition.or_driver.clone().or_else(|| host::driver_for_cuda(&least)),
        Property::Driver => Some(comparison.value.clone()),
        Property::Arch | Property::Brand => None,
    });
    if needed.is_none() && !is_absent {
        return None;
    }
    let found = value(facts, nvidia::FEATURE, "driver").map(str::to_owned);
    let install = driver_package(needed.as_deref(), facts);
    Some(Clue::Driver { found, needed, install })
}

/// The command that installs such a driver, where the distribution has one.
fn driver_package(needed: Option<&str>, facts: &Facts) -> Option<String> {
    let needed = needed.and_then(Version::parse);
    let would_do = |branch: &u32| {
        let branch = Version::parse(&format!("{branch}.999"));
        needed.as_ref().is_none_or(|needed| branch.is_some_and(|it| *needed <= it))
    };
    match value(facts, OS, "ID")? {
        "ubuntu" if needed.is_none() => Some("ubuntu-drivers install".to_owned()),
        "ubuntu" => UBUNTU.iter().find(|it| would_do(it)).map(|it| format!("apt install nvidia-driver-{it}")),
        "debian" => {
            let release = value(facts, OS, "VERSION_ID");
            let (_, branch) = DEBIAN.iter().find(|(it, _)| Some(*it) == release)?;
            would_do(branch).then(|| "apt install nvidia-driver".to_owned())
        }
        "arch" => Some("pacman -S nvidia-open".to_owned()),
        _ => None,
    }
}

/// Whether a term was made for the image's program: it stands in no document.
fn is_of_program(term: &Term) -> bool {
    term.at.line == 0
}

/// What installs handlers for programs of other machines, by the `ID` of os-release.
const EMULATORS: [(&str, &str); 6] = [
    ("debian", "apt install qemu-user-static"),
    ("ubuntu", "apt install qemu-user-static"),
    ("fedora", "dnf install qemu-user-static"),
    ("arch", "pacman -S qemu-user-static-binfmt"),
    ("opensuse-leap", "zypper install qemu-linux-user"),
    ("opensuse-tumbleweed", "zypper install qemu-linux-user"),
];

fn foreign(facts: &Facts) -> Option<Clue> {
    let file = value(facts, host::PROGRAM, "file")?.to_owned();
    let host = match value(facts, "system.arch", "name")? {
        "x86_64" => "x86-64",
        "aarch64" => "arm64",
        other => other,
    };
    let os = value(facts, OS, "ID");
    let remedy = EMULATORS.iter().find(|(id, _)| os == Some(id)).map(|(_, it)| *it);
    Some(Clue::Foreign { file, host: host.to_owned(), remedy })
}

fn no_interpreter(facts: &Facts) -> Option<Clue> {
    let file = value(facts, host::PROGRAM, "file")?.to_owned();
    let missing = value(facts, host::PROGRAM, "missing")?.to_owned();
    Some(match value(facts, host::PROGRAM, "kind") {
        Some("scripts") => Clue::TooManyScripts { file, last: missing, is_loop: false },
        Some("loop") => Clue::TooManyScripts { file, last: missing, is_loop: true },
        kind => Clue::NoInterpreter { file, missing, is_script: kind == Some("script") },
    })
}

fn of_level(finding: &Finding<'_>, facts: &Facts, whose: Option<String>) -> Option<Clue> {
    let is_virtual = || flags(facts.explained("cpu.cpuid")).is_some_and(|it| it.contains("HYPERVISOR"));
    let missing = || {
        let level = host::level_flags(finding.element)?;
        let flags = flags(facts.get("cpu.cpuid"))?;
        let missing: Vec<_> = level.iter().copied().filter(|it| !flags.contains(*it)).collect();
        (!missing.is_empty()).then_some(missing)
    };
    match missing() {
        Some(missing) => Some(Clue::Missing { flags: missing, whose, virtual_cpu: is_virtual() }),
        None => is_virtual().then_some(Clue::Hidden),
    }
}

/// Of `kernel.module`.
fn is_loadable_state(state: &str) -> bool {
    ["available", "locked"].contains(&state)
}

fn accepts(test: Option<&Test>, value: &str) -> bool {
    matches!(test, Some(Test::In(values)) if values.iter().any(|it| it == value))
}

/// The values that a term gives an attribute with `In`.
fn keys<'a>(term: &'a Term, name: &str) -> &'a [String] {
    let test = term.expressions.iter().flatten().find(|(it, _)| it == name).map(|(_, it)| &it.test);
    if let Some(Test::In(values)) = test { values } else { &[] }
}

fn value<'a>(facts: &'a Facts, feature: &str, element: &str) -> Option<&'a str> {
    match facts.explained(feature) {
        Fact::Known(feature, _) => feature.attributes.as_ref()?.get(element).map(String::as_str),
        Fact::Absent(_) | Fact::Unknown(_) => None,
    }
}

fn flags(fact: &Fact) -> Option<&BTreeSet<String>> {
    match fact {
        Fact::Known(feature, _) => feature.flags.as_ref(),
        Fact::Absent(_) | Fact::Unknown(_) => None,
    }
}

impl Finding<'_> {
    /// What it would take to mend this.
    pub(super) fn effort(&self) -> Effort {
        let is_unwanted = matches!(self.test, Some(Test::DoesNotExist));
        match (&*lower(self.feature), &self.clue) {
            _ if self.outcome == Outcome::Unknown => Effort::Unknown,
            (_, Some(Clue::Loadable(_) | Clue::LoadedBy { .. })) => Effort::Command,
            (_, Some(Clue::NotLoadable { .. } | Clue::BootParameter { .. })) => Effort::Install,
            // Settings and options cannot be removed from a running kernel.
            (SETTINGS | "kernel.iouring" | "kernel.bpf", _) if is_unwanted => Effort::Machine,
            (SETTINGS | "kernel.iouring" | "kernel.bpf", _) if self.hint().is_some() => Effort::Command,
            // Another distribution is another host; another release of it may be had.
            (OS, _) if self.element.starts_with("ID") || self.element == "PLATFORM_ID" => Effort::Machine,
            ("kernel.version" | CONFIG | OS, _) => Effort::Install,
            ("device.node", _) => Effort::Machine,
            (nvidia::FEATURE, _) if ["cuda", "driver"].contains(&self.element) => Effort::Install,
            (nvidia::FEATURE, _) => Effort::Machine,
            (feature, _) if feature.starts_with("bundle.") => Effort::Command,
            (feature, _) if feature.starts_with("cpu.") || feature.starts_with("pci.") => Effort::Machine,
            _ => Effort::Unknown,
        }
    }
}
