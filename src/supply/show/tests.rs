//! What `show` prints of artifacts.

use super::*;
use crate::store::{ArtifactOrigin, ArtifactSubject, SpecKind, Writer, pack_annotated};

const SPEC: &str = "version: v1alpha1
compatibilities:
- description: user plane function
  rules:
  - name: kernel
    matchFeatures: [{feature: kernel.version, matchExpressions: {major: {op: Gt, value: [\"4\"]}}}]
";

fn image() -> Digest {
    Digest::of(b"image")
}

/// An artifact with this spec and these annotations.
fn addition(spec: &str, annotations: &[(&str, &str)]) -> Addition {
    let annotations =
        annotations.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let subject = ArtifactSubject::unseen(image());
    let package = pack_annotated(spec.as_bytes(), SpecKind::Nfd, &subject, &annotations).unwrap();
    Addition::of_file(image(), package, None)
}

/// The lines of the only image; the artifact's digest is `ARTIFACT`.
fn lines(images: &[ShownImage]) -> Vec<String> {
    let [image] = images else { panic!("one image, not {images:?}") };
    let [artifact] = &image.artifacts[..] else { panic!("one artifact, not {image:?}") };
    image.text().replace(&artifact.summary.digest, "ARTIFACT").lines().map(str::to_owned).collect()
}

/// The lines of an artifact that a pull would store, after the image's.
fn check(addition: Addition, expected: &[&str]) {
    let shown = of_additions(vec![addition]).unwrap();
    let mut whole = vec![image().to_string(), "  artifact ARTIFACT".to_owned()];
    whole.extend(expected.iter().map(|it| (*it).to_owned()));
    assert_eq!(lines(&shown), whole);
}

#[test]
fn an_artifact_is_shown_with_its_author_its_origin_and_its_demands() {
    let annotations = [
        ("org.opencontainers.image.created", "2026-01-01T00:00:00Z"),
        ("org.opencontainers.image.authors", "Ann\u{1b}"),
        ("org.opencontainers.image.vendor", "Acme"),
        ("org.opencontainers.image.title", "not shown"),
    ];
    let origin = ArtifactOrigin {
        repository: Some("docker.io/acme/upf".to_owned()),
        image: Some("docker.io/acme/upf:1".to_owned()),
        ..ArtifactOrigin::default()
    };
    check(
        Addition { origin: Some(origin), ..addition(SPEC, &annotations) },
        &[
            "    made     2026-01-01T00:00:00Z",
            "    by       Ann\\u{1b}",
            "    vendor   Acme",
            "    from     docker.io/acme/upf",
            "    signed   no signature was verified",
            "    set (weight 0): user plane function",
            "      rule kernel",
            "        kernel version major: more than 4",
        ],
    );
}

#[test]
fn a_spec_that_cannot_be_read_is_shown_with_the_reason() {
    check(
        addition("version: v9\n", &[]),
        &[
            "    made     at an unknown time",
            "    signed   no signature was verified",
            "    its spec is malformed: 1:1: a spec needs `compatibilities`, the list of alternatives (+1 more)",
        ],
    );
}

#[test]
fn alternatives_are_shown_as_such() {
    let spec = "version: v1alpha1
compatibilities:
- tag: fast
  weight: 2
  rules:
  - name: either
    matchAny:
    - matchFeatures: [{feature: kernel.loadedmodule, matchExpressions: {vfio: {op: Exists}}}]
    - matchFeatures: [{feature: kernel.loadedmodule, matchExpressions: {uio: {op: Exists}}}]
- weight: 1
  rules:
  - name: one
    matchAny:
    - matchFeatures: [{feature: kernel.loadedmodule, matchExpressions: {uio: {op: Exists}}}]
";
    check(
        addition(spec, &[]),
        &[
            "    made     at an unknown time",
            "    signed   no signature was verified",
            "    one of these has to fit:",
            "    set fast (weight 2)",
            "      rule either",
            "        either kernel module vfio: loaded",
            "        or kernel module uio: loaded",
            "    set (weight 1)",
            "      rule one",
            "        and kernel module uio: loaded",
        ],
    );
}

#[test]
fn the_store_is_asked_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let show = |image: &str| in_store(&store, image, || Ok(Vec::new()));
    let none = format!(
        "the store {} has no artifact for image \"acme/upf:1\": fetch what is attached to it with oci-compat pull",
        store.display()
    );
    assert_eq!(show("acme/upf:1").unwrap_err().to_string(), none);
    let origin = ArtifactOrigin {
        image: Some("docker.io/acme/upf:1".to_owned()),
        fetched: Some("2026-01-02T00:00:00Z".to_owned()),
        ..ArtifactOrigin::default()
    };
    let addition = Addition { origin: Some(origin), ..addition(SPEC, &[]) };
    Writer::open(&store).unwrap().add(&addition).unwrap();
    let shown = lines(&show("acme/upf:1").unwrap());
    let expected = [
        "    made     at an unknown time",
        "    from     docker.io/acme/upf",
        "    fetched  2026-01-02T00:00:00Z",
        "    signed   no signature was verified",
    ];
    assert_eq!(shown[2..6], expected);
    assert_eq!(show("acme/upf:2").unwrap_err().to_string(), none.replace("upf:1", "upf:2"));
}
