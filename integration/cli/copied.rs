//! Artifacts that other tools made, or carried: a real registry, skopeo, and the shape that ORAS gives them.

use std::fs;
use std::process::Command;

use oci_compat::store::Digest;
use oci_compat::supply::registry::{Client, IMAGE_MANIFEST};
use serde_json::json;

use super::{SPEC, folder, prints, run};
use crate::registry::fake::manifest;
use crate::registry::real::{Real, patient};
use crate::registry::repository;
use crate::runtimes::program::installed;
use crate::runtimes::runtime::skip;

const STORED: &str =
    "HOST/acme/upf:1: 1 artifact stored\n1 image: 1 artifact new, 0 known, 0 without any, 0 with errors\n";

/// A real registry with an image `acme/upf:1`; the client and the image's digest.
fn stocked() -> Option<(Real, Client, Digest)> {
    let real = Real::start(|_| String::new())?;
    let client = Client::new(patient()).expect("settings");
    let repository = repository(&format!("{}/acme/upf", real.name));
    client.push_blob(&repository, b"{}").expect("pushed");
    let bytes = manifest("an/image", None, 1);
    let image = client.push_manifest(&repository, Some("1"), IMAGE_MANIFEST, &bytes).expect("pushed").digest;
    Some((real, client, image))
}

fn pulls(folder: &tempfile::TempDir, real: &Real, store: &str) {
    let line = format!("pull {}/acme/upf:1 --plain-http --config none --store {store}", real.name);
    let ran = run(folder, &line);
    let stdout = ran.stdout.replace(&real.name, "HOST");
    assert_eq!((ran.status, stdout.as_str(), ran.stderr.as_str()), (0, STORED, ""));
}

#[test]
fn what_is_attached_at_a_real_registry_is_pulled_and_carried_by_skopeo() {
    let Some((real, _, image)) = stocked() else { return };
    let folder = folder();
    let line =
        format!("attach {}/acme/upf:1 spec.yaml --plain-http --created 2026-01-01T00:00:00Z", real.name);
    let attached = run(&folder, &line).stdout;
    let artifact = attached.split(' ').nth(2).expect("a digest").to_owned();
    pulls(&folder, &real, "store");
    prints(&folder, "store verify --store store", 0, "store: 1 artifact of 1 image, 0 flaws\n");
    if installed("skopeo").is_none() {
        return skip("skopeo", "not installed (run integration/setup test)");
    }
    let copy = |from: &str, to: &str| {
        let mut skopeo = Command::new("skopeo");
        skopeo.current_dir(folder.path()).args(["copy", "-q", "--insecure-policy", "--src-tls-verify=false"]);
        assert!(skopeo.args([from, to]).status().expect("running skopeo").success(), "{from} {to}");
    };
    copy(&format!("docker://{}/acme/upf@{artifact}", real.name), "oci:layout:spec");
    copy("oci:layout:spec", "oci-archive:archive.tar:spec");
    for source in ["layout:spec", "archive.tar"] {
        let store = format!("store-of-{}", source.split([':', '.']).next().unwrap_or_default());
        let added = format!("added artifact {artifact} for image {image}\n");
        prints(&folder, &format!("store add {source} --store {store}"), 0, &added);
    }
}

/// As `oras attach --artifact-type ... --annotation oci.opencontainers.image.created=... spec.yaml:TYPE` leaves it, with the
/// commands of NFD's documents (docs/usage/image-compatibility.md).
#[test]
fn an_artifact_in_the_shape_of_oras_is_pulled() {
    let Some((real, client, image)) = stocked() else { return };
    let repository = repository(&format!("{}/acme/upf", real.name));
    client.push_blob(&repository, SPEC.as_bytes()).expect("pushed");
    let document = json!({
        "schemaVersion": 2, "mediaType": IMAGE_MANIFEST,
        "artifactType": "application/vnd.nfd.image-compatibility.v1alpha1",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2, "data": "e30="},
        "layers": [{"mediaType": "application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml",
            "digest": Digest::of(SPEC.as_bytes()), "size": SPEC.len(),
            "annotations": {"org.opencontainers.image.title": "spec.yaml"}}],
        "subject": {"mediaType": IMAGE_MANIFEST, "digest": image, "size": manifest("an/image", None, 1).len()},
        "annotations": {"oci.opencontainers.image.created": "2025-01-01T00:00:00Z"},
    });
    let bytes = document.to_string().into_bytes();
    let artifact = client.push_manifest(&repository, None, IMAGE_MANIFEST, &bytes).expect("pushed").digest;
    // oras before 1.2 leaves the type out of the fallback index.
    let descriptor = oci_compat::supply::registry::Descriptor {
        media_type: IMAGE_MANIFEST.to_owned(),
        digest: artifact,
        size: bytes.len() as u64,
        artifact_type: None,
        annotations: None,
        platform: None,
    };
    client.add_to_fallback(&repository, &image, &descriptor).expect("listed");
    let folder = folder();
    pulls(&folder, &real, "store");
    let listed = run(&folder, "list --store store").stdout;
    assert!(listed.contains(&format!("{artifact}  2025-01-01T00:00:00Z  no signature verified")), "{listed}");
    assert!(fs::exists(folder.path().join("store/images.json")).expect("a look"));
}
