//! The level of x86-64 that a program needs, by the notes of the program and of its C library, or by the settings of Go's build.

use std::path::{Path, PathBuf};

use memchr::memmem;

use super::elf::{self, ElfHeader};
use super::files::{Files, Found, Start};
use super::{Checker, ProgramDemand, ProgramDemands, go, shown};

/// The loader of the GNU C library for x86-64, whose path every program names, and where distributions that keep several
/// architectures side by side have the library.
const LOADER: &str = "ld-linux-x86-64.so.2";
const LIBRARY: &str = "libc.so.6";
const MULTIARCH: &str = "/lib/x86_64-linux-gnu";
/// The message of a loader that checks the level (`dl_isa_level_check` in `sysdeps/x86/dl-isa-level.h`). glibc 2.31 does not have
/// it, and 2.36 does.
pub(super) const REFUSES: &[u8] = b"CPU ISA level is lower than required";
/// More bytes than a loader has: 250 KiB are usual.
const MAX_LOADER: usize = 4 << 20;

/// Whether a program with this loader is one of the GNU C library.
pub(super) fn is_glibc(loader: &Path) -> bool {
    loader.ends_with(LOADER)
}

impl ProgramDemands {
    /// The level of a program without a loader, or with a loader that does not check it. A Go program checks it itself.
    pub(super) fn add_own_level<F: Files>(
        &mut self,
        image: &F,
        path: &Path,
        header: &ElfHeader,
        (file, start): (&F::Open, &Start),
    ) {
        let checked = match header.interpreter {
            None => go::level(image, header, file),
            Some(_) => 0,
        };
        let (level, checked_by) = match checked {
            0 => (of_notes(image, header, file, start), None),
            level => (level, Some(Checker::Go)),
        };
        if level >= 2 {
            self.demands.push(ProgramDemand::Level { file: shown(path), level, checked_by });
        }
    }

    /// The level that a program and its C library need.
    pub(super) fn add_level<F: Files>(
        &mut self,
        image: &F,
        own: (&Path, u8),
        (interpreter, loader): (&Path, &F::FoundFile),
    ) {
        let folder = interpreter.parent().unwrap_or(Path::new("/"));
        let library = [folder, Path::new(MULTIARCH)].map(|it| it.join(LIBRARY)).into_iter().find_map(|it| {
            let Found::File(found) = image.find(&it) else { return None };
            let file = image.open(&found)?;
            let start = image.start(&file)?;
            Some((of_notes(image, &ElfHeader::of(&start.bytes)?, &file, &start), it))
        });
        // The higher of the two; if they are the same, the program's own.
        let needed = match &library {
            Some((level, path)) if own.1 < *level => (path.as_path(), *level),
            _ => own,
        };
        let (file, level) = needed;
        if level < 2 {
            return;
        }
        let is_checked = || memmem::find(&image.part(&image.open(loader)?, 0, MAX_LOADER)?, REFUSES);
        let checked_by = is_checked().map(|_| Checker::Loader);
        self.is_of_glibc = true;
        self.looked_at.push(interpreter.to_owned());
        self.demands.push(ProgramDemand::Level { file: shown(file), level, checked_by });
        if let Some((_, path)) = library {
            self.looked_at.push(path);
        }
    }
}

/// Whether loader and C library, the last two of these, are in one folder once links are resolved: then they belong together.
pub(super) fn has_library_beside_loader<F: Files>(image: &F, looked_at: &[PathBuf]) -> bool {
    let folder = |it: &PathBuf| image.end(it).and_then(|it| Some(it.parent()?.to_owned()));
    match looked_at {
        [.., loader, library] if library.ends_with(LIBRARY) => {
            folder(loader).is_some_and(|it| Some(it) == folder(library))
        }
        _ => false,
    }
}

/// The highest level of x86-64 that a file's properties demand; zero if they demand none, or one that is not known.
pub(super) fn of_notes<F: Files>(image: &F, header: &ElfHeader, file: &F::Open, start: &Start) -> u8 {
    let Some(part) = header.properties.filter(|it| it.size <= elf::MAX_NOTES) else { return 0 };
    let read;
    let notes = match part.within(&start.bytes) {
        Some(notes) => notes,
        None => {
            let size = usize::try_from(part.size).unwrap_or_default();
            read = image.part(file, part.offset, size).unwrap_or_default();
            &read
        }
    };
    match elf::levels(notes) {
        0b0001 => 1,
        0b0010..=0b0011 => 2,
        0b0100..=0b0111 => 3,
        0b1000..=0b1111 => 4,
        _ => 0,
    }
}
