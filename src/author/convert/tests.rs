//! The parts of a spec that are kept and lost, and that the result can be read.

use super::{Loss, to_nfd, to_own, understand};
use crate::spec::{Language, Spec, parse};

fn check(rules: &str, document: &str, losses: &[&str]) {
    let text = format!("version: oci-compat/v1\ncompatibilities:\n- rules:\n{rules}");
    let spec = parse(text.as_bytes()).unwrap_or_else(|err| panic!("{err}: {text}"));
    let converted = to_nfd(&spec);
    let found: Vec<_> = converted.losses.iter().map(|it| format!("{}: {}", it.at, it.message)).collect();
    assert_eq!(
        (converted.document.as_str(), found.iter().map(String::as_str).collect::<Vec<_>>().as_slice()),
        (document, losses)
    );
    let back =
        parse(converted.document.as_bytes()).unwrap_or_else(|err| panic!("{err}: {}", converted.document));
    assert_eq!((back.language, to_nfd(&back).document), (Language::Nfd, converted.document));
}

#[test]
fn what_nfd_can_say_is_kept() {
    check(
        "  - id: a\n    matchFeatures:\n    - feature: kernel.config\n      matchExpressions:\n        B: {op: Enabled}\n  \
           - name: c\n    any:\n    - matchFeatures: [{feature: d.e, count: {op: Ge, value: [1]}}]\n    - all: [{matchFeatures: \
           [{feature: f.g}]}]\n    all: [{matchFeatures: [{feature: h.i, matchName: {op: InRegexp, value: ['\\.j\"']}}]}]\n  \
           - name: k\n    matchFeatures: [{feature: memory.total, matchExpressions: {l: {op: Ge, type: quantity, value: \
           [8Ki]}}}]\n",
        "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: \"a\"\n    matchFeatures:\n    - feature: \"kernel.config\"\n      \
         matchExpressions:\n        \"B\": {op: In, value: [\"y\", \"m\"]}\n  - name: \"c\"\n    matchFeatures:\n    - feature: \
         \"h.i\"\n      matchName: {op: InRegexp, value: [\"\\\\.j\\\"\"]}\n    matchAny:\n    - matchFeatures:\n      - feature: \
         \"d.e\"\n    - matchFeatures:\n      - feature: \"f.g\"\n  - name: \"k\"\n    matchFeatures:\n    - feature: \
         \"memory.total\"\n      matchExpressions:\n        \"l\": {op: Ge, value: [\"8192\"]}\n",
        &["4:5: rule \"a\": `id`, `remedy` and `docs` are left out"],
    );
}

#[test]
fn what_would_be_stricter_is_left_out_and_reported() {
    let terms = "matchFeatures: [{feature: f.g}]";
    check(
        &format!(
            "  - {{name: a, severity: info, {terms}}}\n  - {{name: b, when: {{{terms}}}, {terms}}}\n  - {{name: c, not: \
             {{{terms}}}, any: [{{not: {{{terms}}}}}]}}\n  - {{name: d, matchFeatures: [{{feature: h.i, count: {{op: Lt, value: \
             [1]}}}}, {{feature: j.k, count: {{op: Ge, value: [2]}}, matchExpressions: {{l: {{op: NotInRange, value: [1, 2]}}, m: \
             {{op: Ge, type: release, value: [6.8.0-41]}}, o: {{op: Ge, type: quantity, value: [5s]}}}}}}]}}\n"
        ),
        "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: \"c\"\n  - name: \"d\"\n    matchFeatures:\n    - feature: \
         \"j.k\"\n",
        &[
            "4:5: rule \"a\": it is left out, because it would be required",
            "5:5: rule \"b\": it is left out, because it would count everywhere and not only under its condition",
            "6:5: rule \"c\": `any` is left out, because its groups hold `any` or `not`",
            "6:5: rule \"c\": `not` is left out",
            "7:53: h.i: the term is left out, because `count` would ask for at least one",
            "7:98: j.k: `count` is left out, so that one is enough",
            "7:139: j.k: the expression on \"l\" is left out, because `NotInRange` cannot be said",
            "7:175: j.k: the expression on \"m\" is left out, because builds of a distribution cannot be compared",
            "7:222: j.k: the expression on \"o\" is left out, because quantities with units cannot be said",
        ],
    );
}

/// What another document becomes in our own language, with what is lost of it on the way in and out.
fn own(text: &str) -> (String, Vec<String>) {
    let found = understand(text.as_bytes());
    assert_eq!(found.malformed, None, "{text}");
    let spec: Spec = found.spec.expect("a spec");
    let converted = to_own(&spec);
    let back =
        parse(converted.document.as_bytes()).unwrap_or_else(|err| panic!("{err}: {}", converted.document));
    assert_eq!((back.language, to_own(&back).document), (Language::Own, converted.document.clone()));
    let told = found.losses.iter().map(|it| format!("{}: {}", it.at, it.message));
    let lost = converted.losses.iter().map(|Loss { at, message }| format!("{at}: {message}"));
    (converted.document, told.chain(lost).collect())
}

fn check_own(text: &str, rules: &str, losses: &[&str]) {
    let (document, found) = own(text);
    let expected = format!("version: oci-compat/v1\ncompatibilities:\n{rules}");
    assert_eq!((document, found), (expected, losses.iter().map(|it| (*it).to_owned()).collect()));
}

#[test]
fn proposals_become_our_language() {
    check_own(
        r#"{"compatibilities": [{"oci.kernel.versions": "[4.19, 5.16)", "oci.compatibility-score": 5, "description": "x"}]}"#,
        "- rules:\n  - name: \"oci.kernel.versions [4.19, 5.16)\"\n    id: \"oci.kernel.versions\"\n    matchFeatures:\n    - feature: \
         \"kernel.version\"\n      matchExpressions:\n        \"full\": {op: Ge, value: [\"4.19\"], type: version}\n    - feature: \
         \"kernel.version\"\n      matchExpressions:\n        \"full\": {op: Lt, value: [\"5.16\"], type: version}\n  description: \
         \"x\"\n  weight: 5\n",
        &[],
    );
    check_own(
        r#"{"spec": {"compatibilities": [{"id": "a", "domain": "org.opencontainers", "attributes": {"os.id": "debian"}},
            {"id": "b", "domain": "org.opencontainers", "attributes": {"kernel.configuration.CONFIG_X": "n"}}],
            "relations": {"graphs": {"g": {"edges": [{"from": "a", "to": {"compatibilities": ["b"], "condition": "noneOf"}}]}},
            "validationCriteria": [{"graphs": ["g"], "condition": "allOf"}]}}}"#,
        "- rules:\n  - name: \"\"\n    id: \"g\"\n    all:\n    - matchFeatures:\n      - feature: \"system.osrelease\"\n        \
         matchExpressions:\n          \"ID\": {op: In, value: [\"debian\"]}\n    - not:\n        not:\n          matchFeatures:\n          - \
         feature: \"kernel.config\"\n            matchExpressions:\n              \"X\": {op: Enabled}\n",
        &["4:36: rule \"g\": the ids of the compatibilities in its graphs are left out"],
    );
}

#[test]
fn rules_of_node_feature_discovery_become_alternatives_or_hold_together() {
    let rules = "  - name: a\n    labels: {x: y}\n    matchFeatures: [{feature: f.g}]\n  - name: b\n    matchFeatures: [{feature: h.i}]\n";
    let a = "  - name: \"a\"\n    matchFeatures:\n    - feature: \"f.g\"\n";
    let b = "  - name: \"b\"\n    matchFeatures:\n    - feature: \"h.i\"\n";
    let label = "6:5: `labels` is left out: a spec changes nothing";
    check_own(
        &format!("apiVersion: nfd.k8s-sigs.io/v1alpha1\nkind: NodeFeatureRule\nspec:\n  rules:\n{rules}"),
        &format!("- rules:\n{a}{b}"),
        &["5:5: each rule stands by itself there; in a spec all of them have to hold", label],
    );
    check_own(
        &format!(
            "apiVersion: nfd.k8s-sigs.io/v1alpha1\nkind: NodeFeatureGroup\nspec:\n  featureGroupRules:\n{rules}"
        ),
        &format!("- rules:\n{a}- rules:\n{b}"),
        &[label],
    );
    let wrong = understand(b"kind: NodeFeatureRule\nspec:\n  rules:\n  - matchFeature: []\n    labels: {}\n");
    let message = wrong.malformed.map(|it| it.to_string());
    assert_eq!(
        message.as_deref(),
        Some("4:5: a rule has no field \"matchFeature\"; did you mean `matchFeatures`?")
    );
}

#[test]
fn analyzers_of_a_host_preflight_become_rules() {
    check_own(
        "kind: HostPreflight\nspec:\n  analyzers:\n  - cpu:\n      checkName: four CPUs\n      outcomes:\n      - fail: {when: \"count < 4\", \
         message: more CPUs}\n      - warn: {when: \"count < 8\", message: slow}\n      - pass: {message: fine}\n  - memory:\n      \
         outcomes:\n      - pass: {when: \">= 8Gi\"}\n      - fail: {message: more memory}\n  - hostOS:\n      outcomes:\n      - pass: {when: \
         \"ubuntu >= 20.04\"}\n      - fail: {}\n  - kernelConfigs:\n      selectedConfigs: [CONFIG_A=y, CONFIG_B=ym]\n  - \
         kernelModules:\n      outcomes:\n      - pass: {when: \"overlay == loaded,loadable\"}\n      - fail: {}\n  - sysctl:\n      \
         outcomes:\n      - fail: {when: \"net.ipv4.ip_forward == 0\"}\n  - diskUsage: {outcomes: []}\n  - cpu:\n      outcomes:\n      - \
         fail: {when: \"physical < 4\"}\n",
        "- rules:\n  - name: \"four CPUs\"\n    remedy: \"more CPUs\"\n    not:\n      matchFeatures:\n      - feature: \"cpu.count\"\n        \
         matchExpressions:\n          \"online\": {op: Lt, value: [\"4\"]}\n  - name: \"four CPUs\"\n    remedy: \"slow\"\n    severity: \
         recommended\n    all:\n    - not:\n        matchFeatures:\n        - feature: \"cpu.count\"\n          matchExpressions:\n            \
         \"online\": {op: Lt, value: [\"4\"]}\n    - not:\n        matchFeatures:\n        - feature: \"cpu.count\"\n          \
         matchExpressions:\n            \"online\": {op: Lt, value: [\"8\"]}\n  - name: \"memory\"\n    remedy: \"more memory\"\n    \
         matchFeatures:\n    - feature: \"memory.total\"\n      matchExpressions:\n        \"bytes\": {op: Ge, value: [\"8Gi\"], type: \
         quantity}\n  - name: \"hostOS\"\n    matchFeatures:\n    - feature: \"system.osrelease\"\n      matchExpressions:\n        \"ID\": {op: \
         In, value: [\"ubuntu\"]}\n        \"VERSION_ID\": {op: Ge, value: [\"20.04\"], type: version}\n  - name: \"kernelConfigs\"\n    \
         matchFeatures:\n    - feature: \"kernel.config\"\n      matchExpressions:\n        \"A\": {op: In, value: [\"y\"]}\n        \"B\": {op: \
         In, value: [\"y\", \"m\"]}\n  - name: \"kernelModules\"\n    matchFeatures:\n    - feature: \"kernel.module\"\n      \
         matchExpressions:\n        \"name\": {op: In, value: [\"overlay\"]}\n        \"state\": {op: In, value: [\"loaded\", \"builtin\", \
         \"available\"]}\n  - name: \"sysctl\"\n    not:\n      matchFeatures:\n      - feature: \"kernel.sysctl\"\n        \
         matchExpressions:\n          \"net.ipv4.ip_forward\": {op: In, value: [\"0\"]}\n",
        &[
            "27:5: analyzer `diskUsage` is left out: what it looks at is not known here",
            "28:5: analyzer `cpu` is left out: its conditions are not understood",
        ],
    );
}

#[test]
fn an_image_s_configuration_becomes_rules() {
    check_own(
        r#"{"architecture": "amd64", "os": "linux", "variant": "v3", "config": {"Env": ["PATH=/bin",
            "NVIDIA_REQUIRE_CUDA=cuda>=12.4 brand=tesla,driver>=535"]}}"#,
        "- rules:\n  - name: \"platform linux/amd64\"\n    matchFeatures:\n    - feature: \"kernel.program\"\n      \
         matchExpressions:\n        \"x86-64\": {op: Exists}\n  - name: \"variant v3\"\n    matchFeatures:\n    - feature: \"cpu.cpuid\"\n      \
         matchExpressions:\n        \"X86_64_V3\": {op: Exists}\n  - name: \"NVIDIA_REQUIRE_CUDA\"\n    any:\n    - matchFeatures:\n      - \
         feature: \"gpu.nvidia\"\n        matchExpressions:\n          \"cuda\": {op: Ge, value: [\"12.4\"], type: version}\n    - \
         matchFeatures:\n      - feature: \"gpu.nvidia\"\n        matchExpressions:\n          \"brand\": {op: InRegexp, value: \
         [\"(?i)^tesla$\"]}\n      - feature: \"gpu.nvidia\"\n        matchExpressions:\n          \"driver\": {op: Ge, value: [\"535\"], type: \
         version}\n",
        &[
            "1:1: NVIDIA_REQUIRE_CUDA counts only for containers with GPUs, and a driver of the same major version may do; a spec \
             counts for all containers, to the letter",
        ],
    );
    check_own(
        "NVIDIA_REQUIRE_CUDA=cuda=>12\n",
        "- rules: []\n",
        &["1:1: NVIDIA_REQUIRE_CUDA is left out: no spec can say its condition \"cuda=>12\""],
    );
    check_own(
        "NVIDIA_REQUIRE_CUDA=brand!=tesla\n",
        "- rules: []\n",
        &["1:1: NVIDIA_REQUIRE_CUDA is left out: no spec can say its condition \"brand!=tesla\""],
    );
}
