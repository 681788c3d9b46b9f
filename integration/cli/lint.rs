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

const WARNINGS: [(&str, &str, &str); 15] = [
    ("3:3", "demands-nothing", "the compatibility set has no rules, so that every host fits"),
    ("9:9", "dangling-reference", "no rule before this one publishes variable \"family\""),
    ("10:5", "demands-nothing", "rule \"nothing\" demands nothing, so that it always holds"),
    (
        "11:5",
        "demands-nothing",
        "an alternative of rule \"any\" demands nothing, so that `matchAny` always holds",
    ),
    ("16:5", "demands-nothing", "rule \"template\" demands nothing, so that it always holds"),
    (
        "16:5",
        "unused-template",
        "the template of rule \"template\" is never expanded: the rule matches nothing",
    ),
    (
        "20:7",
        "unknown-feature",
        "no probe knows feature \"kernel.loadedmodules\", so that it stays unknown; did you mean kernel.loadedmodule?",
    ),
    ("21:7", "unknown-feature", "no probe knows feature \"vendor.thing\", so that it stays unknown"),
    (
        "25:9",
        "misspelled-name",
        "the kernel lists modules with underscores: Node Feature Discovery never finds \"nf-tables\"; write \"nf_tables\"",
    ),
    (
        "26:9",
        "wrong-test",
        "kernel.loadedmodule holds names without values, so that this never holds; use Exists",
    ),
    (
        "29:9",
        "misspelled-name",
        "kernel options are named without CONFIG_: \"CONFIG_BPF\" is never there; write \"BPF\"",
    ),
    (
        "32:9",
        "wrong-test",
        "kernel.version full is no integer, so that this stays unknown; add `type: version`",
    ),
    ("33:9", "unknown-element", "kernel.version has no element \"mayor\"; did you mean \"major\"?"),
    (
        "34:9",
        "unknown-element",
        "kernel.version has no element \"patch_level_of\"; it has full, major, minor, revision",
    ),
    (
        "35:7",
        "negative-instances",
        "this holds as soon as one of several is different; no term says that none is (pci.device)",
    ),
];

#[test]
fn what_is_probably_not_meant_is_warned_of() {
    let folder = folder();
    write(&folder, "questionable.yaml", QUESTIONABLE);
    let line = |(place, code, message): (&str, &str, &str)| {
        format!("questionable.yaml:{place}: warning[{code}]: {message}\n")
    };
    let mut lines: Vec<_> = WARNINGS.into_iter().map(line).collect();
    let set = "the set has neither a description nor a tag: reports show its number only";
    lines.insert(1, format!("questionable.yaml:3:3: note[missing-description]: {set}\n"));
    let wins = "wherever this set fits, the set at 3:3 fits too and is preferred";
    let help = "give this one a larger `weight`, or remove it";
    lines.insert(2, format!("questionable.yaml:4:3: warning[set-never-wins]: {wins}; {help}\n"));
    lines.insert(3, format!("questionable.yaml:4:3: note[missing-description]: {set}\n"));
    let text = format!("{}1 file: 0 errors, 16 warnings, 2 notes\n", lines.concat());
    prints(&folder, "lint --format short questionable.yaml", 0, &text);
}

#[test]
fn remarks_are_shown_with_an_excerpt() {
    let folder = folder();
    let text = "version: v1alpha1
compatibilities:
- rules:
  - name: instructions
    matchFeatures:
    - feature: cpu.cpuid
      matchExpressions:
        avx2: {op: Exists}
    - feature: pci.device
      matchExpressions:
        vendor: {op: In, value: [8086, \"0x10DE\"]} # \u{4e2d}\u{202e}
        class: {op: Exist}
";
    write(&folder, "both.yaml", text);
    let expected = "\
warning[misspelled-name]: CPU flags are in upper case, with underscores: \"avx2\" is never there
 --> both.yaml:8:9
  |
8 |         avx2: {op: Exists}
  |         ^^^^
  |
  = help: write \"AVX2\"

warning[impossible-value]: pci.device vendor is never \"0x10DE\": it is four hexadecimal digits, in lower case
  --> both.yaml:11:40
   |
  ::: 
11 |         vendor: {op: In, value: [8086, \"0x10DE\"]} # \u{4e2d}\\u{202e}
   |                                        ^^^^^^^^
   |
   = help: write \"10de\"

error[unknown-operator]: there is no op \"Exist\"
  --> both.yaml:12:21
   |
12 |         class: {op: Exist}
   |                     ^^^^^
   |
   = help: did you mean `Exists`?

1 file: 1 error, 2 warnings
";
    prints(&folder, "lint both.yaml", 1, expected);
}

#[test]
fn a_spec_that_demands_nothing_is_warned_of() {
    let folder = folder();
    write(&folder, "empty.yaml", "version: v1alpha1\ncompatibilities: []\n");
    let warning = "empty.yaml:1:1: warning[demands-nothing]: the spec has no compatibility set, so that every host fits\n";
    let expected = format!("{warning}1 file: 0 errors, 1 warning\n");
    prints(&folder, "lint --format short empty.yaml", 0, &expected);
    prints(&folder, "lint --format short --deny-warnings empty.yaml", 1, &expected);
    prints(&folder, "lint --quiet empty.yaml", 0, "");
    prints(&folder, "lint --format short --quiet --deny-warnings empty.yaml", 1, warning);
}

#[test]
fn what_other_tools_do_not_know_is_noted_and_fails_nowhere() {
    let folder = folder();
    write(
        &folder,
        "ours.yaml",
        SPEC.replace("kernel.version", "system.limit").replace("major", "pid_max").as_str(),
    );
    let expected = "ours.yaml:6:7: note[not-in-nfd]: feature system.limit is not known to Node Feature Discovery: its tools take it for absent
1 file: 0 errors, 0 warnings, 1 note
";
    prints(&folder, "lint --format short --deny-warnings ours.yaml", 0, expected);
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
    let expected =
        "one.yaml:1:1: error[missing-field]: a spec needs `compatibilities`, the list of alternatives
one.yaml:1:10: error[wrong-kind]: version \"v1\" is not known; write v1alpha1 or oci-compat/v1
two.yaml:8:21: error[unknown-operator]: there is no op \"Inn\"; did you mean `In`?
3 files: 3 errors, 0 warnings
";
    prints(&folder, "lint --format short spec.yaml one.yaml two.yaml", 1, expected);
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
    let expected = "both.yaml:4:5: note[missing-description]: the rule has neither a name nor an id: reports show its place only
both.yaml:7:9: warning[misspelled-name]: CPU flags are in upper case, with underscores: \"avx2\" is never there; write \"AVX2\"
both.yaml:8:19: error[unknown-operator]: there is no op \"Exist\"; did you mean `Exists`?
1 file: 1 error, 1 warning, 1 note
";
    prints(&folder, "lint --format short both.yaml", 1, expected);
    let found = run(&folder, "lint --format short missing.yaml both.yaml");
    assert_eq!((found.status, found.stdout.as_str()), (2, expected));
    assert_eq!(found.stderr, "error: missing.yaml is not there\n");
}

#[test]
fn findings_come_as_json_too() {
    let folder = folder();
    write(&folder, "one.yaml", "version: v1alpha1\n");
    write(&folder, "two.yaml", &SPEC.replace("[5]", "5"));
    let found: serde_json::Value =
        serde_json::from_str(&run(&folder, "lint --format json one.yaml two.yaml").stdout).expect("JSON");
    let errors = serde_json::json!([{"line": 1, "column": 1, "end_line": 1, "end_column": 8, "code": "missing-field",
        "message": "a spec needs `compatibilities`, the list of alternatives", "can_fix": false}]);
    let other = serde_json::json!([{"line": 8, "column": 32, "end_line": 8, "end_column": 33, "code": "wrong-kind",
        "message": "`value` is \"5\", but has to be a list, such as [\"5.10\"]", "can_fix": true}]);
    let expected = serde_json::json!({"schema": "oci-compat.lint/v1", "files": [
        {"file": "one.yaml", "errors": errors, "warnings": [], "notes": [], "fixed": 0},
        {"file": "two.yaml", "errors": other, "warnings": [], "notes": [], "fixed": 0},
    ]});
    assert_eq!(found, expected);
}

#[test]
fn findings_come_as_sarif_and_as_annotations_of_a_workflow() {
    let folder = folder();
    write(&folder, "a b,%.yaml", &SPEC.replace("op: In", "op: Gte"));
    let ran = crate::command::oci_compat(folder.path(), &["lint", "--format", "sarif", "a b,%.yaml"]);
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(ran.status, 1);
    let run = &found["runs"][0];
    assert_eq!(run["tool"]["driver"]["rules"][0]["id"], "unknown-operator");
    assert_eq!(
        run["results"],
        serde_json::json!([{
            "ruleId": "unknown-operator",
            "level": "error",
            "message": {"text": "there is no op \"Gte\"; did you mean `Ge`?"},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": "a%20b%2C%25.yaml"},
                "region": {"startLine": 8, "startColumn": 21, "endLine": 8, "endColumn": 24},
            }}],
        }])
    );
    let ran = crate::command::oci_compat(folder.path(), &["lint", "--format", "github", "a b,%.yaml"]);
    let expected = "::error file=a b%2C%25.yaml,line=8,endLine=8,col=21,endColumn=24,title=unknown-operator::there is no op \"Gte\"; did you mean `Ge`?\n";
    assert_eq!((ran.status, ran.stdout.as_str()), (1, expected));
}

#[test]
fn what_is_certain_is_corrected_in_the_file() {
    let folder = folder();
    let wrong = SPEC.replace("op: In", "op: in").replace("[5]", "5");
    write(&folder, "wrong.yaml", &wrong);
    std::os::unix::fs::symlink("wrong.yaml", folder.path().join("link.yaml")).expect("a link");
    prints(&folder, "lint --fix link.yaml", 0, "1 file: 0 errors, 0 warnings, 2 fixed\n");
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    assert_eq!(read("wrong.yaml"), SPEC.replace("[5]", "[\"5\"]"));
    assert!(folder.path().join("link.yaml").is_symlink());
    prints(&folder, "lint --fix link.yaml", 0, "1 file: 0 errors, 0 warnings\n");
    let ran = crate::command::fed(folder.path(), &["lint", "--fix", "-"], wrong.as_bytes());
    assert_eq!((ran.status, ran.stderr.as_str()), (2, "error: --fix cannot write to stdin: name a file\n"));
}

#[test]
fn a_file_beside_it_is_not_overwritten_and_not_removed() {
    let folder = folder();
    let wrong = SPEC.replace("op: In", "op: in");
    write(&folder, "wrong.yaml", &wrong);
    write(&folder, "wrong.yaml.lint-fix", "another one");
    let place = std::fs::canonicalize(folder.path()).expect("a folder");
    let err = format!(
        "writing the corrected wrong.yaml: creating {}/wrong.yaml.lint-fix: File exists (os error 17)",
        place.display()
    );
    super::fails(&folder, "lint --quiet --fix wrong.yaml", &err);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
    assert_eq!((read("wrong.yaml"), read("wrong.yaml.lint-fix").as_str()), (wrong, "another one"));
}

#[test]
fn folders_and_patterns_stand_for_their_specs() {
    let folder = folder();
    for name in ["specs/a.yaml", "specs/deep/b.json", "specs/deep/c.yml"] {
        write(&folder, name, SPEC);
    }
    write(&folder, "specs/compose.yaml", "services: {}\n");
    write(&folder, "specs/wrong.yaml", &SPEC.replace("op: In", "op: Inn"));
    let error = "error[unknown-operator]: there is no op \"Inn\"; did you mean `In`?";
    let wrong = format!("specs/wrong.yaml:8:21: {error}\n");
    prints(&folder, "lint --format short specs", 1, &format!("{wrong}4 files: 1 error, 0 warnings\n"));
    prints(&folder, "lint --quiet --format short specs/**/*.yaml", 1, &format!("specs/compose.yaml:1:1: error[not-a-spec]: this is in no format of a spec: those of Node Feature Discovery and oci-compat have `version` and `compatibilities`, proposals D, F and H of the OCI working group `compatibilities`, and proposal B `spec`
{wrong}"));
    prints(&folder, "lint s*/d?ep/*", 0, "2 files: 0 errors, 0 warnings\n");
    super::fails(
        &folder,
        "lint --quiet nothing/*.yaml specs/*.toml",
        "listing nothing: No such file or directory (os error 2)\nerror: no file fits specs/*.toml",
    );
    super::fails(
        &folder,
        "lint --quiet host",
        "host has no spec: no file that ends in .yaml, .yml or .json with `compatibilities`",
    );
}

#[test]
fn the_name_of_a_file_is_escaped() {
    let folder = folder();
    write(&folder, "\u{202e}red\u{1b}[31m.yaml", SPEC.replace("kernel.version", "no.such").as_str());
    let expected = "\\u{202e}red\\u{1b}[31m.yaml:6:7: warning[unknown-feature]: no probe knows feature \"no.such\", so that it stays unknown
1 file: 0 errors, 1 warning
";
    prints(&folder, "lint --format short \u{202e}red\u{1b}[31m.yaml", 0, expected);
}
