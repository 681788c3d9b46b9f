//! Values that only root may see, in a facts document: it says which they are, so that they stay hidden.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use oci_compat::decide::check::Requirement;
use oci_compat::decide::pipeline::{self, Host, Terms};
use oci_compat::decide::requirements::Collected;
use oci_compat::host::{Facts, Root};
use oci_compat::outcome::report::{self, SpecOrigin};
use oci_compat::spec;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{folder, run, write};
use crate::schemas::Schema;

const SPEC: &str = "version: v1alpha1
compatibilities:
- rules:
  - name: key
    matchFeatures:
    - feature: kernel.moduleparam
      matchExpressions: {acme.key: {op: In, value: [x]}}
  - name: maps
    matchFeatures:
    - feature: kernel.sysctl
      matchExpressions: {vm.max_map_count: {op: In, value: [\"1\"]}}
";

const HIDDEN: &str =
    "oci-compat: refused: module parameter acme.key is hidden, needs x [value-differs, +1 more]
  sysctl vm.max_map_count is hidden, needs 1 (try: sysctl -w vm.max_map_count=1) [value-differs]
";
const OPEN: &str = "oci-compat: refused: module parameter acme.key is k3y, needs x [value-differs, +1 more]
  sysctl vm.max_map_count is 65530, needs 1 (try: sysctl -w vm.max_map_count=1) [value-differs]
";
const WITHHELD: &str =
    "oci-compat: refused: module parameter acme.key is unknown, needs x: only verified specs may ask for it \
                        (sensitive) [fact-unknown, +1 more]
  sysctl vm.max_map_count is unknown, needs 1: only verified specs may ask for it (sensitive) [fact-unknown]
";

/// Two settings that only root may read, and one beside each that everybody may.
fn host() -> TempDir {
    let folder = folder();
    for (path, text, mode) in [
        ("host/sys/bus/x", "", 0o644),
        ("host/sys/module/acme/parameters/key", "k3y\n", 0o600),
        ("host/sys/module/acme/parameters/size", "1\n", 0o644),
        ("host/proc/sys/vm/max_map_count", "65530\n", 0o600),
        ("host/proc/sys/vm/swappiness", "60\n", 0o644),
    ] {
        write(&folder, path, text);
        fs::set_permissions(folder.path().join(path), Permissions::from_mode(mode)).expect("a mode");
    }
    write(&folder, "spec.yaml", SPEC);
    folder
}

/// What an engine would show of this host.
fn shown(host: Host<'_>, withholds: bool) -> String {
    let mut collected = Collected::default();
    collected
        .requirements
        .push(Requirement { origin: SpecOrigin::Inline, spec: spec::parse(SPEC.as_bytes()) });
    let assessment = pipeline::assess(collected, &host, &Terms { withholds, ..Terms::default() });
    report::message(&assessment.report, "refused")
}

#[test]
fn facts_that_were_taken_hide_what_the_host_itself_hides() {
    let folder = host();
    let taken = run(&folder, "probe --root host --format json");
    let document: Value = serde_json::from_str(&taken.stdout).expect("facts are JSON");
    assert_eq!(Schema::facts().complaint(&document), "");
    assert_eq!(
        document["secret"],
        json!({"kernel.moduleparam": ["acme.key"], "kernel.sysctl": ["vm.max_map_count"]})
    );
    let live = Root::at(&folder.path().join("host")).expect("a host");
    let facts = Facts::from_json(taken.stdout.as_bytes()).expect("facts");
    for host in [Host::Root(&live), Host::Facts(&facts)] {
        assert_eq!(shown(host, false), HIDDEN);
        assert_eq!(shown(host, true), WITHHELD);
    }
    // The report is root's own: it has the values.
    write(&folder, "taken.json", &taken.stdout);
    let of_facts = run(&folder, "check --spec spec.yaml --facts taken.json");
    assert_eq!(of_facts, run(&folder, "check --spec spec.yaml --root host"));
    assert!(of_facts.stdout.contains("k3y") && of_facts.stdout.contains("65530"), "{}", of_facts.stdout);
}

#[test]
fn a_document_that_does_not_say_what_is_hidden_is_read_as_before() {
    let taken = run(&host(), "probe --root host --format json kernel.moduleparam kernel.sysctl");
    let mut document: Value = serde_json::from_str(&taken.stdout).expect("facts are JSON");
    document.as_object_mut().expect("an object").remove("secret").expect("what is hidden");
    let facts = Facts::from_json(document.to_string().as_bytes()).expect("facts");
    assert_eq!(shown(Host::Facts(&facts), false), OPEN);
}

#[test]
fn what_everybody_may_see_is_not_listed_and_nfd_s_shape_has_no_list() {
    let folder = host();
    let full = run(&folder, "probe --root host --format json kernel.version");
    assert!(!full.stdout.contains("secret"), "{}", full.stdout);
    let nfd = run(&folder, "probe --root host --format nfd");
    let nfd: Value = serde_json::from_str(&nfd.stdout).expect("facts are JSON");
    let fields = nfd.as_object().expect("an object").keys().collect::<Vec<_>>();
    assert_eq!(fields, ["attributes", "flags", "instances"]);
}
