//! What the header of an ELF program contains beyond its machine: its interpreter, and notes on what it needs. The bytes are
//! untrusted; an entry with contradictions counts as missing.

/// The kernel accepts at most so many program headers (`ELF_MIN_ALIGN` in `load_elf_phdrs`); real programs have about 13.
const MAX_HEADERS: usize = 128;
/// The longest path (`PATH_MAX`), in bytes.
const MAX_PATH: u64 = 4096;

const PT_LOAD: u32 = 1;
const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const PT_GNU_PROPERTY: u32 = 0x6474_e553;

/// The flag of a segment that is writable in memory.
const PF_W: u32 = 2;

/// The start of the note that Go's linker writes, without the length of its content (`.note.go.buildid`).
const GO_NAME: u32 = 4;
const GO_BUILD_ID: u32 = 4;
const GO: &[u8] = b"Go\0\0";

/// `NT_GNU_PROPERTY_TYPE_0`, and its property with the levels of x86-64 that a program needs, one bit each.
const PROPERTIES: u32 = 5;
const ISA_NEEDED: u32 = 0xc000_8002;
/// Notes with demands are shorter.
pub(super) const MAX_NOTES: u64 = 4096;

/// A part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FilePart {
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// The parts of a little-endian program that matter here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct ElfHeader {
    /// The place of its interpreter's path.
    pub(super) interpreter: Option<FilePart>,
    /// The place of its properties.
    pub(super) properties: Option<FilePart>,
    /// The place of the first writable segment.
    pub(super) data: Option<u64>,
    /// Whether Go's own linker made it.
    pub(super) is_go: bool,
    /// The bits in which the offsets of a segment in memory and in the file differ.
    pub(super) differing: u64,
}

/// The offset of the program headers, the size of one, and the offsets of the numbers in it.
struct HeaderTable {
    table: u64,
    count: usize,
    size: usize,
    offset: usize,
    vaddr: usize,
    filesz: usize,
    flags: usize,
    align: usize,
    is_64: bool,
}

impl ElfHeader {
    /// Reads the start of a file; `None` if it does not contain all of the program headers.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let layout = HeaderTable::of(start)?;
        let table = usize::try_from(layout.table).ok()?;
        let headers = start.get(table..table.checked_add(layout.count * layout.size)?)?;
        let mut header = Self::default();
        for entry in headers.chunks_exact(layout.size) {
            let part = FilePart {
                offset: layout.word(entry, layout.offset)?,
                size: layout.word(entry, layout.filesz)?,
            };
            match word(entry, 0)? {
                PT_INTERP if header.interpreter.is_none() => header.interpreter = Some(part),
                PT_LOAD if part.size > 0 => {
                    header.differing |= layout.word(entry, layout.vaddr)?.wrapping_sub(part.offset);
                    let is_data = word(entry, layout.flags)? & PF_W != 0;
                    header.data = header.data.or(is_data.then_some(part.offset));
                }
                PT_GNU_PROPERTY => header.properties = Some(part),
                // glibc: older linkers have no other place for it in 64-bit programs.
                PT_NOTE if header.properties.is_none() && layout.word(entry, layout.align)? == 8 => {
                    header.properties = Some(part);
                }
                PT_NOTE => header.is_go |= part.within(start).is_some_and(is_of_go),
                _ => {}
            }
        }
        Some(header)
    }

    /// The size of the largest pages with which the kernel can map it, in bytes; `None` if any size will do. The kernel maps
    /// whole pages, so both offsets of a segment must be the same within a page (`elf_map` in `fs/binfmt_elf.c`).
    pub(super) fn largest_pages(&self) -> Option<u64> {
        1_u64.checked_shl(self.differing.trailing_zeros())
    }
}

/// Whether these notes begin with that of Go's linker.
fn is_of_go(notes: &[u8]) -> bool {
    word(notes, 0) == Some(GO_NAME) && word(notes, 8) == Some(GO_BUILD_ID) && notes.get(12..16) == Some(GO)
}

impl HeaderTable {
    fn of(start: &[u8]) -> Option<Self> {
        let is_64 = half(start, 54) == Some(56);
        let layout = match is_64 {
            true => Self {
                table: long(start, 32)?,
                count: half(start, 56)?.into(),
                size: 56,
                offset: 8,
                vaddr: 16,
                filesz: 32,
                flags: 4,
                align: 48,
                is_64,
            },
            false if half(start, 42) == Some(32) => Self {
                table: word(start, 28)?.into(),
                count: half(start, 44)?.into(),
                size: 32,
                offset: 4,
                vaddr: 8,
                filesz: 16,
                flags: 24,
                align: 28,
                is_64,
            },
            false => return None,
        };
        (1..=MAX_HEADERS).contains(&layout.count).then_some(layout)
    }

    fn word(&self, entry: &[u8], at: usize) -> Option<u64> {
        if self.is_64 { long(entry, at) } else { word(entry, at).map(u64::from) }
    }
}

impl FilePart {
    /// Its bytes, in a file that starts with these.
    pub(super) fn within<'a>(&self, start: &'a [u8]) -> Option<&'a [u8]> {
        let from = usize::try_from(self.offset).ok()?;
        start.get(from..from.checked_add(usize::try_from(self.size).ok()?)?)
    }

    /// Whether an interpreter's path can stand there (`load_elf_binary`).
    pub(super) fn may_be_path(&self) -> bool {
        (2..=MAX_PATH).contains(&self.size)
    }
}

/// The path of an interpreter, without the zero byte at its end; `None` if the kernel does not accept it.
pub(super) fn path(bytes: &[u8]) -> Option<&[u8]> {
    let (last, _) = bytes.split_last()?;
    let path = bytes.split(|it| *it == 0).next()?;
    (*last == 0 && !path.is_empty()).then_some(path)
}

/// The bits of the levels of x86-64 that these notes demand, as glibc reads them (`_dl_process_property_note` in
/// `sysdeps/x86/dl-prop.h`); zero if they demand none or are malformed.
pub(super) fn levels(notes: &[u8]) -> u32 {
    let (mut rest, mut found) = (notes, None);
    while let Some(note) = note(rest) {
        if note.kind == PROPERTIES && note.name == b"GNU\0" {
            // With two of them, one is the mistake of an older linker.
            if found.is_some() {
                return 0;
            }
            found = Some(note.content);
        }
        rest = note.rest;
    }
    found.and_then(property).unwrap_or_default()
}

/// A note, and what follows it.
struct Note<'a> {
    name: &'a [u8],
    kind: u32,
    content: &'a [u8],
    rest: &'a [u8],
}

/// The first note.
fn note(bytes: &[u8]) -> Option<Note<'_>> {
    const HEAD: usize = 12;
    const ALIGN: usize = 8;
    let (name, content) = (word(bytes, 0)?, word(bytes, 4)?);
    let (name, content) = (usize::try_from(name).ok()?, usize::try_from(content).ok()?);
    let from = HEAD.checked_add(name)?.checked_next_multiple_of(ALIGN)?;
    let end = from.checked_add(content)?;
    Some(Note {
        name: bytes.get(HEAD..HEAD.checked_add(name)?)?,
        kind: word(bytes, 8)?,
        content: bytes.get(from..end)?,
        rest: bytes.get(end.checked_next_multiple_of(ALIGN)?..).unwrap_or_default(),
    })
}

/// The bits of the property; `None` if there is none, or glibc stops before it.
fn property(content: &[u8]) -> Option<u32> {
    if content.len() < 8 || !content.len().is_multiple_of(8) {
        return None;
    }
    let (mut rest, mut last) = (content, 0);
    loop {
        let (kind, size) = (word(rest, 0)?, usize::try_from(word(rest, 4)?).ok()?);
        let value = rest.get(8..size.checked_add(8)?)?;
        if kind < last {
            return None;
        }
        if kind == ISA_NEEDED {
            return if size == 4 { word(value, 0) } else { None };
        }
        last = kind;
        rest = rest.get(8 + size.checked_next_multiple_of(8)?..)?;
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
