//! What `probe` says of every feature on four hosts: on one that has it, on one that is known not to, on one on which it cannot
//! be read, and on one on which its files hold nonsense.
//!
//! `integration/everything/*.toml` has the first two, as in `integration/examples`; the others are made from the first.
//! `*.expected` has all that is printed: `BLESS=1` writes it anew.

use std::path::{Path, PathBuf};
use std::{env, fs};

use oci_compat::host::{self, BundleConfig, FEATURES, Fact, Facts, Feature, FeatureDemand, Root, Wanted};

use crate::command::oci_compat;
use crate::examples::{Content, Host};

const NONSENSE: &str = "\u{1}?=:\u{fffd}\n,-[\n";

/// CPUID, device nodes and mounted file systems are no files, the kernel describes its types in some MiB, and all of them have
/// their tests beside their probes. A limit of memory says nothing of huge pages, without a filter every system call is allowed,
/// nobody reads all settings,
/// a record of one runtime tells of no other, and what is bound into a container has an unknown size.
const OPEN: [&str; 10] = [
    "bundle.resource",
    "cpu.cpuid",
    "cpu.model",
    "cpu.rdt",
    "cpu.security",
    "device.node",
    "kernel.bpftype",
    "kernel.sysctl",
    "runtime.feature",
    "storage.filesystem",
];

#[test]
fn what_is_there_is_known() {
    let mut open = [&OPEN[..], &["bundle.mount", "bundle.rlimit", "cpu.sst"]].concat();
    open.sort_unstable();
    assert_eq!(doubtful(&facts("all", &host("all"))), open);
}

#[test]
fn what_is_known_not_to_be_there_is_not_in_doubt() {
    let mut open = [&OPEN[..], &["bundle.rlimit", "bundle.seccomp"]].concat();
    open.sort_unstable();
    assert_eq!(doubtful(&facts("nothing", &host("nothing"))), open);
}

#[test]
fn what_cannot_be_read_is_in_doubt() {
    let closed = |path: &str| {
        // Of these the names are all that counts.
        let listed = ["/proc/self/ns", "/sys/bus/node/devices", "/sys/kernel/iommu_groups"];
        let place = listed.into_iter().find(|it| path.starts_with(it)).unwrap_or(path);
        (place.to_owned(), Content::Link { link: place.to_owned() })
    };
    let mut host = changed(closed, r#"{"process": 1, "linux": 2, "mounts": 3}"#);
    // A host with this file is a board whose GPU tells nothing else.
    host.host.extend([closed("/etc/nv_tegra_release")]);
    let facts = facts("unreadable", &host);
    let doubtful = doubtful(&facts);
    let certain: Vec<_> = FEATURES.iter().map(|it| it.name).filter(|it| !doubtful.contains(it)).collect();
    assert_eq!(certain, [""; 0]);
}

#[test]
fn what_is_malformed_is_reported_as_it_is_or_is_in_doubt() {
    let nonsense = |path: &str| (path.to_owned(), Content::Text(NONSENSE.to_owned()));
    facts("malformed", &changed(nonsense, r#"{"process": 1, "linux": 2, "mounts": 3}"#));
}

/// Features that are unknown, or of which there may be more.
fn doubtful(facts: &Facts) -> Vec<&'static str> {
    let is_certain = |fact: &Fact| match fact {
        Fact::Known(Feature { incomplete, doubtful, .. }, _) => incomplete.is_none() && doubtful.is_empty(),
        Fact::Absent(_) => true,
        Fact::Unknown(_) => false,
    };
    FEATURES.iter().map(|it| it.name).filter(|it| !is_certain(facts.get(it))).collect()
}

/// What is known of a host, if it is also printed as it was recorded.
fn facts(name: &str, host: &Host) -> Facts {
    let folder = host.make();
    let bundle = host.bundle.clone().unwrap_or_default();
    fs::create_dir(folder.path().join("bundle")).expect("making a bundle");
    fs::write(folder.path().join("bundle/config.json"), &bundle).expect("making a bundle");
    let ran = oci_compat(folder.path(), &["probe", "--root", ".", "--bundle", "bundle"]);
    assert_eq!(ran.status, 0, "{name}: {ran:?}");
    let printed = ran.stdout + &ran.stderr;
    let recorded = file(&format!("{name}.expected"));
    if env::var_os("BLESS").is_some() {
        fs::write(&recorded, &printed).expect("writing what is expected");
    }
    assert_eq!(printed, fs::read_to_string(&recorded).expect("what is expected"), "{name}");
    let demand: FeatureDemand = FEATURES.iter().map(|it| (it.name.to_owned(), Wanted::All)).collect();
    let mut facts = host::gather(&Root::at(folder.path()).expect("a host"), &demand);
    host::add_bundle(&mut facts, &BundleConfig::new(bundle.into_bytes()), &demand);
    facts
}

/// The host that has everything, with something else in the place of each file, and another bundle.
fn changed(change: impl Fn(&str) -> (String, Content), bundle: &str) -> Host {
    let mut host = host("all");
    host.bundle = Some(bundle.to_owned());
    host.host = host.host.keys().map(|path| change(path.trim_end_matches('/'))).collect();
    host
}

fn host(name: &str) -> Host {
    let text = fs::read_to_string(file(&format!("{name}.toml"))).expect("a host");
    toml::from_str(&text).unwrap_or_else(|err| panic!("{name}: {err}"))
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/everything").join(name)
}
