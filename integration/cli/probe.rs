//! `probe`: which features, in which form.

use oci_compat::host::FEATURES;
use serde_json::{Value, json};

use super::{fails, folder, prints, run, write};

#[test]
fn facts_are_shown_with_their_places_and_what_is_unknown_with_its_reason() {
    let folder = folder();
    write(&folder, "host/proc/modules", "gtp5g 155648 0 - Live 0x0\nudp_tunnel 16384 1 gtp5g, Live 0x0\n");
    write(&folder, "host/etc/os-release", "ID=ubuntu\nNAME=\"\u{1b}[31mUbuntu\"\n");
    let expected = "kernel.kvm: unknown: /sys/devices/virtual/misc/kvm is not there, and nor is the rest of its file system
kernel.loadedmodule (/proc/modules)
  gtp5g udp_tunnel
kernel.version (/proc/sys/kernel/osrelease)
  full      5.4.0-200-generic
  major     5
  minor     4
  revision  0

system.osrelease (/etc/os-release)
  ID    ubuntu
  NAME  \\u{1b}[31mUbuntu
";
    let features = "kernel.version Kernel.LoadedModule system.osrelease kernel.kvm";
    prints(&folder, &format!("probe --root host {features}"), 0, expected);
}

#[test]
fn things_are_shown_a_line_each_with_their_attributes_under_each_other() {
    let folder = folder();
    for (name, files) in [
        ("eth0", &[("operstate", "up\n"), ("mtu", "9000\n"), ("device/driver_override", "")][..]),
        ("ib12", &[("mtu", "2044\n"), ("speed", "200000\n"), ("device/x", "")]),
    ] {
        for (file, text) in files {
            write(&folder, &format!("host/sys/class/net/{name}/{file}"), text);
        }
    }
    write(&folder, "host/sys/bus/x", "");
    write(&folder, "host/proc/cmdline", "quiet empty= pad=\" x \"\n");
    let expected = "kernel.cmdline (/proc/cmdline)
  empty  \"\"
  pad    \" x \"
  quiet  true

network.device (/sys/class/net)
  name=eth0  mtu=9000  operstate=up
  name=ib12  mtu=2044                speed=200000
";
    prints(&folder, "probe --root host network.device kernel.cmdline", 0, expected);
}

#[test]
fn of_all_features_those_that_are_not_fully_known_are_listed_at_the_end() {
    let text = run(&folder(), "probe --root host").stdout;
    let (_, doubts) = text.split_once("\nunknown:\n").expect("a list");
    let (unknown, incomplete) = doubts.split_once("\nperhaps more:\n").expect("another list");
    assert!(unknown.contains(" kernel.config"), "{unknown}");
    assert!(incomplete.contains(" kernel.sysctl"), "{incomplete}");
    assert!(!text.contains("bundle."), "{text}");
    for name in unknown.split_whitespace() {
        let line = format!("{name}: unknown: ");
        assert!(text.lines().any(|it| it.starts_with(&line)), "{name}");
    }
}

#[test]
fn all_features_are_probed_if_none_is_named() {
    let ran = run(&folder(), "probe --root host --format json");
    let facts: Value = serde_json::from_str(&ran.stdout).expect("facts are JSON");
    let said = |name: &str| {
        ["flags", "attributes", "instances", "absent", "unknown"]
            .iter()
            .any(|it| facts[*it][name] != Value::Null)
    };
    let missing: Vec<_> = FEATURES.iter().map(|it| it.name).filter(|it| !said(it)).collect();
    assert_eq!((ran.status, missing), (0, Vec::new()));
}

#[test]
fn the_shape_of_nfd_has_no_place_for_doubt() {
    let ran = run(&folder(), "probe --root host --format nfd kernel.version kernel.kvm");
    let found: Value = serde_json::from_str(&ran.stdout).expect("facts are JSON");
    let version = json!({"full": "5.4.0-200-generic", "major": "5", "minor": "4", "revision": "0"});
    let attributes = json!({"kernel.version": {"elements": version}});
    assert_eq!(found, json!({"flags": {}, "attributes": attributes, "instances": {}}));
}

#[test]
fn of_an_unknown_feature_the_nearest_is_suggested() {
    let folder = folder();
    fails(
        &folder,
        "probe kernel.verison",
        "there is no feature \"kernel.verison\"; did you mean kernel.version?",
    );
    fails(&folder, "probe zzz", "there is no feature \"zzz\"; `oci-compat probe --list` shows all");
}

#[test]
fn the_list_has_every_feature_once_and_in_order() {
    let ran = run(&folder(), "probe --list");
    let heads: Vec<_> = ran.stdout.lines().filter(|it| !it.starts_with(' ')).collect();
    let names: Vec<_> = heads.iter().filter_map(|it| it.split(" (").next()).collect();
    assert_eq!(names, FEATURES.iter().map(|it| it.name).collect::<Vec<_>>());
}
