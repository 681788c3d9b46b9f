//! Documents of the proposals: what they become, and every message about what is wrong with them.

use super::{parse, parse_layer};
use crate::spec::{Bound, Group, Language, Spec, Test};

fn read(text: &str) -> Spec {
    parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"))
}

fn check(text: &str, expected: &[&str]) {
    let found: Vec<_> = match parse(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(malformed) => malformed.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(found, expected, "{text}");
}

/// One compatibility of proposal B with these attributes, from column 99 on.
fn b(attributes: &str) -> String {
    format!(
        r#"{{"spec": {{"compatibilities": [{{"id": "a", "domain": "org.opencontainers", "attributes": {{{attributes}}}}}]}}}}"#
    )
}

fn f(group: &str, values: &str) -> String {
    format!(r#"{{"compatibilities": {{"{group}": {{{values}}}}}}}"#)
}

fn h(values: &str) -> String {
    format!(r#"{{"compatibilities": [{{{values}}}]}}"#)
}

/// Three compatibilities `a`, `b` and `c`, and one graph `g` with these edges from 3:1 on.
fn graph(edges: &str) -> String {
    let one = |id: &str| format!(r#"{{"id": "{id}", "domain": "d.example", "attributes": {{"x": "{id}"}}}}"#);
    format!(
        "{{\"spec\": {{\"compatibilities\": [{}, {}, {}],\n\"relations\": {{\"graphs\": {{\"g\": {{\"edges\": [\n{edges}]}}}},\n\
         \"validationCriteria\": [{{\"graphs\": [\"g\"], \"condition\": \"allOf\"}}]}}}}}}",
        one("a"),
        one("b"),
        one("c")
    )
}

fn edge(from: &str, to: &str, condition: &str) -> String {
    format!(
        "{{\"from\": \"{from}\", \"to\": {{\"compatibilities\": [{to}], \"condition\": \"{condition}\"}}}}\n"
    )
}

#[test]
fn the_shape_tells_the_format() {
    let language = |text: &str| read(text).language;
    assert_eq!(language(&b("")), Language::B);
    assert_eq!(language(&f("nfd", "")), Language::F);
    assert_eq!(language(&h(r#""oci.kernel.selinux": "true""#)), Language::H);
    assert_eq!(language(r#"{"kind": "CompatibilitySpec", "compatibilities": []}"#), Language::D);
    assert_eq!(
        language(r#"{"compatibilities": [{"name": "a", "annotations": {}}], "kind": "CompatibilitySpec"}"#),
        Language::D
    );
    assert_eq!(language("version: v1alpha1\ncompatibilities: []"), Language::Nfd);
    assert_eq!(language("version: oci-compat/v1\ncompatibilities: []"), Language::Own);
}

#[test]
fn a_layer_of_another_media_type_is_in_no_proposal() {
    let text = h(r#""oci.kernel.selinux": "true""#);
    let nfd = "application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml";
    let proposed = "application/vnd.oci.image-compatibility.spec.v1+json";
    let read = |kind| parse_layer(kind, text.as_bytes()).map(|it| it.language).map_err(|it| it.to_string());
    assert_eq!(read(proposed), Ok(Language::H));
    let message = "1:1: this is a spec of proposal H of the OCI working group, which is not read here: `oci-compat convert` makes \
                   a spec of it that is";
    assert_eq!(read(nfd), Err(message.to_owned()));
    assert_eq!(crate::spec::parse(text.as_bytes()).map_err(|it| it.to_string()), Err(message.to_owned()));
}

#[test]
fn what_is_in_no_format_names_all_of_them() {
    check(
        r#"{"rules": []}"#,
        &[
            "1:1: this is in no format of a spec: those of Node Feature Discovery and oci-compat have `version` and \
             `compatibilities`, proposals D, F and H of the OCI working group `compatibilities`, and proposal B `spec`",
        ],
    );
    check(
        r#"{"schemaVersion": 2, "layers": [{"digest": "a\u001bb"}]}"#,
        &["1:1: this is the manifest of an artifact and no spec: its layer is the spec"],
    );
}

#[test]
fn the_proposals_are_json() {
    check(
        "{\"compatibilities\": {\"nfd\": {\"memory-numa\": true,\n}}}",
        &["2:1: this is not valid JSON: there is a comma, and nothing follows it"],
    );
    check(
        "{\"compatibilities\": {\"nfd\": {\"memory-numa\": true\n\"memory-swap\": true}}}",
        &["2:1: this is not valid JSON: expected `,` or `}`"],
    );
    check("{", &["1:1: this is not valid JSON: EOF while parsing an object"]);
}

#[test]
fn names_that_do_not_exist_get_a_hint() {
    check(
        &b(r#""hardware.pci.clas-id": "0380", "kernel.verson": "5", "os.nothing-like-it": "x""#),
        &[
            "1:90: domain org.opencontainers has no name \"hardware.pci.clas-id\"; did you mean `hardware.pci.class-id`?",
            "1:122: domain org.opencontainers has no name \"kernel.verson\"; did you mean `kernel.version`?",
            "1:144: domain org.opencontainers has no name \"os.nothing-like-it\"; it has hardware.cpu.vendor, \
             hardware.cpu.virtualization, hardware.pci.class-id, hardware.pci.vendor-id, hardware.pci.device-id, \
             kernel.version, kernel.configuration., kernel.cmdline., kernel.modules., os.id, os.version",
        ],
    );
    check(
        &f("nfd", r#""memory-nuna": true, "pci-xyz.present": true"#),
        &[
            "1:30: Node Feature Discovery makes no label \"memory-nuna\"; did you mean `memory-numa`?",
            "1:51: Node Feature Discovery makes no label \"pci-xyz.present\"; a label of another source than its own needs \
             another beginning",
        ],
    );
    check(
        &f("org.supercontainers", r#""os.vendr": "ubuntu""#),
        &["1:46: group org.supercontainers has no name \"os.vendr\"; did you mean `os.vendor`?"],
    );
    check(
        &f("io.archspec", r#""cpu.vendr": "x""#),
        &["1:38: group io.archspec has no name \"cpu.vendr\"; did you mean `cpu.vendor`?"],
    );
    check(
        &h(r#""oci.kernel.version": "[1,2]", "oci.cpu.vendor": "GenuinIntel""#),
        &[
            "1:23: a set has no key \"oci.kernel.version\"; did you mean `oci.kernel.versions`?",
            "1:54: no vendor is called \"GenuinIntel\"; did you mean \"GenuineIntel\"?",
        ],
    );
}

#[test]
fn values_that_mean_nothing_are_errors() {
    check(
        &b(
            r#""hardware.pci.vendor-id": "nvidia", "kernel.modules.vfio": "yes", "kernel.version": "5.10-rc1",
               "hardware.cpu.virtualization": "on""#,
        ),
        &[
            "1:90: `hardware.pci.vendor-id` is \"nvidia\", but has to be four hexadecimal digits, such as \"10de\"",
            "1:126: `kernel.modules.vfio` is \"yes\", but has to be \"true\" or \"false\"",
            "1:156: versions are compared by their numbers, so that \"-rc1\" would be ignored: write \"5.10\"",
            "2:16: `hardware.cpu.virtualization` is \"on\", but has to be \"VT-x\" or \"AMD-V\"",
        ],
    );
    check(
        &h(
            r#""oci.pci.devices": "10de", "oci.cpu.features": "a b", "oci.compatibility-score": "high", "oci.kernel.selinux": []"#,
        ),
        &[
            "1:23: \"10de\" is not a device, such as \"15B3.020D\": its vendor and its number, each four hexadecimal digits",
            "1:50: `oci.cpu.features` is \"a b\", but has to be names with commas between them",
            "1:104: `oci.compatibility-score` is \"high\", but has to be an integer in plain decimal digits, without quotes",
            "1:134: `oci.kernel.selinux` is a list, but has to be text",
        ],
    );
    check(
        &h(r#""oci.compatibility-score": 1, "compatibility-score": 2"#),
        &["1:53: the set has a score already, at 1:23; remove one"],
    );
    check(
        &f("nfd", r#""network-sriov.capable": "yes""#),
        &["1:30: label `network-sriov.capable` is \"yes\", but can only be true or false"],
    );
}

#[test]
fn a_label_without_an_id_and_another_kind_are_errors() {
    let none = |label: &str| {
        format!(
            "1:30: Node Feature Discovery makes no label \"{label}\"; a label of another source than its own needs another beginning"
        )
    };
    for label in ["pci-.present", "pci-_10de.present", "usb-ff__0407.present"] {
        check(&f("nfd", &format!(r#""{label}": true"#)), &[&none(label)]);
    }
    check(
        r#"{"kind": "CompatibilitySpecs", "compatibilities": [{"name": "a.example", "annotations": {}}]}"#,
        &["1:10: `kind` is \"CompatibilitySpecs\", but has to be \"CompatibilitySpec\""],
    );
}

#[test]
fn intervals_are_open_or_closed_at_either_end() {
    let tests = |text: &str| {
        let spec = read(&h(&format!(r#""oci.kernel.versions": "{text}""#)));
        let term = &spec.sets[0].rules[0].match_features[0];
        let tests = term.expressions.iter().flatten().map(|(_, it)| {
            let Test::Version(bound) = &it.test else { panic!("{it:?}") };
            match bound {
                Bound::Gt(it) => format!(">{it}"),
                Bound::Ge(it) => format!(">={it}"),
                Bound::Lt(it) => format!("<{it}"),
                Bound::Le(it) => format!("<={it}"),
                Bound::GtLt(low, high) => format!("{low}<<{high}"),
                Bound::GeLe(low, high) => format!("{low}..{high}"),
                Bound::Outside(low, high) => format!("<{low} or >{high}"),
            }
        });
        tests.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(tests("[4.19, 5.16)"), ">=4.19 <5.16");
    assert_eq!(tests("(4.19,5.16]"), ">4.19 <=5.16");
    assert_eq!(tests("[2.31, 2.37]"), "2.31..2.37");
    assert_eq!(tests("(2.31, 2.37)"), "2.31<<2.37");
    assert_eq!(tests("[5.10, )"), ">=5.10");
    assert_eq!(tests("(, 6]"), "<=6");
    assert_eq!(tests("5.10"), "5.10..5.10");
    let wrong = |text: &str, message: &str| {
        check(&h(&format!(r#""oci.kernel.versions": "{text}""#)), &[&format!("1:23: {message}")]);
    };
    let is_none = |text: &str| {
        format!(
            "{text:?} is not an interval of versions, such as \"[4.19, 5.16)\"; a square bracket includes the end, and an empty \
             end is open"
        )
    };
    for text in ["", "[1", "[1]", "1,2", "[1,2,3]", "[,]", "{1,2}"] {
        wrong(text, &is_none(text));
    }
    wrong("[5.16, 4.19)", "no version lies in the interval \"[5.16, 4.19)\"; the lower end comes first");
    wrong("[5, 5)", "no version lies in the interval \"[5, 5)\"; the lower end comes first");
    wrong("[new, 5)", "\"new\" is not a version, such as \"5.14\"");
}

#[test]
fn sets_have_a_score_under_either_name_and_lists_may_end_in_a_comma() {
    let spec = read(
        r#"{"compatibilities": [{"compatibility-score": 50, "oci.cpu.features": "avx2,BMI2,"},
            {"oci.compatibility-score": "80", "description": "x", "oci.pci.devices": "1002.67ff,15B3.020D"}]}"#,
    );
    let weights: Vec<_> = spec.sets.iter().map(|it| (it.weight, it.description.as_str())).collect();
    assert_eq!(weights, [(50, ""), (80, "x")]);
    let rules: Vec<_> = spec.sets.iter().map(|it| (&*it.rules[0].id, &*it.rules[0].name)).collect();
    assert_eq!(
        rules,
        [
            ("oci.cpu.features", "oci.cpu.features avx2,BMI2,"),
            ("oci.pci.devices", "oci.pci.devices 1002.67ff,15B3.020D")
        ]
    );
    let names = |set: usize| -> Vec<_> {
        let terms = spec.sets[set].rules[0].match_features.iter();
        terms.flat_map(|it| it.expressions.iter().flatten()).map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(0), ["AVX2", "BMI2"]);
    assert_eq!(names(1), ["vendor", "device", "vendor", "device"]);
}

#[test]
fn a_graph_names_what_there_is_and_never_leads_in_a_circle() {
    check(&graph(&format!("{},{}", edge("a", r#""b""#, "allOf"), edge("b", r#""c""#, "noneOf"))), &[]);
    check(
        &graph(
            &[edge("a", r#""b""#, "allOf"), edge("b", r#""c""#, "oneOf"), edge("c", r#""a""#, "allOf")]
                .join(","),
        ),
        &["5:2: the edges of graph \"g\" lead in a circle: a -> b -> c -> a"],
    );
    check(
        &graph(&[edge("a", r#""a""#, "allOf"), edge("b", r#""c""#, "oneOf")].join(",")),
        &["3:1: the edges of graph \"g\" lead in a circle: a -> a"],
    );
    check(
        &graph(&edge("a", r#""b", "d""#, "anyOf")),
        &[
            "3:47: no compatibility has the id \"d\"; did you mean `a`?",
            "3:66: `condition` is \"anyOf\", but has to be allOf, oneOf or noneOf",
        ],
    );
    check(
        &graph(&edge("a", r#""b""#, "allOf")),
        &["1:155: no edge leads from or to compatibility \"c\", so that it never counts"],
    );
    let text = graph(&format!("{},{}", edge("a", r#""b""#, "allOf"), edge("b", r#""c""#, "allOf")));
    check(
        &text.replace(r#"[{"graphs": ["g"]"#, r#"[{"graphs": ["h"]"#),
        &[
            "2:26: no criterion names graph \"g\", so that it never counts",
            "6:36: no graph has the name \"h\"; did you mean `g`?",
        ],
    );
    check(
        &text.replace(r#"{"id": "b""#, r#"{"id": "a""#),
        &[
            "1:93: the compatibility at 1:31 has the id \"a\" as well; each needs its own",
            "3:42: no compatibility has the id \"b\"; did you mean `a`?",
            "4:11: no compatibility has the id \"b\"; did you mean `a`?",
        ],
    );
}

#[test]
fn a_graph_is_of_bounded_size() {
    let chain: Vec<_> =
        (0..14).map(|it| edge(&format!("n{it}"), &format!("\"n{}\"", it + 1), "allOf")).collect();
    let nodes: Vec<_> = (0..15)
        .map(|it| format!(r#"{{"id": "n{it}", "domain": "d.example", "attributes": {{}}}}"#))
        .collect();
    let text = |edges: &[String], nodes: &[String]| {
        format!(
            r#"{{"spec": {{"compatibilities": [{}], "relations": {{"graphs": {{"g": {{"edges": [{}]}}}},
               "validationCriteria": [{{"graphs": ["g"], "condition": "allOf"}}]}}}}}}"#,
            nodes.join(","),
            edges.join(",")
        )
    };
    let message = "graph \"g\" has more than 1000 ways from edge to edge, counting the graphs before it, or one of more than 12 \
                   edges: make it smaller";
    let found = parse(text(&chain, &nodes).as_bytes()).map(drop).map_err(|it| it.first().message.clone());
    assert_eq!(found, Err(message.to_owned()));
    // Twice as many ways with each edge.
    let double: Vec<_> = (0..11)
        .map(|it| edge(&format!("n{it}"), &format!("\"n{}\", \"n{}\"", it + 1, it + 1), "allOf"))
        .collect();
    let found =
        parse(text(&double, &nodes[..12]).as_bytes()).map(drop).map_err(|it| it.first().message.clone());
    assert_eq!(found, Err(message.to_owned()));
    let many = vec![edge("n0", r#""n1""#, "allOf"); 257];
    let found = parse(text(&many, &nodes[..2]).as_bytes()).map(drop).map_err(|it| it.first().message.clone());
    assert_eq!(found, Err("graph \"g\" has 257 edges, and 256 at most are read".to_owned()));
}

/// A graph of a strange document may be named often, may have many attributes behind many ways, and many ids may be wrong.
#[test]
fn graphs_take_bounded_work_together() {
    let messages = |text: &str| -> Vec<String> {
        parse(text.as_bytes()).err().iter().flat_map(|it| it.iter()).map(|it| it.message.clone()).collect()
    };
    let spec = |compatibilities: &[String], edges: &[String], graphs: &[&str]| {
        let graphs: Vec<_> = graphs.iter().map(|it| format!("{it:?}")).collect();
        format!(
            r#"{{"spec": {{"compatibilities": [{}], "relations": {{"graphs": {{"g": {{"edges": [{}]}}}},
               "validationCriteria": [{{"graphs": [{}], "condition": "allOf"}}]}}}}}}"#,
            compatibilities.join(","),
            edges.join(","),
            graphs.join(",")
        )
    };
    let node = |id: &str, attributes: &str| {
        format!(r#"{{"id": "{id}", "domain": "org.opencontainers", "attributes": {{{attributes}}}}}"#)
    };
    let nodes = ["a", "b"].map(|it| node(it, ""));
    let edges = [edge("a", r#""b""#, "allOf")];
    assert_eq!(messages(&spec(&nodes, &edges, &["g"; 500])), [""; 0]);
    assert_eq!(
        messages(&spec(&nodes, &edges, &["g"; 5000])),
        [
            "graph \"g\" has more than 1000 ways from edge to edge, counting the graphs before it, or one of more than 12 \
             edges: make it smaller"
        ]
    );
    // Each option takes 4096 steps.
    let options: Vec<_> = (0..2000).map(|it| format!(r#""kernel.configuration.O{it}": "y""#)).collect();
    let nodes = [node("a", ""), node("b", &options.join(","))];
    assert_eq!(messages(&spec(&nodes, &edges, &["g"])), [""; 0]);
    assert_eq!(
        messages(&spec(&nodes, &edges, &["g"; 400])),
        [
            "the graphs up to \"g\" take more than 134217728 steps to hold against a host: use fewer attributes, or fewer \
             ways to them"
        ]
    );
    let nodes: Vec<_> = (0..1001).map(|it| node(&format!("n{it}"), "")).collect();
    assert_eq!(
        messages(&spec(&nodes, &edges, &["g"])),
        ["there are 1001 compatibilities, and 1000 at most can be related"]
    );
    let wrong = vec![r#""wrong""#; 300].join(",");
    let found = messages(&spec(&nodes[..12], &[edge("n0", &wrong, "allOf")], &["g"]));
    let message = "no compatibility has the id \"wrong\"";
    let named = "; there are n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, ...";
    assert_eq!(found.len(), 300);
    assert_eq!((found[0].clone(), found[299].as_str()), (format!("{message}{named}"), message));
}

#[test]
fn the_largest_graph_has_a_compiled_form_that_can_be_read() {
    let edges: Vec<_> =
        (0..12).map(|it| edge(&format!("n{it}"), &format!("\"n{}\"", it + 1), "noneOf")).collect();
    let nodes: Vec<_> = (0..13)
        .map(|it| {
            format!(r#"{{"id": "n{it}", "domain": "d.example", "attributes": {{"x": "y", "z": "w"}}}}"#)
        })
        .collect();
    let spec = read(&format!(
        r#"{{"spec": {{"compatibilities": [{}], "relations": {{"graphs": {{"g": {{"edges": [{}]}}}},
           "validationCriteria": [{{"graphs": ["g"], "condition": "oneOf"}}]}}}}}}"#,
        nodes.join(","),
        edges.join(",")
    ));
    let compiled = crate::spec::compiled::encode(&spec).expect("a compiled form");
    assert_eq!(crate::spec::compiled::decode(&compiled).expect("the same"), spec);
}

#[test]
fn labels_are_the_features_that_they_are_made_from() {
    let shown = |label: &str, value: &str| {
        let spec = read(&f("nfd", &format!(r#""{label}": {value}"#)));
        let rule = &spec.sets[0].rules[0];
        let is_not = matches!(rule.groups.as_slice(), [Group::Not(_)]);
        let terms: Vec<_> = rule.terms().collect();
        let [term] = terms.as_slice() else { panic!("{terms:?}") };
        let tests = term.expressions.iter().flatten().map(|(name, it)| format!(" {name} {:?}", it.test));
        format!("{}{}{}", if is_not { "not " } else { "" }, term.feature, tests.collect::<String>())
    };
    let check =
        |label: &str, value: &str, expected: &str| assert_eq!(shown(label, value), expected, "{label}");
    check("cpu-hardware_multithreading", "true", "cpu.topology hardware_multithreading IsTrue");
    check("cpu-pstate.status", "\"passive\"", "cpu.pstate status In([\"passive\"])");
    check("cpu-pstate.turbo", "false", "not cpu.pstate turbo IsTrue");
    check("cpu-cpuid.AVX2", "true", "cpu.cpuid AVX2 Exists");
    check("cpu-cpuid.AVX2", "false", "cpu.cpuid AVX2 DoesNotExist");
    check("cpu-power.sst_bf.enabled", "true", "cpu.sst bf.enabled IsTrue");
    check("kernel-version.major", "4", "kernel.version major In([\"4\"])");
    check("kernel-config.NO_HZ", "true", "kernel.config NO_HZ Enabled");
    check("kernel-config.HZ", "250", "kernel.config HZ In([\"250\"])");
    check("kernel-selinux.enabled", "false", "not kernel.selinux enabled IsTrue");
    check("memory-numa", "true", "memory.numa is_numa IsTrue");
    check("memory-nv.dax", "true", "memory.nv devtype In([\"nd_dax\"])");
    check("network-sriov.configured", "true", "network.device sriov_numvfs Integer(Gt(0))");
    check("pci-0200_8086.present", "true", "pci.device class In([\"0200\"]) vendor In([\"8086\"])");
    check(
        "pci-1200_8086_4940.sriov.capable",
        "true",
        "pci.device class In([\"1200\"]) vendor In([\"8086\"]) device In([\"4940\"]) sriov_totalvfs Integer(Gt(0))",
    );
    check(
        "usb-ff_1050_0407.present",
        "false",
        "not usb.device class In([\"ff\"]) vendor In([\"1050\"]) device In([\"0407\"])",
    );
    check("storage-nonrotationaldisk", "true", "storage.block rotational In([\"0\"])");
    check("system-os_release.VERSION_ID.major", "9", "system.osrelease VERSION_ID.major In([\"9\"])");
    check("custom-rdma.available", "true", "local.label custom-rdma.available In([\"true\"])");
    check("feature.node.kubernetes.io/memory-swap", "true", "memory.swap enabled IsTrue");
}
