//! Finds the low-level runtime and becomes it. Reads no configuration: a container can always be killed by the runtime that
//! created it.

#[cfg(test)]
mod tests;

use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{anyhow, bail};
use nix::errno::Errno;
use nix::fcntl;
use nix::sys::stat;
use nix::unistd;

use crate::os::file;

/// The runtimes that the wrapper becomes by default: the first that exists.
pub(super) const RUNTIMES: [&str; 3] = ["runc", "crun", "youki"];
/// The link to the runtime that the configuration names. It outlives a reboot: engines ask for `features` before they make
/// a container. With `-NAME` behind it, it is that of the wrapper of this name.
pub const LINK: &str = "/var/lib/oci-compat/runtime";
/// The wrapper's own name. With `-NAME` behind it, it becomes the runtime of that name.
pub const NAME: &str = "oci-compat-runtime";
/// The suffix of the wrapper's own name if it is strict: engines such as containerd pass no options on.
const STRICT: &str = "-strict";

/// What is not there, or may not be executed, is not the runtime.
const NO_PROGRAM: [Errno; 5] = [Errno::ENOENT, Errno::ENOTDIR, Errno::EACCES, Errno::ENOEXEC, Errno::ELOOP];

/// What decides the runtime. It is the same for every command, so the runtime that creates a container also ends it.
#[derive(Debug, Clone)]
pub(super) struct RuntimeChoice {
    /// As what the wrapper was called, without `-strict`.
    name: OsString,
    /// Whether it was called strict.
    is_strict: bool,
    /// The folders to look in.
    folders: Vec<PathBuf>,
    /// The link that goes before all names.
    link: PathBuf,
    /// The wrapper itself.
    own: Option<FileIdentity>,
}

/// A file, whatever it is called: device and inode.
type FileIdentity = (libc::dev_t, libc::ino_t);

impl RuntimeChoice {
    /// For the program that was called by this name, in an environment with this `PATH`.
    pub(super) fn new(called: &OsStr, path: Option<&OsStr>, link: Option<&Path>) -> Self {
        let own = identity(Path::new("/proc/self/exe")).or_else(|| identity(Path::new(called)));
        let (name, is_strict) = strictness(Path::new(called).file_name().unwrap_or(called));
        let listed = path.map(std::env::split_paths).into_iter().flatten();
        // `PATH` of users' shells and of some services leaves out the administrator's folders. One that depends on the working
        // directory may be the container's own.
        let folders = listed.chain(std::env::split_paths(file::PATH)).filter(|it| it.is_absolute()).collect();
        Self { name, is_strict, folders, link: link.unwrap_or(Path::new(LINK)).to_owned(), own }
    }

    /// Whether the wrapper's name is strict: it refuses what cannot be checked.
    pub(super) fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// Becomes the runtime. Returns only if that fails: why.
    pub(super) fn become_runtime(&self, args: &[OsString]) -> anyhow::Error {
        let names = self.names();
        for path in self.candidates(&names) {
            let errno = execute(&path, args);
            if !NO_PROGRAM.contains(&errno) {
                return anyhow!("the low-level runtime {} {}", path.display(), file::explain(errno));
            }
        }
        anyhow!("there is no low-level runtime in PATH: install {}", list(&names, " or "))
    }

    /// What it becomes, as it is called.
    pub(super) fn successor(&self) -> Option<PathBuf> {
        self.candidates(&self.names()).find(|it| is_program(it))
    }

    /// Sees to it that the first of `wanted` that is there is the runtime for every command from now on: by a link, which
    /// can be followed without reading any configuration.
    ///
    /// # Errors
    ///
    /// If none of them is there, or the link cannot be written: then all stays as it is.
    pub(super) fn settle(&self, wanted: &[PathBuf]) -> anyhow::Result<()> {
        if self.name != NAME {
            return Ok(());
        }
        let names: Vec<_> = wanted.iter().map(|it| it.clone().into_os_string()).collect();
        let Some(found) = self.first(&names) else {
            bail!("runtimes in the configuration is not heeded: there is no {}", list(&names, ", no "));
        };
        let linked = self.linked();
        let settled = if self.first(&self.names()).as_ref() == Some(&found) {
            linked.map_or(Ok(()), |_| unlink(&self.link))
        } else if linked.as_ref() == Some(&found) {
            Ok(())
        } else {
            relink(&self.link, &found)
        };
        settled.map_err(|err| {
            let why = file::explain_io(&err);
            anyhow!("runtimes in the configuration is not heeded: link {} {why}", self.link.display())
        })
    }

    /// Where the runtime may be, the best place first.
    fn candidates<'a>(&'a self, names: &'a [OsString]) -> impl Iterator<Item = PathBuf> + 'a {
        let named = names.iter().flat_map(|it| self.places(Path::new(it)));
        self.linked().into_iter().chain(named).filter(|it| self.is_another(it))
    }

    /// The names that are looked for: first of all the wrapper's own, if it stands in for a runtime.
    fn names(&self) -> Vec<OsString> {
        let standard = RUNTIMES.iter().map(OsString::from);
        match self.name.as_bytes().strip_prefix(NAME.as_bytes()) {
            None => {
                let others = standard.filter(|it| *it != self.name);
                std::iter::once(self.name.clone()).chain(others).collect()
            }
            Some([b'-', name @ ..]) if !name.is_empty() => vec![OsStr::from_bytes(name).to_owned()],
            Some(_) => standard.collect(),
        }
    }

    /// The target of the link, if it counts; its name has the same suffix as the wrapper's.
    fn linked(&self) -> Option<PathBuf> {
        let suffix = self.name.as_bytes().strip_prefix(NAME.as_bytes())?;
        if !suffix.is_empty() && !suffix.starts_with(b"-") {
            return None;
        }
        let mut link = self.link.clone().into_os_string();
        link.push(OsStr::from_bytes(suffix));
        fcntl::readlink(Path::new(&link)).ok().map(PathBuf::from).filter(|it| it.is_absolute())
    }

    /// Where a program of this name may be. A wrapper in a runtime's place looks behind that place only: a second one,
    /// further on, does the same, so that they never become each other for ever.
    fn places<'a>(&'a self, name: &'a Path) -> impl Iterator<Item = PathBuf> + 'a {
        let is_own = |it: &PathBuf| self.own.is_some() && identity(&it.join(&self.name)) == self.own;
        let own_place = if self.name.as_bytes().starts_with(NAME.as_bytes()) {
            None
        } else {
            self.folders.iter().position(is_own)
        };
        let start = own_place.map_or(0, |it| it + 1);
        // Joined to a folder, an absolute path stays what it is.
        self.folders.iter().skip(start).map(move |it| it.join(name))
    }

    fn first(&self, names: &[OsString]) -> Option<PathBuf> {
        let mut places = names.iter().flat_map(|it| self.places(Path::new(it)));
        places.find(|it| is_program(it) && self.is_another(it))
    }

    /// Whether something is there, and is not the wrapper itself.
    fn is_another(&self, path: &Path) -> bool {
        identity(path).is_some_and(|it| Some(it) != self.own)
    }
}

/// `oci-compat-runtime-strict` is `oci-compat-runtime`, and `oci-compat-runtime-strict-NAME` `oci-compat-runtime-NAME`.
fn strictness(name: &OsStr) -> (OsString, bool) {
    let rest =
        name.as_bytes().strip_prefix(NAME.as_bytes()).and_then(|it| it.strip_prefix(STRICT.as_bytes()));
    match rest {
        Some(rest @ ([] | [b'-', ..])) => {
            let mut name = OsString::from(NAME);
            name.push(OsStr::from_bytes(rest));
            (name, true)
        }
        _ => (name.to_owned(), false),
    }
}

fn identity(path: &Path) -> Option<FileIdentity> {
    // What cannot be looked at cannot be executed either.
    stat::stat(path).ok().map(|it| (it.st_dev, it.st_ino))
}

fn is_program(path: &Path) -> bool {
    let found = stat::stat(path);
    found.is_ok_and(|it| it.st_mode & libc::S_IFMT == libc::S_IFREG && it.st_mode & 0o111 != 0)
}

/// execve(2) with the environment as it is: unlike the standard library's, it leaves signals as they are.
fn execute(path: &Path, args: &[OsString]) -> Errno {
    let words = std::iter::once(path.as_os_str()).chain(args.iter().map(OsString::as_os_str));
    let words: Result<Vec<_>, _> = words.map(|it| CString::new(it.as_bytes())).collect();
    match words.as_deref() {
        Ok(words @ [program, ..]) => match unistd::execv(program, words) {
            Ok(never) => match never {},
            Err(errno) => errno,
        },
        Ok([]) | Err(_) => Errno::EINVAL,
    }
}

/// Others see the old link or the new one, never none.
fn relink(link: &Path, target: &Path) -> io::Result<()> {
    let folder = link.parent().unwrap_or(Path::new("/"));
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let mut name = OsString::from(format!(".{}.", std::process::id()));
    name.push(link.file_name().unwrap_or_default());
    let temporary = folder.join(name);
    symlink(target, &temporary).and_then(|()| fs::rename(&temporary, link)).inspect_err(|_| {
        // That the link could not be written is the error to tell.
        let _left_behind = fs::remove_file(&temporary);
    })
}

/// Other wrappers do the same at the same time.
fn unlink(link: &Path) -> io::Result<()> {
    match fs::remove_file(link) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn list(names: &[OsString], between: &str) -> String {
    names.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(between)
}
