//! The files in a tar archive, found by name and read in place. Never unpacks anything, so no name in it can become a path.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use nix::fcntl::OFlag;
use tar::EntryType;

use super::trouble::io_reason;

/// The most entries of an archive: room for a store of some 250,000 artifacts.
const MAX_ENTRIES: usize = 1 << 20;

/// The largest name or further header in an archive, in bytes: the longest path has 4 KiB.
const MAX_EXTENSION: u64 = 64 << 10;

/// An archive of plain files and folders.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    file: File,
    files: BTreeMap<String, ArchiveRange>,
}

/// Where a file's bytes lie in the archive.
#[derive(Debug, Clone, Copy)]
struct ArchiveRange {
    offset: u64,
    size: u64,
}

impl Archive {
    /// Reads the names in an archive.
    ///
    /// # Errors
    ///
    /// If it is no tar archive, or has links, devices, or names that lead out of it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let wrong = |err: std::io::Error| anyhow!("{} {}", path.display(), io_reason(&err));
        // O_NONBLOCK: opening a FIFO must not wait for a writer.
        let file =
            File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(wrong)?;
        refuse_compressed(&file, path)?;
        let no_tar = |err: std::io::Error| anyhow!("{} is no whole tar archive ({err})", path.display());
        refuse_boundless(&file, path)?;
        (&file).rewind().map_err(no_tar)?;
        let mut files = BTreeMap::new();
        let mut archive = tar::Archive::new(&file);
        for entry in archive.entries_with_seek().map_err(no_tar)? {
            let entry = entry.map_err(no_tar)?;
            let name = name(&entry).with_context(|| format!("archive {}", path.display()))?;
            let kind = entry.header().entry_type();
            if kind == EntryType::Directory {
                continue;
            }
            ensure!(
                kind == EntryType::Regular,
                "archive {}: {name:?} is a {kind:?}, expected only files and folders: it was not made by a tool for images",
                path.display()
            );
            let place = ArchiveRange { offset: entry.raw_file_position(), size: entry.size() };
            let twice = files.insert(name.clone(), place).is_some();
            ensure!(!twice, "archive {} has {name:?} twice", path.display());
            ensure!(
                files.len() <= MAX_ENTRIES,
                "archive {} has more than {MAX_ENTRIES} files",
                path.display()
            );
        }
        Ok(Self { path: path.to_owned(), file, files })
    }

    /// The archive's own path, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of the files in a folder, in order, without the folder.
    pub fn names<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.keys().filter_map(move |it| it.strip_prefix(folder)?.strip_prefix('/'))
    }

    /// Opens a file to be read as a stream; `None` if it is not there. The caller bounds what it reads.
    pub fn stream(&self, name: &str) -> Option<ArchivedFile<'_>> {
        self.files.get(name).map(|place| ArchivedFile { file: &self.file, place: *place })
    }

    /// Reads a whole file of at most `most` bytes; `None` if it is not there.
    ///
    /// # Errors
    ///
    /// If it is larger, or the archive ends in it.
    pub fn read(&self, name: &str, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(ArchiveRange { offset, size }) = self.files.get(name).copied() else { return Ok(None) };
        let path = self.path.join(name);
        ensure!(size <= most, "{} has {size} bytes, at most {most} are read", path.display());
        let mut bytes = vec![0; usize::try_from(size)?];
        self.file.read_exact_at(&mut bytes, offset).map_err(|err| {
            anyhow!("{} cannot be read ({:?}): the archive was cut short", path.display(), err.kind())
        })?;
        Ok(Some(bytes))
    }
}

/// A file in an archive, read from its start.
#[derive(Debug)]
pub struct ArchivedFile<'a> {
    file: &'a File,
    place: ArchiveRange,
}

impl Read for ArchivedFile<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = usize::try_from(self.place.size).map_or(buffer.len(), |it| it.min(buffer.len()));
        let count = self.file.read_at(buffer.get_mut(..most).unwrap_or_default(), self.place.offset)?;
        let read = u64::try_from(count).unwrap_or(u64::MAX);
        self.place = ArchiveRange {
            offset: self.place.offset.saturating_add(read),
            size: self.place.size.saturating_sub(read),
        };
        Ok(count)
    }
}

/// The reader of archives reads long names, extended headers and maps of sparse files whole before it returns an entry.
/// So they are looked at first, as plain entries.
fn refuse_boundless(file: &File, path: &Path) -> anyhow::Result<()> {
    let no_tar = |err: std::io::Error| anyhow!("{} is no whole tar archive ({err})", path.display());
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries_with_seek().map_err(no_tar)?.raw(true);
    for (number, entry) in (1..).zip(entries) {
        ensure!(
            number <= 4 * MAX_ENTRIES,
            "archive {} has more than {} entries",
            path.display(),
            4 * MAX_ENTRIES
        );
        let mut entry = entry.map_err(no_tar)?;
        let (kind, size) = (entry.header().entry_type(), entry.size());
        let is_name = matches!(kind, EntryType::GNULongName | EntryType::GNULongLink);
        let is_header = matches!(kind, EntryType::XHeader | EntryType::XGlobalHeader);
        ensure!(
            !(is_name || is_header) || size <= MAX_EXTENSION,
            "archive {} has a name or header of {size} bytes, at most {MAX_EXTENSION} are read: it was not made by a tool for \
             images",
            path.display()
        );
        ensure!(
            kind != EntryType::GNUSparse,
            "archive {} has a sparse file: it was not made by a tool for images",
            path.display()
        );
        if is_header {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(no_tar)?;
            refuse_resized(&bytes, path)?;
        }
    }
    Ok(())
}

/// A header that gives the next file another size would hide from this look what follows.
fn refuse_resized(header: &[u8], path: &Path) -> anyhow::Result<()> {
    for record in tar::PaxExtensions::new(header) {
        let record = record.map_err(|err| anyhow!("{} is no whole tar archive ({err})", path.display()))?;
        let key = String::from_utf8_lossy(record.key_bytes()).into_owned();
        ensure!(
            key != "size" && !key.starts_with("GNU.sparse"),
            "archive {} has a header that sets {key:?}: it was not made by a tool for images",
            path.display()
        );
    }
    Ok(())
}

/// A name of plain parts; any other name could lead elsewhere when it is unpacked.
fn name(entry: &tar::Entry<'_, impl Read>) -> anyhow::Result<String> {
    let bytes = entry.path_bytes();
    let Ok(text) = std::str::from_utf8(&bytes) else {
        bail!("{:?} is no UTF-8 text", String::from_utf8_lossy(&bytes));
    };
    let mut parts = Vec::new();
    for part in Path::new(text).components() {
        match part {
            Component::Normal(part) => parts.extend(part.to_str()),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                bail!("{text:?} leads out of the archive: it was not made by a tool for images")
            }
        }
    }
    Ok(parts.join("/"))
}

fn refuse_compressed(file: &File, path: &Path) -> anyhow::Result<()> {
    let mut start = [0; 4];
    // Too short for a tar archive, which is found out next.
    let read = file.read_at(&mut start, 0).unwrap_or(0);
    match start.get(..read) {
        Some([0x1f, 0x8b, ..]) => bail!("{} is compressed: gunzip it first", path.display()),
        Some([0x28, 0xb5, 0x2f, 0xfd]) => bail!("{} is compressed: unzstd it first", path.display()),
        _ => Ok(()),
    }
}
