//! Tests of the store and of foreign layouts, on real files in a temporary folder.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::*;

mod reading;
mod writing;
mod foreign;
mod tidying;
mod removal;
mod carrying;

const SPEC: &[u8] = b"version: v1alpha1\n";
/// The format in which the tests compile.
const FORMAT: u32 = 3;

/// A store in a temporary folder.
struct FakeStore {
    dir: tempfile::TempDir,
}

impl FakeStore {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A store that holds [`SPEC`] for [`image`], compiled to "body".
    fn with_spec() -> (Self, Artifact) {
        let store = Self::new();
        let artifact = store.add(addition(SPEC, Some("2025-06-01T12:00:00Z"))).artifact;
        (store, artifact)
    }

    fn add(&self, addition: Addition) -> Added {
        Writer::open(&self.path()).unwrap().add(&addition).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn place(&self, relative: &str) -> PathBuf {
        self.path().join(relative)
    }

    /// A file that is as well protected as those that the store makes, whatever the umask.
    fn write(&self, relative: &str, bytes: &[u8]) {
        write(&self.place(relative), bytes);
    }

    /// A folder that is as well protected as those that the store makes; the store itself is there.
    fn make_folder(&self, relative: &str) {
        let mut place = self.path();
        for part in Path::new(relative) {
            place.push(part);
            fs::create_dir_all(&place).unwrap();
            fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn set_mode(&self, relative: &str, mode: u32) {
        fs::set_permissions(self.place(relative), Permissions::from_mode(mode)).unwrap();
    }

    fn open(&self) -> Store {
        Store::open(&self.path()).unwrap().unwrap()
    }

    /// Everything that a look-up of [`image`] reads.
    fn look_up(&self) -> Result<Vec<(Artifact, SpecBytes)>, Trouble> {
        let Some(store) = Store::open(&self.path())? else { return Ok(Vec::new()) };
        let artifacts = store.artifacts(&image())?;
        artifacts.into_iter().map(|it| store.spec(&it, FORMAT).map(|spec| (it, spec))).collect()
    }

    /// A message with the store's path taken out.
    fn said(&self, message: &dyn ToString) -> String {
        message.to_string().replace(&self.path().display().to_string(), "STORE")
    }

    /// All files, with their content.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        walk(&self.path(), &mut files);
        files.sort();
        files
    }
}

fn walk(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path, files),
            false => files.push((path.clone(), fs::read(&path).unwrap())),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
}

fn image() -> Digest {
    Digest::of(b"image")
}

fn addition(spec: &[u8], created: Option<&str>) -> Addition {
    let package = pack(spec, &ArtifactSubject::unseen(image()), created).unwrap();
    let compiled = Compiled { format: FORMAT, body: b"body".to_vec() };
    Addition::of_file(image(), package, Some(compiled))
}
