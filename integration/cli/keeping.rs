//! `list`, `remove`, and what keeps a store whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use oci_compat::store::Digest;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{fails, folder, prints, run, write};
use crate::command::Ran;

const ONE: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const TWO: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const OLD: &str = "2026-01-01T00:00:00Z";
const NEW: &str = "2026-02-01T00:00:00Z";

/// A store with an older and a newer artifact of one image, and an undated one of another, and their digests.
fn stocked() -> (TempDir, [String; 3]) {
    let folder = folder();
    let add = |line: String| {
        let ran = run(&folder, &format!("store add --store store spec.yaml --subject {line}"));
        ran.stdout.split(' ').nth(2).unwrap_or_default().to_owned()
    };
    let artifacts =
        [add(format!("{ONE} --created {OLD}")), add(format!("{ONE} --created {NEW}")), add(TWO.to_owned())];
    (folder, artifacts)
}

#[test]
fn what_the_store_has_is_listed_by_image() {
    let (folder, [old, new, undated]) = stocked();
    let one = format!(
        "{ONE}\n  {old}  {OLD}  no signature verified, superseded\n  {new}  {NEW}  no signature verified\n"
    );
    let two = format!("{TWO}\n  {undated}  no date  no signature verified\n");
    prints(&folder, "list --store store", 0, &format!("{one}{two}"));
    prints(&folder, &format!("list {TWO} --store store"), 0, &two);
    let nothing = |line: &str, told: &str| {
        let stderr = format!("warn: the store {told}\n");
        assert_eq!(run(&folder, line), Ran { status: 0, stdout: String::new(), stderr }, "{line}");
    };
    nothing("list acme/nothing:1 --store store", "store has no artifact for image \"acme/nothing:1\"");
    nothing("list --store nowhere", "nowhere has no artifact for any image");
    let ran = run(&folder, &format!("list {TWO} --store store --format json"));
    let kind = "application/vnd.nfd.image-compatibility.v1alpha1";
    assert_eq!(
        serde_json::from_str::<Value>(&ran.stdout).expect("JSON"),
        json!({"schema": "oci-compat.list/v1", "images": [{"digest": TWO, "names": [],
            "artifacts": [{"digest": undated, "type": kind, "counts": true}]}]})
    );
}

#[test]
fn what_is_removed_is_gone_with_its_files() {
    let (folder, [old, new, undated]) = stocked();
    prints(
        &folder,
        &format!("remove {ONE} --artifact {new} --store store"),
        0,
        &format!("removed artifact {new} of image {ONE}\n"),
    );
    let one = format!("{ONE}\n  {old}  {OLD}  no signature verified\n");
    prints(&folder, &format!("list {ONE} --store store"), 0, &one);
    assert!(!folder.path().join("store/blobs/sha256").join(&new["sha256:".len()..]).exists());
    prints(
        &folder,
        &format!("remove {TWO} --store store"),
        0,
        &format!("removed artifact {undated} of image {TWO}\n"),
    );
    fails(
        &folder,
        &format!("remove {TWO} --store store"),
        &format!("the store store has no artifact for image {TWO:?}: oci-compat list shows what there is"),
    );
    fails(
        &folder,
        &format!("remove {ONE} --artifact {new} --store store"),
        &format!(
            "the store store has no artifact {new} for image {ONE:?}: oci-compat list shows what there is"
        ),
    );
    fails(
        &folder,
        &format!("remove {ONE} --artifact sha256:1 --store store"),
        "--artifact \"sha256:1\": digest \"sha256:1\" has 1 digits, expected 64",
    );
}

#[test]
fn what_nothing_needs_is_swept_away() {
    let (folder, _) = stocked();
    prints(&folder, "store gc --store store", 0, "0 files removed, 0 bytes\n");
    let ran = run(&folder, "store gc --superseded --store store");
    let size = ran.stdout.rsplit(", ").next().unwrap_or_default().to_owned();
    let expected = Ran {
        status: 0,
        stdout: format!("1 artifact superseded, 1 file removed, {size}"),
        stderr: String::new(),
    };
    assert_eq!(ran, expected);
    prints(&folder, "store gc --store nowhere", 0, "nowhere is not there: no image has an artifact\n");
}

#[test]
fn a_flaw_in_the_store_is_found() {
    let (folder, [_, new, _]) = stocked();
    prints(&folder, "store verify --store store", 0, "store: 3 artifacts of 2 images, 0 flaws\n");
    let path = format!("store/blobs/sha256/{}", &new["sha256:".len()..]);
    write(&folder, &path, "torn");
    let digest = Digest::of(b"torn");
    let expected = format!(
        "{path} has digest {digest}, expected {new}: remove it and add the artifact again\nstore: 3 artifacts of 2 images, 1 \
         flaw\n"
    );
    prints(&folder, "store verify --store store", 1, &expected);
}

#[test]
fn a_store_goes_to_another_machine_in_one_file() {
    let (folder, [old, new, undated]) = stocked();
    prints(&folder, "store export all.tar --store store", 0, "exported 3 artifacts to all.tar\n");
    prints(
        &folder,
        "store import all.tar --store other",
        0,
        "imported 3 artifacts of 2 images, 0 of which were there already\n",
    );
    let listed = run(&folder, "list --store store");
    assert_eq!(run(&folder, "list --store other"), listed);
    for artifact in [old, new, undated] {
        assert!(listed.stdout.contains(&artifact));
    }
    prints(&folder, "store verify --store other", 0, "other: 3 artifacts of 2 images, 0 flaws\n");
    prints(
        &folder,
        "store import all.tar --store other",
        0,
        "imported 3 artifacts of 2 images, 3 of which were there already\n",
    );
    let archive = fs::read(folder.path().join("all.tar")).expect("the archive");
    let piped = run(&folder, "store export - --store store");
    assert!(piped.stdout.as_bytes() == archive, "stdout has the same bytes");
}

#[test]
fn an_archive_that_is_damaged_brings_nothing() {
    let (folder, _) = stocked();
    prints(&folder, "store export all.tar --store store", 0, "exported 3 artifacts to all.tar\n");
    let path = folder.path().join("all.tar");
    let mut bytes = fs::read(&path).expect("the archive");
    let at = bytes.windows(6).position(|it| it == b"kernel").expect("the spec");
    bytes[at] = b'K';
    fs::write(&path, bytes).expect("writing");
    let ran = run(&folder, "store import all.tar --store other");
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
    assert!(ran.stderr.starts_with("error: all.tar/blobs/sha256/"), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(": export the store anew\n"), "{}", ran.stderr);
    assert!(!folder.path().join("other").exists());
    fails(&folder, "store export all.tar --store nowhere", "there is no store at nowhere: nothing to export");
    fails(
        &folder,
        "store import spec.yaml --store other",
        "spec.yaml is no whole tar archive (failed to read entire block)",
    );
    fails(&folder, "store import gone.tar --store other", "gone.tar is not there");
}

#[test]
fn an_archive_that_cannot_be_written_leaves_nothing() {
    let (folder, _) = stocked();
    fails(&folder, "store export gone/all.tar --store store", "gone/all.tar is not there");
    let manifest =
        fs::read_dir(folder.path().join("store/subjects")).expect("the lists").next().expect("one");
    let manifest = manifest.expect("an entry").path();
    fs::set_permissions(&manifest, fs::Permissions::from_mode(0o666)).expect("changing a mode");
    let ran = run(&folder, "store export all.tar --store store");
    let place = format!("store/subjects/{}", manifest.file_name().expect("a name").to_string_lossy());
    let expected =
        format!("error: {place} has mode 0666, only its owner may write to it: chmod go-w {place}\n");
    assert_eq!(ran, Ran { status: 2, stdout: String::new(), stderr: expected });
    let left: Vec<_> = fs::read_dir(folder.path())
        .expect("the folder")
        .map(|it| it.expect("an entry").file_name())
        .collect();
    assert!(!left.iter().any(|it| it.to_string_lossy().contains("all.tar")), "{left:?}");
}
