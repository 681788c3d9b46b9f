//! The file of decisions: any number of processes append whole lines to it at once, and rotate it when it is full.
//! Never waits, neither for a lock nor for a reader, and opens nothing but a regular file.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use nix::sys::stat::lstat;

use crate::os::file::{User, explain, explain_io};

/// Old files have at most two digits at the end of their names.
pub const MAX_KEPT: u32 = 99;
/// How often a line is tried again that others came in the way of; each time, another process has rotated the file.
const ATTEMPTS: usize = 8;

/// Where files are small, hundreds of writers may still come in while one of them rotates.
pub(super) const LEAST_SLACK: u64 = 1 << 20;

/// The size of a full file, and the number of old files that are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rotation {
    pub(super) max_bytes: u64,
    pub(super) keep: u32,
}

/// The name of an old file: the higher the number, the older; 0 is the file itself.
pub fn rotated(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Appends a line by one write, which no other writer's can come in between (`O_APPEND`, write(2)).
pub(super) fn append(path: &Path, rotation: Rotation, line: &[u8]) -> anyhow::Result<()> {
    let named = || format!("decision not logged: {}", path.display());
    for attempt in 1..=ATTEMPTS {
        let (file, size) = open(path).with_context(named)?;
        let full = size > 0 && size.saturating_add(line.len() as u64) > rotation.max_bytes;
        if full && attempt < ATTEMPTS {
            match rotate(path, rotation.keep, &file) {
                Ok(()) => continue,
                // Another process rotates it, or none can: the next decision tries again.
                Err(why)
                    if size >= rotation.max_bytes.saturating_add(rotation.max_bytes.max(LEAST_SLACK)) =>
                {
                    return Err(anyhow!("it is full, and {why}")).with_context(named);
                }
                Err(_) => {}
            }
        }
        write_whole(&file, line).with_context(named)?;
        if is_there(&file).with_context(named)? {
            return Ok(());
        }
        // Rotated so often since it was opened that it was removed: the line is gone with it.
    }
    Err(anyhow!("it was rotated too often meanwhile")).with_context(named)
}

fn open(path: &Path) -> anyhow::Result<(File, u64)> {
    let file = match create(path) {
        Err(err) if err.kind() == ErrorKind::NotFound => {
            make_folder(path)?;
            create(path)
        }
        opened => opened,
    };
    let file = file.map_err(|err| match err.raw_os_error() {
        // A socket, or a device without a driver (open(2)).
        Some(libc::ENXIO) => anyhow!("it is not a regular file"),
        _ => anyhow!("it {}", explain_io(&err)),
    })?;
    let found = file.metadata().map_err(|err| anyhow!("it {}", explain_io(&err)))?;
    if !found.is_file() {
        bail!("it is not a regular file");
    }
    Ok((file, found.len()))
}

/// Facts may be sensitive: only root and its group may read them. An administrator may give the folder to another
/// group, with the set-group-ID bit, and new files follow (`docs/records.md`).
fn create(path: &Path) -> std::io::Result<File> {
    // O_NONBLOCK: opening a FIFO must not wait.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().append(true).create(true).mode(0o640).custom_flags(flags).open(path)
}

/// Makes the folder, but none above it, which would get its mode; a user's own may be the first of its kind.
fn make_folder(path: &Path) -> anyhow::Result<()> {
    let Some(folder) = path.parent() else { bail!("it has no folder") };
    let is_a_user_s = User::this().is_some_and(|it| it.lasting().iter().any(|it| it == folder));
    let mode = if is_a_user_s { 0o700 } else { 0o750 };
    match DirBuilder::new().recursive(is_a_user_s).mode(mode).create(folder) {
        Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => {
            made.map_err(|err| anyhow!("folder {} cannot be made: it {}", folder.display(), explain_io(&err)))
        }
    }
}

/// What a full file system took half of is taken back, or the next line would stand behind it. Nothing else is done
/// about it: writing the rest later would tear the line that another process has written meanwhile.
fn write_whole(mut file: &File, line: &[u8]) -> anyhow::Result<()> {
    match file.write(line) {
        Ok(written) if written == line.len() => Ok(()),
        Ok(written) => {
            take_back(file, written)
                .map_err(|err| anyhow!("half a line is left in it: it {}", explain_io(&err)))?;
            bail!(
                "it is on a full file system, or at a limit on sizes: {written} of {} bytes fitted",
                line.len()
            )
        }
        Err(err) => bail!("it {}", explain_io(&err)),
    }
}

/// Cuts off what this process wrote last, if nothing stands behind it. With a full file system, others write nothing.
fn take_back(mut file: &File, written: usize) -> std::io::Result<()> {
    let end = file.stream_position()?;
    if file.metadata()?.len() == end { file.set_len(end.saturating_sub(written as u64)) } else { Ok(()) }
}

fn is_there(file: &File) -> anyhow::Result<bool> {
    let found = file.metadata().map_err(|err| anyhow!("it {}", explain_io(&err)))?;
    Ok(found.nlink() > 0)
}

/// Renames the full file to that of the first old one; processes that have it open go on writing there. The lock belongs to
/// the full file, so it is rotated once. It ends with `file`.
fn rotate(path: &Path, keep: u32, file: &File) -> Result<(), String> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err("another process has locked it".to_owned()),
        Err(TryLockError::Error(err)) => return Err(format!("it {}", explain_io(&err))),
    }
    let mine = file.metadata().map_err(|err| format!("it {}", explain_io(&err)))?;
    match lstat(path) {
        Ok(found) if (found.st_dev, found.st_ino) == (mine.dev(), mine.ino()) => {}
        // Another process was faster.
        Ok(_) | Err(nix::errno::Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(format!("it {}", explain(errno))),
    }
    shift(path, keep).map_err(|err| format!("it cannot be renamed: its folder {}", explain_io(&err)))
}

fn shift(path: &Path, keep: u32) -> std::io::Result<()> {
    // Left by a configuration that kept more of them.
    for number in keep + 1..=MAX_KEPT {
        match fs::remove_file(rotated(path, number)) {
            Err(err) if err.kind() == ErrorKind::NotFound => break,
            removed => removed?,
        }
    }
    if keep == 0 {
        return fs::remove_file(path);
    }
    for number in (0..keep).rev() {
        match fs::rename(rotated(path, number), rotated(path, number + 1)) {
            Err(err) if err.kind() == ErrorKind::NotFound => {}
            renamed => renamed?,
        }
    }
    Ok(())
}
