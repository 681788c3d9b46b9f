//! Every code with the texts of a finding.

mod alternatives;

use crate::eval::evaluate;
use crate::host::{Fact, Facts, Feature, Instance, Unknown};
use crate::spec::{Spec, parse};

fn spec(rule: &str) -> Spec {
    let text = format!("version: v1alpha1\ncompatibilities: [{{rules: [{{name: r, {rule}}}]}}]");
    parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"))
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    let mut add = |name: &str, feature, read: &str| facts.insert(name, Fact::Known(feature, read.to_owned()));
    add("kernel.loadedmodule", Feature::flags(["there"]), "/proc/modules");
    add("kernel.enabledmodule", Feature::flags(["there"]), "/proc/modules");
    add("kernel.config", Feature::attributes([("SET", "y"), ("MODULE", "m")]), "/proc/config.gz");
    add("kernel.version", Feature::attributes([("full", "6.1.0-13"), ("major", "6")]), "/proc/version");
    add(
        "cpu.cpuid",
        Feature {
            flags: Some(["SSE3".to_owned(), "HYPERVISOR".to_owned()].into()),
            ..Feature::attributes([("N", "1")])
        },
        "CPUID",
    );
    add("cpu.model", Feature::attributes([("vendor_id", "Intel")]), "CPUID");
    add("system.osrelease", Feature::attributes([("ID", "debian")]), "/etc/os-release");
    add("x.value", Feature::attributes([("size", "5"), ("t", "some text")]), "/x");
    let device = |address: &str, vendor: &str, class: &str| Instance {
        attributes: [("vendor", vendor), ("class", class)]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        read: Some(format!("/sys/bus/pci/devices/{address}")),
    };
    let devices = vec![device("0000:00:01.0", "8086", "0200"), device("0000:00:02.0", "10de", "0300")];
    add("pci.device", Feature::instances(devices.clone()), "/sys/bus/pci/devices");
    add("x.thing", Feature::instances(devices[..1].to_vec()), "/x");
    add("usb.device", Feature::instances(Vec::new()), "/sys/bus/usb/devices");
    facts.insert("x.absent", Fact::Absent("/x".to_owned()));
    facts.insert("x.hidden", Fact::Unknown(Unknown::new("/x", "is hidden")));
    facts
}

/// `code | needed | found | read | hint` of the first finding that is not met, then what is said of the whole.
fn told(rule: &str, facts: &Facts) -> (String, Vec<String>) {
    let spec = spec(rule);
    let judgement = evaluate(&spec, &[], facts);
    let set = &judgement.sets[0];
    let mut findings = set.rules[0].terms.iter().flat_map(|it| &it.findings);
    let finding = findings.find(|it| it.outcome == set.outcome).expect("a finding");
    let hint = finding.hint().unwrap_or_default();
    let parts = [finding.code().name(), &finding.needed(), &finding.found(), finding.read(), &hint];
    (
        parts.join(" | "),
        set.reasons().into_iter().map(|(code, line)| format!("{line} [{}]", code.name())).collect(),
    )
}

fn check_with(facts: &Facts, term: &str, finding: &str, headline: &str) {
    let (found, reasons) = told(&format!("matchFeatures: [{{{term}}}]"), facts);
    let code = finding.split(' ').next().unwrap_or_default();
    let expected = if headline.is_empty() { Vec::new() } else { vec![format!("{headline} [{code}]")] };
    assert_eq!((found.as_str(), reasons), (finding, expected), "{term}");
}

/// A term of one expression.
fn check(feature: &str, expression: &str, finding: &str, headline: &str) {
    check_with(
        &facts(),
        &format!("feature: {feature}, matchExpressions: {{{expression}}}"),
        finding,
        headline,
    );
}

#[test]
fn a_met_demand_shows_its_value() {
    check("kernel.config", "SET: {op: In, value: [\"y\", m]}", "met | y or m | y | /proc/config.gz | ", "");
    check("kernel.loadedmodule", "there: {op: Exists}", "met | loaded | loaded | /proc/modules | ", "");
    check(
        "kernel.loadedmodule",
        "nope: {op: DoesNotExist}",
        "met | not loaded | not loaded | /proc/modules | ",
        "",
    );
    check(
        "pci.device",
        "vendor: {op: In, value: [10de]}",
        "met | 10de | 10de | /sys/bus/pci/devices/0000:00:02.0 | ",
        "",
    );
    check_with(&facts(), "feature: cpu.model", "met | any | there | CPUID | ", "");
    check_with(
        &facts(),
        "feature: cpu.model, matchName: {op: Exists}",
        "met | present | vendor_id | CPUID | ",
        "",
    );
}

#[test]
fn unknown_facts_and_unfit_values() {
    check(
        "x.hidden",
        "a: {op: In, value: [b, c, d]}",
        "fact-unknown | b, c or d | unknown: is hidden | /x | ",
        "x.hidden a is unknown, needs b, c or d: /x is hidden",
    );
    check_with(
        &facts(),
        "feature: not.read",
        "fact-unknown | any | unknown: was not read |  | ",
        "feature not.read is unknown: was not read",
    );
    check(
        "x.value",
        "t: {op: Gt, value: [1]}",
        "value-unfit | more than 1 | \"some text\", which cannot be compared | /x | ",
        "x.value t is \"some text\", which cannot be compared, needs more than 1",
    );
    check(
        "pci.device",
        "vendor: {op: Lt, value: [1]}, class: {op: In, value: [\"0300\"]}",
        "value-unfit | less than 1 | 10de, which cannot be compared | /sys/bus/pci/devices/0000:00:02.0 | ",
        "pci.device vendor is 10de, which cannot be compared, needs less than 1",
    );
    check_with(
        &facts(),
        "feature: x.value, matchName: {op: Ge, value: [1]}",
        "value-unfit | at least 1 | size, which cannot be compared | /x | ",
        "a name of x.value is size, which cannot be compared, needs at least 1",
    );
}

#[test]
fn absent_features() {
    let absent = |needed: &str| format!("feature-absent | {needed} | no such feature on this host | /x | ");
    check("x.absent", "a: {op: Exists}", &absent("present"), "this host has no x.absent, needs a");
    check(
        "x.absent",
        "a: {op: DoesNotExist}",
        &absent("not present"),
        "this host has no x.absent, and DoesNotExist holds only where there is one",
    );
    check_with(&facts(), "feature: X.Absent", &absent("any"), "this host has no X.Absent");
    check_with(
        &facts(),
        "feature: x.absent, matchName: {op: In, value: [a]}",
        &absent("a"),
        "this host has no x.absent",
    );
}

#[test]
fn modules() {
    let module = "kernel.loadedmodule";
    let plain = "module-not-loaded | loaded | not loaded | /proc/modules | ";
    check(module, "gtp5g: {op: Exists}", plain, "kernel module gtp5g is not loaded");
    check(
        module,
        "gtp5g: {op: In, value: [x]}",
        "module-not-loaded | x | not loaded | /proc/modules | ",
        "kernel module gtp5g is not loaded, needs x",
    );
    check(
        module,
        "there: {op: In, value: [x]}",
        "module-not-loaded | x | loaded | /proc/modules | ",
        "kernel module there has no value to be held against x",
    );
    check(
        "kernel.enabledmodule",
        "gtp5g: {op: Exists}",
        "module-not-enabled | loaded or built in | neither loaded nor built in | /proc/modules | ",
        "kernel module gtp5g is neither loaded nor built in",
    );
    check(
        module,
        "there: {op: DoesNotExist}",
        "module-unwanted | not loaded | loaded | /proc/modules | modprobe -r there",
        "kernel module there is loaded",
    );
    let term = "feature: kernel.loadedmodule, matchExpressions: {gtp5g: {op: Exists}}";
    let mut facts = facts();
    facts.set_loadable_modules(Fact::Known(Feature::flags(["gtp5g"]), "/lib/modules".to_owned()));
    check_with(
        &facts,
        term,
        &format!("{plain}modprobe gtp5g"),
        "kernel module gtp5g is not loaded (available; try: modprobe gtp5g)",
    );
    facts.set_loadable_modules(Fact::Known(Feature::flags(["other"]), "/lib/modules".to_owned()));
    check_with(
        &facts,
        term,
        &format!("{plain}install module gtp5g for the running kernel: it has none of that name"),
        "kernel module gtp5g is not loaded and not installed for this kernel",
    );
    facts.set_loadable_modules(Fact::Unknown(Unknown::new("/lib/modules", "is not there")));
    check_with(&facts, term, plain, "kernel module gtp5g is not loaded");
    facts.insert("kernel.loadedmodule", Fact::Absent("/proc/modules".to_owned()));
    check_with(
        &facts,
        term,
        "module-not-loaded | loaded | a kernel that loads no modules | /proc/modules | ",
        "kernel module gtp5g is not loaded: this kernel loads no modules",
    );
    check_with(
        &facts,
        "feature: kernel.loadedmodule, matchExpressions: {gtp5g: {op: DoesNotExist}}",
        "feature-absent | not loaded | no such feature on this host | /proc/modules | ",
        "this host has no kernel.loadedmodule, and DoesNotExist holds only where there is one",
    );
}

#[test]
fn what_was_disabled_at_boot_is_reported() {
    let mut facts = facts();
    let parameters = [("ipv6.disable", "1"), ("module_blacklist", "dccp,vfio_pci"), ("cgroup_no_v1", "all")];
    let boot = Feature::attributes(parameters);
    facts.insert("kernel.cmdline", Fact::Known(boot, "/proc/cmdline".to_owned()));
    facts.insert("kernel.sysctl", Fact::Known(Feature::attributes([("a", "1")]), "/proc/sys".to_owned()));
    let groups =
        Feature { flags: Some(["cpu".to_owned()].into()), ..Feature::attributes([("version", "hybrid")]) };
    facts.insert("kernel.cgroup", Fact::Known(groups, "/proc/cgroups".to_owned()));
    facts.set_loadable_modules(Fact::Known(Feature::flags(["vfio_pci"]), "/lib/modules".to_owned()));
    let hint = |it: &str| format!("boot without {it} on the kernel's command line");
    check_with(
        &facts,
        "feature: kernel.sysctl, matchExpressions: {net.ipv6.conf.all.forwarding: {op: Exists}}",
        &format!("element-missing | present | not present | /proc/sys | {}", hint("ipv6.disable=1")),
        "sysctl net.ipv6.conf.all.forwarding is not present (disabled at boot: ipv6.disable=1)",
    );
    check_with(
        &facts,
        "feature: kernel.loadedmodule, matchExpressions: {vfio-pci: {op: Exists}}",
        &format!(
            "module-not-loaded | loaded | not loaded | /proc/modules | {}",
            hint("module_blacklist=vfio_pci")
        ),
        "kernel module vfio-pci is not loaded (disabled at boot: module_blacklist=vfio_pci)",
    );
    check_with(
        &facts,
        "feature: kernel.cgroup, matchExpressions: {memory: {op: Exists}}",
        &format!("element-missing | present | not present | /proc/cgroups | {}", hint("cgroup_no_v1=all")),
        "cgroup controller memory is not present (disabled at boot: cgroup_no_v1=all)",
    );
}

#[test]
fn kernel_options_and_versions() {
    let config = "kernel.config";
    check(
        config,
        "NET: {op: In, value: [\"y\", m]}",
        "kernel-option-off | y or m | not set | /proc/config.gz | boot a kernel with CONFIG_NET=y",
        "kernel option CONFIG_NET is not set, needs y or m",
    );
    check(
        config,
        "NET: {op: Exists}",
        "kernel-option-off | set | not set | /proc/config.gz | boot a kernel with CONFIG_NET=y",
        "kernel option CONFIG_NET is not set",
    );
    check(
        config,
        "MODULE: {op: In, value: [\"y\"]}",
        "kernel-option-differs | y | m | /proc/config.gz | boot a kernel with CONFIG_MODULE=y",
        "kernel option CONFIG_MODULE is m, needs y",
    );
    check(
        config,
        "MODULE: {op: NotIn, value: [m, x]}",
        "kernel-option-differs | not m nor x | m | /proc/config.gz | ",
        "kernel option CONFIG_MODULE is m, needs not m nor x",
    );
    check(
        config,
        "SET: {op: DoesNotExist}",
        "kernel-option-differs | not set | y | /proc/config.gz | boot a kernel without CONFIG_SET",
        "kernel option CONFIG_SET is y, and must not be set",
    );
    let version = |expression: &str, needed: &str| {
        check(
            "kernel.version",
            &format!("full: {{op: {expression}, type: version}}"),
            &format!("kernel-version | {needed} | 6.1.0-13 | /proc/version | "),
            &format!("kernel is 6.1.0-13, needs {needed}"),
        );
    };
    version("Gt, value: [\"6.8\"]", "newer than 6.8");
    version("Ge, value: [\"6.8\"]", "6.8 or newer");
    version("Lt, value: [5]", "older than 5");
    version("Le, value: [5]", "5 or older");
    version("GtLt, value: [5, 6]", "newer than 5 and older than 6");
    version("GeLe, value: [5, 6]", "from 5 to 6");
    check(
        "kernel.version",
        "major: {op: Ge, value: [7]}",
        "kernel-version | at least 7 | 6 | /proc/version | ",
        "kernel version major is 6, needs at least 7",
    );
}

#[test]
fn processors_and_systems() {
    check(
        "cpu.cpuid",
        "AMXFP8: {op: Exists}",
        "cpu-flag-missing | present | not present | CPUID | a hypervisor's CPU model may hide them: give the virtual \
         machine a richer one, such as host",
        "CPU flag AMXFP8 is not present",
    );
    check(
        "cpu.cpuid",
        "HYPERVISOR: {op: DoesNotExist}",
        "cpu-flag-unwanted | not present | present | CPUID | ",
        "CPU flag HYPERVISOR is present",
    );
    check(
        "cpu.model",
        "vendor_id: {op: In, value: [AMD]}",
        "cpu-model | AMD | Intel | CPUID | ",
        "CPU vendor_id is Intel, needs AMD",
    );
    check(
        "system.osrelease",
        "ID: {op: InRegexp, value: [^fed, \"^rh\"]}",
        "os-release | matching /^fed/ or /^rh/ | debian | /etc/os-release | ",
        "os-release ID is debian, needs matching /^fed/ or /^rh/",
    );
    let (finding, reasons) =
        told("matchFeatures: [{feature: cpu.cpuid, matchExpressions: {X86_64_V2: {op: Exists}}}]", &facts());
    let level = crate::host::level_flags("X86_64_V2").expect("a level");
    let lacks: Vec<_> = level.iter().copied().filter(|it| *it != "SSE3").collect();
    let hint = "a hypervisor's CPU model may hide them: give the virtual machine a richer one, such as host";
    let lacks = lacks.join(", ");
    assert_eq!(finding, format!("cpu-level-missing | present | not present: lacks {lacks} | CPUID | {hint}"));
    assert_eq!(reasons, [format!("this virtual CPU is not x86-64-v2: it lacks {lacks} [cpu-level-missing]")]);
}

#[test]
fn devices() {
    check(
        "pci.device",
        "vendor: {op: In, value: [10de]}, class: {op: In, value: [\"0200\", \"0207\"]}",
        "pci-device-missing | 10de | 8086 (nearest of 2) | /sys/bus/pci/devices/0000:00:01.0 | ",
        "no PCI device with vendor 10de, class 0200 or 0207; nearest is 0000:00:01.0: vendor is 8086",
    );
    check(
        "x.thing",
        "nope: {op: Exists}, vendor: {op: DoesNotExist}",
        "instance-missing | present | not there | /sys/bus/pci/devices/0000:00:01.0 | ",
        "no instance with nope, no vendor; nearest is 0000:00:01.0: nope is not there, vendor is 8086",
    );
    check(
        "usb.device",
        "vendor: {op: Exists}",
        "instance-missing | present | no USB device | /sys/bus/usb/devices | ",
        "no USB device with vendor",
    );
    check(
        "usb.device",
        "",
        "instance-missing | any | no USB device | /sys/bus/usb/devices | ",
        "no USB device",
    );
    check_with(
        &facts(),
        "feature: x.thing, matchExpressions: {vendor: {op: In, value: [\"1\"]}}, matchName: {op: In, value: [nope]}",
        "instance-missing | 1 | 8086 | /sys/bus/pci/devices/0000:00:01.0 | ",
        "no instance with vendor 1; nearest is 0000:00:01.0: vendor is 8086",
    );
}

#[test]
fn any_other_element() {
    check(
        "x.value",
        "a b: {op: Exists}",
        "element-missing | present | not present | /x | ",
        "x.value \"a b\" is not present",
    );
    check(
        "x.value",
        "size: {op: DoesNotExist}",
        "element-unwanted | not present | 5 | /x | ",
        "x.value size is 5, and must not be present",
    );
    check(
        "x.value",
        "size: {op: In, value: [\"\"]}",
        "value-differs | \"\" | 5 | /x | ",
        "x.value size is 5, needs \"\"",
    );
    check(
        "x.value",
        "size: {op: IsTrue}",
        "value-differs | true | 5 | /x | ",
        "x.value size is 5, needs true",
    );
    check(
        "x.value",
        "size: {op: IsFalse}",
        "value-differs | false | 5 | /x | ",
        "x.value size is 5, needs false",
    );
    let range = |expression: &str, needed: &str| {
        check(
            "x.value",
            &format!("size: {{op: {expression}}}"),
            &format!("value-out-of-range | {needed} | 5 | /x | "),
            &format!("x.value size is 5, needs {needed}"),
        );
    };
    range("Gt, value: [5]", "more than 5");
    range("Ge, value: [6]", "at least 6");
    range("Lt, value: [5]", "less than 5");
    range("Le, value: [4]", "at most 4");
    range("GtLt, value: [5, 9]", "more than 5 and less than 9");
    range("GeLe, value: [6, 9]", "from 6 to 9");
}

#[test]
fn names_of_elements() {
    let check = |feature: &str, test: &str, finding: &str, headline: &str| {
        check_with(&facts(), &format!("feature: {feature}, matchName: {{{test}}}"), finding, headline);
    };
    check(
        "x.value",
        "op: InRegexp, value: [^z]",
        "name-missing | matching /^z/ | none of 2 names | /x | ",
        "no element of x.value has a name matching /^z/",
    );
    check(
        "usb.device",
        "op: Exists",
        "name-missing | present | none of 0 names | /sys/bus/usb/devices | ",
        "usb.device has no elements",
    );
    check(
        "x.value",
        "op: DoesNotExist",
        "name-missing | not present | none of 2 names | /x | ",
        "no name of x.value can be one that does not exist",
    );
}
