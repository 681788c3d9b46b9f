use super::*;
use crate::spec::parse;

fn check_sets(sets: &str, expected: &[&str]) {
    let text = format!("version: v1alpha1\ncompatibilities:\n{sets}");
    let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"));
    let level = |it: &LintRemark| if it.level() == RemarkLevel::Note { "note: " } else { "" };
    let found: Vec<_> = lint(&spec)
        .iter()
        .filter(|it| it.code != LintCode::MissingDescription)
        .map(|it| format!("{}: {}{}", it.at, level(it), it.sentence()))
        .collect();
    assert_eq!(found, expected, "{text}");
}

/// Rules of one set, each on a line of its own from line 4 on.
fn check_rules(rules: &[&str], expected: &[&str]) {
    let rules: String = rules.iter().map(|it| format!("  - {{{it}}}\n")).collect();
    check_sets(&format!("- rules:\n{rules}"), expected);
}

/// A term of one rule, from 5:7 on.
fn check_term(term: &str, expected: &[&str]) {
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
    check_term(
        "feature: kernel.conifg",
        &[
            "5:7: no probe knows feature \"kernel.conifg\", so that it stays unknown; did you mean kernel.config?",
        ],
    );
    check_term(
        "feature: Vendor.thing",
        &["5:7: no probe knows feature \"Vendor.thing\", so that it stays unknown"],
    );
    let check = |expression: &str, expected: &str| {
        check_term(
            &format!("feature: cpu.model, matchExpressions: {{{expression}: {{op: Exists}}}}"),
            &[expected],
        );
    };
    check("maker", "5:47: cpu.model has no element \"maker\"; it has vendor_id, family, id, hypervisor");
    check("vendor_ids", "5:47: cpu.model has no element \"vendor_ids\"; did you mean \"vendor_id\"?");
}

#[test]
fn names_that_the_kernel_writes_otherwise_are_noticed() {
    check_term(
        "feature: kernel.loadedmodule, matchExpressions: {nvidia-drm: {op: Exists}}",
        &[
            "5:57: the kernel lists modules with underscores: Node Feature Discovery never finds \"nvidia-drm\"; write \"nvidia_drm\"",
        ],
    );
    check_term(
        "feature: kernel.config, matchExpressions: {CONFIG_NET: {op: Exists}}",
        &["5:51: kernel options are named without CONFIG_: \"CONFIG_NET\" is never there; write \"NET\""],
    );
    check_term(
        "feature: kernel.config, matchExpressions: {x86-64: {op: Exists}}",
        &["5:51: kernel options are named with underscores: \"x86-64\" is never there; write \"X86_64\""],
    );
    check_term(
        "feature: kernel.enabledmodule, matchExpressions: {vfio-pci: {op: Exists}}",
        &[
            "5:58: the kernel lists modules with underscores: Node Feature Discovery never finds \"vfio-pci\"; write \"vfio_pci\"",
        ],
    );
    check_term(
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
    check_term(term, &[&format!("5:7: {note}")]);
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
            "5:5: this rule demands the same as the rule at 4:5; remove one of the two, or write what was meant",
        ],
    );
}

#[test]
fn tests_that_cannot_hold_or_say_less_than_they_seem_are_noticed() {
    check_term(
        "feature: kernel.loadedmodule, matchExpressions: {gtp5g: {op: IsTrue}}",
        &["5:57: kernel.loadedmodule holds names without values, so that this never holds; use Exists"],
    );
    check_term(
        "feature: kernel.version, matchExpressions: {full: {op: Ge, value: [5]}}",
        &["5:52: kernel.version full is no integer, so that this stays unknown; add `type: version`"],
    );
    check_term(
        "feature: pci.device, matchExpressions: {vendor: {op: NotIn, value: [10de]}}",
        &["5:7: this holds as soon as one of several is different; no term says that none is (pci.device)"],
    );
    check_term(
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
        let found: Vec<_> = lint(&spec)
            .iter()
            .filter(|it| it.code != LintCode::MissingDescription)
            .map(LintRemark::sentence)
            .collect();
        assert_eq!(found, [expected], "{expression}");
    };
    let upper = "CPU flags are in upper case, with underscores";
    check("cpu.cpuid", "avx2: {op: Exists}", &format!("{upper}: \"avx2\" is never there; write \"AVX2\""));
    check(
        "cpu.cpuid",
        "x86-64-v3: {op: Exists}",
        &format!("{upper}: \"x86-64-v3\" is never there; write \"X86_64_V3\""),
    );
    let size = "sizes of pages are written as 2Mi and 1Gi";
    check(
        "memory.hugepages",
        "hugepages-1GB: {op: Ge, value: [2]}",
        &format!("{size}: \"hugepages-1GB\" is never there; write \"hugepages-1Gi\""),
    );
    check(
        "memory.hugepages",
        "free-2048kB: {op: Ge, value: [2]}",
        &format!("{size}: \"free-2048kB\" is never there; write \"free-2Mi\""),
    );
    check(
        "pci.device",
        "vendor: {op: In, value: [\"0x10DE\"]}",
        "pci.device vendor is never \"0x10DE\": it is four hexadecimal digits, in lower case; write \"10de\"",
    );
    check(
        "pci.device",
        "class: {op: In, value: [\"030200\"]}",
        "pci.device class is never \"030200\": it is four hexadecimal digits, the first of six, in lower case; write \
             \"0302\"",
    );
    for (feature, name) in values::VERSIONS {
        check(
            feature,
            &format!("{name}: {{op: Ge, value: [5]}}"),
            &format!("{feature} {name} is no integer, so that this stays unknown; add `type: version`"),
        );
    }
}

/// Rules of a set, or a whole document, as the table of codes has them.
fn document(example: &str) -> String {
    if example.starts_with("version:") || example.starts_with("apiVersion:") {
        return example.to_owned();
    }
    let rules = example.replace('\n', "\n  ");
    format!(
        "version: v1alpha1\ncompatibilities:\n- description: an example\n  rules:\n  {}\n",
        rules.trim_end()
    )
}

fn codes(text: &str) -> Vec<LintCode> {
    check(text.as_bytes(), &SpecText::new(text)).iter().map(|it| it.code).collect()
}

#[test]
fn each_code_has_an_example_that_gets_it_and_one_that_gets_nothing() {
    let mut names = BTreeSet::new();
    // The table has every code, in the order of the enum.
    assert_eq!(LINT_CODES.len(), LintCode::MissingDescription as usize + 1);
    for (index, info) in LINT_CODES.iter().enumerate() {
        assert_eq!(info.code as usize, index, "{}", info.name);
        assert!(names.insert(info.name), "{} stands twice", info.name);
        assert_eq!(info.code.info().name, info.name);
        let wrong = document(info.wrong);
        assert!(codes(&wrong).contains(&info.code), "{}: {:?}\n{wrong}", info.name, codes(&wrong));
        let right = document(info.right);
        assert_eq!(codes(&right), [], "{}\n{right}", info.name);
    }
}

/// What `lint` finds in rules of one set, without notes on names; each rule starts on a line of its own, from 4:5 on.
fn check_found(rules: &[&str], expected: &[&str]) {
    let rules: String = rules.iter().map(|it| format!("  - {{{it}}}\n")).collect();
    let text = format!("version: oci-compat/v1\ncompatibilities:\n- rules:\n{rules}");
    let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"));
    let found: Vec<_> = lint(&spec)
        .iter()
        .filter(|it| it.code != LintCode::MissingDescription)
        .map(|it| format!("{} {}: {}", it.code.info().name, it.at, it.message))
        .collect();
    assert_eq!(found, expected, "{text}");
}

/// A term of a rule.
fn version(expression: &str) -> String {
    format!("{{feature: kernel.version, matchExpressions: {{full: {{{expression}}}}}}}")
}

fn from(version_: &str) -> String {
    version(&format!("op: Ge, type: version, value: [\"{version_}\"]"))
}

fn below(version_: &str) -> String {
    version(&format!("op: Lt, type: version, value: [\"{version_}\"]"))
}

#[test]
fn demands_that_exclude_each_other_are_found() {
    let rule = |terms: &[String]| format!("matchFeatures: [{}]", terms.join(", "));
    let excludes =
        |place: &str| format!("what kernel.version full needs here excludes what it needs at {place}");
    check_found(
        &[&rule(&[from("5.10"), below("5.4")])],
        &[&format!("contradiction 4:162: no host fits this set: {}", excludes("4:67"))],
    );
    check_found(
        &[&rule(&[from("5.10")]), &rule(&[below("5.10")])],
        &[&format!("contradiction 5:67: no host fits this set: {}", excludes("4:67"))],
    );
    check_found(&[&rule(&[from("5.4")]), &rule(&[below("5.10")])], &[]);
    // An alternative against the rest, and a rule that decides nothing.
    let any = format!("matchAny: [{{{}}}, {{{}}}]", rule(&[from("6.1")]), rule(&[version("op: Exists")]));
    check_found(
        &[&rule(&[below("5.4")]), &any],
        &[
            "shadowed-rule 5:5: this rule holds wherever the rule at 4:5 holds",
            "shadowed-rule 5:34: this alternative holds only where that at 5:147 holds",
            &format!("contradiction 5:79: this alternative never holds: {}", excludes("4:67")),
        ],
    );
    check_found(
        &[&format!("severity: info, {}", rule(&[from("6.1"), below("6.1")]))],
        &[&format!("contradiction 4:177: this rule never holds: {}", excludes("4:83"))],
    );
    // Two devices may be different ones.
    let device = |vendor: &str| {
        format!("{{feature: pci.device, matchExpressions: {{vendor: {{op: In, value: [\"{vendor}\"]}}}}}}")
    };
    check_found(&[&rule(&[device("10de"), device("8086")])], &[]);
}

#[test]
fn tests_that_exclude_and_imply_each_other_are_known() {
    let test = |text: &str| {
        let text = format!(
            "version: oci-compat/v1\ncompatibilities: [{{rules: [{{matchFeatures: [{{feature: f.g, matchExpressions: {{a: {{{text}}}}}}}]}}]}}]"
        );
        let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"));
        spec.sets[0].rules[0].match_features[0].expressions.as_ref().expect("expressions")[0].1.test.clone()
    };
    let relation = |left: &str, right: &str, expected: &str| {
        let (left_test, right_test) = (test(left), test(right));
        let found = match () {
            () if compare::exclude(&left_test, &right_test) => "excludes",
            () if compare::implies(&left_test, &right_test) => "implies",
            () => "neither",
        };
        assert_eq!(found, expected, "{left} | {right}");
    };
    relation("op: Exists", "op: DoesNotExist", "excludes");
    relation("op: In, value: [a]", "op: DoesNotExist", "excludes");
    relation("op: In, value: [a]", "op: In, value: [b, c]", "excludes");
    relation("op: In, value: [a]", "op: In, value: [b, a]", "implies");
    relation("op: In, value: [a, c]", "op: In, value: [b, a]", "neither");
    relation("op: In, value: [a]", "op: NotIn, value: [a, b]", "excludes");
    relation("op: In, value: [a]", "op: NotIn, value: [b]", "implies");
    relation("op: NotIn, value: [a, b]", "op: NotIn, value: [b]", "implies");
    relation("op: In, value: [a]", "op: InRegexp, value: [\"^b\"]", "excludes");
    relation("op: In, value: [ab]", "op: InRegexp, value: [\"^a\"]", "implies");
    relation("op: IsTrue", "op: IsFalse", "excludes");
    relation("op: Enabled", "op: In, value: [\"y\", m]", "implies");
    relation("op: Ge, value: [5]", "op: Ge, value: [4]", "implies");
    relation("op: Ge, value: [5]", "op: Gt, value: [5]", "neither");
    relation("op: Gt, value: [5]", "op: Ge, value: [5]", "implies");
    relation("op: Gt, value: [5]", "op: Le, value: [5]", "excludes");
    relation("op: Ge, value: [5]", "op: Le, value: [5]", "neither");
    relation("op: GeLe, value: [5, 7]", "op: GtLt, value: [4, 8]", "implies");
    relation("op: NotInRange, value: [5, 7]", "op: GtLt, value: [5, 7]", "neither");
    relation("op: In, value: [8]", "op: Lt, value: [8]", "excludes");
    relation("op: In, value: [x]", "op: Lt, value: [8]", "neither");
    relation("op: Ge, type: quantity, value: [8Gi]", "op: Lt, type: quantity, value: [4G]", "excludes");
    relation("op: Ge, type: quantity, value: [8Gi]", "op: Lt, type: quantity, value: [4s]", "neither");
    relation("op: Exists", "op: \"\"", "implies");
    relation("op: \"\"", "op: Exists", "neither");
}

#[test]
fn rules_and_alternatives_that_change_nothing_are_found() {
    let rule = |name: &str, term: &str| format!("name: {name}, matchFeatures: [{term}]");
    check_found(
        &[&rule("a", &from("5.10")), &rule("b", &from("5.4")), &rule("c", &from("5.10"))],
        &[
            "shadowed-rule 5:5: rule \"b\" holds wherever the rule at 4:5 holds",
            "duplicate-rule 6:5: rule \"c\" demands the same as the rule at 4:5",
        ],
    );
    // What publishes variables is kept; what counts in another case only is no copy.
    check_found(
        &[&rule("a", &from("5.4")), &format!("vars: {{x: z}}, {}", rule("b", &from("5.4")))],
        &["duplicate-rule 4:5: rule \"a\" demands the same as the rule at 5:5"],
    );
    check_found(&[&rule("a", &from("5.4")), &format!("severity: info, {}", rule("b", &from("5.4")))], &[]);
    let terms = |term: &str| format!("{{matchFeatures: [{term}]}}");
    check_found(
        &[&format!("any: [{}, {}, {}]", terms(&from("5.4")), terms(&from("6.1")), terms(&from("5.4")))],
        &[
            "shadowed-rule 4:142: this alternative holds only where that at 4:29 holds",
            "duplicate-rule 4:255: this alternative demands the same as that at 4:29",
        ],
    );
    check_found(
        &[&format!("matchAny: [{}, {}]", terms(&from("5.4")), terms(&below("5.10")))],
        &[
            "always-holds 4:147: one of this alternative and that at 4:34 holds wherever kernel.version full is there",
        ],
    );
    let option = |op: &str| format!("{{feature: kernel.config, matchExpressions: {{TUN: {{op: {op}}}}}}}");
    check_found(
        &[&format!("matchAny: [{}, {}]", terms(&option("Exists")), terms(&option("DoesNotExist")))],
        &[
            "always-holds 4:118: one of this alternative and that at 4:34 holds wherever kernel.config is there",
        ],
    );
}

#[test]
fn a_set_that_is_never_the_best_one_is_found() {
    let set =
        |head: &str, term: &str| format!("- {{{head}, rules: [{{name: r, matchFeatures: [{term}]}}]}}\n");
    let check = |sets: &[String], expected: &[&str]| check_sets(&sets.concat(), expected);
    let stricter = set("description: b", &from("5.10"));
    let help = "give this one a larger `weight`, or remove it";
    let message = format!("4:3: wherever this set fits, the set at 3:3 fits too and is preferred; {help}");
    check(&[set("description: a", &from("5.4")), stricter.clone()], &[&message]);
    check(&[set("weight: -1, description: a", &from("5.4")), stricter.clone()], &[]);
    check(&[set("tag: a", &from("5.4")), set("tag: b", &from("5.10"))], &[]);
    check(&[stricter, set("description: a", &from("5.4"))], &[]);
}

#[test]
fn work_on_a_hostile_spec_is_bounded() {
    let list = (0..60).map(|it| format!("v{it}")).collect::<Vec<_>>().join(", ");
    let rule = format!(
        "  - {{name: r, matchFeatures: [{{feature: kernel.config, matchExpressions: {{A: {{op: In, value: [{list}]}}}}}}]}}\n"
    );
    let text = format!("version: v1alpha1\ncompatibilities:\n- rules:\n{}", rule.repeat(200));
    let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}"));
    let started = std::time::Instant::now();
    assert!(!lint(&spec).is_empty());
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}
