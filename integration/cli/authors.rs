//! `init` and `test`: what an author does before `lint` and `attach`.

use super::{SPEC, fails, folder, prints, run, write};

#[test]
fn init_writes_a_first_spec() {
    let folder = folder();
    let menu = run(&folder, "init");
    assert_eq!((menu.status, menu.stderr.as_str()), (0, ""));
    assert!(
        menu.stdout.contains("  kernel-module [NAME]       a kernel module (or gtp5g)\n"),
        "{}",
        menu.stdout
    );
    prints(&folder, "init kernel-module vfio-pci --output upf.yaml", 0, "");
    prints(&folder, "lint --deny-warnings upf.yaml", 0, "1 file: 0 errors, 0 warnings\n");
    fails(&folder, "init kernel-module x --output upf.yaml", "writing upf.yaml: File exists (os error 17)");
    fails(&folder, "init kernel-modul", "there is no kind \"kernel-modul\"; did you mean kernel-module?");
    fails(&folder, "init kernel new", "\"new\" is no VERSION: \"new\" is not a version, such as \"5.14\"");
}

const TESTS: &str = "hosts:
- name: as it is meant
  facts: example
  with: {kernel.version: {major: 5}}
  verdict: compatible
- name: newer
  facts: example
  verdict: incompatible
  codes: [kernel-version]
- name: a file
  facts: facts.json
  verdict: compatible
- name: <wrong>
  with: {kernel.version: unknown}
  verdict: incompatible
";

#[test]
fn specs_are_tested_against_hosts() {
    let folder = folder();
    write(&folder, "spec.test.yaml", TESTS);
    write(
        &folder,
        "facts.json",
        r#"{"flags": {}, "attributes": {"kernel.version": {"elements": {"major": "5"}}}, "instances": {}}"#,
    );
    let ran = run(&folder, "test .");
    let expected = "./spec.test.yaml
  ok    as it is meant
  ok    newer
  ok    a file
  FAIL  <wrong>
        - incompatible fact-unknown
        + undecided fact-unknown
";
    assert!(ran.stdout.starts_with(expected), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("4 hosts: 1 failed\n"), "{}", ran.stdout);
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    let xml = run(&folder, "test --format junit spec.test.yaml");
    assert_eq!(xml.status, 1);
    assert!(
        xml.stdout.contains("<testsuite name=\"spec.test.yaml\" tests=\"4\" failures=\"1\" errors=\"0\">"),
        "{}",
        xml.stdout
    );
    assert!(
        xml.stdout.contains(
            "name=\"&lt;wrong&gt;\">\n      <failure message=\"expected incompatible fact-unknown, found undecided fact-unknown\">"
        ),
        "{}",
        xml.stdout
    );
    write(
        &folder,
        "spec.test.yaml",
        &TESTS
            .replace("verdict: incompatible\n", "verdict: undecided\n")
            .replace("  codes: [kernel-version]\n", ""),
    );
    let ran = run(&folder, "test spec.test.yaml");
    assert!(ran.stdout.ends_with("4 hosts: 1 failed\n"), "{}", ran.stdout);
}

#[test]
fn a_test_that_cannot_be_read_is_trouble() {
    let folder = folder();
    write(&folder, "a.test.yaml", "hosts: []\n");
    write(
        &folder,
        "b.test.yaml",
        "spec: spec.yaml\nhosts: [{name: x, facts: none.json, verdict: compatible}]\n",
    );
    write(&folder, "c.yaml", "hosts: [{name: x, verdict: compatible}]\n");
    write(&folder, "spec.yaml", SPEC);
    let ran = run(&folder, "test a.test.yaml b.test.yaml c.yaml");
    assert_eq!((ran.status, ran.stdout.as_str()), (2, "0 hosts: 0 failed\n"));
    let expected = "error: a.test.yaml: `hosts` is empty: nothing would be tested
error: b.test.yaml: the facts of host \"x\": none.json is not there
error: c.yaml: names no `spec`, and is not called NAME.test.yaml
";
    assert_eq!(ran.stderr, expected);
    fails(&folder, "test host", "host has no file that ends in .test.yaml");
}
