//! `convert`: a spec in Node Feature Discovery's language, with what gets lost on stderr.

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
