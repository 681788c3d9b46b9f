//! The results of look-ups, and their messages about a damaged store.

use std::os::unix::fs::symlink;
use std::slice::from_ref;

use nix::unistd::{Uid, chown, geteuid};

use super::*;

/// Breaks a store, and holds what a look-up then says against a sentence.
fn check(damage: impl FnOnce(&FakeStore, &Artifact), expected: &str) {
    let (store, artifact) = FakeStore::with_spec();
    damage(&store, &artifact);
    let found = store.look_up().map_or_else(|trouble| store.said(&trouble), |it| format!("{it:?}"));
    assert_eq!(found, expected);
}

fn subject_file() -> String {
    format!("subjects/{}", image().hex())
}

fn spec_file() -> String {
    format!("blobs/sha256/{}", Digest::of(SPEC).hex())
}

fn compiled_file() -> String {
    format!("compiled/{}", Digest::of(SPEC).hex())
}

/// Takes the compiled form away, so that the spec itself is read.
fn uncompiled(damage: impl FnOnce(&FakeStore)) -> impl FnOnce(&FakeStore, &Artifact) {
    |store, _| {
        fs::remove_file(store.place(&compiled_file())).unwrap();
        damage(store);
    }
}

fn source(note: Option<&str>) -> SpecBytes {
    let note = note.map(str::to_owned);
    SpecBytes::Source { media_type: NFD_SPEC_TYPE.to_owned(), bytes: SPEC.to_vec(), note }
}

#[test]
fn an_artifact_is_found_by_its_subject_and_by_its_name() {
    let (fake, artifact) = FakeStore::with_spec();
    let store = fake.open();
    assert!(!store.is_empty());
    assert_eq!(store.artifacts(&image()).unwrap(), from_ref(&artifact));
    assert_eq!(store.by_manifest(&artifact.manifest).unwrap(), Some(artifact.clone()));
    assert_eq!(store.spec(&artifact, FORMAT).unwrap(), SpecBytes::Compiled(b"body".to_vec()));
    assert_eq!(store.artifacts(&Digest::of(b"other")).unwrap(), []);
    assert_eq!(store.by_manifest(&Digest::of(b"other")).unwrap(), None);
}

#[test]
fn no_store_is_not_a_trouble() {
    let store = FakeStore::new();
    assert!(Store::open(&store.path()).unwrap().is_none());
    fs::create_dir(store.path()).unwrap();
    store.set_mode("", 0o755);
    assert!(store.open().is_empty());
    assert_eq!(store.open().artifacts(&image()).unwrap(), []);
    assert_eq!(store.open().by_manifest(&image()).unwrap(), None);
}

#[test]
fn a_store_that_is_no_folder_is_a_trouble() {
    let store = FakeStore::new();
    write(&store.path(), b"");
    let trouble = Store::open(&store.path()).unwrap_err();
    assert_eq!(store.said(&trouble), "STORE is not a folder: name the store's folder with --store");
}

#[test]
fn what_others_can_write_is_not_read() {
    let says = |path: &str, mode| {
        format!("STORE{path} has mode {mode}, only its owner may write to it: chmod go-w STORE{path}")
    };
    check(|store, _| store.set_mode("", 0o777), &says("", "0777"));
    check(|store, _| store.set_mode("subjects", 0o1777), &says("/subjects", "1777"));
    check(uncompiled(|store| store.set_mode("blobs/sha256", 0o757)), &says("/blobs/sha256", "0757"));
    let file = subject_file();
    check(|store, _| store.set_mode(&file, 0o664), &says(&format!("/{file}"), "0664"));
    let file = spec_file();
    check(uncompiled(|store| store.set_mode(&file, 0o646)), &says(&format!("/{file}"), "0646"));
}

#[test]
fn files_of_other_users_are_not_read() {
    if !geteuid().is_root() {
        skip("giving files away takes root");
        return;
    }
    for path in ["", "/subjects", &format!("/{}", subject_file())] {
        check(
            |store, _| {
                chown(&store.place(&path[path.len().min(1)..]), Some(Uid::from_raw(12_345)), None).unwrap()
            },
            &format!("STORE{path} belongs to user 12345, must belong to root: chown root STORE{path}"),
        );
    }
}

fn skip(reason: &str) {
    eprintln!("skipped: {reason}");
}

#[test]
fn links_are_not_followed() {
    const SAYS: &str = "is a symbolic link or behind one, which a store never has: remove the link and add the artifact again";
    let relink = |store: &FakeStore, path: &str| {
        let (place, aside) = (store.place(path), store.dir.path().join("aside"));
        fs::rename(&place, &aside).unwrap();
        symlink(&aside, &place).unwrap();
    };
    check(|store, _| relink(store, "subjects"), &format!("STORE/subjects {SAYS}"));
    check(|store, _| relink(store, &subject_file()), &format!("STORE/{} {SAYS}", subject_file()));
    check(uncompiled(|store| relink(store, "blobs")), &format!("STORE/{} {SAYS}", spec_file()));
    check(uncompiled(|store| relink(store, "blobs/sha256")), &format!("STORE/blobs/sha256 {SAYS}"));
    check(uncompiled(|store| relink(store, &spec_file())), &format!("STORE/{} {SAYS}", spec_file()));
}

#[test]
fn a_torn_list_is_a_trouble() {
    let file = subject_file();
    let mend = "remove it and add the artifact again";
    check(
        |store, _| store.write(&file, b""),
        &format!(
            "STORE/{file} is not a list of artifacts (EOF while parsing a value at line 1 column 0): {mend}"
        ),
    );
    let other = Digest::of(b"other");
    check(
        |store, _| store.write(&file, format!(r#"{{"subject": "{other}", "artifacts": []}}"#).as_bytes()),
        &format!("STORE/{file} lists the artifacts of {other}, expected those of {}: {mend}", image()),
    );
    check(
        |store, _| store.write(&file, &vec![b' '; 1_048_577]),
        &format!("STORE/{file} has 1048577 bytes, expected at most 1048576: {mend}"),
    );
    check(
        |store, _| {
            fs::remove_file(store.place(&file)).unwrap();
            fs::create_dir(store.place(&file)).unwrap();
            store.set_mode(&file, 0o755);
        },
        &format!("STORE/{file} is not a regular file: {mend}"),
    );
    check(
        |store, _| {
            fs::remove_dir_all(store.place("subjects")).unwrap();
            store.write("subjects", b"");
        },
        &format!("STORE/subjects is not a folder: {mend}"),
    );
}

#[test]
fn a_spec_that_is_not_what_was_stored_is_a_trouble() {
    let file = spec_file();
    let mend = "remove it and add the artifact again";
    check(
        uncompiled(|store| store.write(&file, &SPEC[..17])),
        &format!("STORE/{file} has 17 bytes, expected 18: {mend}"),
    );
    check(
        uncompiled(|store| store.write(&file, &[SPEC, b"\n"].concat())),
        &format!("STORE/{file} has 19 bytes, expected at most 18: {mend}"),
    );
    let changed = b"version: v1alpha2\n";
    check(
        uncompiled(|store| store.write(&file, changed)),
        &format!("STORE/{file} has digest {}, expected {}: {mend}", Digest::of(changed), Digest::of(SPEC)),
    );
    check(
        |store, artifact| {
            fs::remove_file(store.place(&compiled_file())).unwrap();
            fs::remove_file(store.place(&file)).unwrap();
            let trouble = store.open().spec(artifact, FORMAT).unwrap_err();
            assert_eq!(
                store.said(&trouble),
                format!("STORE/{file} is not there, artifact {} needs it: {mend}", artifact.manifest)
            );
            fs::remove_file(store.place(&subject_file())).unwrap();
        },
        "[]",
    );
}

#[test]
fn a_size_that_is_a_lie_reads_no_more_than_it_says() {
    let (fake, artifact) = FakeStore::with_spec();
    fs::remove_file(fake.place(&compiled_file())).unwrap();
    for (size, expected) in
        [(0, "18 bytes, expected at most 0"), (u64::MAX, "18 bytes, expected 18446744073709551615")]
    {
        let spec = SpecBlob { size, ..artifact.spec.clone() };
        let trouble = fake.open().spec(&Artifact { spec, ..artifact.clone() }, FORMAT).unwrap_err();
        let mend = "remove it and add the artifact again";
        assert_eq!(fake.said(&trouble), format!("STORE/{} has {expected}: {mend}", spec_file()));
    }
}

#[test]
fn a_compiled_form_that_is_not_whole_is_passed_over_with_a_note() {
    let file = compiled_file();
    let look = |bytes: &[u8]| {
        let (store, artifact) = FakeStore::with_spec();
        store.write(&file, bytes);
        match store.open().spec(&artifact, FORMAT).unwrap() {
            SpecBytes::Source { media_type, bytes, note } => {
                SpecBytes::Source { media_type, bytes, note: note.map(|it| store.said(&it)) }
            }
            compiled @ SpecBytes::Compiled(_) => compiled,
        }
    };
    let note = |reason: &str| {
        source(Some(&format!("STORE/{file} {reason}; the spec itself was read: add the artifact again")))
    };
    let whole = compiled::compose(&Digest::of(SPEC), FORMAT, b"body").unwrap();
    assert_eq!(look(&whole), SpecBytes::Compiled(b"body".to_vec()));
    assert_eq!(look(b""), note("has no header line"));
    assert_eq!(look(&whole[..100]), note("has no header line"));
    assert_eq!(look(&whole[..whole.len() - 2]), note("has 2 bytes, expected 4 behind its header"));
    assert_eq!(look(&vec![b' '; (8 << 20) + 1]), note("has 8388609 bytes, expected at most 8388608"));
    let other = Digest::of(b"other");
    assert_eq!(
        look(&compiled::compose(&other, FORMAT, b"body").unwrap()),
        note(&format!("was made from {other}, expected {}", Digest::of(SPEC)))
    );
}

#[test]
fn a_compiled_form_that_others_can_write_is_not_read_and_the_spec_itself_is() {
    let check = |path: &str, damage: &dyn Fn(&FakeStore), reason: &str| {
        let (store, artifact) = FakeStore::with_spec();
        damage(&store);
        let SpecBytes::Source { bytes, note, .. } = store.open().spec(&artifact, FORMAT).unwrap() else {
            panic!("{path}: the compiled form was read");
        };
        let expected = format!("STORE/{path} {reason}; the spec itself was read");
        assert_eq!((bytes.as_slice(), note.map(|it| store.said(&it))), (SPEC, Some(expected)));
    };
    let mode = |path: &str, mode: &str| {
        format!("has mode {mode}, only its owner may write to it: chmod go-w STORE/{path}")
    };
    let file = compiled_file();
    check("compiled", &|store| store.set_mode("compiled", 0o775), &mode("compiled", "0775"));
    check(&file, &|store| store.set_mode(&file, 0o664), &mode(&file, "0664"));
    let relinked = |store: &FakeStore| {
        let (place, aside) = (store.place("compiled"), store.dir.path().join("aside"));
        fs::rename(&place, &aside).unwrap();
        symlink(&aside, &place).unwrap();
    };
    let link = "is a symbolic link or behind one, which a store never has: remove the link and add the artifact again";
    check("compiled", &relinked, link);
    if !geteuid().is_root() {
        skip("giving files away takes root");
        return;
    }
    for path in ["compiled", &file] {
        let give = |store: &FakeStore| chown(&store.place(path), Some(Uid::from_raw(12_345)), None).unwrap();
        check(path, &give, &format!("belongs to user 12345, must belong to root: chown root STORE/{path}"));
    }
}

#[test]
fn a_compiled_form_of_another_format_is_passed_over_silently() {
    let (fake, artifact) = FakeStore::with_spec();
    assert_eq!(fake.open().spec(&artifact, FORMAT + 1).unwrap(), source(None));
    fs::remove_dir_all(fake.place("compiled")).unwrap();
    assert_eq!(fake.open().spec(&artifact, FORMAT).unwrap(), source(None));
}

#[test]
fn a_manifest_that_was_named_is_verified_and_judged() {
    let (fake, artifact) = FakeStore::with_spec();
    let said = |manifest: &Digest| fake.said(&fake.open().by_manifest(manifest).unwrap_err());
    let file = format!("blobs/sha256/{}", artifact.manifest.hex());
    let mend = "remove it and add the artifact again";
    fake.write(&file, b"{}");
    assert_eq!(
        said(&artifact.manifest),
        format!("STORE/{file} has digest {}, expected {}: {mend}", Digest::of(b"{}"), artifact.manifest)
    );
    fake.write(&file, &vec![b' '; 1_048_577]);
    assert_eq!(
        said(&artifact.manifest),
        format!("STORE/{file} has 1048577 bytes, expected at most 1048576: {mend}")
    );
    let spec = Digest::of(SPEC);
    assert_eq!(
        said(&spec),
        format!("artifact {spec} is not an image manifest (expected value at line 1 column 1)")
    );
}

#[test]
fn of_two_artifacts_the_newer_counts_and_of_equals_the_one_with_the_lower_digest() {
    let store = FakeStore::new();
    let newer = store.add(addition(b"newer", Some("2025-06-01T12:00:00Z"))).artifact;
    store.add(addition(b"older", Some("2025-06-01T12:00:00+02:00")));
    store.add(addition(b"undated", None));
    assert_eq!(store.open().artifacts(&image()).unwrap(), from_ref(&newer));
    let equal = store.add(addition(b"equal", newer.created.as_deref())).artifact;
    let winner = if equal.manifest < newer.manifest { equal } else { newer };
    assert_eq!(store.open().artifacts(&image()).unwrap(), [winner]);
}
