//! What must be certain before a container is refused: the path to each file, step by step, and that no mount of the container
//! hides a step. This costs more than the first look, and is done only if something is wrong.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, Mode, SFlag};
use serde::Deserialize;

use super::image::RootFolder;
use crate::os::file;

/// The kernel follows at most so many links (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;
/// More than any path has.
const MAX_STEPS: usize = 4096;
/// A long one has 100 KiB.
const MAX_CONFIG: usize = 4 << 20;

/// The path to a file below a root file system.
#[derive(Debug)]
pub(super) struct PathWalk {
    /// All steps, with links and the end.
    passed: Vec<PathBuf>,
    /// Where it ends.
    end: PathBuf,
    /// Whether something is there.
    is_there: bool,
    /// Whether all users may enter all folders on it.
    is_open: bool,
}

impl PathWalk {
    /// `None` if that is not certain.
    pub(super) fn to(root: &OwnedFd, path: &Path) -> Option<Self> {
        let mut left: VecDeque<OsString> = steps(path).collect();
        let mut folders: Vec<OwnedFd> = Vec::new();
        let mut walk = Self { passed: Vec::new(), end: PathBuf::from("/"), is_there: true, is_open: true };
        let (mut links, mut count) = (0, 0);
        while let Some(step) = left.pop_front() {
            count += 1;
            if count > MAX_STEPS {
                return None;
            }
            if step == ".." {
                folders.pop();
                walk.end.pop();
                continue;
            }
            let here = walk.end.join(&step);
            // A mount may bring a folder that is not there, and what is below it.
            walk.passed.push(here.clone());
            if !walk.is_there {
                walk.end = here;
                continue;
            }
            let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let at = folders.last().unwrap_or(root);
            let found = match fcntl::openat(at, step.as_os_str(), flags, Mode::empty()) {
                Ok(found) => found,
                Err(Errno::ENOENT | Errno::ENOTDIR) => {
                    (walk.is_there, walk.end) = (false, here);
                    continue;
                }
                Err(_) => return None,
            };
            // After any error nothing is certain.
            let mode = stat::fstat(&found).ok()?.st_mode;
            match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
                SFlag::S_IFLNK => {
                    links += 1;
                    let target = fcntl::readlinkat(found.as_fd(), OsStr::new("")).ok()?;
                    if links > MAX_LINKS || target.is_empty() {
                        return None;
                    }
                    let target = Path::new(&target);
                    if target.is_absolute() {
                        folders.clear();
                        walk.end = PathBuf::from("/");
                    }
                    for step in steps(target).collect::<Vec<_>>().into_iter().rev() {
                        left.push_front(step);
                    }
                }
                _ => {
                    walk.is_open &= left.is_empty() || mode & 0o001 != 0;
                    folders.push(found);
                    walk.end = here;
                }
            }
        }
        Some(walk)
    }

    /// Where it ends, with all links resolved.
    pub(super) fn end(&self) -> &Path {
        &self.end
    }
}

/// The names in a path, and `..`.
fn steps(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|it| match it {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// The parts of a bundle's `config.json` that change which files or which kernel a process finds.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Setup {
    #[serde(default)]
    mounts: Option<Vec<MountEntry>>,
    #[serde(default)]
    linux: Option<LinuxNamespaces>,
}

#[derive(Debug, Deserialize)]
struct MountEntry {
    destination: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    options: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
struct LinuxNamespaces {
    #[serde(default)]
    namespaces: Option<Vec<NamespaceEntry>>,
}

#[derive(Debug, Deserialize)]
struct NamespaceEntry {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: Option<String>,
}

/// The hooks of a bundle's `config.json` that run while the container is created, in its mount namespace or before it has one
/// (runtime-spec, `config.md`, POSIX-platform Hooks).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hooks {
    prestart: Option<Vec<Hook>>,
    #[serde(rename = "createRuntime")]
    create_runtime: Option<Vec<Hook>>,
    #[serde(rename = "createContainer")]
    create_container: Option<Vec<Hook>>,
    #[serde(rename = "startContainer")]
    start_container: Option<Vec<Hook>>,
}

#[derive(Debug, Deserialize)]
struct Hook {
    path: PathBuf,
    #[serde(default)]
    args: Option<Vec<String>>,
}

impl Hook {
    /// Whether it is known to bring no file: our own hook, or that with which Docker or nerdctl sets up the network.
    fn brings_nothing(&self) -> bool {
        const NETWORKS: [&str; 2] = ["libnetwork-setkey", "oci-hook"];
        self.path.file_name().is_some_and(|it| it == "oci-compat-hook")
            || self.args.iter().flatten().any(|it| NETWORKS.contains(&&**it))
    }
}

/// Whether a hook of the bundle in this folder may add a file to the root file system. True if that is not known.
pub(super) fn may_bring_files(folder: &Path) -> bool {
    #[derive(Deserialize)]
    struct ProgramConfig {
        #[serde(default)]
        hooks: Option<Hooks>,
    }
    let config = file::read(&folder.join("config.json"), MAX_CONFIG).ok().flatten();
    let Some(config) = config.and_then(|it| serde_json::from_slice::<ProgramConfig>(&it).ok()) else {
        return true;
    };
    let Hooks { prestart, create_runtime, create_container, start_container } =
        config.hooks.unwrap_or_default();
    let mut all =
        [prestart, create_runtime, create_container, start_container].into_iter().flatten().flatten();
    all.any(|it| !it.brings_nothing())
}

impl MountEntry {
    /// Whether it mounts folders of the host, which may contain links.
    fn is_bind(&self) -> bool {
        const KERNEL_S: [&str; 8] =
            ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup", "cgroup2", "ramfs"];
        let is_option = |it: &String| it == "bind" || it == "rbind";
        let is_kernel_s = self.kind.as_deref().is_some_and(|it| KERNEL_S.contains(&it));
        !is_kernel_s || self.options.iter().flatten().any(is_option)
    }
}

impl Setup {
    /// `None` if it is not known.
    pub(super) fn of(config: &[u8]) -> Option<Self> {
        // A value of another type is not certain.
        serde_json::from_slice(config).ok()
    }

    /// Whether the kernel may use other handlers for programs here: since Linux 6.7 a user namespace may have its own
    /// binfmt_misc, so one that the container joins may have it.
    pub(super) fn has_own_handlers(&self) -> bool {
        let mut namespaces = self.linux.iter().filter_map(|it| it.namespaces.as_ref()).flatten();
        let joins =
            namespaces.any(|it| it.kind == "user" && it.path.as_ref().is_some_and(|it| !it.is_empty()));
        joins || self.mounts().any(|it| it.kind.as_deref() == Some("binfmt_misc"))
    }

    /// Whether a mount places a file of the host at this path.
    pub(super) fn brings(&self, path: &str) -> bool {
        self.mounts().any(|it| it.is_bind() && it.destination == path)
    }

    fn mounts(&self) -> impl Iterator<Item = &MountEntry> {
        self.mounts.iter().flatten()
    }

    /// Whether a process finds at these paths what the image has there: no mount hides a step, and all users may enter the
    /// folders. `is_there` says whether the image has the last of them.
    pub(super) fn shows(&self, image: &RootFolder, paths: &[&Path], is_there: bool) -> bool {
        let ways: Option<Vec<_>> = paths.iter().map(|it| image.walk(it)).collect();
        let Some(ways) = ways else { return false };
        let is_as_seen = ways.last().is_some_and(|it| it.is_there == is_there);
        is_as_seen && ways.iter().all(|it| it.is_open) && !self.hides(image, &ways)
    }

    fn hides(&self, image: &RootFolder, ways: &[PathWalk]) -> bool {
        let lexical = |it: &MountEntry| Path::new("/").join(&it.destination);
        let binds: Vec<_> = self.mounts().filter(|it| it.is_bind()).map(lexical).collect();
        self.mounts().any(|it| {
            let path = lexical(it);
            // A link in another mount may lead anywhere.
            let is_inside = binds.iter().any(|it| path != *it && path.starts_with(it));
            let Some(place) = image.walk(&path).filter(|_| !is_inside) else { return true };
            ways.iter().flat_map(|it| &it.passed).any(|it| it.starts_with(&place.end))
        })
    }
}
