//! Which artifacts are found in a layout that another tool made.

use std::ffi::OsString;

use serde_json::{Value, json};

use super::*;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A layout in a temporary folder; `entries` are the descriptors in its index.
struct FakeLayout {
    dir: tempfile::TempDir,
    entries: Vec<Value>,
}

impl FakeLayout {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("blobs/sha256")).unwrap();
        fs::write(dir.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        Self { dir, entries: Vec::new() }
    }

    fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::of(bytes);
        fs::write(self.place(&digest), bytes).unwrap();
        digest
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        self.dir.path().join(blob_path(digest))
    }

    /// The descriptor of an artifact with this spec, whose blobs are there.
    fn artifact(&self, spec: &str, edit: impl FnOnce(&mut Value)) -> Value {
        let package = pack(spec.as_bytes(), &ArtifactSubject::unseen(image()), None).unwrap();
        let mut manifest: Value = serde_json::from_slice(&package.manifest).unwrap();
        edit(&mut manifest);
        self.blob(&package.config);
        self.blob(&package.spec);
        self.descriptor(MANIFEST, &manifest)
    }

    fn descriptor(&self, media_type: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        json!({"mediaType": media_type, "digest": self.blob(&bytes).to_string(), "size": bytes.len()})
    }

    fn entry(mut self, descriptor: Value) -> Self {
        self.entries.push(descriptor);
        self
    }

    fn tagged(self, mut descriptor: Value, tag: &str) -> Self {
        descriptor["annotations"]["org.opencontainers.image.ref.name"] = json!(tag);
        self.entry(descriptor)
    }

    fn find(&self, tag: &str, subject: Option<&Digest>) -> anyhow::Result<Vec<LayoutArtifact>> {
        let index = json!({"schemaVersion": 2, "manifests": self.entries});
        fs::write(self.dir.path().join("index.json"), index.to_string()).unwrap();
        let mut reference = OsString::from(self.dir.path());
        reference.push(tag);
        layout::find(&reference, subject)
    }

    /// The specs that are found, or what is said instead.
    fn check(&self, tag: &str, expected: &[&str]) {
        self.check_about(tag, None, expected);
    }

    fn check_about(&self, tag: &str, subject: Option<&Digest>, expected: &[&str]) {
        let found = match self.find(tag, subject) {
            Ok(found) => found.into_iter().map(|it| String::from_utf8(it.package.spec).unwrap()).collect(),
            Err(err) => vec![format!("{err:#}").replace(&self.dir.path().display().to_string(), "LAYOUT")],
        };
        assert_eq!(found, expected);
    }
}

fn image_manifest() -> Value {
    let config =
        json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha512:0", "size": 1});
    json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": []})
}

fn keep(_: &mut Value) {}

const KNOWN: &str = "known types are application/vnd.nfd.image-compatibility.v1alpha1, application/vnd.oci-compat.image-compatibility.v1 and \
                     application/vnd.oci.image-compatibility.v1";

#[test]
fn without_a_tag_all_artifacts_are_found_whether_or_not_their_descriptors_say_so() {
    let layout = FakeLayout::new();
    let mut told = layout.artifact("told", keep);
    told["artifactType"] = json!(NFD_ARTIFACT_TYPE);
    let mut other = layout.artifact("other", keep);
    other["artifactType"] = json!("application/vnd.example.sbom");
    let untold = layout.artifact("untold", keep);
    let image = layout.descriptor(MANIFEST, &image_manifest());
    let layout = layout.entry(image).entry(told).entry(other).tagged(untold, "v1");
    layout.check("", &["told", "untold"]);
}

#[test]
fn a_tag_names_an_artifact_or_an_index_of_artifacts() {
    let layout = FakeLayout::new();
    let (one, two, three) =
        (layout.artifact("one", keep), layout.artifact("two", keep), layout.artifact("three", keep));
    let image = layout.descriptor(MANIFEST, &image_manifest());
    let index = layout.descriptor(
        INDEX,
        &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [two, image.clone(), three]}),
    );
    let layout =
        layout.tagged(one.clone(), "one").tagged(index, "sha256-0a").tagged(image, "image").entry(one);
    layout.check("", &["one", "two", "three"]);
    layout.check(":one", &["one"]);
    layout.check(":sha256-0a", &["two", "three"]);
    layout.check(
        ":image",
        &[&format!(
            "reading layout LAYOUT: tag \"image\" has no compatibility artifact, \
             found \"application/vnd.oci.image.config.v1+json\"; {KNOWN}"
        )],
    );
    layout.check(
        ":none",
        &["reading layout LAYOUT: there is no tag \"none\", there are \"one\", \"sha256-0a\", \"image\""],
    );
}

#[test]
fn a_tag_of_an_image_or_of_an_index_finds_what_is_about_it() {
    let layout = FakeLayout::new();
    let image = layout.descriptor(MANIFEST, &image_manifest());
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [image.clone()]});
    let index = layout.descriptor(INDEX, &index);
    let about = |subject: &Value| {
        let subject = subject.clone();
        move |it: &mut Value| it["subject"] = subject
    };
    let (one, two) = (layout.artifact("one", about(&image)), layout.artifact("two", about(&index)));
    let other = layout.artifact("other", keep);
    let layout = layout.tagged(image, "image").tagged(index, "index").entry(other).entry(one).entry(two);
    layout.check(":image", &["one"]);
    layout.check(":index", &["one", "two"]);
    layout.check("", &["other", "one", "two"]);
}

#[test]
fn a_layout_without_artifacts_says_what_it_has() {
    let layout = FakeLayout::new();
    let none = "reading layout LAYOUT: the layout has no compatibility artifact, found";
    layout.check("", &[&format!("{none} none; {KNOWN}")]);
    let elsewhere = json!({"mediaType": MANIFEST, "digest": Digest::of(b"elsewhere").to_string(), "size": 9});
    let layout = layout.entry(elsewhere);
    layout.check("", &[&format!("{none} \"manifest that is not in the layout\"; {KNOWN}")]);
    layout.check(":v1", &["reading layout LAYOUT: there is no tag \"v1\", there are none"]);
}

#[test]
fn what_is_no_layout_is_reported_to_be_none() {
    let layout = FakeLayout::new();
    fs::remove_file(layout.dir.path().join("oci-layout")).unwrap();
    layout.check("", &["reading layout LAYOUT: it is no OCI image layout: it has no file \"oci-layout\""]);
    let nowhere = layout.dir.path().join("nowhere");
    let err = layout::find(nowhere.as_os_str(), None).unwrap_err();
    assert_eq!(
        format!("{err:#}"),
        format!(
            "reading layout {}: it is no OCI image layout: it has no file \"oci-layout\"",
            nowhere.display()
        )
    );
}

#[test]
fn the_subject_is_the_manifests_own_or_the_callers() {
    let layout = FakeLayout::new();
    let about = layout.artifact("about", keep);
    let name = about["digest"].as_str().unwrap().to_owned();
    let layout = layout.entry(about);
    layout.check_about("", Some(&image()), &["about"]);
    let other = Digest::of(b"other");
    layout.check_about(
        "",
        Some(&other),
        &[&format!(
            "reading layout LAYOUT: artifact {name} is about {}, it was to be stored for {other}: \
             leave --subject away, or attach the spec to {other}",
            image()
        )],
    );
    let layout = FakeLayout::new();
    let plain = layout.artifact("plain", |it| {
        it.as_object_mut().unwrap().remove("subject");
    });
    let name = plain["digest"].as_str().unwrap().to_owned();
    let layout = layout.entry(plain);
    layout.check_about("", Some(&other), &["plain"]);
    assert_eq!(layout.find("", Some(&other)).unwrap()[0].subject, other);
    layout.check(
        "",
        &[&format!(
            "reading layout LAYOUT: artifact {name} does not say which image it is about: say --subject DIGEST"
        )],
    );
}

#[test]
fn the_date_of_the_descriptor_goes_before_the_manifests() {
    for key in ["org.opencontainers.image.created", "oci.opencontainers.image.created"] {
        let layout = FakeLayout::new();
        let mut dated =
            layout.artifact("dated", |it| it["annotations"] = json!({key: "2024-01-01T00:00:00Z"}));
        dated["annotations"] = json!({key: "2025-01-01T00:00:00Z"});
        let found = layout.entry(dated).find("", None).unwrap();
        assert_eq!(found[0].artifact.created.as_deref(), Some("2025-01-01T00:00:00Z"));
    }
}

#[test]
fn what_is_damaged_or_breaks_the_rules_is_refused() {
    let damaged =
        |blob: &dyn Fn(&Value) -> Digest, bytes: &[u8], expected: &dyn Fn(&Value, Digest) -> String| {
            let layout = FakeLayout::new();
            let entry = layout.artifact("spec", keep);
            let digest = blob(&entry);
            fs::write(layout.place(&digest), bytes).unwrap();
            let expected = format!("reading layout LAYOUT: {}", expected(&entry, digest));
            layout.entry(entry).check("", &[&expected]);
        };
    let path = |digest: Digest| format!("LAYOUT/blobs/sha256/{}", digest.hex());
    damaged(&|_| Digest::of(b"spec"), b"spe", &|_, it| {
        format!("{} has 3 bytes, expected 4: copy the artifact anew", path(it))
    });
    damaged(&|_| Digest::of(b"spec"), b"spex", &|_, it| {
        format!("{} has digest {}, expected {it}: copy the artifact anew", path(it), Digest::of(b"spex"))
    });
    damaged(&|_| Digest::of(b"spec"), &vec![b' '; 1_048_577], &|_, it| {
        format!("{} has 1048577 bytes, at most 1048576 are read", path(it))
    });
    let own = |it: &Value| it["digest"].as_str().unwrap().parse().unwrap();
    damaged(&own, b"{}", &|entry, it| {
        format!("{} has 2 bytes, expected {}: copy the artifact anew", path(it), entry["size"])
    });
}

#[test]
fn an_artifact_with_two_layers_or_missing_blobs_is_refused() {
    let layout = FakeLayout::new();
    let two = layout.artifact("spec", |it| {
        let layer = it["layers"][0].clone();
        it["layers"].as_array_mut().unwrap().push(layer);
    });
    let name = two["digest"].as_str().unwrap().to_owned();
    layout.entry(two).check(
        "",
        &[&format!(
            "reading layout LAYOUT: artifact {name} has 2 layers, \
             a compatibility artifact has exactly 1: push its spec alone"
        )],
    );
    let layout = FakeLayout::new();
    let entry = layout.artifact("spec", keep);
    fs::remove_file(layout.place(&Digest::of(b"{}"))).unwrap();
    let layout = layout.entry(entry);
    layout.check("", &["spec"]);
    fs::remove_file(layout.place(&Digest::of(b"spec"))).unwrap();
    let name = layout.entries[0]["digest"].as_str().unwrap();
    layout.check(
        "",
        &[&format!("reading layout LAYOUT: the spec of artifact {name} is not in the layout: copy it anew")],
    );
}
