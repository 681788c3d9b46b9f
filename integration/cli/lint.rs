//! `lint`: every warning once, errors with their places, and what makes it fail.

use super::{SPEC, folder, prints, run, write};

/// Each warning, in the order of the document.
const QUESTIONABLE: &str = r#"version: v1alpha1
compatibilities:
- rules: []
- rules:
  - name: unpublished
    matchFeatures:
    - feature: rule.matched
      matchExpressions:
        family: {op: In, value: [debian]}
  - name: nothing
  - name: any
    matchAny:
    - {}
    - matchFeatures:
      - feature: kernel.selinux
  - name: template
    varsTemplate: "a=b"
  - name: features
    matchFeatures:
    - feature: kernel.loadedmodules
    - feature: vendor.thing
    - feature: local.label
    - feature: kernel.loadedmodule
      matchExpressions:
        nf-tables: {op: Exists}
        gtp5g: {op: In, value: [loaded]}
    - feature: kernel.config
      matchExpressions:
        CONFIG_BPF: {op: Exists}
    - feature: kernel.version
      matchExpressions:
        full: {op: Ge, value: [5]}
        mayor: {op: Ge, value: [5]}
        patch_level_of: {op: Exists}
    - feature: pci.device
      matchExpressions:
        vendor: {op: NotIn, value: ["10de"]}
"#;

const WARNINGS: [(&str, &str); 15] = [
    ("3:3", "the compatibility set has no rules, so that every host fits"),
    ("9:9", "no rule before this one publishes variable \"family\""),
    ("10:5", "rule \"nothing\" demands nothing, so that it always holds"),
    ("11:5", "an alternative of rule \"any\" demands nothing, so that `matchAny` always holds"),
    ("16:5", "rule \"template\" demands nothing, so that it always holds"),
    ("16:5", "the template of rule \"template\" is never expanded: the rule matches nothing"),
    (
        "20:7",
        "no probe knows feature \"kernel.loadedmodules\", so that it stays unknown; did you mean kernel.loadedmodule?",
    ),
    ("21:7", "no probe knows feature \"vendor.thing\", so that it stays unknown"),
    ("25:9", "the kernel lists modules with underscores: \"nf-tables\" is never loaded, write \"nf_tables\""),
    ("26:9", "kernel.loadedmodule holds names without values, so that this never holds; use Exists"),
    ("29:9", "kernel options are named without CONFIG_: write \"BPF\""),
    ("32:9", "kernel.version full is no integer, so that this stays unknown; add `type: version`"),
    ("33:9", "kernel.version has no element \"mayor\"; did you mean \"major\"?"),
    ("34:9", "kernel.version has no element \"patch_level_of\"; it has full, major, minor, revision"),
    ("35:7", "this holds as soon as one of several is different; no term says that none is (pci.device)"),
];

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let folder = folder();
    write(&folder, "questionable.yaml", QUESTIONABLE);
    let line = |(place, message): (&str, &str)| format!("questionable.yaml:{place}: warning: {message}\n");
    let text: String = WARNINGS.into_iter().map(line).collect();
    prints(&folder, "lint questionable.yaml", 0, &format!("{text}1 file: 0 errors, 15 warnings\n"));
}

#[test]
fn a_spec_that_demands_nothing_is_warned_of() {
    let folder = folder();
    write(&folder, "empty.yaml", "version: v1alpha1\ncompatibilities: []\n");
    let warning = "empty.yaml:1:1: warning: the spec has no compatibility set, so that every host fits\n";
    let expected = format!("{warning}1 file: 0 errors, 1 warning\n");
    prints(&folder, "lint empty.yaml", 0, &expected);
    prints(&folder, "lint --deny-warnings empty.yaml", 1, &expected);
}

#[test]
fn what_other_tools_do_not_know_is_noted_and_fails_nowhere() {
    let folder = folder();
    write(
        &folder,
        "ours.yaml",
        SPEC.replace("kernel.version", "system.limit").replace("major", "pid_max").as_str(),
    );
    let expected = "ours.yaml:6:7: note: feature system.limit is not known to Node Feature Discovery: its tools take it for absent
1 file: 0 errors, 0 warnings, 1 note
";
    prints(&folder, "lint --deny-warnings ours.yaml", 0, expected);
}

#[test]
fn a_spec_without_flaws_passes_however_strict() {
    let folder = folder();
    prints(&folder, "lint --deny-warnings spec.yaml", 0, "1 file: 0 errors, 0 warnings\n");
}

#[test]
fn errors_of_all_files_are_shown_and_fail() {
    let folder = folder();
    write(&folder, "one.yaml", "version: v1\n");
    write(&folder, "two.yaml", &SPEC.replace("op: In", "op: Inn"));
    let expected = "one.yaml:1:1: error: a spec needs `compatibilities`, the list of alternatives
one.yaml:1:10: error: version \"v1\" is not known; write v1alpha1 or oci-compat/v1
two.yaml:8:21: error: there is no op \"Inn\"; did you mean `In`?
3 files: 3 errors, 0 warnings
";
    prints(&folder, "lint spec.yaml one.yaml two.yaml", 1, expected);
}

#[test]
fn warnings_stand_beside_errors_and_a_file_that_is_not_there_hides_no_other() {
    let folder = folder();
    let text = "version: v1alpha1
compatibilities:
- rules:
  - matchFeatures:
    - feature: cpu.cpuid
      matchExpressions:
        avx2: {op: Exists}
        AVX: {op: Exist}
";
    write(&folder, "both.yaml", text);
    let expected = "both.yaml:7:9: warning: CPU flags are in upper case, with underscores: \"avx2\" is never there, write \"AVX2\"
both.yaml:8:19: error: there is no op \"Exist\"; did you mean `Exists`?
1 file: 1 error, 1 warning
";
    prints(&folder, "lint both.yaml", 1, expected);
    let found = run(&folder, "lint missing.yaml both.yaml");
    assert_eq!((found.status, found.stdout.as_str()), (2, expected));
    assert_eq!(found.stderr, "error: missing.yaml is not there\n");
}

#[test]
fn findings_come_as_json_too() {
    let folder = folder();
    write(&folder, "one.yaml", "version: v1alpha1\n");
    write(&folder, "two.yaml", "version: v1alpha1\ncompatibilities: []\n");
    let found: serde_json::Value =
        serde_json::from_str(&run(&folder, "lint --format json one.yaml two.yaml").stdout).expect("JSON");
    let finding = |message: &str| serde_json::json!([{"line": 1, "column": 1, "message": message}]);
    let (error, warning) = (
        finding("a spec needs `compatibilities`, the list of alternatives"),
        finding("the spec has no compatibility set, so that every host fits"),
    );
    let expected = serde_json::json!({"schema": "oci-compat.lint/v1", "files": [
        {"file": "one.yaml", "errors": error, "warnings": [], "notes": []},
        {"file": "two.yaml", "errors": [], "warnings": warning, "notes": []},
    ]});
    assert_eq!(found, expected);
}

#[test]
fn the_name_of_a_file_is_escaped() {
    let folder = folder();
    write(&folder, "\u{202e}red\u{1b}[31m.yaml", SPEC.replace("kernel.version", "no.such").as_str());
    let expected = "\\u{202e}red\\u{1b}[31m.yaml:6:7: warning: no probe knows feature \"no.such\", so that it stays unknown
1 file: 0 errors, 1 warning
";
    prints(&folder, "lint \u{202e}red\u{1b}[31m.yaml", 0, expected);
}
