//! The parts of a spec that are kept and lost, and that the result can be read.

use super::to_nfd;
use crate::spec::{Language, parse};

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
