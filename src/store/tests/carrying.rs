//! Stores and layouts in tar files.

use super::*;

fn exported(store: &FakeStore) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.open().export(&mut bytes).unwrap();
    bytes
}

/// An archive with these entries, and the folder that it lies in.
fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        // `set_path` would refuse what these tests are about.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        builder.append(&header, *bytes).unwrap();
    }
    saved(&builder.into_inner().unwrap())
}

fn saved(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.tar");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

/// What opening an archive and reading all of it is refused with.
fn check((folder, path): (tempfile::TempDir, PathBuf), expected: &str) {
    let read = || {
        let archive = Archive::open(&path)?;
        for subject in archive.subjects()? {
            archive.artifacts(&subject)?;
        }
        anyhow::Ok(())
    };
    let said = format!("{:#}", read().unwrap_err());
    assert_eq!(said.replace(&folder.path().display().to_string(), "HERE"), expected);
}

#[test]
fn a_store_that_was_exported_is_imported_whole() {
    let (store, artifact) = FakeStore::with_spec();
    let evidence = b"evidence".to_vec();
    let signature =
        Signature { key: Digest::of(b"key"), evidence: Digest::of(&evidence), by: VerifiedBy::Key };
    let origin = Some(ArtifactOrigin {
        image: Some("r/a:1".to_owned()),
        signature: Some(signature),
        ..ArtifactOrigin::default()
    });
    store.add(Addition {
        origin: origin.clone(),
        evidence: Some(evidence.clone()),
        ..addition(b"signed", None)
    });
    let bytes = exported(&store);
    assert_eq!(bytes, exported(&store));
    let (_folder, path) = saved(&bytes);
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.subjects().unwrap(), [image()]);
    let incoming = archive.artifacts(&image()).unwrap();
    let other = FakeStore::new();
    for Incoming { subject, package, origin, evidence } in incoming.clone() {
        let compiled = Some(Compiled { format: FORMAT, body: b"body".to_vec() });
        other.add(Addition { subject, package, compiled, origin, evidence });
    }
    assert_eq!(other.look_up().unwrap(), store.look_up().unwrap());
    assert_eq!(exported(&other), bytes);
    assert_eq!(Digest::of(&incoming[0].package.manifest), artifact.manifest);
    assert_eq!((&incoming[1].origin, &incoming[1].evidence), (&origin, &Some(evidence)));
}

#[test]
fn an_exported_store_is_an_oci_archive() {
    let (store, artifact) = FakeStore::with_spec();
    let (_folder, path) = saved(&exported(&store));
    let found = layout::find(path.as_os_str(), None).unwrap();
    assert_eq!(found.into_iter().map(|it| it.artifact).collect::<Vec<_>>(), [artifact]);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    use tar::EntryType;
    check(
        archive(&[("blobs/../../etc/cron.d/x", EntryType::Regular, b"")]),
        "archive HERE/store.tar: \"blobs/../../etc/cron.d/x\" leads out of the archive: it was not made by a tool for images",
    );
    check(
        archive(&[("/etc/cron.d/x", EntryType::Regular, b"")]),
        "archive HERE/store.tar: \"/etc/cron.d/x\" leads out of the archive: it was not made by a tool for images",
    );
    for (kind, said) in
        [(EntryType::Symlink, "Symlink"), (EntryType::Link, "Link"), (EntryType::Char, "Char")]
    {
        check(
            archive(&[("index.json", kind, b"")]),
            &format!(
                "archive HERE/store.tar: \"index.json\" is a {said}, expected only files and folders: it was not made by a \
                 tool for images"
            ),
        );
    }
    check(
        archive(&[("oci-layout", EntryType::Regular, b"{}"), ("./oci-layout", EntryType::Regular, b"{}")]),
        "archive HERE/store.tar has \"oci-layout\" twice",
    );
}

#[test]
fn what_is_no_archive_of_a_store_is_reported_to_be_none() {
    check(saved(&[0x1f, 0x8b, 8, 0]), "HERE/store.tar is compressed: gunzip it first");
    check(saved(&[0x28, 0xb5, 0x2f, 0xfd]), "HERE/store.tar is compressed: unzstd it first");
    check(
        saved(b"version: v1alpha1"),
        "HERE/store.tar is no whole tar archive (failed to read entire block)",
    );
    check(
        archive(&[("manifest.json", tar::EntryType::Regular, b"[]")]),
        "HERE/store.tar is not the archive of a store: make one with oci-compat store export",
    );
    check(
        archive(&[("subjects/passwd", tar::EntryType::Regular, b"")]),
        "archive HERE/store.tar: subjects/\"passwd\" is named after no digest",
    );
}

#[test]
fn damage_in_an_archive_is_found_before_anything_is_stored() {
    let (store, artifact) = FakeStore::with_spec();
    let bytes = exported(&store);
    let at = bytes.windows(SPEC.len()).position(|it| it == SPEC).unwrap();
    let mut torn = bytes.clone();
    torn[at] ^= 1;
    let spec = Digest::of(SPEC);
    check(
        saved(&torn),
        &format!(
            "HERE/store.tar/blobs/sha256/{} has digest {}, expected {spec}: export the store anew",
            spec.hex(),
            Digest::of(&torn[at..at + SPEC.len()])
        ),
    );
    let list = format!("subjects/{}", image().hex());
    check(
        archive(&[(&list, tar::EntryType::Regular, &fs::read(store.place(&list)).unwrap())]),
        &format!(
            "archive HERE/store.tar lacks blobs/sha256/{}: export the store anew",
            artifact.manifest.hex()
        ),
    );
}

#[test]
fn what_the_library_reads_whole_before_it_returns_is_bounded() {
    use tar::EntryType;
    const HUGE: u64 = 3 << 30;
    // Most of it is a hole.
    let huge = |kind: EntryType| {
        let (folder, path) = archive(&[("././@LongLink", kind, b"")]);
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..13].copy_from_slice(b"././@LongLink");
        header.set_entry_type(kind);
        header.set_size(HUGE);
        header.set_cksum();
        let mut file = fs::File::create(&path).unwrap();
        std::io::Write::write_all(&mut file, header.as_bytes()).unwrap();
        file.set_len(HUGE + 4096).unwrap();
        (folder, path)
    };
    let kinds =
        [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader];
    for kind in kinds {
        check(
            huge(kind),
            &format!(
                "archive HERE/store.tar has a name or header of {HUGE} bytes, at most 65536 are read: it was not made by a tool \
                 for images"
            ),
        );
    }
    check(
        archive(&[("blobs/a", EntryType::GNUSparse, b"")]),
        "archive HERE/store.tar has a sparse file: it was not made by a tool for images",
    );
    check(
        archive(&[("x", EntryType::XHeader, b"19 size=3221225472\n")]),
        "archive HERE/store.tar has a header that sets \"size\": it was not made by a tool for images",
    );
    check(
        archive(&[("x", EntryType::XHeader, b"22 GNU.sparse.major=1\n")]),
        "archive HERE/store.tar has a header that sets \"GNU.sparse.major\": it was not made by a tool for images",
    );
}

#[test]
fn a_long_name_and_a_further_header_as_tools_write_them_are_read() {
    let long = "x/".repeat(80);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_pax_extensions([("mtime", b"1.5".as_slice())]).unwrap();
    for name in [format!("{long}a"), "oci-layout".to_owned()] {
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        builder.append_data(&mut header, name, b"".as_slice()).unwrap();
    }
    let (_folder, path) = saved(&builder.into_inner().unwrap());
    let archive = Archive::open(&path).unwrap();
    assert_eq!(archive.names(long.trim_end_matches('/')).collect::<Vec<_>>(), ["a"]);
}
