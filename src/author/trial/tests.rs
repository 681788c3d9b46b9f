use super::*;
use crate::spec::parse;

const SPEC: &str = "version: v1alpha1
compatibilities:
- rules:
  - name: module
    matchFeatures:
    - feature: kernel.loadedmodule
      matchExpressions: {gtp5g: {op: Exists}}
  - name: card
    matchFeatures:
    - feature: pci.device
      matchExpressions: {vendor: {op: In, value: [\"15b3\"]}}
";

fn tried(host: &str) -> anyhow::Result<Tried> {
    let file = TestFile::read(&format!("hosts:\n- name: it\n  {}\n", host.replace('\n', "\n  ")))?;
    let spec = parse(SPEC.as_bytes()).expect("a spec");
    file.hosts[0].judge(&spec, |name| {
        assert_eq!(name, "facts.json");
        Ok(br#"{"flags": {"kernel.loadedmodule": {"elements": {"gtp5g": {}}}}, "attributes": {}, "instances": {}}"#.to_vec())
    })
}

fn check(host: &str, verdict: &str, codes: &[&str]) {
    let tried = tried(host).unwrap_or_else(|err| panic!("{err:#}: {host}"));
    let codes = codes.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(tried.found, Said { verdict: verdict.to_owned(), codes }, "{host}");
    assert!(tried.is_as_expected() == (tried.expected.verdict == verdict), "{host}");
}

#[test]
fn hosts_are_files_documents_or_the_example_with_changes() {
    let card = "pci.device: [{vendor: 15b3}]";
    let expected = "verdict: compatible";
    check(&format!("facts: facts.json\n{expected}"), "undecided", &["fact-unknown"]);
    check(&format!("facts: facts.json\nwith: {{{card}}}\n{expected}"), "compatible", &[]);
    check(
        &format!("facts: example\n{expected}"),
        "incompatible",
        &["module-not-loaded", "pci-device-missing"],
    );
    check(&format!("facts: example\nwith:\n  {card}\n{expected}"), "incompatible", &["module-not-loaded"]);
    check(&format!("with:\n  {card}\n  kernel.loadedmodule: [gtp5g]\n{expected}"), "compatible", &[]);
    check(
        &format!("with:\n  {card}\n  kernel.loadedmodule: {{flags: [gtp5g]}}\n{expected}"),
        "compatible",
        &[],
    );
    check(
        &format!("with:\n  {card}\n  kernel.loadedmodule: unknown\n{expected}"),
        "undecided",
        &["fact-unknown"],
    );
    check(
        &format!("with:\n  {card}\n  kernel.loadedmodule: absent\n{expected}"),
        "incompatible",
        &["module-not-loaded"],
    );
    check(
        &format!("with:\n  pci.device: []\n  kernel.loadedmodule: [gtp5g]\n{expected}"),
        "incompatible",
        &["pci-device-missing"],
    );
    check(
        &format!("with:\n  {card}\n  kernel.loadedmodule: []\n{expected}"),
        "incompatible",
        &["module-not-loaded"],
    );
    let document = "facts: {flags: {kernel.loadedmodule: {elements: {gtp5g: {}}}}}";
    check(&format!("{document}\nwith: {{{card}}}\n{expected}"), "compatible", &[]);
}

#[test]
fn an_empty_list_says_that_there_are_none() {
    let empty = |feature: &str, name: &str| {
        let spec = format!(
            "version: v1alpha1\ncompatibilities: [{{rules: [{{name: none, matchFeatures: [{{feature: {feature}, matchExpressions: {{{name}: {{op: DoesNotExist}}}}}}]}}]}}]"
        );
        let spec = parse(spec.as_bytes()).expect("a spec");
        let hosts = format!("hosts: [{{name: it, with: {{{feature}: []}}, verdict: compatible}}]");
        let file = TestFile::read(&hosts).expect("a test");
        file.hosts[0].judge(&spec, |_| panic!("no file")).expect("facts").found.verdict
    };
    assert_eq!(empty("kernel.loadedmodule", "nouveau"), "compatible");
    assert_eq!(empty("Kernel.LoadedModule", "nouveau"), "compatible");
    assert_eq!(empty("kernel.config", "X86_X32"), "compatible");
    assert_eq!(empty("kernel.enabledmodule", "nouveau"), "compatible");
    // A term over instances needs one that it matches.
    assert_eq!(empty("pci.device", "vendor"), "incompatible");
    assert_eq!(empty("vendor.feature", "name"), "incompatible");
}

#[test]
fn codes_are_compared_where_they_are_named() {
    let wrong = tried("facts: example\nverdict: incompatible\ncodes: [module-not-loaded]").expect("facts");
    assert!(!wrong.is_as_expected());
    let right =
        tried("facts: example\nverdict: incompatible\ncodes: [pci-device-missing, module-not-loaded]");
    assert!(right.expect("facts").is_as_expected());
}

#[test]
fn what_is_no_test_is_refused_with_a_reason() {
    let check = |text: &str, expected: &str| {
        let err = TestFile::read(text).expect_err(text);
        assert_eq!(format!("{err:#}"), expected, "{text}");
    };
    check("hosts: []", "`hosts` is empty: nothing would be tested");
    check(
        "hosts: [{name: a, verdict: fits}]",
        "host \"a\": verdict \"fits\" has to be compatible, undecided or incompatible",
    );
    check("hosts: [{name: a, verdict: compatible, codes: [no]}]", "host \"a\": there is no code \"no\"");
    check("host: []", "unknown field `host`, expected `spec` or `hosts`");
    let err = tried("facts: [a]\nverdict: compatible").expect_err("facts");
    assert_eq!(
        format!("{err:#}"),
        "the facts of host \"it\": `facts` is neither the name of a file, nor `example`, nor a document"
    );
    let err = tried("with: {a.b: 1}\nverdict: compatible").expect_err("facts");
    assert_eq!(
        format!("{err:#}"),
        "the facts of host \"it\": `with` a.b: is neither a list, nor a mapping, nor `absent`, nor `unknown`"
    );
}
