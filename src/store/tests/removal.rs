//! The images that a person names, and what is removed of them.

use super::*;

/// An artifact of this image that was fetched under a name.
fn fetched(spec: &[u8], image: &str, name: &str) -> Addition {
    let origin = ArtifactOrigin { image: Some(name.to_owned()), ..ArtifactOrigin::default() };
    let image = Digest::of(image.as_bytes());
    let package = pack(spec, &ArtifactSubject::unseen(image), None).unwrap();
    Addition { origin: Some(origin), ..Addition::of_file(image, package, None) }
}

/// A store with two images of one name, and one of another name.
fn three() -> FakeStore {
    let store = FakeStore::new();
    store.add(fetched(b"one", "one", "docker.io/acme/upf:1"));
    store.add(fetched(b"two", "two", "docker.io/acme/upf:1"));
    store.add(fetched(b"smf", "three", "docker.io/acme/smf:1"));
    store
}

/// Which images are meant; an engine keeps the image `local` as "three".
fn check(text: &str, expected: &[&str]) {
    let store = three();
    let engine = || Ok(if text == "local" { vec![image(), Digest::of(b"three")] } else { Vec::new() });
    let mut expected: Vec<_> = expected.iter().map(|it| Digest::of(it.as_bytes())).collect();
    expected.sort();
    assert_eq!(store.open().subjects_of(text, engine).unwrap(), expected, "{text}");
}

#[test]
fn an_image_is_named_by_digest_by_name_or_as_an_engine_calls_it() {
    check(&Digest::of(b"two").to_string(), &["two"]);
    check(&image().to_string(), &[]);
    check("docker.io/acme/upf:1", &["one", "two"]);
    check("acme/upf:1", &["one", "two"]);
    check("acme/upf:2", &[]);
    check("local", &["three"]);
}

#[test]
fn an_engine_is_asked_only_for_what_the_store_does_not_know() {
    let unasked = || panic!("the engine is asked");
    let found = three().open().subjects_of("acme/smf:1", unasked).unwrap();
    assert_eq!(found, [Digest::of(b"three")]);
    let silent = || anyhow::bail!("docker does not answer");
    let error = three().open().subjects_of("other", silent).unwrap_err();
    assert_eq!(error.to_string(), "docker does not answer");
}

/// What a removal reports, each as image and artifact, or its error.
fn removed(
    store: &FakeStore,
    image: &str,
    artifact: Option<Digest>,
) -> Result<Vec<(Digest, Digest)>, String> {
    let mut reported = Vec::new();
    let report = |subject: &Digest, artifact: &Digest| {
        reported.push((*subject, *artifact));
        Ok(())
    };
    let done = Removal { image, artifact }.run(&store.path(), || Ok(Vec::new()), report);
    done.map(|()| reported).map_err(|err| store.said(&err))
}

#[test]
fn all_artifacts_of_an_image_are_removed_and_no_others() {
    let store = three();
    let reported = removed(&store, "acme/upf:1", None).unwrap();
    let images: Vec<_> = reported.iter().map(|(image, _)| *image).collect();
    let mut expected = vec![Digest::of(b"one"), Digest::of(b"two")];
    expected.sort();
    assert_eq!(images, expected);
    assert_eq!(store.open().subjects().unwrap(), [Digest::of(b"three")]);
    for (_, artifact) in reported {
        assert!(!store.place(&format!("blobs/sha256/{}", artifact.hex())).exists());
    }
}

#[test]
fn one_artifact_of_several_can_be_removed() {
    let store = FakeStore::new();
    let older = store.add(addition(b"old", Some("2025-01-01T00:00:00Z"))).artifact;
    let newer = store.add(addition(SPEC, Some("2025-02-01T00:00:00Z"))).artifact;
    let reported = removed(&store, &image().to_string(), Some(older.manifest));
    assert_eq!(reported, Ok(vec![(image(), older.manifest)]));
    assert_eq!(store.open().artifacts(&image()).unwrap(), [newer]);
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let none =
        "the store STORE has no artifact for image \"acme/upf:2\": oci-compat list shows what there is";
    assert_eq!(removed(&FakeStore::new(), "acme/upf:2", None), Err(none.to_owned()));
    assert_eq!(removed(&three(), "acme/upf:2", None), Err(none.to_owned()));
    let other = format!(
        "the store STORE has no artifact {} for image \"acme/upf:1\": oci-compat list shows what there is",
        image()
    );
    assert_eq!(removed(&three(), "acme/upf:1", Some(image())), Err(other));
}
