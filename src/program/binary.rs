//! What an ELF file of an image asks for beyond its machine: libraries, symbols of others, a kernel, a level of x86-64. Reads its
//! headers, its dynamic section and what that leads to. The bytes are untrusted; what contradicts itself counts as missing.

use std::collections::BTreeSet;

use memchr::memmem;

use super::elf::{self, FilePart, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_NOTE, Segment, half, long, word};
use super::files::START;
use super::level::{self, MAX_LOADER, REFUSES};
use super::machine::{Machine, X86_64};
use super::{elf::ElfHeader, go};

/// Bytes of a dynamic section: real ones have some hundreds.
const MAX_DYNAMIC: u64 = 64 << 10;
/// Bytes of a table of symbols, and of their names. The largest libraries for machine learning have 20 MiB.
const MAX_TABLE: u64 = 32 << 20;
/// Libraries that one file names.
const MAX_LIBRARIES: usize = 512;
/// By which the name of a loader of the GNU C library starts.
const LOADER: &[u8] = b"ld-";

/// `e_type` of a program at a fixed address, and of libraries and all other programs.
const ET_EXEC: u16 = 2;
const ET_DYN: u16 = 3;

const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_SONAME: u64 = 14;
const DT_FLAGS_1: u64 = 0x6fff_fffb;
/// The flag of a program that may lie anywhere, also if it has no interpreter.
const DF_1_PIE: u64 = 0x0800_0000;
/// The tables that linkers put behind that of the symbols (`elf.h`): `DT_HASH`, `DT_STRTAB`, `DT_RELA`, `DT_REL`, `DT_JMPREL`,
/// `DT_RELR`, `DT_GNU_HASH`, `DT_VERSYM`, `DT_VERDEF`, `DT_VERNEED`.
const TABLES: [u64; 10] = [4, DT_STRTAB, 7, 17, 23, 36, 0x6fff_fef5, 0x6fff_fff0, 0x6fff_fffc, 0x6fff_fffe];

/// Reads a part of a file, as far as it is there; `None` after any error.
pub type ReadPart<'a> = dyn FnMut(u64, usize) -> Option<Vec<u8>> + 'a;

/// A program or a library.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Binary {
    /// [`Machine::name`].
    pub machine: &'static str,
    /// Whether it can be started, and is no library.
    pub is_program: bool,
    /// The level of x86-64 that it needs, from 1 to 4; zero if it does not say.
    pub level: u8,
    /// Whether it refuses a processor below a level that is asked of it: a program that Go built with a level, or a loader of the
    /// GNU C library since 2.33.
    pub checks: bool,
    /// The oldest kernel that it was built for.
    pub kernel: Option<[u32; 3]>,
    /// The libraries that it names (`DT_NEEDED`).
    pub libraries: Vec<String>,
    /// Its own name as a library (`DT_SONAME`).
    pub name: Option<String>,
    /// Those of the wanted symbols that it takes from others.
    pub imports: BTreeSet<&'static str>,
    /// The modules that Go built it from.
    pub modules: Vec<String>,
}

impl Binary {
    /// Reads a file with this name, without its folder; `None` if it is neither program nor library for a known machine. Parts
    /// are read in ascending order where that is possible. `wanted` are the symbols that matter.
    pub fn read(part: &mut ReadPart<'_>, name: &[u8], wanted: &[&'static str]) -> Option<Self> {
        let start = part(0, START)?;
        let machine = Machine::of(&start)?.name;
        let mut binary = Self { machine, ..Self::default() };
        // Numbers of big-endian machines are not read.
        let Some((segments, is_64)) = elf::segments(&start) else { return Some(binary) };
        let kind = half(&start, 16)?;
        if ![ET_EXEC, ET_DYN].contains(&kind) {
            return None;
        }
        let find = |kind: u32| segments.iter().find(|it| it.kind == kind);
        binary.is_program = kind == ET_EXEC || find(PT_INTERP).is_some();
        let notes = segments.iter().filter(|it| it.kind == PT_NOTE && it.align != 8);
        binary.kernel = notes.filter_map(|it| it.part.within(&start)).find_map(elf::oldest_kernel);
        let header = ElfHeader::of(&start)?;
        if machine == X86_64 {
            let properties = header.properties.filter(|it| it.size <= elf::MAX_NOTES);
            let notes = properties.and_then(|it| it.within(&start)).unwrap_or_default();
            binary.level = level::of_bits(elf::levels(notes));
        }
        match (find(PT_DYNAMIC), header.data.filter(|_| header.is_go)) {
            (Some(segment), _) => binary.add_dynamic(part, (segment.part, &segments, is_64), wanted),
            (None, Some(place)) => binary.add_build(part, place),
            (None, None) => {}
        }
        if name.starts_with(LOADER) && machine == X86_64 {
            let whole = part(0, MAX_LOADER).unwrap_or_default();
            binary.checks = memmem::find(&whole, REFUSES).is_some();
        }
        binary.is_program &= binary.name.is_none();
        Some(binary)
    }

    fn add_build(&mut self, part: &mut ReadPart<'_>, place: u64) {
        let Some(build) = go::build(part, place) else { return };
        self.modules = build.modules;
        if build.level > 0 && self.machine == X86_64 {
            (self.level, self.checks) = (build.level, true);
        }
    }

    fn add_dynamic(
        &mut self,
        part: &mut ReadPart<'_>,
        (place, segments, is_64): (FilePart, &[Segment], bool),
        wanted: &[&'static str],
    ) {
        let size = usize::try_from(place.size.min(MAX_DYNAMIC)).unwrap_or_default();
        let Some(bytes) = part(place.offset, size) else { return };
        let dynamic = Dynamic::of(&bytes, segments, is_64);
        self.is_program |= dynamic.value(DT_FLAGS_1).is_some_and(|it| it & DF_1_PIE != 0);
        let Some(names) = dynamic.names(part) else { return };
        let text = |at: u64| text(&names, at).map(|it| String::from_utf8_lossy(it).into_owned());
        self.libraries = dynamic.values(DT_NEEDED).filter_map(text).take(MAX_LIBRARIES).collect();
        self.name = dynamic.value(DT_SONAME).and_then(text);
        let wanted: Vec<_> =
            wanted.iter().filter(|it| memmem::find(&names, it.as_bytes()).is_some()).collect();
        if wanted.is_empty() {
            return;
        }
        let is_wanted = |at: u64| wanted.iter().find(|it| self::text(&names, at) == Some(it.as_bytes()));
        self.imports = dynamic.imports(part).into_iter().filter_map(is_wanted).map(|it| **it).collect();
    }
}

/// The entries of a dynamic section.
struct Dynamic<'a> {
    entries: Vec<(u64, u64)>,
    segments: &'a [Segment],
    is_64: bool,
}

impl<'a> Dynamic<'a> {
    fn of(bytes: &[u8], segments: &'a [Segment], is_64: bool) -> Self {
        let size = if is_64 { 16 } else { 8 };
        let entry = |it: &[u8]| match is_64 {
            true => long(it, 0).zip(long(it, 8)),
            false => word(it, 0).map(u64::from).zip(word(it, 4).map(u64::from)),
        };
        let entries = bytes.chunks_exact(size).map_while(entry).take_while(|(tag, _)| *tag != 0).collect();
        Self { entries, segments, is_64 }
    }

    fn values(&self, tag: u64) -> impl Iterator<Item = u64> {
        self.entries.iter().filter(move |(it, _)| *it == tag).map(|(_, value)| *value)
    }

    fn value(&self, tag: u64) -> Option<u64> {
        self.values(tag).next()
    }

    /// Where in the file an address of memory is.
    fn offset(&self, address: u64) -> Option<u64> {
        let loaded = self.segments.iter().filter(|it| it.kind == PT_LOAD);
        let mut within = loaded.filter_map(|it| {
            let ahead = address.checked_sub(it.vaddr).filter(|ahead| *ahead < it.part.size)?;
            it.part.offset.checked_add(ahead)
        });
        within.next()
    }

    /// The names of libraries and symbols.
    fn names(&self, part: &mut ReadPart<'_>) -> Option<Vec<u8>> {
        let size = self.value(DT_STRSZ).filter(|it| *it <= MAX_TABLE)?;
        part(self.offset(self.value(DT_STRTAB)?)?, usize::try_from(size).ok()?)
    }

    /// Where the names of the symbols stand that others have to bring. How many symbols there are stands nowhere: their table
    /// goes to the next one at most.
    fn imports(&self, part: &mut ReadPart<'_>) -> Vec<u64> {
        // From which byte the section of a symbol stands; 0 is none.
        let (size, section) = if self.is_64 { (24, 6) } else { (16, 14) };
        let mut read = || {
            let table = self.value(DT_SYMTAB)?;
            let behind = TABLES.iter().filter_map(|it| self.value(*it)).filter(|it| *it > table);
            let length = behind.min()?.checked_sub(table)?.min(MAX_TABLE);
            part(self.offset(table)?, usize::try_from(length).ok()?)
        };
        let symbols = read().unwrap_or_default();
        let undefined = symbols.chunks_exact(size).filter(|it| half(it, section) == Some(0));
        undefined.filter_map(|it| word(it, 0)).map(u64::from).collect()
    }
}

/// The text at a place, up to its zero byte.
fn text(names: &[u8], at: u64) -> Option<&[u8]> {
    names.get(usize::try_from(at).ok()?..)?.split(|it| *it == 0).next().filter(|it| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::MadeElf;

    const WANTED: &[&str] = &["io_uring_setup", "bpf"];

    fn read(bytes: &[u8]) -> Option<Binary> {
        let mut part = |offset: u64, size: usize| {
            let from = usize::try_from(offset).ok()?.min(bytes.len());
            Some(bytes[from..from.saturating_add(size).min(bytes.len())].to_vec())
        };
        Binary::read(&mut part, b"x", WANTED)
    }

    fn made() -> MadeElf {
        MadeElf {
            is_program: true,
            libraries: &["liburing.so.2", "libc.so.6"],
            symbols: &[("io_uring_setup", true), ("my_bpf", true), ("main", false)],
            level: Some(0b100),
            kernel: Some([3, 2, 0]),
            ..MadeElf::default()
        }
    }

    #[test]
    fn what_a_program_asks_for_is_read() {
        let expected = Binary {
            machine: "x86-64",
            is_program: true,
            level: 3,
            kernel: Some([3, 2, 0]),
            libraries: vec!["liburing.so.2".to_owned(), "libc.so.6".to_owned()],
            imports: BTreeSet::from(["io_uring_setup"]),
            ..Binary::default()
        };
        assert_eq!(read(&made().bytes()), Some(expected));
    }

    #[test]
    fn a_library_has_a_name_and_its_own_symbols_are_no_imports() {
        let symbols = &[("io_uring_setup", false), ("bpf", true)];
        let library = MadeElf { name: Some("liburing.so.2"), symbols, libraries: &[], ..made() };
        let found = read(&library.bytes()).expect("a library");
        assert_eq!((found.name.as_deref(), found.is_program), (Some("liburing.so.2"), false));
        assert_eq!(found.imports, BTreeSet::from(["bpf"]));
        // One that says nothing of itself is none that can be started either.
        let plain = read(&MadeElf::default().bytes());
        assert_eq!(plain, Some(Binary { machine: "x86-64", ..Binary::default() }));
    }

    #[test]
    fn what_does_not_add_up_counts_as_missing() {
        let whole = made().bytes();
        // The dynamic section, which has six entries, stands last.
        for end in 0..=whole.len() - 6 * 16 {
            if let Some(found) = read(&whole[..end]) {
                assert!(found.libraries.is_empty() && found.imports.is_empty(), "{end}: {found:?}");
            }
        }
        // Every number may lie.
        for at in 16..whole.len() {
            for byte in [0x00, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = byte;
                read(&bytes);
            }
        }
        // A file that is linked to others later, and something else.
        let mut object = whole.clone();
        object[16] = 1;
        assert_eq!(read(&object), None);
        assert_eq!(read(b"#!/bin/sh\n"), None);
        assert_eq!(Binary::read(&mut |_, _| None, b"x", WANTED), None);
    }

    #[test]
    fn a_loader_that_checks_the_processor_is_known_by_its_message() {
        let loader = MadeElf { name: Some("ld-linux-x86-64.so.2"), ..MadeElf::default() };
        let bytes = [loader.bytes(), REFUSES.to_vec()].concat();
        let mut part = |offset: u64, size: usize| {
            let from = usize::try_from(offset).ok()?.min(bytes.len());
            Some(bytes[from..from.saturating_add(size).min(bytes.len())].to_vec())
        };
        let mut checks = |name: &[u8]| Binary::read(&mut part, name, &[]).is_some_and(|it| it.checks);
        assert!(checks(b"ld-linux-x86-64.so.2"));
        assert!(!checks(b"libc.so.6"));
    }
}
