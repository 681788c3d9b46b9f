//! The choice of an image's part, and the resulting layouts.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::store::{ArtifactSubject, Digest, Package, layout, pack};
use crate::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST};

fn entry(platform: &str) -> Value {
    let parts: Vec<_> = platform.split('/').collect();
    let mut entry = json!({"mediaType": IMAGE_MANIFEST, "digest": Digest::of(platform.as_bytes()).to_string(), "size": 7,
        "platform": {"os": parts[0], "architecture": parts[1]}});
    if let Some(variant) = parts.get(2) {
        entry["platform"]["variant"] = json!(variant);
    }
    entry
}

fn document(platforms: &[&str]) -> Vec<u8> {
    let entries: Vec<_> = platforms.iter().map(|it| entry(it)).collect();
    json!({"schemaVersion": 2, "manifests": entries}).to_string().into_bytes()
}

const PLATFORMS: [&str; 4] = ["linux/amd64", "linux/arm64/v8", "linux/arm/v7", "unknown/unknown"];

fn check(choice: &PlatformChoice, expected: &[&str]) {
    let found = choose(IMAGE_INDEX, &document(&PLATFORMS), choice).unwrap();
    let expected: Vec<_> = expected.iter().map(|it| Digest::of(it.as_bytes())).collect();
    assert_eq!(found.iter().map(|it| it.digest).collect::<Vec<_>>(), expected);
}

fn platform(text: &str) -> PlatformChoice {
    PlatformChoice::One(text.parse().unwrap())
}

#[test]
fn the_index_one_platform_or_each_may_be_meant() {
    let document = document(&PLATFORMS);
    let whole = ArtifactSubject {
        digest: Digest::of(&document),
        media_type: IMAGE_INDEX.to_owned(),
        size: document.len() as u64,
    };
    assert_eq!(choose(IMAGE_INDEX, &document, &PlatformChoice::Whole).unwrap(), [whole]);
    check(&platform("linux/amd64"), &["linux/amd64"]);
    check(&platform("linux/arm64"), &["linux/arm64/v8"]);
    check(&platform("linux/arm/v7"), &["linux/arm/v7"]);
    check(&PlatformChoice::Each, &PLATFORMS[..3]);
}

#[test]
fn a_platform_that_is_not_there_is_reported() {
    let refused = |media_type: &str, platforms: &[&str], choice: &PlatformChoice| {
        choose(media_type, &document(platforms), choice).unwrap_err().to_string()
    };
    assert_eq!(
        refused(IMAGE_INDEX, &PLATFORMS, &platform("linux/s390x")),
        "the index has no image for linux/s390x, it has linux/amd64, linux/arm64/v8, linux/arm/v7"
    );
    assert_eq!(
        refused(IMAGE_INDEX, &["linux/arm/v6", "linux/arm/v7"], &platform("linux/arm")),
        "the index has 2 images for linux/arm: name the one by its digest"
    );
    let whole = Digest::of(&document(&[]));
    assert_eq!(refused(IMAGE_INDEX, &[], &PlatformChoice::Each), format!("index {whole} has no image"));
    assert_eq!(
        refused(IMAGE_MANIFEST, &[], &PlatformChoice::Each),
        format!("{whole} is the image of one platform, not an index: leave the platform away")
    );
    for text in ["", "linux", "linux/", "/amd64", "linux/arm/", "a/b/c/d"] {
        let expected = format!("platform {text:?} is not OS/ARCHITECTURE, such as \"linux/arm64\"");
        assert_eq!(text.parse::<Platform>().unwrap_err().to_string(), expected);
    }
}

/// A layout with one image under the tag `v1`, and the image's digest.
fn made(folder: &Path) -> Digest {
    let config =
        json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:1", "size": 1});
    let manifest =
        json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": []}).to_string();
    let digest = Digest::of(manifest.as_bytes());
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    fs::write(blobs.join(digest.hex()), &manifest).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": [{"mediaType": IMAGE_MANIFEST, "digest": digest.to_string(),
        "size": manifest.len(), "annotations": {"org.opencontainers.image.ref.name": "v1"}, "x-unknown": 1}]});
    fs::write(folder.join("index.json"), index.to_string()).unwrap();
    digest
}

fn packed(subject: &ArtifactSubject) -> anyhow::Result<Package> {
    pack(b"version: v1alpha1\n", subject, Some("2026-01-01T00:00:00Z"))
}

#[test]
fn what_is_attached_to_a_layout_is_found_there() {
    let folder = tempfile::tempdir().unwrap();
    let image = made(folder.path());
    for tag in [Some("v1"), None] {
        let attached = attach_to_layout(folder.path(), tag, &PlatformChoice::Whole, false, packed).unwrap();
        assert_eq!(attached.len(), 1);
    }
    let found = layout::find(folder.path().as_os_str(), None).unwrap();
    assert_eq!(found.iter().map(|it| it.subject).collect::<Vec<_>>(), [image]);
    let index: Value = serde_json::from_slice(&fs::read(folder.path().join("index.json")).unwrap()).unwrap();
    assert_eq!(index["manifests"][0]["x-unknown"], json!(1));
    assert_eq!(index["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn the_only_image_of_a_layout_needs_no_name_beside_what_is_about_it() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    attach_to_layout(folder.path(), None, &PlatformChoice::Whole, false, packed).unwrap();
    let path = folder.path().join("index.json");
    let mut index: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    // As oras copies it.
    index["manifests"][1].as_object_mut().unwrap().remove("artifactType").unwrap();
    fs::write(&path, index.to_string()).unwrap();
    let again = attach_to_layout(folder.path(), None, &PlatformChoice::Whole, false, packed).unwrap();
    assert_eq!(again.len(), 1);
}

#[test]
fn what_is_attached_to_an_archive_is_found_there() {
    let folder = tempfile::tempdir().unwrap();
    let image = made(&folder.path().join("layout"));
    let path = folder.path().join("image.tar");
    let mut builder = tar::Builder::new(fs::File::create(&path).unwrap());
    builder.append_dir_all("", folder.path().join("layout")).unwrap();
    builder.into_inner().unwrap();
    attach_to_layout(&path, Some("v1"), &PlatformChoice::Whole, false, packed).unwrap();
    let found = layout::find(path.as_os_str(), None).unwrap();
    assert_eq!(found.iter().map(|it| it.subject).collect::<Vec<_>>(), [image]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_dry_run_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let before = fs::read(folder.path().join("index.json")).unwrap();
    let planned = attach_to_layout(folder.path(), Some("v1"), &PlatformChoice::Whole, true, packed).unwrap();
    assert_eq!(planned.len(), 1);
    assert_eq!(fs::read(folder.path().join("index.json")).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count(), 1);
}

#[test]
fn a_layout_without_that_image_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let refused = |tag: Option<&str>| {
        let err = attach_to_layout(folder.path(), tag, &PlatformChoice::Whole, false, packed).unwrap_err();
        format!("{err:#}").replace(&folder.path().display().to_string(), "DIR")
    };
    assert_eq!(refused(Some("v2")), "reading layout DIR: there is no tag \"v2\", there are \"v1\"");
    fs::write(folder.path().join("index.json"), "[]").unwrap();
    assert_eq!(refused(None), "reading layout DIR: index.json is not an OCI index");
    fs::remove_file(folder.path().join("index.json")).unwrap();
    assert_eq!(refused(None), "reading layout DIR: it is no OCI image layout: it has no file \"index.json\"");
}

#[test]
fn an_engine_s_pick_of_an_index_is_found() {
    let check = |platforms: &[&str], wanted: &str, expected: &Pick| {
        let platform: Platform = wanted.parse().unwrap();
        assert_eq!(&pick(&document(platforms), &platform).unwrap(), expected, "{platforms:?} {wanted}");
    };
    let one = |it: &str| Pick::One(Digest::of(it.as_bytes()));
    check(&PLATFORMS, "linux/amd64", &one("linux/amd64"));
    check(&PLATFORMS, "linux/arm64", &one("linux/arm64/v8"));
    check(&["linux/amd64/v3", "linux/amd64"], "linux/amd64", &one("linux/amd64"));
    check(&["linux/amd64/v3", "linux/amd64/v2"], "linux/amd64", &one("linux/amd64/v3"));
    check(&["linux/386", "linux/amd64/v2"], "linux/amd64", &one("linux/amd64/v2"));
    check(&["windows/amd64", "linux/386"], "linux/amd64", &one("linux/386"));
    check(&["linux/arm/v7", "linux/amd64"], "linux/arm64", &one("linux/arm/v7"));
    let offered = ["linux/amd64", "linux/arm64/v8", "linux/arm/v7"].map(|it| it.parse().unwrap()).to_vec();
    check(&PLATFORMS, "linux/s390x", &Pick::None(offered));
    let offered = vec!["linux/amd64/v3".parse().unwrap()];
    check(&["linux/amd64/v3"], "linux/amd64/v2", &Pick::None(offered));
    check(&["unknown/unknown"], "linux/amd64", &Pick::Unclear);
}

/// An index of artifacts, or one that an old tool made.
#[test]
fn entries_without_a_platform_are_for_every_host() {
    let platform: Platform = "linux/amd64".parse().unwrap();
    let bare = |name: &str, media_type: &str| json!({"mediaType": media_type, "digest": Digest::of(name.as_bytes()), "size": 7});
    let check = |entries: Vec<Value>, expected: Pick| {
        let index = json!({"schemaVersion": 2, "manifests": entries}).to_string();
        assert_eq!(pick(index.as_bytes(), &platform).unwrap(), expected, "{index}");
    };
    let (a, b) = (bare("a", IMAGE_MANIFEST), bare("b", IMAGE_MANIFEST));
    check(vec![entry("linux/s390x"), a.clone()], Pick::Unlabelled(Digest::of(b"a")));
    check(vec![a, b], Pick::Unclear);
    check(vec![bare("c", IMAGE_INDEX)], Pick::Unclear);
    check(vec![entry("linux/s390x"), bare("c", IMAGE_INDEX)], Pick::Unclear);
    check(vec![], Pick::Unclear);
}
