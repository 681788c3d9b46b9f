//! Writes files to the store so that a power cut leaves the old one or the new one, never half of one. Never writes to a file
//! that a reader can see.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, anyhow, ensure};
use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, Mode};
use nix::unistd::{UnlinkatFlags, fsync, syncfs, unlinkat};

use super::folder::StoreFolder;
use super::trouble::{io_reason, reason};
use super::{BLOBS, COMPILED, NAMES, SUBJECTS};

/// How every unfinished file's name starts: nothing that a reader would look up.
pub(super) const TEMPORARY: &str = ".tmp-";
/// Every folder that has files of ours.
const FOLDERS: [&str; 5] = [".", BLOBS, NAMES, SUBJECTS, COMPILED];
/// Beyond so many files at once, one call for the whole file system is faster than one for each.
const FEW: usize = 8;
/// Hooks of rootless containers read the store as ordinary users, whatever umask the writer had.
const FILE_MODE: Mode = Mode::from_bits_truncate(0o644);
const FOLDER_MODE: Mode = Mode::from_bits_truncate(0o755);

/// One file with its whole new content.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put {
    /// The folder in the store; `.` is the store itself.
    pub(super) folder: &'static str,
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

impl Put {
    /// The path in the store.
    pub(super) fn path(&self) -> String {
        match self.folder {
            "." => self.name.clone(),
            folder => format!("{folder}/{}", self.name),
        }
    }

    /// What could not be read back is not written.
    pub(super) fn fits(&self, most: u64) -> anyhow::Result<()> {
        let size = self.bytes.len();
        ensure!(
            u64::try_from(size)? <= most,
            "{} would have {size} bytes, at most {most} are read",
            self.path()
        );
        Ok(())
    }
}

/// Puts files in their places; `serial` tells this writer's temporary files apart. Returns when all are on the disk: before
/// that, a power cut leaves each of them old or new.
pub(super) fn put_all(store: &StoreFolder, puts: &[Put], serial: &mut u32) -> anyhow::Result<()> {
    for folder in FOLDERS {
        let puts: Vec<&Put> = puts.iter().filter(|it| it.folder == folder).collect();
        if !puts.is_empty() {
            put_into(store, folder, &puts, serial).context("writing to the store")?;
        }
    }
    Ok(())
}

fn put_into(store: &StoreFolder, name: &str, puts: &[&Put], serial: &mut u32) -> anyhow::Result<()> {
    let folder = make_folders(store, name)?;
    let temporaries: Vec<(String, &Put)> = puts
        .iter()
        .map(|put| {
            *serial += 1;
            (format!("{TEMPORARY}{}-{serial}", std::process::id()), *put)
        })
        .collect();
    let done = place(store, &folder, &temporaries);
    if done.is_err() {
        for (temporary, _) in &temporaries {
            // The first failure is what gets reported; if this fails too, the next writer sweeps the file away.
            let _swept = unlinkat(&folder, temporary.as_str(), UnlinkatFlags::NoRemoveDir);
        }
    }
    done
}

fn place(store: &StoreFolder, folder: &OwnedFd, temporaries: &[(String, &Put)]) -> anyhow::Result<()> {
    let wrong = |put: &Put, it: String| anyhow!("{} {it}", store.full(&put.path()).display());
    let is_many = temporaries.len() > FEW;
    for (temporary, put) in temporaries {
        write(folder, temporary, &put.bytes, !is_many).map_err(|it| wrong(put, it))?;
    }
    let whole = |errno| anyhow!("{} {}", store.path().display(), reason(errno));
    if is_many {
        syncfs(folder).map_err(whole)?;
    }
    for (temporary, put) in temporaries {
        fcntl::renameat(folder, temporary.as_str(), folder, put.name.as_str())
            .map_err(|errno| wrong(put, reason(errno)))?;
    }
    fsync(folder).map_err(whole)
}

/// Removes files of one folder, which need not be there. Returns when they are gone from the disk.
pub(super) fn remove(store: &StoreFolder, name: &str, files: &[String]) -> anyhow::Result<()> {
    let wrong = |file: &str, errno| anyhow!("{} {}", store.full(name).join(file).display(), reason(errno));
    let folder = match open_folder(store, name) {
        Err(Errno::ENOENT) => return Ok(()),
        found => found.map_err(|errno| wrong("", errno)).context("removing from the store")?,
    };
    for file in files {
        match unlinkat(&folder, file.as_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(wrong(file, errno)).context("removing from the store"),
        }
    }
    fsync(&folder).map_err(|errno| wrong("", errno)).context("removing from the store")
}

/// Removes what writers left behind that were killed. Only for the holder of the lock.
pub(super) fn sweep(store: &StoreFolder) -> anyhow::Result<()> {
    for folder in FOLDERS {
        let names = store.names(folder).context("looking for unfinished files")?;
        let leftovers: Vec<_> = names
            .iter()
            .filter(|it| it.to_bytes().starts_with(TEMPORARY.as_bytes()))
            .map(|it| it.to_string_lossy().into_owned())
            .collect();
        if !leftovers.is_empty() {
            log::debug!("removing {leftovers:?}, which a killed writer left in {folder} of the store");
            remove(store, folder, &leftovers)?;
        }
    }
    Ok(())
}

/// Makes the folder of a store itself, with those above it.
#[expect(clippy::disallowed_methods, reason = "the store's own folder, which an administrator named")]
pub(super) fn make_store(path: &Path) -> anyhow::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => return Ok(()),
        Err(err) if err.kind() == ErrorKind::NotFound => {}
        Err(err) => return Err(anyhow!("{} {}", path.display(), io_reason(&err))).context("making a store"),
    }
    let made = DirBuilder::new().recursive(true).mode(FOLDER_MODE.bits()).create(path).and_then(|()| {
        fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE.bits()))?;
        // Any number of folders may be new, so the whole file system is synchronised, this once.
        syncfs(File::open(path)?).map_err(std::io::Error::from)
    });
    made.map_err(|err| anyhow!("{} {}", path.display(), io_reason(&err))).context("making a store")
}

fn write(folder: &OwnedFd, name: &str, bytes: &[u8], is_synced: bool) -> Result<(), String> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut file =
        File::from(fcntl::openat(folder, name, flags, Mode::S_IRUSR | Mode::S_IWUSR).map_err(reason)?);
    file.write_all(bytes).map_err(|err| io_reason(&err))?;
    stat::fchmod(&file, FILE_MODE).map_err(reason)?;
    if is_synced { fsync(&file).map_err(reason) } else { Ok(()) }
}

/// Opens a folder in the store; it and those above it are made where they are missing.
fn make_folders(store: &StoreFolder, path: &str) -> anyhow::Result<OwnedFd> {
    let wrong = |errno| anyhow!("{} {}", store.full(path).display(), reason(errno));
    let mut parent = open_folder(store, ".").map_err(wrong)?;
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    for part in ends.filter_map(|end| path.get(..end)).filter(|it| *it != ".") {
        let folder = match open_folder(store, part) {
            Err(Errno::ENOENT) => {
                stat::mkdirat(store.fd(), part, FOLDER_MODE).map_err(wrong)?;
                let folder = open_folder(store, part).map_err(wrong)?;
                stat::fchmod(&folder, FOLDER_MODE).map_err(wrong)?;
                fsync(&parent).map_err(wrong)?;
                folder
            }
            found => found.map_err(wrong)?,
        };
        store.holds(part)?;
        parent = folder;
    }
    Ok(parent)
}

fn open_folder(store: &StoreFolder, path: &str) -> nix::Result<OwnedFd> {
    store.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty store, safe whatever the umask.
    fn empty() -> (tempfile::TempDir, StoreFolder) {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let store = StoreFolder::open(dir.path()).unwrap().unwrap();
        (dir, store)
    }

    fn put(store: &StoreFolder, put: Put) -> anyhow::Result<()> {
        put_all(store, &[put], &mut 0)
    }

    fn file(name: &str, bytes: &[u8]) -> Put {
        Put { folder: SUBJECTS, name: name.to_owned(), bytes: bytes.to_owned() }
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_else_is_left() {
        let (dir, store) = empty();
        for content in ["old", "new, and longer", ""] {
            put(&store, file("it", content.as_bytes())).unwrap();
            assert_eq!(fs::read_to_string(dir.path().join("subjects/it")).unwrap(), content);
            assert_eq!(fs::read_dir(dir.path().join("subjects")).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_replaced_and_not_written_through() {
        let (dir, store) = empty();
        fs::write(dir.path().join("victim"), "untouched").unwrap();
        make_folders(&store, SUBJECTS).unwrap();
        std::os::unix::fs::symlink("../victim", dir.path().join("subjects/it")).unwrap();
        put(&store, file("it", b"new")).unwrap();
        assert_eq!(fs::read_to_string(dir.path().join("victim")).unwrap(), "untouched");
        assert_eq!(fs::read_to_string(dir.path().join("subjects/it")).unwrap(), "new");
    }

    #[test]
    fn a_write_that_fails_says_where_and_leaves_nothing() {
        let (dir, store) = empty();
        make_folders(&store, SUBJECTS).unwrap();
        fs::create_dir_all(dir.path().join("subjects/it/full")).unwrap();
        let err = put(&store, file("it", b"new")).unwrap_err();
        let path = dir.path().join("subjects/it");
        assert_eq!(
            format!("{err:#}"),
            format!(
                "writing to the store: {} is a folder, expected a file: remove it and add the artifact again",
                path.display()
            )
        );
        assert_eq!(fs::read_dir(dir.path().join("subjects")).unwrap().count(), 1);
    }

    #[test]
    fn unfinished_files_are_swept_away_and_no_others() {
        let (dir, store) = empty();
        make_folders(&store, BLOBS).unwrap();
        for name in [".tmp-1-1", ".lock", "blobs/sha256/.tmp-77-2", "blobs/sha256/whole"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        sweep(&store).unwrap();
        let left = |folder: &str| {
            let mut names: Vec<_> =
                fs::read_dir(dir.path().join(folder)).unwrap().map(|it| it.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(left("."), [".lock", "blobs"]);
        assert_eq!(left(BLOBS), ["whole"]);
    }
}
