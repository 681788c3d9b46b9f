//! The formats of the OCI working group's proposals: each published example is accepted with its meaning, or refused with what
//! is wrong; and what is stored of them works as all other specs do.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use oci_compat::supply::registry::IMAGE_MANIFEST;

use super::{prints, run, write};
use crate::registry::fake::{Fake, Play, manifest};

const IMAGE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Each example with what `lint` says of it, its place and its code first; nothing where it is a good spec.
const PUBLISHED: [(&str, &[&str]); 14] = [
    (
        "A1.json",
        &[
            "1:1 not-a-spec: this is an index of images and no spec: `oci-compat select` tells which of its images fits a host",
        ],
    ),
    (
        "B1.json",
        &["1:1 not-a-spec: this is the manifest of an artifact and no spec: its layer \
             sha256:4a47f8ae4c713906618413cb9795824d09eeadf948729e213a1ba11a1e31d052 is the spec"],
    ),
    ("B2.json", &[]),
    (
        "B3.json",
        &[
            "42:9 yaml-syntax: this is not valid JSON: there is a comma, and nothing follows it",
            "65:17 unknown-field: `to` has no field \"compatibilties\"; did you mean `compatibilities`?",
            "72:49 other-error: no compatibility has the id \"nvidiaGpu\"; did you mean `nvidiaGPU`?",
            "86:45 other-error: no compatibility has the id \"nvidiaGpu\"; did you mean `nvidiaGPU`?",
        ],
    ),
    (
        "D1.json",
        &[
            "1:1 not-a-spec: this is a schema, which lists the names that a group of proposal D has, and no spec",
        ],
    ),
    ("D2.json", &[]),
    ("D3.json", &[]),
    (
        "E1.json",
        &[
            "1:1 not-a-spec: this is an index of images and no spec: `oci-compat select` tells which of its images fits a host",
        ],
    ),
    (
        "F1.json",
        &["1:1 not-a-spec: this is the manifest of an artifact and no spec: its layer \
             sha256:4a47f8ae4c713906618413cb9795824d09eeadf948729e213a1ba11a1e31d052 is the spec"],
    ),
    ("F2.json", &["7:7 yaml-syntax: this is not valid JSON: expected `,` or `}`"]),
    ("F3.json", &["5:5 yaml-syntax: this is not valid JSON: there is a comma, and nothing follows it"]),
    (
        "H1.json",
        &["1:1 not-a-spec: this is the manifest of an artifact and no spec: its layer \
             sha256:4a47f8ae4c713906618413cb9795824d09eeadf948729e213a1ba11a1e31d052 is the spec"],
    ),
    ("H2.json", &[]),
    ("H3.json", &[]),
];

/// An example, as it was published.
fn published(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/conformance/proposals");
    fs::read_to_string(folder.join(name)).unwrap_or_else(|err| panic!("{name}: {err}"))
}

/// The mistakes of example B3, put right.
fn right_b3() -> String {
    let text =
        published("B3.json").replace("compatibilties", "compatibilities").replace("nvidiaGpu", "nvidiaGPU");
    text.replace(
        "\"kernel.configuration.CONFIG_DRM_I915_GVT_KVMGT\": \"y\",",
        "\"kernel.configuration.CONFIG_DRM_I915_GVT_KVMGT\": \"y\"",
    )
}

/// Those of example F2.
fn right_f2() -> String {
    let text = published("F2.json").replace("\"cpu-pstate.turbo\": false", "\"cpu-pstate.turbo\": false,");
    let text = text.replace("\"kernel-version.major\": 4", "\"kernel-version.major\": 4,");
    format!("{}}}", text.replace("\"memory-nv.dax\": true", "\"memory-nv.dax\": true,"))
}

/// And those of example F3.
fn right_f3() -> String {
    format!("{}}}", published("F3.json").replace("\"arm64\",", "\"arm64\""))
}

/// A host with an Intel processor, an NVIDIA GPU and a network card, on which `more` is stated.
fn host(more: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(
        &folder,
        "facts.json",
        &format!(
            r#"{{
  "flags": {{
    "cpu.cpuid": {{"elements": {{"AVX512FP16": {{}}, "VMX": {{}}}}}},
    "kernel.enabledmodule": {{"elements": {{"vfio": {{}}, "vfio_iommu_type": {{}}, "vfio_pci": {{}}}}}}
  }},
  "attributes": {{
    "cpu.model": {{"elements": {{"vendor_id": "Intel"}}}},
    "cpu.topology": {{"elements": {{"hardware_multithreading": "true"}}}},
    "cpu.pstate": {{"elements": {{"status": "passive", "turbo": "false"}}}},
    "kernel.version": {{"elements": {{"full": "4.19.0-27-amd64", "major": "4", "minor": "19"}}}},
    "kernel.selinux": {{"elements": {{"enabled": "false"}}}},
    "kernel.cmdline": {{"elements": {{"intel_iommu": "on"}}}},
    "kernel.config": {{"elements": {{"PREEMPT": "y", "HOTPLUG_PCI_PCIE": "y", "MODULES": "y", "MODULE_UNLOAD": "y", "PCI_MMCONFIG": "y"}}}},
    "memory.numa": {{"elements": {{"is_numa": "true"}}}},
    "system.libc": {{"elements": {{"name": "glibc", "version": "2.35"}}}},
    "system.osrelease": {{"elements": {{"ID": "ubuntu", "VERSION_ID": "22.04", "PRETTY_NAME": "Ubuntu 22.04.3 LTS"}}}},
    "system.arch": {{"elements": {{"name": "x86_64"}}}},
    "local.feature": {{"elements": {{{more}}}}}
  }},
  "instances": {{
    "memory.nv": {{"elements": [{{"attributes": {{"devtype": "nd_dax"}}}}]}},
    "network.device": {{"elements": [{{"attributes": {{"name": "eth0", "sriov_totalvfs": "8", "sriov_numvfs": "2"}}}}]}},
    "pci.device": {{"elements": [
      {{"attributes": {{"class": "0207", "vendor": "15b3", "device": "020d"}}}},
      {{"attributes": {{"class": "0380", "vendor": "10de", "device": "2330"}}}}]}}
  }}
}}"#
        ),
    );
    folder
}

/// The verdict and the reasons for a spec on a host.
fn check(folder: &TempDir, spec: &str, expected: &str) {
    write(folder, "spec.json", spec);
    let ran = run(folder, "check --spec spec.json --facts facts.json");
    let summary: Vec<_> = ran.stdout.lines().take_while(|it| !it.is_empty()).map(str::trim).collect();
    assert_eq!((summary.join("; ").as_str(), ran.stderr.as_str()), (expected, ""), "{spec}");
}

#[test]
fn each_published_example_is_accepted_or_refused_with_what_is_wrong() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, messages) in PUBLISHED {
        write(&folder, name, &published(name));
        let mut expected: String = messages
            .iter()
            .map(|it| it.split_once(": ").expect("a place and a code"))
            .map(|(at, it)| (at.split_once(' ').expect("a code"), it))
            .map(|((at, code), it)| format!("{name}:{at}: error[{code}]: {it}\n"))
            .collect();
        let errors =
            if messages.len() == 1 { "1 error".to_owned() } else { format!("{} errors", messages.len()) };
        expected.push_str(&format!("1 file: {errors}, 0 warnings\n"));
        prints(&folder, &format!("lint --format short {name}"), i32::from(!messages.is_empty()), &expected);
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/conformance/proposals");
    assert_eq!(fs::read_dir(folder).expect("the examples").count(), PUBLISHED.len());
}

#[test]
fn examples_of_proposal_b_mean_what_they_say() {
    let folder = host("");
    check(&folder, &published("B2.json"), "compatible");
    let off = published("B2.json").replace("CONFIG_DRM_NOUVEAU\": \"n\"", "CONFIG_MODULES\": \"n\"");
    check(
        &folder,
        &off.replacen("\"kernel.configuration.CONFIG_MODULES\": \"y\",", "", 1),
        "incompatible; kernel option CONFIG_MODULES is y, and must not be [element-unwanted]",
    );
    // No host has both processors.
    check(
        &folder,
        &right_b3(),
        "incompatible; CPU vendor_id is Intel, needs AMD [cpu-model]; CPU flag SVM is not present [cpu-flag-missing]; boot \
         parameter amd_iommu is not given, needs pt [element-missing]",
    );
    let criterion = "\"graphs\": [\"intel\", \"amd\"],\n          \"condition\": \"allOf\"";
    let either = right_b3().replace(criterion, &criterion.replace("allOf", "oneOf"));
    assert_ne!(either, right_b3());
    check(&folder, &either, "compatible");
}

#[test]
fn examples_of_proposal_d_mean_what_they_say() {
    let unknown = "undecided; feature org.supercontainers/mpi.implementation is unknown: no probe knows this feature (nearest of 2 \
                   alternatives) [fact-unknown]; feature org.supercontainers/mpi.version is unknown: no probe knows this feature \
                   (nearest of 2 alternatives) [fact-unknown]";
    check(&host(""), &published("D2.json"), unknown);
    let mpi = |version: &str| {
        host(&format!(
            r#""org.supercontainers/mpi.implementation": "mpich", "org.supercontainers/mpi.version": "{version}""#
        ))
    };
    check(&mpi("4.1.1"), &published("D2.json"), "compatible");
    check(
        &mpi("4.0"),
        &published("D2.json"),
        "incompatible; local.feature org.supercontainers/mpi.version is 4.0, needs 4.1.1 (nearest of 2 alternatives) [value-differs]",
    );
    check(
        &mpi("4.1.1"),
        &published("D3.json"),
        "undecided; feature io.archspec/cpu.model is unknown: no probe knows this feature (nearest of 2 alternatives) [fact-unknown]",
    );
}

#[test]
fn examples_of_proposal_f_mean_what_they_say() {
    let folder = host(
        r#""org.supercontainers/mpi.implementation": "openmpi", "org.supercontainers/mpi.version": "4.1.6""#,
    );
    check(&folder, &right_f2(), "incompatible; kernel.selinux enabled is false, needs true [value-differs]");
    check(
        &folder,
        &right_f2().replace("\"kernel-selinux.enabled\": true", "\"kernel-selinux.enabled\": false"),
        "compatible",
    );
    check(
        &folder,
        &right_f3(),
        "incompatible; the machine's architecture is x86_64, needs aarch64 [value-differs]",
    );
    check(&folder, &right_f3().replace("arm64", "amd64"), "compatible");
}

#[test]
fn examples_of_proposal_h_mean_what_they_say() {
    check(&host(""), &published("H2.json"), "compatible");
    let openmpi = |version: &str| host(&format!(r#""oci.os/openmpi": "{version}""#));
    check(&openmpi("4.1.6"), &published("H3.json"), "compatible");
    check(
        &host(""),
        &published("H3.json"),
        "undecided; feature oci.os/openmpi is unknown: no probe knows this feature (nearest of 2 alternatives) [fact-unknown]",
    );
    // The best score of those that fit.
    let better = published("H3.json")
        .replace("AMXFP16", "AVX512FP16")
        .replace("\"compatibility-score\": 50", "\"compatibility-score\": 500");
    let folder = openmpi("4.1.6");
    write(&folder, "spec.json", &better.replacen("AVX512FP16", "AMXFP16", 1));
    let ran = run(&folder, "check --spec spec.json --facts facts.json");
    let note = ran.stdout.lines().nth(1).unwrap_or_default();
    assert_eq!(
        note,
        "  note: fits as the set of weight 100; preferred the set of weight 500 not met: CPU flag AMXFP16 is not present [cpu-flag-missing]"
    );
}

/// What a hook reads is the compiled form; without it nothing is certain.
#[test]
fn what_is_stored_of_a_proposal_is_compiled_and_shown_in_words() {
    let folder = host("");
    write(&folder, "b.json", &published("B2.json"));
    let ran = run(
        &folder,
        &format!("store add --store store b.json --subject {IMAGE} --created 2026-01-01T00:00:00Z"),
    );
    let artifact = ran.stdout.split(' ').nth(2).unwrap_or_default().to_owned();
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    let listed = run(&folder, "list --store store --format json").stdout;
    assert!(listed.contains("\"type\": \"application/vnd.oci.image-compatibility.v1\""), "{listed}");
    let shown = run(&folder, &format!("show {IMAGE} --store store")).stdout;
    let words: Vec<_> = shown.lines().skip_while(|it| !it.contains("rule")).map(str::trim).collect();
    assert_eq!(
        words,
        [
            "rule nvidiaGPU",
            "a PCI device with class 0380, vendor 10de and kernel option CONFIG_HOTPLUG_PCI_PCIE: y and kernel option \
             CONFIG_MODULES: y and kernel option CONFIG_MODULE_UNLOAD: y and kernel option CONFIG_PCI_MMCONFIG: y",
            "not (kernel option CONFIG_DRM_NOUVEAU: y or m)",
        ]
    );
    let verdict = || {
        let ran = run(&folder, &format!("check {IMAGE} --store store --facts facts.json"));
        (ran.status, ran.stdout.lines().take(2).map(str::trim).collect::<Vec<_>>().join("; "))
    };
    assert_eq!(verdict(), (0, format!("compatible: {IMAGE}; ")));
    fs::remove_dir_all(folder.path().join("store/compiled")).expect("removing what was compiled");
    let message = format!(
        "undecided: {IMAGE}; the spec of artifact {artifact} is not compiled, and only the compiled form of proposal B of the OCI \
         working group is read here: oci-compat store recompile [trouble]"
    );
    assert_eq!(verdict(), (2, message));
    prints(&folder, "store recompile --store store", 0, "1 spec compiled\n");
    assert_eq!(verdict(), (0, format!("compatible: {IMAGE}; ")));
}

/// Attached with the types of the working group, pulled, compiled, and waived by the author's id.
#[test]
fn a_proposal_is_attached_pulled_and_waived_by_its_id() {
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    let image = fake.put("acme/vm", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    let folder = host("");
    write(&folder, "h.json", &published("H2.json").replace("AVX512FP16", "AMXFP16"));
    let name = format!("{}/acme/vm:1", fake.name());
    let attached = run(&folder, &format!("attach {name} h.json --plain-http --dry-run"));
    assert!(
        attached.stdout.contains("application/vnd.oci.image-compatibility.spec.v1+json"),
        "{}",
        attached.stdout
    );
    assert_eq!(run(&folder, &format!("attach {name} h.json --plain-http")).status, 0);
    write(&folder, "config.toml", "requirements = false\n");
    let pulled = run(&folder, &format!("pull {name} --plain-http --store store --config config.toml"));
    assert_eq!((pulled.status, pulled.stderr.as_str()), (0, ""));
    let check = || {
        run(&folder, &format!("check {image} --store store --facts facts.json --config config.toml")).status
    };
    assert_eq!(check(), 1);
    let waiver = "requirements = false\n[[waiver]]\nid = \"oci.cpu.features\"\nimage = \"*\"\nreason = \"a test\"\nexpires = \"never\"\n";
    write(&folder, "config.toml", waiver);
    assert_eq!(check(), 0);
}

#[test]
fn a_proposal_with_errors_is_not_stored() {
    let folder = host("");
    write(&folder, "b.json", &published("F2.json"));
    let ran = run(&folder, &format!("store add --store store b.json --subject {IMAGE}"));
    assert_eq!(
        (ran.status, ran.stderr.as_str()),
        (
            2,
            "error: the spec of b.json is malformed; `oci-compat lint` shows all errors: 7:7: this is not valid JSON: expected `,` or `}`\n"
        )
    );
}
