//! `convert`: a spec in Node Feature Discovery's language or in our own, with what gets lost on stderr.

use super::{SPEC, folder, run, write};

#[test]
fn a_spec_of_nfd_comes_back_with_every_value_quoted() {
    let folder = folder();
    let first = run(&folder, "convert spec.yaml");
    assert_eq!((first.status, first.stderr.as_str()), (0, ""));
    write(&folder, "again.yaml", &first.stdout);
    assert_eq!(run(&folder, "convert --to v1alpha1 again.yaml").stdout, first.stdout);
    assert_eq!(run(&folder, "lint --deny-warnings again.yaml").status, 0);
}

#[test]
fn what_gets_lost_is_reported_with_its_place() {
    let folder = folder();
    let text = SPEC.replace("version: v1alpha1", "version: oci-compat/v1").replace("- name: ", "- id: ");
    write(&folder, "own.yaml", &text);
    let ran = run(&folder, "convert own.yaml");
    assert!(ran.stdout.starts_with("version: v1alpha1\ncompatibilities:\n- rules:\n"), "{}", ran.stdout);
    let id = text.split("- id: ").nth(1).and_then(|it| it.lines().next()).unwrap_or_default();
    let expected = format!("warn: own.yaml:4:5: rule {id:?}: `id`, `remedy` and `docs` are left out\n");
    assert_eq!((ran.status, ran.stderr), (1, expected));
}

#[test]
fn a_spec_with_errors_is_not_converted() {
    let folder = folder();
    write(&folder, "bad.yaml", "version: oci-compat/v1\n");
    let ran = run(&folder, "convert bad.yaml");
    let expected = "error: bad.yaml:1:1: a spec needs `compatibilities`, the list of alternatives\n";
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (1, "", expected));
}

const RULE: &str = "apiVersion: nfd.k8s-sigs.io/v1alpha1
kind: NodeFeatureRule
spec:
  rules:
  - name: kernel
    labels: {new: \"true\"}
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        major: {op: In, value: [\"5\"]}
";

#[test]
fn a_rule_of_node_feature_discovery_is_linted_and_becomes_a_spec() {
    let folder = folder();
    write(&folder, "rule.yaml", RULE);
    let note = "`labels` is left out: a spec changes nothing\n";
    let linted = run(&folder, "lint --format short rule.yaml");
    let expected = format!("rule.yaml:6:5: note[left-out]: {note}1 file: 0 errors, 0 warnings, 1 note\n");
    assert_eq!((linted.status, linted.stdout), (0, expected));
    let ran = run(&folder, "convert rule.yaml");
    assert_eq!((ran.status, ran.stderr), (1, format!("warn: rule.yaml:6:5: {note}")));
    write(&folder, "again.yaml", &ran.stdout);
    assert_eq!(run(&folder, "check --spec again.yaml --root host").status, 0);
    write(&folder, "wrong.yaml", &RULE.replace("matchFeatures", "matchFeature"));
    let linted = run(&folder, "lint --format short wrong.yaml");
    let error = "wrong.yaml:7:5: error[unknown-field]: a rule has no field \"matchFeature\"; did you mean `matchFeatures`?";
    assert_eq!((linted.status, linted.stdout.lines().nth(1)), (1, Some(error)));
}

#[test]
fn what_becomes_our_language_loses_nothing() {
    let folder = folder();
    let h = r#"{"compatibilities": [{"oci.kernel.versions": "[5.0, 6)", "oci.compatibility-score": 3}]}"#;
    write(&folder, "h.json", h);
    for to in ["oci-compat/v1", "v1alpha1"] {
        let ran = run(&folder, &format!("convert --to {to} h.json"));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        assert!(ran.stdout.starts_with(&format!("version: {to}\n")), "{}", ran.stdout);
        write(&folder, "again.yaml", &ran.stdout);
        assert_eq!(run(&folder, "check --spec again.yaml --root host").status, 0, "{}", ran.stdout);
    }
}
