//! The files that may decide about containers: only root and the user who reads them could have written them.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, FileStat, Mode};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use super::{explain, near, open, read_all, user};

/// As [`super::read`], a file that only root and this user can write.
///
/// # Errors
///
/// As [`super::read`], and [`Untrusted`] if others could have written it.
pub fn read_trusted(path: &Path, limit: usize) -> anyhow::Result<Option<Vec<u8>>> {
    let Some((file, found)) = open(path)? else { return Ok(None) };
    trust(path, &found)?;
    read_all(file, limit).with_context(|| format!("reading {}", path.display())).map(Some)
}

/// Whether a folder is there, one that only root and this user can write.
///
/// # Errors
///
/// [`Untrusted`] if others can write it, and any error when looking at it.
pub fn is_trusted_folder(path: &Path) -> anyhow::Result<bool> {
    match fcntl::open(path, FOLDER, Mode::empty()) {
        Ok(fd) => trust_folder(path, &fd).map(|()| true),
        Err(errno) => absent(path, errno).map(|()| false),
    }
}

/// What there is to a folder, before anything in it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approach {
    /// It is not there.
    Absent,
    /// Only root and this user can write to it.
    Trusted,
    /// Its file system may never answer, so that it was not looked at: that is for [`super::apart`].
    Far,
}

/// As [`is_trusted_folder`], for callers with a deadline.
///
/// # Errors
///
/// As [`is_trusted_folder`].
pub fn approach(path: &Path) -> anyhow::Result<Approach> {
    match near(path, FOLDER) {
        Ok(Some(fd)) => trust_folder(path, &fd).map(|()| Approach::Trusted),
        Ok(None) => Ok(Approach::Far),
        Err(errno) => absent(path, errno).map(|()| Approach::Absent),
    }
}

/// How a folder is opened to be trusted, and to be looked into from there.
pub const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

fn trust_folder(path: &Path, fd: &OwnedFd) -> anyhow::Result<()> {
    let found = stat::fstat(fd).map_err(|errno| anyhow!("{} {}", path.display(), explain(errno)))?;
    trust(path, &found)
}

fn absent(path: &Path, errno: Errno) -> anyhow::Result<()> {
    if errno == Errno::ENOENT { Ok(()) } else { Err(anyhow!("{} {}", path.display(), explain(errno))) }
}

/// The error of a file or folder that others can write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted(String);

impl Untrusted {
    /// One that another process has found and described with this sentence.
    pub fn new(sentence: String) -> Self {
        Self(sentence)
    }
}

impl std::fmt::Display for Untrusted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Untrusted {}

/// Why a file is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exposure {
    /// Its owner is neither root nor the user who reads it.
    Owner {
        /// The owner's uid.
        found: u32,
        /// The uid that reads.
        reader: u32,
    },
    /// Its permission bits, which let its group or others write.
    Mode(u32),
    /// Its owner is not shown in this user namespace, and may be any user.
    Unseen,
}

impl Exposure {
    /// What makes a file or folder untrustworthy; `None` if only root and the user who reads it can write to it. The rule
    /// for everything that decides about containers: the configuration, requirements, and the store. Access control lists
    /// need no look of their own: what they let others write shows in the group's bits (acl(5)).
    /// `path` is where it is, by which root is known in a user namespace that does not show it (`docs/hooks.md`).
    pub fn of(found: &FileStat, path: impl FnOnce() -> PathBuf) -> Option<Self> {
        const OTHERS_WRITE: u32 = 0o022;
        let (owner, reader) = (found.st_uid, geteuid().as_raw());
        if owner != 0 && owner != reader && !user::is_unseen_root_s(owner, &path()) {
            let unseen = user::is_unseen(owner);
            return Some(if unseen { Self::Unseen } else { Self::Owner { found: owner, reader } });
        }
        (found.st_mode & OTHERS_WRITE != 0).then_some(Self::Mode(found.st_mode & 0o7777))
    }

    /// What is wrong with the file at this path, and what to do.
    pub fn message(self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Owner { found, reader: 0 } => {
                format!("{path} belongs to user {found}, must belong to root: chown root {path}")
            }
            Self::Owner { found, reader } => {
                format!(
                    "{path} belongs to user {found}, must belong to root or user {reader}: chown root {path}"
                )
            }
            Self::Unseen => format!(
                "{path} belongs to a user whom this user namespace does not show: it may be anybody's"
            ),
            Self::Mode(mode) => {
                format!("{path} has mode {mode:04o}, only its owner may write to it: chmod go-w {path}")
            }
        }
    }
}

fn trust(path: &Path, found: &FileStat) -> anyhow::Result<()> {
    match Exposure::of(found, || path.to_owned()) {
        Some(exposure) => bail!(Untrusted(exposure.message(path))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_others_can_write_is_not_trusted() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("file");
        fs::write(&path, "1234").expect("writing a fixture");
        let check = |path: &Path,
                     mode: u32,
                     read: &dyn Fn(&Path) -> anyhow::Result<String>,
                     expected: Result<&str, &str>| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("changing a fixture");
            let told =
                read(path).map_err(|err| format!("{err:#}").replace(&path.display().to_string(), "IT"));
            assert_eq!(told, expected.map(str::to_owned).map_err(str::to_owned), "{mode:o}");
        };
        let file = |path: &Path| read_trusted(path, 4).map(|it| format!("{it:?}"));
        check(&path, 0o644, &file, Ok("Some([49, 50, 51, 52])"));
        check(&path, 0o664, &file, Err("IT has mode 0664, only its owner may write to it: chmod go-w IT"));
        check(&path, 0o602, &file, Err("IT has mode 0602, only its owner may write to it: chmod go-w IT"));
        assert_eq!(file(&folder.path().join("gone")).ok().as_deref(), Some("None"));
        let is_there = |path: &Path| is_trusted_folder(path).map(|it| it.to_string());
        check(folder.path(), 0o755, &is_there, Ok("true"));
        check(
            folder.path(),
            0o775,
            &is_there,
            Err("IT has mode 0775, only its owner may write to it: chmod go-w IT"),
        );
        check(&path, 0o644, &is_there, Err("IT is not a folder"));
        assert_eq!(is_there(&folder.path().join("gone")).ok().as_deref(), Some("false"));
    }

    #[test]
    fn only_files_that_root_or_the_reader_can_write_are_trusted() {
        let reader = geteuid().as_raw();
        let stranger = reader + 12_345;
        let check = |owner: u32, mode: u32, expected: Option<Exposure>| {
            let mut found = stat::stat("/").expect("a root folder");
            found.st_uid = owner;
            found.st_mode = mode;
            assert_eq!(Exposure::of(&found, || PathBuf::from("/etc/oci-compat/x")), expected);
        };
        check(0, 0o100_644, None);
        check(reader, 0o100_644, None);
        check(0, 0o040_755, None);
        check(0, 0o100_664, Some(Exposure::Mode(0o664)));
        check(reader, 0o100_602, Some(Exposure::Mode(0o602)));
        check(0, 0o041_777, Some(Exposure::Mode(0o1777)));
        check(stranger, 0o100_600, Some(Exposure::Owner { found: stranger, reader }));
        check(stranger, 0o100_666, Some(Exposure::Owner { found: stranger, reader }));
    }

    #[test]
    fn what_is_not_trusted_is_reported_with_what_to_do() {
        let check = |exposure: Exposure, expected: &str| {
            assert_eq!(exposure.message(Path::new("/s/subjects")), expected);
        };
        check(
            Exposure::Owner { found: 7, reader: 0 },
            "/s/subjects belongs to user 7, must belong to root: chown root /s/subjects",
        );
        check(
            Exposure::Owner { found: 7, reader: 1000 },
            "/s/subjects belongs to user 7, must belong to root or user 1000: chown root /s/subjects",
        );
        check(
            Exposure::Unseen,
            "/s/subjects belongs to a user whom this user namespace does not show: it may be anybody's",
        );
        check(
            Exposure::Mode(0o775),
            "/s/subjects has mode 0775, only its owner may write to it: chmod go-w /s/subjects",
        );
    }
}
