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

/// An ELF file for x86-64 with a dynamic section, as linkers lay it out.
#[derive(Debug, Default, Clone)]
pub(crate) struct MadeElf {
    /// Whether it has an interpreter.
    pub(crate) is_program: bool,
    pub(crate) libraries: &'static [&'static str],
    pub(crate) name: Option<&'static str>,
    /// Symbols, and whether others have to bring them.
    pub(crate) symbols: &'static [(&'static str, bool)],
    /// Bits of the levels of x86-64.
    pub(crate) level: Option<u32>,
    pub(crate) kernel: Option<[u32; 3]>,
}

impl MadeElf {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        const HEADERS: usize = 5;
        let words = |all: &[u32]| all.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>();
        let longs = |all: &[u64]| all.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>();
        let mut names = vec![0];
        let mut put = |name: &str| {
            let at = names.len();
            names.extend(name.bytes().chain([0]));
            at as u64
        };
        let mut dynamic: Vec<(u64, u64)> = self.libraries.iter().map(|it| (1, put(it))).collect();
        dynamic.extend(self.name.map(|it| (14, put(it))));
        let mut symbols = vec![0; 24];
        for (name, is_foreign) in self.symbols {
            let mut symbol = words(&[u32::try_from(put(name)).expect("short")]);
            symbol.extend([0x12, 0, u8::from(!*is_foreign), 0]);
            symbol.resize(24, 0);
            symbols.extend(symbol);
        }
        let mut bytes = vec![0; 64 + 56 * HEADERS];
        let mut add = |content: &[u8]| {
            bytes.resize(bytes.len().next_multiple_of(8), 0);
            let at = bytes.len() as u64;
            bytes.extend(content);
            (at, content.len() as u64)
        };
        let interpreter = add(if self.is_program { b"/lib64/ld-linux-x86-64.so.2\0" } else { b"" });
        let tag = self.kernel.map_or(Vec::new(), |[major, minor, patch]| {
            [words(&[4, 16, 1]), b"GNU\0".to_vec(), words(&[0, major, minor, patch])].concat()
        });
        let tag = add(&tag);
        let property = self.level.map_or(Vec::new(), |bits| {
            [words(&[4, 16, 5]), b"GNU\0".to_vec(), words(&[0xc000_8002, 4, bits, 0])].concat()
        });
        let property = add(&property);
        // In memory everything lies a page further than in the file.
        let place = |(at, _): (u64, u64)| at + 0x1000;
        let (symbols, texts) = (add(&symbols), add(&names));
        dynamic.extend([(6, place(symbols)), (5, place(texts)), (10, texts.1), (0, 0)]);
        let dynamic =
            add(&dynamic.iter().flat_map(|(tag, value)| longs(&[*tag, *value])).collect::<Vec<_>>());
        let whole = (0, bytes.len() as u64);
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[16..20].copy_from_slice(&[3, 0, 62, 0]);
        bytes[32] = 64;
        (bytes[54], bytes[56]) = (56, 5);
        let kinds =
            [(1, whole, 4096), (2, dynamic, 8), (3, interpreter, 1), (4, tag, 4), (0x6474_e553, property, 8)];
        for (index, (kind, part, align)) in kinds.into_iter().enumerate() {
            // What is not there has no header.
            let kind = if part.1 > 0 { kind } else { 0 };
            let header =
                [words(&[kind, 4]), longs(&[part.0, place(part), 0, part.1, part.1, align])].concat();
            bytes[64 + 56 * index..][..56].copy_from_slice(&header);
        }
        bytes
    }
}
