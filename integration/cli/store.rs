//! `store`: from files into the store, and from there into a check.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use oci_compat::store::{Digest, NFD_ARTIFACT_TYPE, NFD_SPEC_TYPE};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SPEC, fails, folder, prints, run, write};

const IMAGE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// Adds a spec file, and returns the digest of its artifact.
fn added(folder: &TempDir, arguments: &str) -> String {
    let ran = run(folder, &format!("store add --store store {arguments}"));
    let digest = ran.stdout.split(' ').nth(2).unwrap_or_default().to_owned();
    let expected = format!("added artifact {digest} for image {IMAGE}\n");
    assert_eq!((ran.status, ran.stdout, ran.stderr.as_str()), (0, expected, ""));
    digest
}

fn check(folder: &TempDir, artifact: &str) {
    let expected = format!(
        "compatible: {IMAGE}\n\nspec attached {artifact}: met\n  set (weight 0): met\n    rule kernel: met\n      \
         met     kernel.version major  5 (/proc/sys/kernel/osrelease)\n"
    );
    prints(folder, &format!("check {IMAGE} --store store --root host"), 0, &expected);
}

#[test]
fn a_spec_file_that_was_added_is_checked() {
    let folder = folder();
    let created = "--created 2026-01-01T00:00:00Z";
    let artifact = added(&folder, &format!("spec.yaml --subject {IMAGE} {created}"));
    check(&folder, &artifact);
    let again = format!("already there: artifact {artifact} for image {IMAGE}\n");
    let line = format!("store add --store store spec.yaml --subject {IMAGE} {created}");
    prints(&folder, &line, 0, &again);
}

#[test]
fn artifacts_of_a_layout_are_added_for_the_images_that_they_name() {
    let folder = folder();
    let artifact = layout(&folder);
    assert_eq!(added(&folder, "layout:latest"), artifact);
    check(&folder, &artifact);
}

/// A layout made by hand with one artifact, whose digest is returned.
fn layout(folder: &TempDir) -> String {
    let blob = |bytes: &[u8], media_type: &str| -> Value {
        let digest = Digest::of(bytes);
        let text = std::str::from_utf8(bytes).expect("text");
        write(folder, &format!("layout/blobs/sha256/{}", digest.hex()), text);
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    };
    let manifest_type = "application/vnd.oci.image.manifest.v1+json";
    let manifest = json!({"schemaVersion": 2, "mediaType": manifest_type, "artifactType": NFD_ARTIFACT_TYPE,
        "config": blob(b"{}", "application/vnd.oci.empty.v1+json"), "layers": [blob(SPEC.as_bytes(), NFD_SPEC_TYPE)],
        "subject": {"mediaType": manifest_type, "digest": IMAGE, "size": 500}});
    let mut entry = blob(manifest.to_string().as_bytes(), manifest_type);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let digest = entry["digest"].as_str().expect("a digest").to_owned();
    write(folder, "layout/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    write(folder, "layout/index.json", &json!({"schemaVersion": 2, "manifests": [entry]}).to_string());
    digest
}

#[test]
fn specs_are_compiled_again() {
    let folder = folder();
    let artifact = added(&folder, &format!("spec.yaml --subject {IMAGE}"));
    prints(&folder, "store recompile --store store", 0, "0 specs compiled\n");
    let compiled = folder.path().join("store/compiled");
    fs::remove_dir_all(&compiled).unwrap_or_else(|err| panic!("{}: {err}", compiled.display()));
    prints(&folder, "store recompile --store store", 0, "1 spec compiled\n");
    check(&folder, &artifact);
}

#[test]
fn what_cannot_be_added_changes_nothing() {
    let folder = folder();
    write(&folder, "malformed.yaml", "version: v1alpha1\n");
    fails(
        &folder,
        "store add --store store spec.yaml",
        "spec.yaml is a spec file: say which image it is for with --subject sha256:...",
    );
    fails(
        &folder,
        "store add --store store spec.yaml --subject sha256:1",
        "--subject \"sha256:1\": digest \"sha256:1\" has 1 digits, expected 64, and no engine here has an image with that ID: write the digest of its manifest or \
         index, sha256: and 64 digits",
    );
    fails(
        &folder,
        &format!("store add --store store malformed.yaml --subject {IMAGE}"),
        "the spec of malformed.yaml is malformed; `oci-compat lint` shows all errors: 1:1: a spec needs \
         `compatibilities`, the list of alternatives",
    );
    fails(
        &folder,
        "store add --store store host",
        "reading layout host: it is no OCI image layout: it has no file \"oci-layout\"",
    );
    assert!(!folder.path().join("store").exists());
}

#[test]
fn a_store_that_others_can_write_is_not_believed() {
    let folder = folder();
    added(&folder, &format!("spec.yaml --subject {IMAGE}"));
    let open = fs::Permissions::from_mode(0o775);
    fs::set_permissions(folder.path().join("store"), open).expect("changing a mode");
    let reason = "store has mode 0775, only its owner may write to it: chmod go-w store";
    let expected = format!("undecided: {IMAGE}\n  the store cannot be used: {reason} [trouble]\n");
    prints(&folder, &format!("check {IMAGE} --store store --root host"), 2, &expected);
    fails(&folder, &format!("store add --store store spec.yaml --subject {IMAGE}"), reason);
}
