//! The user of this process: the system's root, or another user, who may be root in a user namespace of their own
//! (user_namespaces(7)), as with rootless Podman. There, files of the system's root are shown as those of user 65534.

use std::fs::canonicalize;
use std::path::{Component, Path, PathBuf};

use nix::sys::stat::{FileStat, SFlag, lstat};
use nix::unistd::geteuid;

/// Some lines of three numbers; the kernel takes at most 340 (user_namespaces(7)).
const MAX_MAP: usize = 64 << 10;
/// A directory service has the users of a large site.
const MAX_PASSWD: usize = 1 << 20;
/// Write permission for the group and for others.
const OTHERS_WRITE: u32 = 0o022;
/// The id that stands for all who have none in a user namespace, unless the system says otherwise.
const OVERFLOW: u32 = 65534;

/// The folders where only root keeps files. A file elsewhere that is shown as user 65534's may be any user's.
const ROOT_S: [&str; 2] = ["/etc/oci-compat", "/var/lib/oci-compat"];

/// A user who is not the system's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    uid: u32,
    home: Option<PathBuf>,
    runtime: Option<PathBuf>,
    state: Option<PathBuf>,
}

impl User {
    /// The user of this process; `None` for the system's root.
    pub fn this() -> Option<Self> {
        let id = geteuid();
        let is_root_s = |it: &str| lstat(it).is_ok_and(|it| it.st_uid == 0);
        if id.is_root() && is_root_s("/") {
            return None;
        }
        let map = map()?;
        // Root, on a system whose root folder belongs to another user.
        if id.is_root() && shows_root(&map) {
            return None;
        }
        let uid = outside(&map, id.as_raw())?;
        let absolute = |name| variable(name).filter(|it| it.is_absolute());
        let home = home(uid).or_else(|| absolute("HOME"));
        Some(Self { uid, home, runtime: absolute("XDG_RUNTIME_DIR"), state: absolute("XDG_STATE_HOME") })
    }

    /// Where what is of no use after a reboot belongs (XDG Base Directory Specification), and then what stays: every place
    /// where something may be, the first one for writing. Hooks have no environment, so that the places that need none
    /// are among them.
    pub fn fleeting(&self) -> Vec<PathBuf> {
        let fixed = PathBuf::from(format!("/run/user/{}", self.uid));
        let runtime = self.runtime.iter().cloned().chain([fixed]);
        // Without a session there is none, and only root can create it.
        let there = runtime.filter(|it| lstat(it).is_ok_and(|it| is_folder(&it)));
        distinct(there.map(|it| it.join("oci-compat")).chain(self.lasting()))
    }

    /// Where what outlives a reboot belongs: every place where something may be, the first one for writing.
    pub fn lasting(&self) -> Vec<PathBuf> {
        let fixed = self.home.as_ref().map(|it| it.join(".local/state"));
        distinct(self.state.iter().cloned().chain(fixed).map(|it| it.join("oci-compat")))
    }
}

fn distinct(paths: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut distinct: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !distinct.contains(&path) {
            distinct.push(path);
        }
    }
    distinct
}

#[expect(
    clippy::disallowed_methods,
    reason = "a user's own folders stand nowhere else; root's do not depend on it"
)]
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Only from the file: a name service needs a socket, and code that a static program does not have.
fn home(uid: u32) -> Option<PathBuf> {
    // A user who is not in the file, or whose file cannot be read, comes from a name service.
    let bytes = super::read(Path::new("/etc/passwd"), MAX_PASSWD).ok()??;
    home_in(str::from_utf8(&bytes).ok()?, uid)
}

/// passwd(5).
fn home_in(passwd: &str, uid: u32) -> Option<PathBuf> {
    let is_theirs = |it: &&str| it.split(':').nth(2).and_then(|it| it.parse().ok()) == Some(uid);
    let home = passwd.lines().find(is_theirs)?.split(':').nth(5)?;
    Some(PathBuf::from(home)).filter(|it| it.is_absolute())
}

/// Whether a file at this path that is shown with this owner can only belong to a root who has no id in this user namespace.
/// All users without an id are shown as one. So this holds only where no other user could have placed a file.
pub(super) fn is_unseen_root_s(owner: u32, path: &Path) -> bool {
    let plain = !path.components().any(|it| it == Component::ParentDir);
    let theirs = plain && ROOT_S.iter().any(|it| path.starts_with(it));
    theirs && is_unseen(owner) && is_sealed(path, owner)
}

/// Whether an owner may be a root without an id in this user namespace.
pub(super) fn is_unseen(owner: u32) -> bool {
    owner == overflow() && map().is_some_and(|it| !shows_root(&it))
}

/// Whether only that owner and the user can write to the folders above, after following links.
fn is_sealed(path: &Path, owner: u32) -> bool {
    let Ok(real) = canonicalize(path) else { return false };
    real.ancestors().skip(1).all(|it| {
        let sealed = |found: FileStat| {
            let known = [owner, geteuid().as_raw()].contains(&found.st_uid);
            known && is_folder(&found) && found.st_mode & OTHERS_WRITE == 0
        };
        lstat(it).is_ok_and(sealed)
    })
}

fn is_folder(found: &FileStat) -> bool {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

fn overflow() -> u32 {
    let read = super::read(Path::new("/proc/sys/kernel/overflowuid"), 64);
    let number = |it: Vec<u8>| str::from_utf8(&it).ok()?.trim().parse().ok();
    // Another value is hardly ever set.
    read.ok().flatten().and_then(number).unwrap_or(OVERFLOW)
}

/// Which ids this user namespace has, and what they are in the one around it; `None` if that cannot be read.
fn map() -> Option<Vec<[u32; 3]>> {
    let bytes = super::read(Path::new("/proc/self/uid_map"), MAX_MAP).ok()??;
    parse(str::from_utf8(&bytes).ok()?)
}

/// `<first inside> <first outside> <count>` on each line.
fn parse(text: &str) -> Option<Vec<[u32; 3]>> {
    let line = |it: &str| {
        let numbers: Result<Vec<u32>, _> = it.split_ascii_whitespace().map(str::parse).collect();
        <[u32; 3]>::try_from(numbers.ok()?).ok()
    };
    text.lines().map(line).collect()
}

fn shows_root(map: &[[u32; 3]]) -> bool {
    map.iter().any(|[_, first, count]| *first == 0 && *count > 0)
}

/// What an id of this namespace is in the one around it.
fn outside(map: &[[u32; 3]], id: u32) -> Option<u32> {
    map.iter().find_map(|[inside, outside, count]| {
        let at = id.checked_sub(*inside).filter(|it| it < count)?;
        outside.checked_add(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As rootless Podman makes it.
    const ROOTLESS: &str = "         0       1717          1\n         1     100000      65536\n";
    const HOST: &str = "         0          0 4294967295\n";

    #[test]
    fn an_id_is_found_out_as_the_namespace_around_it_has_it() {
        let check = |text: &str, id: u32, expected: Option<u32>| {
            assert_eq!(outside(&parse(text).expect("a map"), id), expected, "{text}: {id}");
        };
        check(HOST, 0, Some(0));
        check(HOST, 1717, Some(1717));
        check(ROOTLESS, 0, Some(1717));
        check(ROOTLESS, 1, Some(100_000));
        check(ROOTLESS, 65_536, Some(165_535));
        check(ROOTLESS, 65_537, None);
        check("", 0, None);
    }

    #[test]
    fn a_namespace_shows_root_or_does_not() {
        let check = |text: &str, expected: bool| {
            assert_eq!(shows_root(&parse(text).expect("a map")), expected, "{text}");
        };
        check(HOST, true);
        check(ROOTLESS, false);
        // Root with another user's id: that does not make user 65534 root.
        check("0 1717 1\n1 100000 65536\n70000 0 1\n", true);
        check("0 100000 65536\n", false);
        check("", false);
    }

    #[test]
    fn what_is_no_map_is_none() {
        for text in ["0 1", "0 1 2 3", "a b c", "-1 0 1", "0 0 99999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_home_is_the_one_of_the_list_of_users() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nbroken\nsam:x:1717:1717::/home/sam:/bin/sh\nbad:x:1718:1:::\n";
        let check = |uid: u32, expected: Option<&str>| {
            assert_eq!(home_in(passwd, uid), expected.map(PathBuf::from));
        };
        check(1717, Some("/home/sam"));
        check(0, Some("/root"));
        check(1718, None);
        check(1719, None);
    }

    #[test]
    fn files_of_user_65534_are_root_s_only_where_root_is_not_shown_and_others_cannot_write() {
        // This process sees its root, or does not run in a namespace where that is not so.
        for path in ["/etc/oci-compat/config.toml", "/tmp/store", "/etc/oci-compat/../../tmp/store"] {
            assert!(!is_unseen_root_s(OVERFLOW + 1, Path::new(path)), "{path}");
        }
        assert!(!is_sealed(Path::new("/tmp/oci-compat"), 0));
    }

    #[test]
    fn a_user_s_places_are_reported_apart_by_what_a_reboot_may_take() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime = folder.path().to_owned();
        let user = User {
            uid: 4_000_000_000,
            home: Some("/home/sam".into()),
            runtime: Some(runtime.clone()),
            state: Some("/home/sam/state".into()),
        };
        let lasting =
            [PathBuf::from("/home/sam/state/oci-compat"), "/home/sam/.local/state/oci-compat".into()];
        assert_eq!(user.lasting(), lasting);
        assert_eq!(user.fleeting(), [vec![runtime.join("oci-compat")], lasting.to_vec()].concat());
        let bare = User { uid: 4_000_000_000, home: None, runtime: None, state: None };
        assert_eq!((bare.fleeting(), bare.lasting()), (vec![], vec![]));
        let same = User { state: Some("/home/sam/.local/state".into()), runtime: None, ..user };
        assert_eq!(same.fleeting(), [PathBuf::from("/home/sam/.local/state/oci-compat")]);
    }
}
