//! What is removed from the store, and what verifying it reports.

use super::*;

const OLD: &str = "2025-01-01T00:00:00Z";
const NEW: &str = "2025-02-01T00:00:00Z";

/// A store with an older and a newer artifact of one image.
fn two() -> (FakeStore, Artifact, Artifact) {
    let store = FakeStore::new();
    let older = store.add(addition(b"old", Some(OLD))).artifact;
    let newer = store.add(addition(SPEC, Some(NEW))).artifact;
    (store, older, newer)
}

fn writer(store: &FakeStore) -> Writer {
    Writer::open(&store.path()).unwrap()
}

fn signed(spec: &[u8]) -> Addition {
    let evidence = b"evidence".to_vec();
    let signature =
        Signature { key: Digest::of(b"key"), evidence: Digest::of(&evidence), by: VerifiedBy::Key };
    let origin = ArtifactOrigin {
        image: Some("r/a:1".to_owned()),
        signature: Some(signature),
        ..ArtifactOrigin::default()
    };
    Addition { origin: Some(origin), evidence: Some(evidence), ..addition(spec, Some(NEW)) }
}

/// What is wrong with a store, with its path taken out.
fn flaws(store: &FakeStore) -> Vec<String> {
    store.open().verify(FORMAT).flaws.iter().map(|it| store.said(it)).collect()
}

#[test]
fn an_artifact_that_is_removed_is_not_found_any_more_and_the_other_is() {
    let (store, older, newer) = two();
    let gone = writer(&store).remove(&image(), |it| it.artifact.manifest == newer.manifest).unwrap();
    assert_eq!(gone, [StoredArtifact { artifact: newer, origin: None }]);
    assert_eq!(store.open().artifacts(&image()).unwrap(), [older]);
    assert_eq!(writer(&store).remove(&image(), |_| false).unwrap(), []);
}

#[test]
fn an_image_without_artifacts_leaves_no_file() {
    let (store, ..) = two();
    assert_eq!(writer(&store).remove(&image(), |_| true).unwrap().len(), 2);
    assert_eq!(store.open().artifacts(&image()).unwrap(), []);
    assert_eq!(store.open().subjects().unwrap(), []);
    let swept = writer(&store).sweep(false).unwrap();
    // Two manifests, two specs, two compiled forms, and the empty configuration that both shared.
    assert_eq!((swept.artifacts, swept.files), (0, 7));
    let left: Vec<_> = store.files().into_iter().map(|(path, _)| path).collect();
    assert_eq!(
        left,
        ["", "index.json", "oci-layout"].map(|it| store.place(if it.is_empty() { ".lock" } else { it }))
    );
    assert_eq!(flaws(&store), Vec::<String>::new());
}

#[test]
fn sweeping_leaves_all_that_a_look_up_can_find() {
    let (store, ..) = two();
    store.add(signed(b"signed"));
    let before = store.files();
    assert_eq!(writer(&store).sweep(false).unwrap(), Swept::default());
    assert_eq!(store.files(), before);
}

#[test]
fn sweeping_rebuilds_the_index_from_the_lists() {
    let (store, ..) = two();
    let before = store.files();
    fs::remove_file(store.place("index.json")).unwrap();
    writer(&store).sweep(false).unwrap();
    assert_eq!(flaws(&store), Vec::<String>::new());
    assert_eq!(store.files().len(), before.len());
}

#[test]
fn superseded_artifacts_are_swept_if_that_is_asked_for() {
    let (store, _, newer) = two();
    let found = store.look_up().unwrap();
    let swept = writer(&store).sweep(true).unwrap();
    assert_eq!((swept.artifacts, swept.files), (1, 3));
    assert_eq!(store.look_up().unwrap(), found);
    assert_eq!(store.open().stored(&image()).unwrap(), [StoredArtifact { artifact: newer, origin: None }]);
    assert_eq!(flaws(&store), Vec::<String>::new());
}

#[test]
fn what_was_fetched_keeps_its_origin_and_adding_it_again_changes_nothing() {
    let store = FakeStore::new();
    let first = signed(SPEC);
    let artifact = store.add(signed(SPEC)).artifact;
    let before = store.files();
    let again = store.add(signed(SPEC));
    assert_eq!(again, Added { artifact: artifact.clone(), changed: false });
    assert_eq!(store.files(), before);
    assert_eq!(store.open().stored(&image()).unwrap(), [StoredArtifact { artifact, origin: first.origin }]);
}

#[test]
fn what_was_fetched_may_be_the_administrators_own_too() {
    let store = FakeStore::new();
    let first = signed(SPEC);
    let artifact = store.add(signed(SPEC)).artifact;
    assert!(store.add(addition(SPEC, Some(NEW))).changed);
    let [fetched, own] =
        [first.origin, None].map(|origin| StoredArtifact { artifact: artifact.clone(), origin });
    assert_eq!(store.open().stored(&image()).unwrap(), [fetched, own]);
    assert_eq!(store.open().artifacts(&image()).unwrap(), [artifact]);
}

#[test]
fn a_name_leads_to_the_images_that_were_fetched_under_it() {
    let store = FakeStore::new();
    let named = |name: &str, spec: &[u8], fetched: &str| {
        let origin = signed(spec).origin.map(|it| ArtifactOrigin {
            image: Some(name.to_owned()),
            fetched: Some(fetched.to_owned()),
            ..it
        });
        store.add(Addition { origin, ..signed(spec) });
    };
    named("r/a:1", SPEC, OLD);
    let found = |name: &str| store.open().named(name).unwrap();
    let image = |fetched: &str| NamedImage { digest: image(), fetched: Some(fetched.to_owned()) };
    assert_eq!(found("r/a:1"), [image(OLD)]);
    assert_eq!(found("r/a"), []);
    named("r/a:2", b"second", NEW);
    named("r/a:1", SPEC, NEW);
    assert_eq!((found("r/a:1"), found("r/a:2")), (vec![image(NEW)], vec![image(NEW)]));
    assert_eq!(flaws(&store), Vec::<String>::new());
    fs::remove_dir_all(store.place("names")).unwrap();
    let file = store.place("names").join(Digest::of(b"r/a:1").hex());
    let told = format!(
        "{} does not lead to all images of the name \"r/a:1\": oci-compat store gc makes it anew",
        file.display()
    );
    assert!(store.open().verify(FORMAT).flaws.contains(&told));
    let before = store.files();
    writer(&store).sweep(false).unwrap();
    assert_ne!(store.files(), before);
    assert_eq!((found("r/a:1"), flaws(&store)), (vec![image(NEW)], Vec::new()));
    writer(&store).remove(&super::image(), |it| it.artifact.spec.digest == Digest::of(SPEC)).unwrap();
    writer(&store).sweep(false).unwrap();
    assert_eq!((found("r/a:1"), found("r/a:2")), (Vec::new(), vec![image(NEW)]));
    store.write(&format!("names/{}", Digest::of(b"r/a:2").hex()), b"{\"name\":\"r/b\",\"images\":[]}");
    assert_eq!(
        store.said(&store.open().named("r/a:2").unwrap_err()),
        format!(
            "STORE/names/{} lists the images named \"r/b\", expected \"r/a:2\": remove it and add the artifact again",
            Digest::of(b"r/a:2").hex()
        )
    );
}

#[test]
fn one_artifact_may_have_several_names() {
    let store = FakeStore::new();
    let named = |name: &str| {
        let origin = signed(SPEC).origin.map(|it| ArtifactOrigin { image: Some(name.to_owned()), ..it });
        store.add(Addition { origin, ..signed(SPEC) }).changed
    };
    assert_eq!(["r/a:1", "r/a:2", "r/a:1"].map(named), [true, true, false]);
    let stored = store.open().stored(&image()).unwrap();
    let names: Vec<_> = stored[0].origin.iter().flat_map(ArtifactOrigin::names).collect();
    assert_eq!(names, ["r/a:2", "r/a:1"]);
}

#[test]
fn a_signature_without_its_evidence_is_not_stored() {
    let store = FakeStore::new();
    let bare = Addition { evidence: None, ..signed(SPEC) };
    let err = writer(&store).add(&bare).unwrap_err();
    let manifest = Digest::of(&bare.package.manifest);
    assert_eq!(
        err.to_string(),
        format!("the signature of artifact {manifest} came without what it was verified with")
    );
}

#[test]
fn a_whole_store_has_no_flaw() {
    let (store, ..) = two();
    store.add(signed(b"signed"));
    let verified = store.open().verify(FORMAT);
    assert_eq!(verified, VerifiedStore { subjects: 1, artifacts: 3, ..VerifiedStore::default() });
    writer(&store).remove(&image(), |_| true).unwrap();
    assert_eq!(store.open().verify(FORMAT).needless, 8);
}

/// The one flaw of a store after a change to it.
fn check(change: impl FnOnce(&FakeStore, &Artifact), expected: &str) {
    let store = FakeStore::new();
    let artifact = store.add(signed(SPEC)).artifact;
    change(&store, &artifact);
    let name =
        |it: &str| it.replace(&artifact.manifest.hex(), "MANIFEST").replace(&Digest::of(SPEC).hex(), "SPEC");
    let found: Vec<_> = flaws(&store).iter().map(|it| name(it).replace(&image().hex(), "IMAGE")).collect();
    assert_eq!(found, expected.lines().collect::<Vec<_>>());
}

#[test]
fn every_damaged_or_missing_file_is_reported() {
    let spec = format!("blobs/sha256/{}", Digest::of(SPEC).hex());
    check(
        |store, _| store.write(&spec, b"torn"),
        &format!(
            "STORE/blobs/sha256/SPEC has digest {}, expected sha256:SPEC: remove it and add the artifact again",
            Digest::of(b"torn")
        ),
    );
    check(
        |store, _| fs::remove_file(store.place(&spec)).unwrap(),
        "STORE/blobs/sha256/SPEC is not there, artifact sha256:MANIFEST needs it: remove it and add the artifact again",
    );
    let evidence = Digest::of(b"evidence").hex();
    check(
        |store, _| fs::remove_file(store.place(&format!("blobs/sha256/{evidence}"))).unwrap(),
        &format!(
            "STORE/blobs/sha256/{evidence} is not there, artifact sha256:MANIFEST needs it: remove it and add the artifact again"
        ),
    );
    check(
        |store, _| store.write(&format!("subjects/{}", image().hex()), b"{}"),
        "STORE/subjects/IMAGE is not a list of artifacts (missing field `subject` at line 1 column 2): remove it and add the \
         artifact again",
    );
    check(
        |store, _| store.write("index.json", b""),
        "STORE/index.json is not an OCI index (EOF while parsing a value at line 1 column 0): remove it, then run oci-compat \
         store gc",
    );
    check(
        |store, _| fs::remove_file(store.place("index.json")).unwrap(),
        "STORE/index.json is not there: oci-compat store gc makes it anew",
    );
    check(
        |store, _| store.write(&format!("compiled/{}", Digest::of(SPEC).hex()), b"torn"),
        "STORE/compiled/SPEC has no header line: oci-compat store recompile",
    );
}

#[test]
fn everything_foreign_or_open_to_others_is_reported() {
    check(|store, _| store.write("passwd", b""), "STORE/passwd is no file of a store: move it elsewhere");
    check(|store, _| store.write("blobs/x", b""), "STORE/blobs/x is no file of a store: move it elsewhere");
    check(
        |store, _| store.write("subjects/x", b""),
        "STORE/subjects/x is no file of a store: move it elsewhere",
    );
    check(
        |store, _| store.set_mode("index.json", 0o666),
        "STORE/index.json has mode 0666, only its owner may write to it: chmod go-w STORE/index.json",
    );
    check(
        |store, _| store.set_mode("compiled", 0o777),
        "STORE/compiled has mode 0777, only its owner may write to it: chmod go-w STORE/compiled",
    );
    let link = |store: &FakeStore, artifact: &Artifact| {
        let path = store.place(&format!("blobs/sha256/{}", artifact.manifest.hex()));
        fs::rename(&path, store.dir.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("../../../elsewhere", &path).unwrap();
    };
    check(
        link,
        "STORE/blobs/sha256/MANIFEST is a symbolic link or behind one, which a store never has: remove the link and add the \
         artifact again",
    );
}

#[test]
fn what_a_killed_writer_left_is_no_flaw() {
    let (store, artifact) = FakeStore::with_spec();
    store.write("blobs/sha256/.tmp-7-1", b"");
    fs::remove_file(store.place(&format!("subjects/{}", image().hex()))).unwrap();
    let verified = store.open().verify(FORMAT);
    assert_eq!((verified.flaws.len(), verified.needless), (0, 3));
    let leftovers: Vec<_> = verified.leftovers.iter().map(|it| store.said(it)).collect();
    let orphan = format!(
        "STORE/index.json has artifact \"{}\", which belongs to no image: oci-compat store gc takes it out",
        artifact.manifest
    );
    let unfinished =
        "STORE/blobs/sha256/.tmp-7-1 is unfinished: unless a writer is at work, the next one removes it";
    assert_eq!(leftovers, [unfinished, &orphan]);
}

#[test]
fn a_list_that_reports_something_else_than_the_manifest_is_reported() {
    let forge = |store: &FakeStore, _: &Artifact| {
        let path = format!("subjects/{}", image().hex());
        let text = fs::read_to_string(store.place(&path)).unwrap();
        store.write(
            &path,
            text.replace("nfd.image", "oci.image")
                .replace(".v1alpha1\",\"created", ".v1\",\"created")
                .as_bytes(),
        );
    };
    check(
        forge,
        "STORE/subjects/IMAGE tells of artifact sha256:MANIFEST something else than its manifest: remove it and add the \
         artifact again",
    );
}
