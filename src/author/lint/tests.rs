use super::*;
use crate::spec::parse;

fn check_sets(sets: &str, expected: &[&str]) {
    let text = format!("version: v1alpha1\ncompatibilities:\n{sets}");
    let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"));
    let level = |it: &Warning| if it.level == RemarkLevel::Note { "note: " } else { "" };
    let found: Vec<_> =
        lint(&spec).iter().map(|it| format!("{}: {}{}", it.at, level(it), it.message)).collect();
    assert_eq!(found, expected, "{text}");
}

/// Rules of one set, each on a line of its own from line 4 on.
fn check_rules(rules: &[&str], expected: &[&str]) {
    let rules: String = rules.iter().map(|it| format!("  - {{{it}}}\n")).collect();
    check_sets(&format!("- rules:\n{rules}"), expected);
}

/// A term of one rule, from 5:7 on.
fn check(term: &str, expected: &[&str]) {
    check_sets(&format!("- rules:\n  - matchFeatures:\n    - {{{term}}}\n"), expected);
}

#[test]
fn a_good_spec_gets_no_warning() {
    check_rules(
        &[
            "name: a, vars: {x: z}, matchFeatures: [{feature: kernel.loadedmodule, matchExpressions: {gtp5g: {op: Exists}}}]",
            "name: b, matchFeatures: [{feature: rule.matched, matchExpressions: {x: {op: In, value: [z]}}}]",
            "name: c, matchFeatures: [{feature: Kernel.Version, matchExpressions: {full: {op: Ge, value: [5], type: version}}}]",
            "name: d, matchAny: [{matchFeatures: [{feature: pci.device, matchExpressions: {vendor: {op: NotIn, value: [10de]}, \
                 class: {op: Exists}}}]}]",
            "name: e, matchFeatures: [{feature: kernel.config, matchName: {op: In, value: [NET]}}, {feature: local.feature}]",
            "name: f, vars: {only: variables}",
        ],
        &[],
    );
}

#[test]
fn what_demands_nothing_is_noticed() {
    check_sets("  []", &["1:1: the spec has no compatibility set, so that every host fits"]);
    check_sets("- rules: []", &["3:3: the compatibility set has no rules, so that every host fits"]);
    check_rules(&["name: r"], &["4:5: rule \"r\" demands nothing, so that it always holds"]);
    check_rules(
        &["name: r, matchAny: [{}]"],
        &["4:5: an alternative of rule \"r\" demands nothing, so that `matchAny` always holds"],
    );
    check_rules(
        &["name: r, vars: {a: b}, varsTemplate: a=b"],
        &["4:5: the template of rule \"r\" is never expanded: the rule matches nothing"],
    );
}

#[test]
fn features_and_elements_that_no_probe_knows_are_noticed() {
    check(
        "feature: kernel.conifg",
        &[
            "5:7: no probe knows feature \"kernel.conifg\", so that it stays unknown; did you mean kernel.config?",
        ],
    );
    check(
        "feature: Vendor.thing",
        &["5:7: no probe knows feature \"Vendor.thing\", so that it stays unknown"],
    );
    let check = |expression: &str, expected: &str| {
        check(
            &format!("feature: cpu.model, matchExpressions: {{{expression}: {{op: Exists}}}}"),
            &[expected],
        );
    };
    check("maker", "5:47: cpu.model has no element \"maker\"; it has vendor_id, family, id, hypervisor");
    check("vendor_ids", "5:47: cpu.model has no element \"vendor_ids\"; did you mean \"vendor_id\"?");
}

#[test]
fn names_that_the_kernel_writes_otherwise_are_noticed() {
    check(
        "feature: kernel.loadedmodule, matchExpressions: {nvidia-drm: {op: Exists}}",
        &[
            "5:57: the kernel lists modules with underscores: \"nvidia-drm\" is never loaded, write \"nvidia_drm\"",
        ],
    );
    check(
        "feature: kernel.config, matchExpressions: {CONFIG_NET: {op: Exists}}",
        &["5:51: kernel options are named without CONFIG_: write \"NET\""],
    );
    check(
        "feature: kernel.config, matchExpressions: {x86-64: {op: Exists}}",
        &["5:51: kernel options are named with underscores: \"x86-64\" is never set, write \"X86_64\""],
    );
    check(
        "feature: kernel.enabledmodule, matchExpressions: {vfio-pci: {op: Exists}}",
        &[
            "5:58: \"vfio-pci\" is found only where it is built in: the kernel lists loaded modules with underscores; also \
                 accept \"vfio_pci\"",
        ],
    );
    check(
        "feature: kernel.moduleparam, matchExpressions: {nested: {op: Exists}}",
        &[
            "5:7: note: feature kernel.moduleparam is not known to Node Feature Discovery: its tools take it for absent",
            "5:56: parameters are named <module>.<parameter>: \"nested\" is never found",
        ],
    );
}

#[test]
fn names_of_ours_need_no_care_for_hyphens() {
    let note =
        "note: feature kernel.module is not known to Node Feature Discovery: its tools take it for absent";
    let term = "feature: kernel.module, matchExpressions: {name: {op: In, value: [vfio-pci]}}";
    check(term, &[&format!("5:7: {note}")]);
}

#[test]
fn what_other_tools_will_not_understand_is_noted_once() {
    let sysctl = "{feature: kernel.sysctl, matchExpressions: {vm.swappiness: {op: Exists}}}";
    let device = "{feature: pci.device, matchExpressions: {vendor: {op: Exists}, driver: {op: Exists}}}";
    let rule = format!("matchFeatures: [{sysctl}, {device}]");
    let absent = "is not known to Node Feature Discovery: its tools take it for absent";
    check_rules(
        &[&rule, &rule],
        &[
            &format!("4:22: note: feature kernel.sysctl {absent}"),
            &format!("4:160: note: pci.device driver {absent}"),
        ],
    );
}

#[test]
fn tests_that_cannot_hold_or_say_less_than_they_seem_are_noticed() {
    check(
        "feature: kernel.loadedmodule, matchExpressions: {gtp5g: {op: IsTrue}}",
        &["5:57: kernel.loadedmodule holds names without values, so that this never holds; use Exists"],
    );
    check(
        "feature: kernel.version, matchExpressions: {full: {op: Ge, value: [5]}}",
        &["5:52: kernel.version full is no integer, so that this stays unknown; add `type: version`"],
    );
    check(
        "feature: pci.device, matchExpressions: {vendor: {op: NotIn, value: [10de]}}",
        &["5:7: this holds as soon as one of several is different; no term says that none is (pci.device)"],
    );
    check(
        "feature: kernel.config, matchName: {op: DoesNotExist}",
        &["5:43: `matchName` with DoesNotExist never holds: it tests names of elements that are there"],
    );
}

#[test]
fn variables_that_no_earlier_rule_publishes_are_noticed() {
    let asks = |op: &str| {
        format!("matchFeatures: [{{feature: rule.matched, matchExpressions: {{a: {{op: {op}}}}}}}]")
    };
    let (exists, absent) = (asks("Exists"), asks("DoesNotExist"));
    let unpublished = "4:65: no rule before this one publishes variable \"a\"";
    check_rules(&[&exists, "vars: {a: b}"], &[unpublished]);
    check_rules(&["vars: {a: b}", &exists], &[]);
    check_rules(&[&absent], &[]);
    check_rules(&["matchFeatures: [{feature: cpu.model}], varsTemplate: a=b", &exists], &[]);
}

#[test]
fn warnings_stand_in_the_order_of_the_document() {
    check_sets(
        "- rules:\n  - name: r\n    matchAny:\n    - matchFeatures: [{feature: zzz}]\n    - {}\n- rules: []\n",
        &[
            "4:5: an alternative of rule \"r\" demands nothing, so that `matchAny` always holds",
            "6:23: no probe knows feature \"zzz\", so that it stays unknown",
            "8:3: the compatibility set has no rules, so that every host fits",
        ],
    );
}

#[test]
fn what_people_in_a_hurry_write_is_noticed() {
    let check = |feature: &str, expression: &str, expected: &str| {
        let text = format!(
            "version: oci-compat/v1\ncompatibilities:\n- rules:\n  - matchFeatures: [{{feature: {feature}, matchExpressions: \
                 {{{expression}}}}}]\n"
        );
        let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"));
        let found: Vec<_> = lint(&spec).into_iter().map(|it| it.message).collect();
        assert_eq!(found, [expected], "{expression}");
    };
    let upper = "CPU flags are in upper case, with underscores";
    check("cpu.cpuid", "avx2: {op: Exists}", &format!("{upper}: \"avx2\" is never there, write \"AVX2\""));
    check(
        "cpu.cpuid",
        "x86-64-v3: {op: Exists}",
        &format!("{upper}: \"x86-64-v3\" is never there, write \"X86_64_V3\""),
    );
    let size = "sizes of pages are written as 2Mi and 1Gi";
    check(
        "memory.hugepages",
        "hugepages-1GB: {op: Ge, value: [2]}",
        &format!("{size}: \"hugepages-1GB\" is never there, write \"hugepages-1Gi\""),
    );
    check(
        "memory.hugepages",
        "free-2048kB: {op: Ge, value: [2]}",
        &format!("{size}: \"free-2048kB\" is never there, write \"free-2Mi\""),
    );
    check(
        "pci.device",
        "vendor: {op: In, value: [\"0x10DE\"]}",
        "pci.device vendor is four hexadecimal digits, in lower case: \"0x10DE\" is never found, write \"10de\"",
    );
    check(
        "pci.device",
        "class: {op: In, value: [\"030200\"]}",
        "pci.device class is four hexadecimal digits, the first of six, in lower case: \"030200\" is never found, write \
             \"0302\"",
    );
    for (feature, name) in VERSIONS {
        check(
            feature,
            &format!("{name}: {{op: Ge, value: [5]}}"),
            &format!("{feature} {name} is no integer, so that this stays unknown; add `type: version`"),
        );
    }
}
