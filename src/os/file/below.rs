//! Opens and lists what is below an open folder: the host's files, those of the store, and those of an image.

use std::ffi::CStr;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};

use nix::NixPath;
use nix::errno::Errno;
use nix::fcntl::{self, OFlag, OpenHow, ResolveFlag};
use rustix::fs::RawDir;

/// How often a path is followed again. Each time takes some microseconds, and mounts appear once a second at worst.
const MAX_TRIES: usize = 32;
/// Room for the entries that one call lists, in bytes: some hundred.
const LISTED: usize = 8192;

/// Opens what is at a path below an open folder, with openat2(2) (Linux 5.6). `resolve` says where links and `..` may lead.
///
/// # Errors
///
/// As openat2(2).
pub fn open_below<P: ?Sized + NixPath>(
    folder: &impl AsFd,
    path: &P,
    flags: OFlag,
    resolve: ResolveFlag,
) -> nix::Result<OwnedFd> {
    let how = OpenHow::new().flags(flags | OFlag::O_CLOEXEC).resolve(resolve);
    let open = || fcntl::openat2(folder.as_fd(), path, how);
    // EAGAIN: something was mounted or renamed anywhere on the machine while a `..` was followed.
    let settled = (1..MAX_TRIES).map(|_| open()).find(|it| !matches!(it, Err(Errno::EAGAIN)));
    settled.unwrap_or_else(open)
}

/// Calls `take` with each name in an open folder except `.` and `..`, in the order of the file system, until it breaks.
///
/// # Errors
///
/// As getdents64(2).
pub fn for_each_name(folder: &impl AsFd, mut take: impl FnMut(&CStr) -> ControlFlow<()>) -> nix::Result<()> {
    // The C library's `opendir` makes five more calls.
    let mut buffer = Vec::with_capacity(LISTED);
    let mut entries = RawDir::new(folder.as_fd(), buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|errno| Errno::from_raw(errno.raw_os_error()))?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") && take(name).is_break() {
            return Ok(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a file, a folder, and links that lead within it and out of it.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("inner/file"), "x").unwrap();
        symlink("inner/file", folder.path().join("within")).unwrap();
        symlink("/etc", folder.path().join("out")).unwrap();
        folder
    }

    #[test]
    fn links_lead_no_further_than_the_caller_allows() {
        let folder = folder();
        let fd = File::open(folder.path()).unwrap();
        let open = |path: &str, resolve| open_below(&fd, path, OFlag::O_PATH, resolve).map(drop);
        let beneath = ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS;
        assert_eq!(open("inner/file", beneath), Ok(()));
        assert_eq!(open("within", beneath), Err(Errno::ELOOP));
        assert_eq!(open("../x", beneath), Err(Errno::EXDEV));
        assert_eq!(open("within", ResolveFlag::RESOLVE_IN_ROOT), Ok(()));
        assert_eq!(open("../../inner", ResolveFlag::RESOLVE_IN_ROOT), Ok(()));
        assert_eq!(open("out", ResolveFlag::RESOLVE_IN_ROOT), Err(Errno::ENOENT));
    }

    #[test]
    fn a_folder_is_listed_until_the_caller_has_enough() {
        let folder = folder();
        let listed = |most: usize| {
            let mut names = Vec::new();
            let taken = for_each_name(&File::open(folder.path()).unwrap(), |name| {
                names.push(name.to_str().unwrap().to_owned());
                if names.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            assert_eq!(taken, Ok(()));
            names.sort_unstable();
            names
        };
        assert_eq!(listed(9), ["inner", "out", "within"]);
        assert_eq!(listed(2).len(), 2);
    }

    #[test]
    fn what_is_no_folder_cannot_be_listed() {
        let folder = folder();
        let file = File::open(folder.path().join("inner/file")).unwrap();
        let listed = for_each_name(&file, |name| panic!("{name:?}"));
        assert_eq!(listed, Err(Errno::ENOTDIR));
    }
}
