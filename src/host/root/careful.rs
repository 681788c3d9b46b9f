//! Careful reads: of names that strangers wrote, and of folders that are mounted as soon as they are touched.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, Mode, SFlag};
use nix::sys::statfs::{self, AUTOFS_SUPER_MAGIC};
use nix::sys::statvfs;
use rustix::mount::{self, FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::{Miss, Root, Shown, look, read_to_end, text};

/// No file has a longer name (NAME_MAX in `linux/limits.h`).
const MAX_NAME: usize = 255;

/// A file's name, and its text with the users who may read it, or why it could not be read.
pub(in crate::host) type Named = (String, Result<(String, Shown), Miss>);

/// A file system that is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::host) struct Filesystem {
    /// Its device (`st_dev`).
    pub(in crate::host) device: libc::dev_t,
    /// How large it is, in bytes.
    pub(in crate::host) size: u64,
    /// What users who are not root may still write, in bytes.
    pub(in crate::host) free: u64,
    /// Whether its folders store the kinds of their entries (`d_type`, readdir(3)); none if this folder is empty.
    pub(in crate::host) tells_kinds: Option<bool>,
}

impl Root {
    /// Reads a text file below a folder, by the names of the folders on the way and its own, and who may read it.
    ///
    /// Strangers may have spelled them: none leads up or through several folders, and no link is followed.
    ///
    /// # Errors
    ///
    /// As [`Root::read`]. A name that no file can have and a folder in the file's place are not found; a link is
    /// unreadable.
    pub fn read_below(&self, folder: &str, names: &[&str]) -> Result<(String, Shown), Miss> {
        let Some((name, folders)) = names.split_last().filter(|_| names.iter().all(|it| is_name(it))) else {
            return Err(Miss::NotFound);
        };
        let path = format!("{folder}/{}", names.join("/"));
        let mut at = self.resolve(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        for folder in folders {
            at = step(&path, &at, folder, OFlag::O_PATH)?;
        }
        read_at(&path, &at, name)
    }

    /// Reads each text file of a folder, in the order of their names: settings that the kernel shows in one file each.
    /// No link is followed.
    ///
    /// # Errors
    ///
    /// As [`Root::list`], if the folder cannot be listed.
    pub(in crate::host) fn read_all_in(&self, folder: &str) -> Result<Vec<Named>, Miss> {
        let names = self.list(folder)?;
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let at = self.resolve(folder, OFlag::O_PATH | OFlag::O_DIRECTORY)?;
        let read = |name: String| {
            let path = format!("{folder}/{name}");
            let text = self.in_time(&path).and_then(|()| read_at(&path, &at, &name));
            (name, text)
        };
        Ok(names.into_iter().map(read).collect())
    }

    /// The file system that a folder is in. It is asked, which one over a network may not answer.
    ///
    /// # Errors
    ///
    /// As [`Root::list`].
    pub(in crate::host) fn filesystem(&self, path: &str) -> Result<Filesystem, Miss> {
        let folder = self.resolve(path, OFlag::O_RDONLY | OFlag::O_DIRECTORY)?;
        let failed = |errno| Miss::of(path, errno);
        let device = stat::fstat(&folder).map_err(failed)?.st_dev;
        let space = statvfs::fstatvfs(&folder).map_err(failed)?;
        let bytes = |blocks: u64| blocks.saturating_mul(space.fragment_size());
        let mut kinds = Dir::from_fd(folder).map_err(failed)?.into_iter().filter_map(|it| {
            let entry = it.ok()?;
            // Every file system reports the kind of these.
            (!matches!(entry.file_name().to_bytes(), b"." | b"..")).then(|| entry.file_type())
        });
        let tells_kinds = kinds.next().map(|it| it.is_some());
        Ok(Filesystem {
            device,
            size: bytes(space.blocks()),
            free: bytes(space.blocks_available()),
            tells_kinds,
        })
    }

    /// The top folder of one of the kernel's own file systems, in a mount that is attached nowhere and ends with this descriptor; `None` where
    /// that may not be done (it takes CAP_SYS_ADMIN and Linux 5.2), or under another root than `/`.
    pub(in crate::host) fn unattached(&self, kind: &str) -> Option<OwnedFd> {
        if !self.is_live() {
            return None;
        }
        let only_looked_at = MountAttrFlags::MOUNT_ATTR_RDONLY
            | MountAttrFlags::MOUNT_ATTR_NOSUID
            | MountAttrFlags::MOUNT_ATTR_NODEV
            | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        // After an error it cannot be looked at.
        let context = mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).ok()?;
        mount::fsconfig_create(&context).ok()?;
        mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, only_looked_at).ok()
    }

    /// Whether a file system would be mounted on this folder if it were touched (autofs), which asking does not.
    ///
    /// # Errors
    ///
    /// As [`Root::read`].
    pub fn is_automount(&self, path: &str) -> Result<bool, Miss> {
        // open(2): O_PATH mounts nothing, and fstatfs(2) works. O_DIRECTORY would mount (`follow_automount`).
        let folder = self.resolve(path, OFlag::O_PATH)?;
        let found = statfs::fstatfs(&folder).map_err(|errno| Miss::of(path, errno))?;
        Ok(found.filesystem_type() == AUTOFS_SUPER_MAGIC)
    }
}

/// Whether it can be the name of a file in a folder, and nothing beyond it.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0']) && name.len() <= MAX_NAME
}

fn read_at(path: &str, folder: &OwnedFd, name: &str) -> Result<(String, Shown), Miss> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = step(path, folder, name, OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY)?;
    let looked = look(path, &file)?;
    match looked.sort {
        SFlag::S_IFREG => Ok((read_to_end(path, &file, looked.size).map(text)?, looked.shown)),
        SFlag::S_IFDIR => Err(Miss::NotFound),
        _ => Err(Miss::unreadable(path, "is not a regular file")),
    }
}

fn step(path: &str, folder: &OwnedFd, name: &str, flags: OFlag) -> Result<OwnedFd, Miss> {
    let link = || Miss::unreadable(path, "leads over a symbolic link, and none is followed here");
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let found = fcntl::openat(folder, OsStr::from_bytes(name.as_bytes()), flags, Mode::empty());
    let why = |errno| if errno == Errno::ELOOP { link() } else { Miss::of(path, errno) };
    let file = found.map_err(why)?;
    // With O_PATH a link is opened itself.
    if flags.contains(OFlag::O_PATH) && look(path, &file)?.sort == SFlag::S_IFLNK {
        return Err(link());
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, names: &[&str], expected: Result<&str, Miss>) {
        assert_eq!(
            host.root().read_below("/f", names).map(|(it, _)| it),
            expected.map(str::to_owned),
            "{names:?}"
        );
    }

    #[test]
    fn files_are_found_by_the_names_on_the_way() {
        let host = FakeHost::new().file("/f/a", "1").file("/f/b/c", "2");
        check(&host, &["a"], Ok("1"));
        check(&host, &["b", "c"], Ok("2"));
        check(&host, &["x"], Err(Miss::NotFound));
        check(&host, &["a", "x"], Err(Miss::NotFound));
        check(&host, &["b"], Err(Miss::NotFound));
        check(&host, &[], Err(Miss::NotFound));
    }

    #[test]
    fn no_name_leads_out_of_the_folder() {
        let host = FakeHost::new().file("/secret", "s").file("/f/a", "1").file("/f/b/c", "2");
        let long = "x".repeat(100_000);
        for name in ["..", ".", "", "../secret", "b/c", "/secret", "a\0", "a\0/../secret", &long] {
            check(&host, &[name], Err(Miss::NotFound));
            check(&host, &[name, "secret"], Err(Miss::NotFound));
            check(&host, &["b", name], Err(Miss::NotFound));
        }
    }

    #[test]
    fn all_files_of_a_folder_are_read_and_nothing_else_in_it() {
        let host = FakeHost::new().file("/f/b", "2").file("/f/a", "1").folder("/f/c").link("/f/d", "a");
        let link = Err(Miss::unreadable("/f/d", "leads over a symbolic link, and none is followed here"));
        let expected = [("a", Ok("1")), ("b", Ok("2")), ("c", Err(Miss::NotFound)), ("d", link)];
        let expected =
            expected.map(|(name, it)| (name.to_owned(), it.map(|it| (it.to_owned(), Shown::ToAll))));
        assert_eq!(host.root().read_all_in("/f"), Ok(expected.to_vec()));
        assert_eq!(host.folder("/e").root().read_all_in("/e"), Ok(Vec::new()));
        assert_eq!(FakeHost::new().root().read_all_in("/f"), Err(Miss::NotFound));
    }

    #[test]
    fn no_link_is_followed_even_if_it_stays_inside() {
        let host = FakeHost::new()
            .file("/secret/s", "s")
            .file("/f/a", "1")
            .link("/f/file", "/secret/s")
            .link("/f/folder", "/secret")
            .link("/f/near", "a");
        let reason = "leads over a symbolic link, and none is followed here";
        for names in [&["file"][..], &["folder", "s"], &["near"]] {
            let path = format!("/f/{}", names.join("/"));
            check(&host, names, Err(Miss::unreadable(&path, reason)));
        }
    }

    #[test]
    fn a_folder_is_no_automount_unless_it_waits_for_one() {
        let host = FakeHost::new().folder("/f").unreadable("/c");
        assert_eq!(host.root().is_automount("/f"), Ok(false));
        assert_eq!(host.root().is_automount("/x"), Err(Miss::NotFound));
        assert_eq!(
            host.root().is_automount("/c"),
            Err(Miss::unreadable("/c", "is a loop of symbolic links"))
        );
    }
}
