//! The files that additions leave on the disk, if complete or interrupted.

use std::slice::from_ref;

use oci_spec::image::{ImageIndex, ImageManifest, OciLayout};

use super::durable::Put;
use super::*;

const OLD: &str = "2025-01-01T00:00:00Z";
const NEW: &str = "2025-02-01T00:00:00Z";

/// What adding to a new store is refused with.
fn check(addition: &Addition, expected: &str) {
    let store = FakeStore::new();
    let mut writer = Writer::open(&store.path()).unwrap();
    let before = store.files();
    assert_eq!(format!("{:#}", writer.add(addition).unwrap_err()), expected);
    assert_eq!(store.files(), before);
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_store_is_an_image_layout() {
    let (store, artifact) = FakeStore::with_spec();
    let layout = OciLayout::from_file(store.place("oci-layout")).unwrap();
    assert_eq!(layout.image_layout_version(), "1.0.0");
    let index = ImageIndex::from_file(store.place("index.json")).unwrap();
    let [entry] = index.manifests().as_slice() else { panic!("one manifest") };
    assert_eq!(entry.digest().as_ref(), artifact.manifest.to_string());
    assert_eq!(entry.artifact_type().as_ref().unwrap().as_ref(), NFD_ARTIFACT_TYPE);
    let blobs = store.place("blobs/sha256");
    let manifest = ImageManifest::from_file(blobs.join(artifact.manifest.hex())).unwrap();
    assert_eq!(manifest.subject().as_ref().unwrap().digest().as_ref(), image().to_string());
    let config: Digest = manifest.config().digest().as_ref().parse().unwrap();
    assert_eq!(fs::read(blobs.join(config.hex())).unwrap(), b"{}");
    assert_eq!(fs::read(blobs.join(artifact.spec.digest.hex())).unwrap(), SPEC);
    assert_eq!(layout::find(store.path().as_os_str(), None).unwrap()[0].artifact, artifact);
}

#[test]
fn everybody_may_read_the_store_and_only_its_owner_may_write() {
    let (store, _) = FakeStore::with_spec();
    for folder in ["", "blobs", "blobs/sha256", "subjects", "compiled"] {
        assert_eq!(mode(&store.place(folder)), 0o755, "{folder}");
    }
    for (file, _) in store.files() {
        let expected = if file.ends_with(".lock") { 0o600 } else { 0o644 };
        assert_eq!(mode(&file), expected, "{}", file.display());
    }
}

#[test]
fn adding_again_changes_nothing() {
    let (store, artifact) = FakeStore::with_spec();
    let before = store.files();
    let again = store.add(addition(SPEC, Some("2025-06-01T12:00:00Z")));
    assert_eq!(again, Added { artifact, changed: false });
    assert_eq!(store.files(), before);
}

#[test]
fn adding_again_mends_what_is_damaged() {
    let (store, _) = FakeStore::with_spec();
    let before = store.files();
    for (file, _) in &before {
        let name = file.strip_prefix(store.path()).unwrap();
        if name.starts_with("blobs") || name.starts_with("compiled") {
            write(file, b"torn");
        }
    }
    store.set_mode(&format!("blobs/sha256/{}", Digest::of(SPEC).hex()), 0o666);
    fs::remove_dir_all(store.place("subjects")).unwrap();
    assert!(store.add(addition(SPEC, Some("2025-06-01T12:00:00Z"))).changed);
    assert_eq!(store.files(), before);
    store.look_up().unwrap();
}

#[test]
fn a_manifest_without_subject_is_stored_for_the_image_that_the_caller_names() {
    let store = FakeStore::new();
    let mut plain = addition(SPEC, None);
    let text = String::from_utf8(plain.package.manifest).unwrap();
    let (start, end) = (text.find(",\"subject\"").unwrap(), text.len() - 1);
    plain.package.manifest = format!("{}{}", &text[..start], &text[end..]).into_bytes();
    let added = store.add(plain).artifact;
    assert_eq!(added.subject, Some(image()));
    assert_eq!(store.open().artifacts(&image()).unwrap(), from_ref(&added));
    assert_eq!(store.open().by_manifest(&added.manifest).unwrap().unwrap().subject, None);
}

#[test]
fn what_does_not_belong_together_is_not_stored() {
    let whole = addition(SPEC, None);
    let name = Digest::of(&whole.package.manifest);
    let other = Digest::of(b"other");
    check(
        &Addition { subject: other, ..addition(SPEC, None) },
        &format!(
            "artifact {name} is about {}, it was to be stored for {other}: \
             leave --subject away, or attach the spec to {other}",
            image()
        ),
    );
    let body = vec![0; 8 << 20];
    check(
        &Addition { compiled: Some(Compiled { format: FORMAT, body }), ..whole },
        &format!(
            "the compiled form of spec {} has 8388608 bytes, at most 8388096 are read",
            Digest::of(SPEC)
        ),
    );
}

#[test]
fn a_folder_with_other_things_does_not_become_a_store() {
    let store = FakeStore::new();
    fs::create_dir(store.path()).unwrap();
    store.set_mode("", 0o755);
    store.write("passwd", b"");
    let err = Writer::open(&store.path()).unwrap_err();
    assert_eq!(
        store.said(&format!("{err:#}")),
        "STORE is not a store: it has \"passwd\" and no \"oci-layout\"; name a new or an empty folder with --store"
    );
    assert_eq!(store.files().len(), 1);
}

#[test]
fn a_store_that_others_can_write_gets_no_addition() {
    let (store, _) = FakeStore::with_spec();
    store.set_mode("", 0o775);
    let err = Writer::open(&store.path()).unwrap_err();
    assert_eq!(
        store.said(&format!("{err:#}")),
        "STORE has mode 0775, only its owner may write to it: chmod go-w STORE"
    );
}

#[test]
fn a_layout_of_another_version_is_left_alone() {
    let (store, _) = FakeStore::with_spec();
    store.write("oci-layout", br#"{"imageLayoutVersion": "2.0.0"}"#);
    let err = Writer::open(&store.path()).unwrap_err();
    assert_eq!(store.said(&format!("{err:#}")), "STORE/oci-layout has version \"2.0.0\", expected \"1.0.0\"");
}

#[test]
fn one_writer_keeps_another_out() {
    use nix::fcntl::{Flock, FlockArg};

    let (store, _) = FakeStore::with_spec();
    let try_lock = || {
        let file = fs::File::open(store.place(".lock")).unwrap();
        Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok()
    };
    let writer = Writer::open(&store.path()).unwrap();
    assert!(!try_lock());
    drop(writer);
    assert!(try_lock());
}

/// A writer that is killed after its first `steps` files, in the middle of the next one.
fn killed(store: &FakeStore, addition: &Addition, steps: usize) -> bool {
    let mut writer = Writer::open(&store.path()).unwrap();
    let puts = writer.plan(from_ref(addition)).unwrap().stages.into_iter().flatten().collect::<Vec<_>>();
    puts.iter().take(steps).for_each(|it| writer.put(it).unwrap());
    match puts.get(steps) {
        None => false,
        Some(Put { folder, name: _, bytes }) => {
            store.make_folder(folder);
            store.write(&format!("{folder}/.tmp-1-1"), &bytes[..bytes.len() / 2]);
            true
        }
    }
}

/// Kills a writer at every step and looks what a look-up finds: the old or the new, and never half of it.
fn check_every_kill(before: &[Addition], addition: &Addition) {
    for steps in 0.. {
        let store = FakeStore::new();
        for it in before {
            Writer::open(&store.path()).unwrap().add(it).unwrap();
        }
        let old = store.look_up().unwrap();
        let cut_short = killed(&store, addition, steps);
        let found = store.look_up().unwrap();
        Writer::open(&store.path()).unwrap().add(addition).unwrap();
        let new = store.look_up().unwrap();
        assert_eq!(found, if cut_short { old } else { new }, "after {steps} files");
        assert!(store.files().iter().all(|(file, _)| !file.to_string_lossy().contains(".tmp-")));
        if !cut_short {
            assert!(steps >= 3);
            return;
        }
    }
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_or_the_new() {
    check_every_kill(&[], &addition(SPEC, Some(NEW)));
    check_every_kill(&[addition(b"old", Some(OLD))], &addition(SPEC, Some(NEW)));
    check_every_kill(&[addition(SPEC, Some(OLD))], &addition(SPEC, Some(NEW)));
}

#[test]
fn recompiling_replaces_what_is_of_another_format_or_broken() {
    let (store, artifact) = FakeStore::with_spec();
    let second = store.add(addition(b"second", Some("2025-07-01T12:00:00Z"))).artifact;
    store.add(Addition { compiled: None, ..addition(b"bad", None) });
    let mut writer = Writer::open(&store.path()).unwrap();
    let mut compile = |media_type: &str, bytes: &[u8]| {
        assert_eq!(media_type, NFD_SPEC_TYPE);
        anyhow::ensure!(bytes != b"bad", "a bad spec");
        Ok(bytes.to_ascii_uppercase())
    };
    let result = writer.recompile(FORMAT, &mut compile).unwrap();
    assert_eq!((result.written, result.failed.len()), (0, 1));
    assert_eq!(result.failed[0].1.to_string(), "a bad spec");
    assert_eq!(writer.recompile(FORMAT + 1, &mut compile).unwrap().written, 2);
    let spec = |artifact| store.open().spec(artifact, FORMAT + 1).unwrap();
    assert_eq!(spec(&artifact), SpecBytes::Compiled(SPEC.to_ascii_uppercase()));
    assert_eq!(spec(&second), SpecBytes::Compiled(b"SECOND".to_vec()));
    store.write(&format!("compiled/{}", second.spec.digest.hex()), b"torn");
    assert_eq!(writer.recompile(FORMAT + 1, &mut compile).unwrap().written, 1);
}
