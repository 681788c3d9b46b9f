//! `attach`: to images in registries, layouts and archives.

use std::fs;
use std::process::Command;

use oci_compat::store::Digest;
use oci_compat::supply::registry::{IMAGE_INDEX, IMAGE_MANIFEST};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{SPEC, fails, folder, prints, run, write};
use crate::registry::fake::{Fake, Play, manifest};
use crate::runtimes::runtime::skip;

const CREATED: &str = "--created 2026-01-01T00:00:00Z";

/// A registry with an image `acme/upf:1`, and the image's digest.
fn stocked(lists_referrers: bool) -> (Fake, Digest) {
    let fake = Fake::start(Play { lists_referrers, ..Play::default() });
    let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    (fake, image)
}

/// The manifest that `attach` makes, as NFD's documents show it (docs/usage/image-compatibility.md).
fn expected(subject: &Digest, size: usize) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.nfd.image-compatibility.v1alpha1",
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2},
        "layers": [{"mediaType": "application/vnd.nfd.image-compatibility.spec.v1alpha1+yaml",
            "digest": Digest::of(SPEC.as_bytes()), "size": SPEC.len()}],
        "subject": {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": size},
        "annotations": {"org.opencontainers.image.created": "2026-01-01T00:00:00Z"},
    })
}

/// The digest in `attached artifact DIGEST to ...`.
fn attached(stdout: &str) -> String {
    stdout.split(' ').nth(2).unwrap_or_default().to_owned()
}

#[test]
fn what_is_attached_has_the_shape_that_nfd_reads() {
    let (fake, image) = stocked(true);
    let folder = folder();
    let line = format!("attach {}/acme/upf:1 spec.yaml --plain-http {CREATED}", fake.name());
    let ran = run(&folder, &line);
    let digest = attached(&ran.stdout);
    assert_eq!(ran.stderr, "");
    assert_eq!(ran.stdout, format!("attached artifact {digest} to {image}\n"));
    {
        let content = fake.content.lock().expect("no panic");
        let (kind, bytes) = &content.manifests[&("acme/upf".to_owned(), digest.clone())];
        assert_eq!(kind, IMAGE_MANIFEST);
        let size = manifest("an/image", None, 1).len();
        assert_eq!(serde_json::from_slice::<Value>(bytes).expect("JSON"), expected(&image, size));
        let spec = ("acme/upf".to_owned(), Digest::of(SPEC.as_bytes()).to_string());
        assert_eq!(content.blobs[&spec], SPEC.as_bytes());
    }
    prints(&folder, &line, 0, &format!("attached artifact {digest} to {image}\n"));
}

#[test]
fn where_the_registry_lists_no_referrers_the_fallback_index_does() {
    let (fake, image) = stocked(false);
    let folder = folder();
    let line = format!("attach {}/acme/upf:1 spec.yaml --plain-http {CREATED}", fake.name());
    let ran = run(&folder, &line);
    let digest = attached(&ran.stdout);
    let how = "listed under a tag: the registry has no referrers API";
    assert_eq!(
        (ran.stdout, ran.stderr),
        (format!("attached artifact {digest} to {image}, {how}\n"), String::new())
    );
    let content = fake.content.lock().expect("no panic");
    let tag = ("acme/upf".to_owned(), format!("sha256-{}", image.hex()));
    let index = &content.manifests[&("acme/upf".to_owned(), content.tags[&tag].clone())].1;
    let index: Value = serde_json::from_slice(index).expect("JSON");
    let entry = &index["manifests"][0];
    assert_eq!(entry["digest"], json!(digest));
    assert_eq!(entry["artifactType"], json!("application/vnd.nfd.image-compatibility.v1alpha1"));
    assert_eq!(entry["annotations"]["org.opencontainers.image.created"], json!("2026-01-01T00:00:00Z"));
}

#[test]
fn the_newer_may_replace_the_older() {
    for lists_referrers in [true, false] {
        let (fake, image) = stocked(lists_referrers);
        let folder = folder();
        let line = format!("attach {}/acme/upf:1 spec.yaml --plain-http", fake.name());
        let old = attached(&run(&folder, &format!("{line} {CREATED}")).stdout);
        let ran = run(&folder, &format!("{line} --created 2026-02-01T00:00:00Z --replace"));
        let new = attached(&ran.stdout);
        assert!(ran.stdout.starts_with(&format!("attached artifact {new} to {image}")), "{}", ran.stdout);
        assert!(ran.stdout.ends_with(&format!("\nremoved artifact {old}\n")), "{}", ran.stdout);
        let content = fake.content.lock().expect("no panic");
        assert!(!content.manifests.contains_key(&("acme/upf".to_owned(), old)));
        assert!(content.manifests.contains_key(&("acme/upf".to_owned(), new)));
    }
}

/// An index with an image for two platforms, and the digests of the three.
fn index(fake: &Fake) -> [Digest; 3] {
    let image = |number| fake.put("acme/smf", None, IMAGE_MANIFEST, &manifest("an/image", None, number));
    let [amd64, arm64] = [image(1), image(2)];
    let entry = |digest: &Digest, architecture: &str| {
        json!({"mediaType": IMAGE_MANIFEST, "digest": digest, "size": manifest("an/image", None, 1).len(),
            "platform": {"os": "linux", "architecture": architecture}})
    };
    let index = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX,
        "manifests": [entry(&amd64, "amd64"), entry(&arm64, "arm64")]});
    let index = fake.put("acme/smf", Some("1"), IMAGE_INDEX, index.to_string().as_bytes());
    [index, amd64, arm64]
}

#[test]
fn a_spec_may_be_about_the_index_or_about_platforms() {
    let (fake, _) = stocked(true);
    let [index, amd64, arm64] = index(&fake);
    let folder = folder();
    let to = |options: &str| {
        let ran = run(
            &folder,
            &format!("attach {}/acme/smf:1 spec.yaml --plain-http {CREATED} {options}", fake.name()),
        );
        assert_eq!(ran.stderr, "");
        let subjects = ran.stdout.lines().map(|it| it.rsplit(' ').next().unwrap_or_default().to_owned());
        subjects.collect::<Vec<_>>()
    };
    assert_eq!(to(""), [index.to_string()]);
    assert_eq!(to("--platform linux/arm64"), [arm64.to_string()]);
    assert_eq!(to("--all-platforms"), [amd64.to_string(), arm64.to_string()]);
}

#[test]
fn a_dry_run_shows_the_manifest_and_pushes_nothing() {
    let (fake, image) = stocked(true);
    let folder = folder();
    let before = fake.content.lock().expect("no panic").manifests.len();
    let line = format!("attach {}/acme/upf:1 spec.yaml --plain-http {CREATED} --dry-run", fake.name());
    let ran = run(&folder, &line);
    let (first, manifest_text) = ran.stdout.split_once('\n').expect("two lines");
    assert!(
        first.starts_with("would attach artifact sha256:") && first.ends_with(&format!(" to {image}:")),
        "{first}"
    );
    let size = manifest("an/image", None, 1).len();
    assert_eq!(serde_json::from_str::<Value>(manifest_text).expect("JSON"), expected(&image, size));
    let content = fake.content.lock().expect("no panic");
    assert_eq!((content.manifests.len(), content.blobs.len()), (before, 0));
}

#[test]
fn the_same_input_and_time_give_the_same_artifact() {
    let (fake, _) = stocked(true);
    let folder = folder();
    let line = format!(
        "attach {}/acme/upf:1 spec.yaml --plain-http --dry-run --annotation b=2 --annotation a=1 --annotation c=3",
        fake.name()
    );
    let first = run(&folder, &format!("{line} {CREATED}"));
    for _ in 0..5 {
        assert_eq!(run(&folder, &format!("{line} {CREATED}")), first);
    }
    let program = crate::command::program();
    let mut command = crate::command::in_folder(&program, folder.path());
    command.args(line.split(' ')).env("SOURCE_DATE_EPOCH", "1767225600");
    assert_eq!(crate::command::ran(&mut command), first);
}

/// A layout of one image, under the tag `v1`.
pub(super) fn made_layout(folder: &TempDir) {
    let blob = |bytes: &str, media_type: &str| {
        let digest = Digest::of(bytes.as_bytes());
        write(folder, &format!("layout/blobs/sha256/{}", digest.hex()), bytes);
        json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
    };
    let config = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}});
    let config = blob(&config.to_string(), "application/vnd.oci.image.config.v1+json");
    let image = json!({"schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "config": config, "layers": []});
    let mut entry = blob(&image.to_string(), IMAGE_MANIFEST);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "v1"});
    write(folder, "layout/oci-layout", r#"{"imageLayoutVersion": "1.0.0"}"#);
    write(folder, "layout/index.json", &json!({"schemaVersion": 2, "manifests": [entry]}).to_string());
}

/// A layout and an archive of one image, made by skopeo where it is installed.
fn layout(folder: &TempDir) -> Option<()> {
    made_layout(folder);
    let mut skopeo = Command::new("skopeo");
    skopeo.current_dir(folder.path()).args([
        "copy",
        "-q",
        "--insecure-policy",
        "oci:layout:v1",
        "oci-archive:image.tar:v1",
    ]);
    match skopeo.status() {
        Ok(status) => {
            assert!(status.success());
            Some(())
        }
        Err(err) => {
            skip(
                "skopeo",
                &format!("{err}, so nothing is attached to its archive (run integration/setup test)"),
            );
            None
        }
    }
}

#[test]
fn what_is_attached_to_a_layout_or_archive_goes_into_the_store() {
    let folder = folder();
    let has_archive = layout(&folder).is_some();
    for (image, source) in [("oci:layout:v1", "layout"), ("oci-archive:image.tar:v1", "image.tar")] {
        if source == "image.tar" && !has_archive {
            continue;
        }
        let ran = run(&folder, &format!("attach {image} spec.yaml {CREATED}"));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{image}");
        let digest = attached(&ran.stdout);
        let subject = ran.stdout.trim_end().rsplit(' ').next().unwrap_or_default().to_owned();
        for (number, named) in [source, &format!("{source}:v1"), image].into_iter().enumerate() {
            let expected = format!("added artifact {digest} for image {subject}\n");
            prints(&folder, &format!("store add {named} --store store-{number}-of-{source}"), 0, &expected);
        }
        let shown = run(&folder, &format!("show {image}"));
        let start = format!("{subject}\n  artifact {digest}\n");
        assert!(shown.stdout.starts_with(&start) && shown.stderr.is_empty(), "{shown:?}");
    }
    if has_archive {
        // The image is still there for other tools.
        let mut skopeo = Command::new("skopeo");
        skopeo.current_dir(folder.path()).args(["inspect", "--raw", "oci-archive:image.tar:v1"]);
        assert!(skopeo.output().expect("running skopeo").status.success());
    }
}

#[test]
fn a_failed_attach_is_reported() {
    let (fake, image) = stocked(true);
    let folder = folder();
    let name = fake.name();
    write(&folder, "malformed.yaml", "version: v1alpha1\n");
    fails(
        &folder,
        &format!("attach {name}/acme/upf:1 malformed.yaml --plain-http"),
        "the spec malformed.yaml is malformed; `oci-compat lint` shows all errors: 1:1: a spec needs `compatibilities`, the \
         list of alternatives",
    );
    fails(
        &folder,
        &format!("attach {name}/acme/upf:1 spec.yaml --plain-http --created yesterday"),
        "created \"yesterday\" is not a date such as \"2025-06-01T12:00:00Z\" (RFC 3339)",
    );
    fails(
        &folder,
        &format!("attach {name}/acme/upf:1 spec.yaml --plain-http --annotation x"),
        "--annotation \"x\" is not KEY=VALUE",
    );
    fails(
        &folder,
        &format!("attach {name}/acme/upf:1 spec.yaml --plain-http --platform linux"),
        "platform \"linux\" is not OS/ARCHITECTURE, such as \"linux/arm64\"",
    );
    fails(
        &folder,
        &format!("attach {name}/acme/upf:1 spec.yaml --plain-http --platform linux/arm64"),
        &format!("{image} is the image of one platform, not an index: leave the platform away"),
    );
    fails(
        &folder,
        "attach oci:layout:v1 spec.yaml --replace",
        "--replace is for registries: in a layout the newest artifact counts, and the older ones are left",
    );
    fs::create_dir(folder.path().join("empty")).expect("making a folder");
    fails(
        &folder,
        "attach oci:empty spec.yaml",
        "reading layout empty: it is no OCI image layout: it has no file \"index.json\"",
    );
}
