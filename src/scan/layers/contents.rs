//! What a layer has at which path (image-spec 1.1, `layer.md`). Strangers write it, so that everything is bounded, and what does
//! not add up is an error. Writes no file.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::rc::Rc;

use tar::{EntryType, Header, PaxExtensions};

use crate::program::{GO_PART, MAGIC, START, go_settings, go_settings_end};
use crate::words::text::{cut, shorten};

use super::members::{TarMembers, has_content};

/// The largest name or further header, in bytes: the longest path has 4 KiB, and attributes of files stand there too.
const MAX_EXTENSION: u64 = 1 << 20;
/// A loader of the GNU C library has 250 KiB. It is kept as a whole, because it holds the text by which it refuses.
const MAX_LOADER: u64 = 4 << 20;
/// By which its name starts.
const LOADER: &[u8] = b"ld-";
/// Characters of what a library says.
const SHOWN: usize = 200;
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
pub(super) const EXECUTABLE: u32 = 0o111;

/// How much is kept in memory, of all layers together.
#[derive(Debug)]
pub(super) struct Room {
    /// Files, folders and links.
    pub(super) entries: usize,
    /// The bytes of their names.
    pub(super) names: usize,
    /// The bytes of their starts.
    pub(super) starts: usize,
}

impl Default for Room {
    /// A large image has 200,000 files.
    fn default() -> Self {
        Self { entries: 1 << 20, names: 128 << 20, starts: 128 << 20 }
    }
}

/// What stands at a path in one layer.
#[derive(Debug)]
pub(super) enum Entry {
    Folder {
        mode: u32,
    },
    File(Rc<File>),
    Link(Vec<u8>),
    /// The same file as at another path.
    Same(Vec<u8>),
    /// A device or the like.
    Other,
    /// A folder that is only the beginning of other paths.
    Implied,
}

/// A regular file.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    pub(super) mode: u32,
    pub(super) size: u64,
    /// As much of its start as is kept.
    pub(super) start: Vec<u8>,
    /// Further parts that are kept, and where they are.
    pub(super) parts: Vec<(u64, Vec<u8>)>,
}

impl File {
    /// Whether all users may execute it.
    pub(super) fn is_program(&self) -> bool {
        self.mode & EXECUTABLE == EXECUTABLE
    }
}

/// One layer.
#[derive(Debug, Default)]
pub(super) struct Contents {
    entries: HashMap<Vec<u8>, Entry>,
    /// What lower layers have at these paths is gone.
    gone: HashSet<Vec<u8>>,
    /// What lower layers have in these folders is gone.
    opaque: HashSet<Vec<u8>>,
}

impl Contents {
    /// Reads a whole layer.
    pub(super) fn read(tar: impl Read, room: &mut Room) -> Result<Self, String> {
        let mut members = TarMembers::new(tar);
        let mut contents = Self::default();
        let mut ahead = Ahead::default();
        while let Some((header, size)) = members.next().map_err(broken)? {
            if !ahead.take(&header, size, &mut members)? {
                let ahead = std::mem::take(&mut ahead);
                contents.add((&header, size), &mut members, ahead, room)?;
            }
        }
        Ok(contents)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow, and all else is no file")]
    fn add(
        &mut self,
        (header, size): (&Header, u64),
        members: &mut TarMembers<impl Read>,
        ahead: Ahead,
        room: &mut Room,
    ) -> Result<(), String> {
        let size = ahead.size.filter(|_| has_content(header.entry_type())).unwrap_or(size);
        members.resize(size).map_err(broken)?;
        let name = ahead.path.unwrap_or_else(|| header.path_bytes().into_owned());
        let path = clean(&name)?;
        room.entries = room.entries.checked_sub(1).ok_or("it has more files than are looked at")?;
        room.names =
            room.names.checked_sub(path.len()).ok_or("its files have longer names than are looked at")?;
        let (folder, last) = match path.iter().rposition(|it| *it == b'/') {
            Some(at) => (path.get(..at).unwrap_or_default(), path.get(at + 1..).unwrap_or_default()),
            None => (&[][..], path.as_slice()),
        };
        if last == OPAQUE {
            self.opaque.insert(folder.to_vec());
            return Ok(());
        }
        if let Some(gone) = last.strip_prefix(WHITEOUT) {
            // Others that start so are a file system's own.
            if !gone.starts_with(WHITEOUT) {
                self.gone.insert([folder, if folder.is_empty() { b"" } else { b"/" }, gone].concat());
            }
            return Ok(());
        }
        let mode = header.mode().map_err(|err| format!("{:?}: {err}", shown(&path)))?;
        let link = |ahead: Option<Vec<u8>>| {
            ahead.or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned)).unwrap_or_default()
        };
        let kind = header.entry_type();
        let is_file = is_file(header);
        let entry = match kind {
            _ if ahead.is_sparse => Entry::Other,
            EntryType::Directory => Entry::Folder { mode },
            _ if is_file && name.ends_with(b"/") => Entry::Folder { mode },
            _ if is_file => Entry::File(Rc::new(file(members, (size, mode), last, room)?)),
            EntryType::Symlink => Entry::Link(link(ahead.link)),
            EntryType::Link => Entry::Same(clean(&link(ahead.link))?),
            _ => Entry::Other,
        };
        self.imply(folder, room)?;
        let is_folder = matches!(entry, Entry::Folder { .. });
        match self.entries.insert(path, entry) {
            // Something else takes the place of a folder with all that was in it.
            Some(Entry::Folder { .. } | Entry::Implied) if !is_folder => {
                Err(format!("it has {:?} twice, as a folder and not as one", shown(&name)))
            }
            _ => Ok(()),
        }
    }

    /// Notes that these folders are there.
    fn imply(&mut self, folder: &[u8], room: &mut Room) -> Result<(), String> {
        let mut folder = folder;
        while !folder.is_empty() && !self.entries.contains_key(folder) {
            room.entries = room.entries.checked_sub(1).ok_or("it has more folders than are looked at")?;
            room.names = room
                .names
                .checked_sub(folder.len())
                .ok_or("its folders have longer names than are looked at")?;
            self.entries.insert(folder.to_vec(), Entry::Implied);
            folder = parent(folder);
        }
        Ok(())
    }

    /// What this layer has at a path.
    pub(super) fn at(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Whether what lower layers have at a path does not count, because of this layer.
    pub(super) fn hides(&self, path: &[u8]) -> bool {
        if self.gone.contains(path) {
            return true;
        }
        let mut folder = path;
        while !folder.is_empty() {
            folder = parent(folder);
            let is_folder = |it: &Entry| matches!(it, Entry::Folder { .. } | Entry::Implied);
            if self.opaque.contains(folder)
                || self.gone.contains(folder)
                || self.entries.get(folder).is_some_and(|it| !is_folder(it))
            {
                return true;
            }
        }
        false
    }
}

/// What stands before a member, and is about it.
#[derive(Debug, Default)]
struct Ahead {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    /// Of the next one's content.
    size: Option<u64>,
    is_sparse: bool,
}

impl Ahead {
    /// Whether the member is about the next one, and was taken.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow, and all else is a member itself")]
    fn take(
        &mut self,
        header: &Header,
        size: u64,
        members: &mut TarMembers<impl Read>,
    ) -> Result<bool, String> {
        match header.entry_type() {
            EntryType::GNULongName => self.path = Some(text(members, size)?),
            EntryType::GNULongLink => self.link = Some(text(members, size)?),
            EntryType::XHeader => self.extend(&extension(members, size)?)?,
            // It may only hold what does not matter here.
            EntryType::XGlobalHeader => drop(extension(members, size)?),
            EntryType::GNUSparse => {
                self.is_sparse = true;
                return Ok(false);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), String> {
        for record in PaxExtensions::new(bytes) {
            let record = record.map_err(broken)?;
            match record.key_bytes() {
                b"path" => self.path = Some(record.value_bytes().to_vec()),
                b"linkpath" => self.link = Some(record.value_bytes().to_vec()),
                b"size" => {
                    let size = record.value().ok().and_then(|it| it.parse().ok());
                    self.size = Some(size.ok_or("an extended header in it has a size that is no number")?);
                }
                key if key.starts_with(b"GNU.sparse") => self.is_sparse = true,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Also where reading it failed. The library quotes what it does not understand.
fn broken(err: std::io::Error) -> String {
    format!("it is no whole tar archive ({})", cut(&err.to_string(), SHOWN))
}

fn extension(members: &mut TarMembers<impl Read>, size: u64) -> Result<Vec<u8>, String> {
    if size > MAX_EXTENSION {
        return Err(format!("it has a name or header of {size} bytes, at most {MAX_EXTENSION} are read"));
    }
    let mut bytes = Vec::new();
    members.read_to_end(&mut bytes).map_err(broken)?;
    Ok(bytes)
}

fn is_file(header: &Header) -> bool {
    matches!(header.entry_type(), EntryType::Regular | EntryType::Continuous)
}

/// Without the zero byte that ends it.
fn text(members: &mut TarMembers<impl Read>, size: u64) -> Result<Vec<u8>, String> {
    let mut bytes = extension(members, size)?;
    bytes.truncate(bytes.iter().position(|it| *it == 0).unwrap_or(bytes.len()));
    Ok(bytes)
}

/// A file, with as much of its start as may matter: of an ELF file its headers, of a script its first line. Of a program that Go
/// built also the settings of the build, which stand further behind.
fn file(
    content: &mut impl Read,
    (size, mode): (u64, u32),
    name: &[u8],
    room: &mut Room,
) -> Result<File, String> {
    let mut file = File { mode, size, start: Vec::new(), parts: Vec::new() };
    if !file.is_program() {
        return Ok(file);
    }
    let most = if name.starts_with(LOADER) { MAX_LOADER } else { START as u64 };
    content.take(MAGIC.len() as u64).read_to_end(&mut file.start).map_err(broken)?;
    let is_known = file.start.starts_with(MAGIC) || file.start.starts_with(b"#!");
    if is_known {
        content.take(most - MAGIC.len() as u64).read_to_end(&mut file.start).map_err(broken)?;
        file.parts = settings(content, &file.start).map_err(broken)?;
    }
    file.start.shrink_to_fit();
    let kept = file.parts.iter().map(|(_, it)| it.len()).sum::<usize>() + file.start.len();
    room.starts = room.starts.checked_sub(kept).ok_or("it has more programs than are looked at")?;
    Ok(file)
}

/// The parts of a file that has this start which hold what Go says of the build: the first, and where that does not hold all of it,
/// the last.
fn settings(content: &mut impl Read, start: &[u8]) -> std::io::Result<Vec<(u64, Vec<u8>)>> {
    let Some(at) = go_settings(start) else { return Ok(Vec::new()) };
    // What stands in the start is kept already.
    let Some(ahead) = at.checked_sub(start.len() as u64) else { return Ok(Vec::new()) };
    std::io::copy(&mut content.take(ahead), &mut std::io::sink())?;
    let mut first = Vec::new();
    content.take(GO_PART as u64).read_to_end(&mut first)?;
    let Some(more) = go_settings_end(&first).and_then(|it| it.checked_sub(first.len())).filter(|it| *it > 0)
    else {
        return Ok(vec![(at, first)]);
    };
    let mut all = first.clone();
    content.take(more as u64).read_to_end(&mut all)?;
    let last = all.split_off(all.len().saturating_sub(GO_PART));
    let behind = at.saturating_add(all.len() as u64);
    Ok(vec![(at, first), (behind, last)])
}

/// The folder that a path is in.
pub(super) fn parent(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|it| *it == b'/').unwrap_or(0);
    path.get(..end).unwrap_or_default()
}

/// A path of plain names, with `/` between them and none before.
fn clean(name: &[u8]) -> Result<Vec<u8>, String> {
    let names: Vec<_> = name.split(|it| *it == b'/').filter(|it| !it.is_empty() && *it != b".").collect();
    match names.contains(&&b".."[..]) {
        true => Err(format!("it has {:?}, which leads out of it", shown(name))),
        false => Ok(names.join(&b'/')),
    }
}

fn shown(name: &[u8]) -> String {
    shorten(&String::from_utf8_lossy(name)).into_owned()
}
