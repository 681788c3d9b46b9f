//! A host of files in a temporary folder, for unit tests: the files are fake, the code is not.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::host::{Fact, Facts, Feature, Root};

/// Facts about one feature with these attributes; all else was not read.
pub(crate) fn facts(feature: &str, attributes: &[(&str, &str)]) -> Facts {
    let mut facts = Facts::default();
    let read = format!("/{feature}");
    facts.insert(feature, Fact::Known(Feature::attributes(attributes.iter().copied()), read));
    facts
}

thread_local! {
    static JUDGED_RULES: Cell<usize> = const { Cell::new(0) };
}

/// Notes that a rule is judged.
pub(crate) fn note_judged_rule() {
    JUDGED_RULES.set(JUDGED_RULES.get() + 1);
}

/// How many rules this thread judges while this runs.
pub(crate) fn judged_rules<T>(run: impl FnOnce() -> T) -> (T, usize) {
    let before = JUDGED_RULES.get();
    let result = run();
    (result, JUDGED_RULES.get() - before)
}

/// A host that has only the files that a test gives it.
#[derive(Debug)]
pub(crate) struct FakeHost {
    folder: tempfile::TempDir,
}

impl FakeHost {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// A file with this content; its folders are made.
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.place(path), content).expect("writing a fixture");
        self
    }

    /// An empty folder.
    pub(crate) fn folder(self, path: &str) -> Self {
        fs::create_dir_all(self.place(path)).expect("making a fixture's folder");
        self
    }

    /// A symbolic link.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.place(path)).expect("making a fixture's link");
        self
    }

    /// A path that even root cannot read: a link to itself.
    pub(crate) fn unreadable(self, path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        self.link(path, &name)
    }

    pub(crate) fn root(&self) -> Root {
        Root::at(self.folder.path()).expect("opening the fixture")
    }

    /// Where a path of this host lies on this machine; its folders are made.
    pub(crate) fn place(&self, path: &str) -> PathBuf {
        let place = self.folder.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(place.parent().expect("a parent")).expect("making a fixture's folder");
        place
    }
}
