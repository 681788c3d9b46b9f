//! `show`: what is attached, and what it demands, in words.

use serde_json::Value;

use super::{fails, folder, prints, run, write};

const IMAGE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const SPEC: &str = "version: v1alpha1
compatibilities:
- tag: fast
  weight: 5
  description: \"with \\e[31mVFs\"
  rules:
  - name: nic
    matchFeatures:
    - feature: pci.device
      matchExpressions:
        vendor: {op: In, value: [\"15b3\"]}
        sriov_numvfs: {op: Exists}
- rules:
  - name: kernel
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        full: {op: Ge, type: version, value: [\"5.4\"]}
    matchAny:
    - matchFeatures:
      - feature: kernel.loadedmodule
        matchExpressions:
          gtp5g: {op: Exists}
    - matchFeatures:
      - feature: kernel.loadedmodule
        matchExpressions:
          gtp: {op: Exists}
";

#[test]
fn requirements_are_shown_in_words() {
    let folder = folder();
    write(&folder, "words.yaml", SPEC);
    let added = run(
        &folder,
        &format!("store add --store store words.yaml --subject {IMAGE} --created 2026-01-01T00:00:00Z"),
    );
    let digest = added.stdout.split(' ').nth(2).unwrap_or_default();
    let expected = format!(
        "{IMAGE}
  artifact {digest}
    made     2026-01-01T00:00:00Z
    signed   no signature was verified
    one of these has to fit:
    set fast (weight 5): with \\u{{1b}}[31mVFs
      rule nic
        a PCI device with vendor 15b3, sriov_numvfs
    set (weight 0)
      rule kernel
        kernel: 5.4 or newer
        either kernel module gtp5g: loaded
        or kernel module gtp: loaded
"
    );
    prints(&folder, &format!("show {IMAGE} --store store"), 0, &expected);
    let json = run(&folder, &format!("show {IMAGE} --store store --format json")).stdout;
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let rule = &json["images"][0]["artifacts"][0]["sets"][1]["rules"][0];
    assert_eq!(rule["demands"][0], "kernel: 5.4 or newer");
    assert_eq!(rule["alternatives"][1][0], "kernel module gtp: loaded");
}

#[test]
fn what_its_author_says_is_shown_without_terminal_escapes() {
    let folder = folder();
    super::attach::made_layout(&folder);
    let who = "org.opencontainers.image.authors=\u{1b}]0;pwned\u{7}Acme";
    let ran = crate::command::oci_compat(
        folder.path(),
        &["attach", "oci:layout:v1", "spec.yaml", "--created", "2026-01-01T00:00:00Z", "--annotation", who],
    );
    let words: Vec<_> = ran.stdout.split_whitespace().collect();
    let [_, _, digest, _, subject] = words.as_slice() else { panic!("{ran:?}") };
    let expected = format!(
        "{subject}\n  artifact {digest}\n    made     2026-01-01T00:00:00Z\n    by       \\u{{1b}}]0;pwned\\u{{7}}Acme\n    \
         signed   no signature was verified\n      rule kernel\n        kernel version major: 5\n"
    );
    prints(&folder, "show oci:layout", 0, &expected);
}

#[test]
fn an_image_without_artifacts_is_reported() {
    let folder = folder();
    fails(
        &folder,
        "show docker.io/acme/upf:1 --store store",
        "the store store has no artifact for image \"docker.io/acme/upf:1\": fetch what is attached to it with oci-compat pull",
    );
    fails(
        &folder,
        "show oci:host",
        "reading layout host: it is no OCI image layout: it has no file \"oci-layout\"",
    );
}
