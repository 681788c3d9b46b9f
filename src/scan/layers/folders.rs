//! The files of an image that an engine has unpacked: a folder for each layer with what that layer adds, as overlayfs takes them,
//! or one folder with all of it. Strangers' files lie there: no link is followed by the kernel, only regular files are opened, and
//! nothing is written.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{self, OFlag, ResolveFlag};
use nix::sys::stat::{self, FileStat, Mode, SFlag};
use rustix::fs::getxattr;
use rustix::io::Errno;

use crate::os::file;
use crate::program::{Files, Found, Start, unpacked};

use super::ImageFiles;
use super::contents::EXECUTABLE;
use super::walk::{Node, TimeLimit, walk};

/// In which attributes kernels and fuse-overlayfs note that a folder hides what lower layers have in it
/// (Documentation/filesystems/overlayfs.rst; `main.c` of fuse-overlayfs), and what they say then.
const OPAQUE: [&str; 3] = ["trusted.overlay.opaque", "user.overlay.opaque", "user.fuseoverlayfs.opaque"];
const IS_OPAQUE: &[u8] = b"y";
/// Those of something that is not what it looks like: it has its content or its place elsewhere, or is a whiteout.
const ELSEWHERE: [&str; 8] = [
    "trusted.overlay.redirect",
    "user.overlay.redirect",
    "user.fuseoverlayfs.redirect",
    "trusted.overlay.metacopy",
    "user.overlay.metacopy",
    "user.fuseoverlayfs.metacopy",
    "trusted.overlay.whiteout",
    "user.overlay.whiteout",
];
/// What fuse-overlayfs puts into a folder, or before a name, where it may make no devices.
const OPAQUE_FILE: &[u8] = b".wh..wh..opq";
const WHITEOUT: &[u8] = b".wh.";

/// An image, one folder for each layer.
#[derive(Debug)]
pub struct Folders {
    /// The uppermost first.
    folders: Vec<OwnedFd>,
    limit: TimeLimit,
    trouble: RefCell<Option<String>>,
}

/// What one layer has at a path.
enum InOneLayer {
    Node(Node<OwnedFd>),
    /// Nothing; lower layers count.
    Nothing,
    /// Nothing, and what lower layers have there does not count.
    Hidden,
}

impl Folders {
    /// The folders of an image, the uppermost layer first. Reading them takes no longer than this.
    ///
    /// # Errors
    ///
    /// If one cannot be opened: a sentence.
    pub fn open(folders: &[PathBuf], patience: Duration) -> Result<Self, String> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let open = |it: &PathBuf| {
            fcntl::open(it, flags, Mode::empty()).map_err(|err| format!("{}: {}", it.display(), err.desc()))
        };
        Ok(Self {
            folders: folders.iter().map(open).collect::<Result<_, _>>()?,
            limit: TimeLimit::new(patience),
            trouble: RefCell::default(),
        })
    }

    /// What stands at a path of plain names.
    fn node(&self, path: &[u8]) -> Node<OwnedFd> {
        let mut folder = None;
        if let Err(why) = self.limit.check() {
            self.trouble.borrow_mut().get_or_insert(why);
            return Node::Unclear;
        }
        for layer in &self.folders {
            let (own, is_last) = own(layer, path);
            match own {
                InOneLayer::Node(Node::Folder { mode }) => {
                    folder.get_or_insert(mode);
                }
                // What a folder lies upon that is none does not show.
                InOneLayer::Node(_) | InOneLayer::Hidden if folder.is_some() => break,
                InOneLayer::Node(node) => return node,
                InOneLayer::Hidden => return Node::Missing,
                InOneLayer::Nothing => {}
            }
            if is_last {
                break;
            }
        }
        folder.map_or(Node::Missing, |mode| Node::Folder { mode })
    }
}

/// What one layer has at a path, and whether lower layers do not count for it.
fn own(layer: &OwnedFd, path: &[u8]) -> (InOneLayer, bool) {
    const UNCLEAR: (InOneLayer, bool) = (InOneLayer::Node(Node::Unclear), true);
    let mut is_last = false;
    let ends = path.iter().enumerate().filter(|(_, it)| **it == b'/').map(|(at, _)| at);
    for end in ends.chain([path.len()]) {
        let part = path.get(..end).unwrap_or_default();
        let is_whole = end == path.len();
        let Ok(found) = look(layer, part) else { return UNCLEAR };
        let Some(found) = found else {
            return match (beside(layer, part, WHITEOUT), is_last) {
                (None, _) => UNCLEAR,
                (Some(true), _) | (_, true) => (InOneLayer::Hidden, true),
                (Some(false), false) => (InOneLayer::Nothing, false),
            };
        };
        match found.kind() {
            SFlag::S_IFDIR => {
                let opaque = found.is_opaque().zip(look(layer, &[part, b"/", OPAQUE_FILE].concat()).ok());
                let Some((is_opaque, mark)) = opaque.filter(|_| found.is_itself()) else { return UNCLEAR };
                is_last |= is_opaque || mark.is_some();
                if is_whole {
                    return (InOneLayer::Node(Node::Folder { mode: found.stat.st_mode }), is_last);
                }
            }
            // A whiteout of overlayfs.
            SFlag::S_IFCHR if found.stat.st_rdev == 0 => return (InOneLayer::Hidden, true),
            _ if is_whole => return (InOneLayer::Node(found.node()), true),
            // Whatever it is, it hides the folders below it.
            _ => return (InOneLayer::Hidden, true),
        }
    }
    UNCLEAR
}

/// Something in a layer.
struct InLayer {
    file: OwnedFd,
    stat: FileStat,
}

impl InLayer {
    fn kind(&self) -> SFlag {
        SFlag::from_bits_truncate(self.stat.st_mode) & SFlag::S_IFMT
    }

    /// What it is, if it is no folder.
    fn node(self) -> Node<OwnedFd> {
        match self.kind() {
            SFlag::S_IFREG if !self.is_itself() => Node::Unclear,
            SFlag::S_IFREG => Node::File((self.stat.st_mode & EXECUTABLE == EXECUTABLE).then_some(self.file)),
            SFlag::S_IFLNK => {
                fcntl::readlinkat(&self.file, "").map_or(Node::Unclear, |it| Node::Link(it.into_vec()))
            }
            _ => Node::Unclear,
        }
    }

    /// Whether its content and its place are its own.
    fn is_itself(&self) -> bool {
        ELSEWHERE.iter().all(|it| matches!(self.attribute(it), Ok(None)))
    }

    /// Whether it is a folder that hides those of lower layers; `None` if that is not certain.
    fn is_opaque(&self) -> Option<bool> {
        let mut is_opaque = false;
        for name in OPAQUE {
            match self.attribute(name) {
                Ok(None) => {}
                Ok(Some(value)) if value == IS_OPAQUE => is_opaque = true,
                Ok(Some(_)) | Err(_) => return None,
            }
        }
        Some(is_opaque)
    }

    /// The start of an extended attribute; `None` if there is none of that name.
    fn attribute(&self, name: &str) -> rustix::io::Result<Option<Vec<u8>>> {
        let mut value = vec![0; 16];
        match getxattr(format!("/proc/self/fd/{}", self.file.as_raw_fd()), name, &mut value) {
            Ok(length) => {
                value.truncate(length);
                Ok(Some(value))
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
            Err(err) => Err(err),
        }
    }
}

/// Whether a file whose name starts so stands beside where this path leads; `None` if that is not certain.
fn beside(layer: &OwnedFd, path: &[u8], start: &[u8]) -> Option<bool> {
    let at = path.iter().rposition(|it| *it == b'/').map_or(0, |it| it + 1);
    let (folder, name) = path.split_at_checked(at)?;
    Some(look(layer, &[folder, start, name].concat()).ok()?.is_some())
}

/// What stands at a path of plain names, no link followed; an error if that is not certain.
fn look(layer: &OwnedFd, path: &[u8]) -> Result<Option<InLayer>, nix::Error> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW;
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS
        | ResolveFlag::RESOLVE_NO_XDEV;
    match file::open_below(layer, OsStr::from_bytes(path), flags, resolve) {
        Ok(file) => {
            let stat = stat::fstat(&file)?;
            Ok(Some(InLayer { file, stat }))
        }
        Err(nix::Error::ENOENT) => Ok(None),
        Err(err) => Err(err),
    }
}

impl Files for Folders {
    type FoundFile = OwnedFd;
    type Open = File;

    fn find(&self, path: &Path) -> Found<OwnedFd> {
        walk(path.as_os_str().as_bytes(), |it| self.node(it)).0
    }

    fn open(&self, found: &OwnedFd) -> Option<File> {
        unpacked::open(found)
    }

    fn start(&self, file: &File) -> Option<Start> {
        unpacked::start(file)
    }

    fn part(&self, file: &File, offset: u64, size: usize) -> Option<Vec<u8>> {
        unpacked::part(file, offset, size)
    }

    fn end(&self, path: &Path) -> Option<PathBuf> {
        let (_, end) = walk(path.as_os_str().as_bytes(), |it| self.node(it));
        Some(Path::new("/").join(OsString::from_vec(end)))
    }
}

impl ImageFiles for Folders {
    /// Only the time limit. What else hinders is not certain, and no more than that.
    fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    fn read(&self) -> String {
        "read where it is unpacked".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::sys::stat::mknod;
    use nix::unistd::geteuid;
    use rustix::fs::{XattrFlags, setxattr};

    use super::*;
    use crate::testing::FakeHost;

    /// Layers, the lowest first, as `a`, `b`, ... in a folder.
    fn layers(host: &FakeHost, names: &[&str]) -> Folders {
        let folders: Vec<_> = names.iter().rev().map(|it| host.place(it)).collect();
        folders.iter().for_each(|it| fs::create_dir_all(it).expect("a layer"));
        Folders::open(&folders, Duration::from_secs(60)).expect("the layers")
    }

    fn program(host: &FakeHost, path: &str, text: &str) {
        let path = host.place(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a program");
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a program");
    }

    fn found(folders: &Folders, path: &str) -> String {
        match folders.find(Path::new(path)) {
            Found::File(file) => {
                let start = folders.start(&folders.open(&file).expect("a file")).expect("its start");
                String::from_utf8(start.bytes).expect("text")
            }
            Found::Missing => "missing".to_owned(),
            Found::Unclear => "unclear".to_owned(),
        }
    }

    #[test]
    fn the_uppermost_layer_wins_and_what_it_hides_is_gone() {
        let host = FakeHost::new();
        for (path, text) in
            [("a/bin/x", "1"), ("a/bin/y", "2"), ("a/lib/z", "3"), ("b/bin/x", "4"), ("b/lib", "5")]
        {
            program(&host, path, text);
        }
        let folders = layers(&host, &["a", "b"]);
        assert_eq!(found(&folders, "/bin/x"), "4");
        assert_eq!(found(&folders, "/bin/y"), "2");
        // A file in place of a folder, and then a folder in place of that.
        assert_eq!(found(&folders, "/lib"), "5");
        assert_eq!(found(&folders, "/lib/z"), "missing");
        program(&host, "c/lib/w", "6");
        let folders = layers(&host, &["a", "b", "c"]);
        assert_eq!(found(&folders, "/lib/z"), "missing");
        assert_eq!(found(&folders, "/lib/w"), "6");
        // As fuse-overlayfs takes files away.
        program(&host, "c/bin/.wh.x", "");
        assert_eq!(found(&folders, "/bin/x"), "missing");
        assert_eq!(found(&folders, "/bin/y"), "2");
        program(&host, "c/bin/.wh..wh..opq", "");
        assert_eq!(found(&folders, "/bin/y"), "missing");
        assert_eq!(found(&folders, "/bin"), "unclear");
    }

    #[test]
    fn links_are_followed_through_all_layers_and_never_out() {
        let host = FakeHost::new();
        program(&host, "a/usr/bin/x", "1");
        program(&host, "outside", "2");
        symlink("usr/bin", host.place("a/bin")).expect("a link");
        let folders = layers(&host, &["a", "b"]);
        for (name, target) in
            [("up", "../../../outside"), ("to", "/bin/x"), ("round", "round"), ("there", "bin/x")]
        {
            symlink(target, host.place("b").join(name)).expect("a link");
        }
        symlink(host.place("outside"), host.place("b/whole")).expect("a link");
        assert_eq!(found(&folders, "/bin/x"), "1");
        assert_eq!(found(&folders, "/to"), "1");
        assert_eq!(found(&folders, "/there"), "1");
        assert_eq!(found(&folders, "/up"), "missing");
        assert_eq!(found(&folders, "/whole"), "missing");
        assert_eq!(found(&folders, "/round"), "unclear");
        assert_eq!(folders.end(Path::new("/bin/x")), Some(PathBuf::from("/usr/bin/x")));
    }

    #[test]
    fn what_is_no_program_is_never_opened() {
        let host = FakeHost::new();
        let folders = layers(&host, &["a"]);
        nix::unistd::mkfifo(&host.place("a/fifo"), Mode::from_bits_truncate(0o777)).expect("a FIFO");
        fs::write(host.place("a/text"), "").expect("a file");
        assert_eq!(found(&folders, "/fifo"), "unclear");
        assert_eq!(found(&folders, "/text"), "unclear");
        assert_eq!(found(&folders, "/text/x"), "missing");
        assert_eq!(found(&folders, "/"), "unclear");
        assert_eq!(found(&folders, &format!("/{}", "x".repeat(300))), "unclear");
    }

    #[test]
    fn following_paths_ends_with_the_time() {
        let host = FakeHost::new();
        program(&host, "a/bin/x", "1");
        let mut folders = layers(&host, &["a"]);
        assert_eq!((found(&folders, "/bin/x").as_str(), folders.trouble()), ("1", None));
        folders.limit = TimeLimit::new(Duration::ZERO);
        let told = Some("reading layers takes longer than 0 s".to_owned());
        assert_eq!((found(&folders, "/bin/x").as_str(), folders.trouble()), ("unclear", told));
    }

    /// The marks of overlayfs itself: a device with the number 0, and attributes that any owner may write (`userxattr`).
    #[test]
    fn the_marks_of_overlayfs_count() {
        let host = FakeHost::new();
        program(&host, "a/bin/x", "1");
        program(&host, "a/opt/y", "2");
        program(&host, "b/opt/z", "3");
        program(&host, "b/moved", "4");
        let folders = layers(&host, &["a", "b"]);
        let mark = |path: &str, name: &str, value: &[u8]| {
            setxattr(host.place(path), name, value, XattrFlags::empty()).is_ok()
        };
        // Not every file system has such attributes.
        if mark("b/opt", "user.overlay.opaque", b"x") {
            assert_eq!(found(&folders, "/opt/y"), "unclear");
            assert!(mark("b/opt", "user.overlay.opaque", b"y"));
            assert_eq!(found(&folders, "/opt/y"), "missing");
            assert_eq!(found(&folders, "/opt/z"), "3");
            assert!(mark("b/moved", "user.overlay.metacopy", b""));
            assert_eq!(found(&folders, "/moved"), "unclear");
        }
        let whiteout = mknod(&host.place("b/bin"), SFlag::S_IFCHR, Mode::empty(), 0);
        if geteuid().is_root() && whiteout.is_ok() {
            assert_eq!(found(&folders, "/bin/x"), "missing");
            assert_eq!(found(&folders, "/bin"), "missing");
        }
    }
}
