use super::*;
use crate::author::trial::verdict;
use crate::eval::verdict::Verdict;
use crate::host::Facts;
use crate::spec::parse;

fn named(name: &str) -> &'static DraftKind {
    DRAFTS.iter().find(|it| it.name == name).unwrap_or_else(|| panic!("no kind {name}"))
}

#[test]
fn every_draft_is_one_that_lint_has_nothing_to_say_about() {
    for kind in DRAFTS {
        let text = draft(kind, None).unwrap_or_else(|err| panic!("{}: {err}", kind.name));
        assert_eq!(check(text.as_bytes(), &SpecText::new(&text)), [], "{}\n{text}", kind.name);
        assert!(text.contains('#'), "{}: no comment", kind.name);
    }
}

/// What a draft says of a host with these facts.
fn judged(name: &str, value: Option<&str>, facts: &str) -> Verdict {
    let text = draft(named(name), value).unwrap_or_else(|err| panic!("{name}: {err}"));
    let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{name}: {err}"));
    let facts = Facts::from_json(facts.as_bytes()).unwrap_or_else(|err| panic!("{facts}: {err:#}"));
    verdict(spec, &facts).0
}

fn check_judged(name: &str, value: Option<&str>, fits: &str, fails: &str) {
    assert_eq!(judged(name, value, fits), Verdict::Compatible, "{name} {fits}");
    assert_eq!(judged(name, value, fails), Verdict::Incompatible, "{name} {fails}");
    assert_eq!(judged(name, value, "{\"flags\": {}}"), Verdict::Undecided, "{name}, nothing known");
}

fn attributes(feature: &str, name: &str, value: &str) -> String {
    format!(r#"{{"attributes": {{"{feature}": {{"elements": {{"{name}": "{value}"}}}}}}}}"#)
}

fn flags(feature: &str, name: &str) -> String {
    format!(r#"{{"flags": {{"{feature}": {{"elements": {{"{name}": {{}}}}}}}}}}"#)
}

#[test]
fn drafts_are_judged_as_meant() {
    check_judged(
        "kernel-module",
        None,
        &flags("kernel.enabledmodule", "gtp5g"),
        &flags("kernel.enabledmodule", "tun"),
    );
    let module = Some("vfio-pci");
    check_judged(
        "kernel-module",
        module,
        &flags("kernel.enabledmodule", "vfio_pci"),
        &flags("kernel.enabledmodule", "x"),
    );
    check_judged("cpu", None, &flags("cpu.cpuid", "X86_64_V3"), &flags("cpu.cpuid", "X86_64_V2"));
    let setting = |value: &str| attributes("kernel.sysctl", "vm.max_map_count", value);
    check_judged("sysctl", None, &setting("262144"), &setting("65530"));
    let driver = |version: &str| attributes("gpu.nvidia", "driver", version);
    check_judged("gpu", None, &driver("550.54.14"), &driver("535.104.05"));
    let kernel = |release: &str, platform: &str| {
        format!(
            r#"{{"attributes": {{"kernel.version": {{"elements": {{"full": "{release}"}}}}, "system.osrelease": {{"elements": {{"PLATFORM_ID": "{platform}"}}}}}}}}"#
        )
    };
    let old = kernel("4.18.0-80.el8.x86_64", "platform:el8");
    check_judged("kernel", None, &kernel("4.18.0-553.el8_10.x86_64", "platform:el8"), &old);
    check_judged("kernel", Some("6.1"), &kernel("6.1.0-13-amd64", "x"), &kernel("5.15.0-91-generic", "x"));
    let functions = |count: usize, pages: &str| {
        let function = vec![r#"{"attributes": {"physfn": "0000:01:00.0"}}"#; count].join(", ");
        format!(
            r#"{{"instances": {{"pci.device": {{"elements": [{function}]}}}}, "attributes": {{"memory.hugepages": {{"elements": {{"hugepages-1Gi": "{pages}"}}}}}}}}"#
        )
    };
    check_judged("sriov", None, &functions(2, "4"), &functions(1, "4"));
    let node = |path: &str| {
        format!(
            r#"{{"instances": {{"device.node": {{"elements": [{{"attributes": {{"path": "{path}", "kind": "char"}}}}]}}}}}}"#
        )
    };
    check_judged("device", None, &node("/dev/fuse"), &node("/dev/null"));
    check_judged(
        "bpf",
        None,
        r#"{"attributes": {"kernel.bpf": {"elements": {"btf": "true"}}}, "flags": {"kernel.bpftype": {"elements": {"BPF_MAP_TYPE_RINGBUF": {}}}}}"#,
        &attributes("kernel.bpf", "btf", "false"),
    );
    let gpu = |gfx: &str| {
        format!(r#"{{"instances": {{"gpu.amd": {{"elements": [{{"attributes": {{"gfx": "{gfx}"}}}}]}}}}}}"#)
    };
    check_judged("gpu-amd", None, &gpu("gfx90a"), &gpu("gfx906"));
    check_judged(
        "kvm",
        None,
        r#"{"attributes": {"kernel.kvm": {"elements": {"enabled": "true"}}}, "instances": {"device.node": {"elements": [{"attributes": {"path": "/dev/kvm", "kind": "char"}}]}}}"#,
        &attributes("kernel.kvm", "enabled", "false"),
    );
    let dpdk = |driver: &str| {
        format!(
            r#"{{"attributes": {{"memory.hugepages": {{"elements": {{"free-2Mi": "1024"}}}}, "iommu.groups": {{"elements": {{"count": "12"}}}}}}, "instances": {{"pci.device": {{"elements": [{{"attributes": {{"class": "0200", "driver": "{driver}"}}}}]}}}}}}"#
        )
    };
    check_judged("dpdk", None, &dpdk("vfio-pci"), &dpdk("ixgbe"));
}

#[test]
fn a_value_that_does_not_fit_is_refused() {
    let refused = |name: &str, value: &str, expected: &str| {
        assert_eq!(draft(named(name), Some(value)), Err(expected.to_owned()));
    };
    refused("dpdk", "x", "`init dpdk` takes no value, but has \"x\"");
    refused("kernel-module", "a: b", "\"a: b\" is no NAME: it has letters, digits and ._-/:");
    refused("kernel-module", "a=b", "\"a=b\" is no NAME: it has letters, digits and ._-/:");
    refused("kernel", "new", "\"new\" is no VERSION: \"new\" is not a version, such as \"5.14\"");
    refused(
        "sysctl",
        "vm.swappiness",
        "\"vm.swappiness\" is no NAME=NUMBER, such as vm.max_map_count=262144",
    );
    refused(
        "device",
        "/sys/x",
        "\"/sys/x\" is no PATH: device.node path is never \"/sys/x\": only nodes below /dev are known",
    );
}
