//! What a layer has at which path (image-spec 1.1, `layer.md`). Strangers write it, so that everything is bounded, and what does
//! not add up is an error. Writes no file.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::rc::Rc;

use tar::{Entry as Member, EntryType, PaxExtensions};

use crate::program::{MAGIC, START};
use crate::words::text::{cut, shorten};

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
const EXECUTABLE: u32 = 0o111;

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
        let mut archive = tar::Archive::new(tar);
        let mut contents = Self::default();
        let mut ahead = Ahead::default();
        // Raw, because otherwise long names are read however long they are.
        for member in archive.entries().map_err(broken)?.raw(true) {
            let mut member = member.map_err(broken)?;
            if !ahead.take(&mut member)? {
                contents.add(&mut member, std::mem::take(&mut ahead), room)?;
            }
        }
        Ok(contents)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow, and all else is no file")]
    fn add(
        &mut self,
        member: &mut Member<'_, impl Read>,
        ahead: Ahead,
        room: &mut Room,
    ) -> Result<(), String> {
        let name = ahead.path.unwrap_or_else(|| member.path_bytes().into_owned());
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
        let mode = member.header().mode().map_err(|err| format!("{:?}: {err}", shown(&path)))?;
        let link = |ahead: Option<Vec<u8>>| {
            ahead
                .or_else(|| member.header().link_name_bytes().map(std::borrow::Cow::into_owned))
                .unwrap_or_default()
        };
        let kind = member.header().entry_type();
        let is_file = matches!(kind, EntryType::Regular | EntryType::Continuous);
        let entry = match kind {
            _ if ahead.is_sparse => Entry::Other,
            EntryType::Directory => Entry::Folder { mode },
            _ if is_file && name.ends_with(b"/") => Entry::Folder { mode },
            _ if is_file => Entry::File(Rc::new(file(member, mode, last, room)?)),
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
    is_sparse: bool,
}

impl Ahead {
    /// Whether the member is about the next one, and was taken.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow, and all else is a member itself")]
    fn take(&mut self, member: &mut Member<'_, impl Read>) -> Result<bool, String> {
        let kind = member.header().entry_type();
        match kind {
            EntryType::GNULongName => self.path = Some(text(member)?),
            EntryType::GNULongLink => self.link = Some(text(member)?),
            EntryType::XHeader => self.extend(&extension(member)?)?,
            // It may only hold what does not matter here.
            EntryType::XGlobalHeader => drop(extension(member)?),
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
                b"size" => return Err("an extended header in it has the size of a file, as for more than 8 GiB: such layers are not read".to_owned()),
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

fn extension(member: &mut Member<'_, impl Read>) -> Result<Vec<u8>, String> {
    let size = member.size();
    if size > MAX_EXTENSION {
        return Err(format!("it has a name or header of {size} bytes, at most {MAX_EXTENSION} are read"));
    }
    let mut bytes = Vec::new();
    member.read_to_end(&mut bytes).map_err(broken)?;
    Ok(bytes)
}

/// Without the zero byte that ends it.
fn text(member: &mut Member<'_, impl Read>) -> Result<Vec<u8>, String> {
    let mut bytes = extension(member)?;
    bytes.truncate(bytes.iter().position(|it| *it == 0).unwrap_or(bytes.len()));
    Ok(bytes)
}

/// A file, with as much of its start as may matter: of an ELF file its headers, of a script its first line.
fn file(member: &mut Member<'_, impl Read>, mode: u32, name: &[u8], room: &mut Room) -> Result<File, String> {
    let mut file = File { mode, size: member.size(), start: Vec::new() };
    if !file.is_program() {
        return Ok(file);
    }
    let most = if name.starts_with(LOADER) { MAX_LOADER } else { START as u64 };
    member.take(MAGIC.len() as u64).read_to_end(&mut file.start).map_err(broken)?;
    let is_known = file.start.starts_with(MAGIC) || file.start.starts_with(b"#!");
    if is_known {
        member.take(most - MAGIC.len() as u64).read_to_end(&mut file.start).map_err(broken)?;
    }
    file.start.shrink_to_fit();
    room.starts =
        room.starts.checked_sub(file.start.len()).ok_or("it has more programs than are looked at")?;
    Ok(file)
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
