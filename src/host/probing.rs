//! One pass over a host's files: a file that several probes need is read once. Distinguishes "not there" from "hidden".

use std::cell::OnceCell;
use std::time::SystemTime;

use super::namespace::{self, Namespace};
use super::{Fact, Feature, Miss, Root, Unknown};
use crate::words::moment::Moment;

/// The kernel's release (`uname -r`); every kernel with a `/proc/sys` has it.
pub(super) const OSRELEASE: &str = "/proc/sys/kernel/osrelease";
/// The host's name in the UTS namespace of the reader (uts_namespaces(7)).
pub(super) const HOSTNAME: &str = "/proc/sys/kernel/hostname";
/// The machine's architecture (`uname -m`), since Linux 6.1.
pub(super) const ARCH: &str = "/proc/sys/kernel/arch";
/// The modules loaded now: one a line, its name first.
pub(super) const MODULES: &str = "/proc/modules";

/// A folder that is there wherever sysfs is mounted.
const SYSFS: [&str; 1] = ["/sys/bus"];
/// Files; one of them exists wherever procfs is mounted.
const PROCFS: [&str; 2] = ["/proc/version", OSRELEASE];

/// What the probes of one `gather` share.
#[derive(Debug)]
pub(super) struct Probing<'a> {
    /// The door to the host's files, for what is not below `/proc` or `/sys`.
    pub(super) root: &'a Root,
    release: OnceCell<Result<String, Unknown>>,
    modules: OnceCell<Result<Option<String>, Unknown>>,
    configuration: OnceCell<Result<Vec<u8>, Miss>>,
    sysfs: OnceCell<Result<bool, Unknown>>,
    procfs: OnceCell<Result<bool, Unknown>>,
    now: OnceCell<Moment>,
    foreign: OnceCell<Vec<Namespace>>,
}

impl<'a> Probing<'a> {
    pub(super) fn new(root: &'a Root) -> Self {
        Self {
            root,
            release: OnceCell::new(),
            modules: OnceCell::new(),
            configuration: OnceCell::new(),
            sysfs: OnceCell::new(),
            procfs: OnceCell::new(),
            now: OnceCell::new(),
            foreign: OnceCell::new(),
        }
    }

    /// The kernel's release as it writes it, such as `6.1.0-13-amd64`; never empty.
    pub(super) fn release(&self) -> Result<&str, &Unknown> {
        self.release.get_or_init(|| release(self.root)).as_deref()
    }

    /// The text of `/proc/modules`; none if this kernel was built without modules.
    pub(super) fn modules(&self) -> Result<Option<&str>, &Unknown> {
        self.modules.get_or_init(|| self.text(MODULES)).as_ref().map(Option::as_deref)
    }

    /// The text of the kernel's configuration, which `unpack` gives: four features look into it, and it is inflated once.
    pub(super) fn configuration(
        &self,
        unpack: impl FnOnce() -> Result<Vec<u8>, Miss>,
    ) -> Result<&[u8], &Miss> {
        self.configuration.get_or_init(unpack).as_deref()
    }

    /// As if `/proc` did not show the host's namespaces of these kinds.
    #[cfg(test)]
    pub(super) fn with_foreign(root: &'a Root, namespaces: &[Namespace]) -> Self {
        Self { foreign: OnceCell::from(namespaces.to_vec()), ..Self::new(root) }
    }

    /// Whether what `/proc` shows at this path is the host's, and not that of the namespace that we run in.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub(super) fn shows_host(&self, path: &str, namespace: Namespace) -> Result<(), Unknown> {
        match self.foreign.get_or_init(|| namespace::foreign(self.root)).contains(&namespace) {
            true => {
                let kind = namespace.name();
                Err(Unknown::new(
                    path,
                    format!("is that of the {kind} namespace that we run in, not of the host"),
                ))
            }
            false => Ok(()),
        }
    }

    /// The time of this look at the host, for facts that expire: one and the same for all of them.
    #[expect(
        clippy::disallowed_methods,
        reason = "the date, for people and for what expires; nothing waits for it"
    )]
    pub(super) fn now(&self) -> Moment {
        *self.now.get_or_init(|| match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos()),
            // The clock is not set: then nothing has expired.
            Err(_) => (0, 0),
        })
    }

    /// The text of a file; none if it is not there, although its file system is.
    ///
    /// # Errors
    ///
    /// If it may be there and could not be read.
    pub(super) fn text(&self, path: &str) -> Result<Option<String>, Unknown> {
        self.surely(path, self.root.read_text(path))
    }

    /// The names in a folder; none if it is not there, although its file system is.
    ///
    /// # Errors
    ///
    /// If it may be there and could not be listed.
    pub(super) fn list(&self, path: &str) -> Result<Option<Vec<String>>, Unknown> {
        self.surely(path, self.root.list(path))
    }

    /// Whether there is anything at this path; a "no" means that its file system is there.
    ///
    /// # Errors
    ///
    /// If it may be there and we could not look.
    pub(super) fn exists(&self, path: &str) -> Result<bool, Unknown> {
        let found = if self.root.exists(path)? { Ok(()) } else { Err(Miss::NotFound) };
        Ok(self.surely(path, found)?.is_some())
    }

    /// Turns "not found" into a certain "not there", or into ignorance where `/sys` or `/proc` is not mounted.
    pub(super) fn surely<T>(&self, path: &str, found: Result<T, Miss>) -> Result<Option<T>, Unknown> {
        match found {
            Ok(it) => Ok(Some(it)),
            Err(Miss::Unreadable(unknown)) => Err(unknown),
            Err(Miss::NotFound) if self.is_mounted(path)? => Ok(None),
            Err(Miss::NotFound) => {
                Err(Unknown::new(path, "is not there, and nor is the rest of its file system"))
            }
        }
    }

    fn is_mounted(&self, path: &str) -> Result<bool, Unknown> {
        let look = |cell: &OnceCell<_>, signs| cell.get_or_init(|| any_exists(self.root, signs)).clone();
        if path.starts_with("/sys/") {
            look(&self.sysfs, &SYSFS)
        } else if path.starts_with("/proc/") {
            look(&self.procfs, &PROCFS)
        } else {
            Ok(true)
        }
    }
}

fn any_exists(root: &Root, paths: &[&str]) -> Result<bool, Unknown> {
    for path in paths {
        if root.exists(path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn release(root: &Root) -> Result<String, Unknown> {
    let text = root.read_text(OSRELEASE).map_err(|miss| miss.unknown(OSRELEASE))?;
    match text.trim() {
        "" => Err(Unknown::new(OSRELEASE, "is empty")),
        release => Ok(release.to_owned()),
    }
}

/// The fact that a successful look gave, or why there was none.
pub(super) fn known(feature: Result<Feature, Unknown>, read: &str) -> Fact {
    match feature {
        Ok(feature) => Fact::Known(feature, read.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// Things that were looked for one by one: if there are none, the feature is not there, or unknown if not all could be
/// looked at.
pub(super) fn found(feature: Feature, read: &str) -> Fact {
    let is_empty = feature.instances.as_ref().is_none_or(Vec::is_empty);
    match feature.incomplete {
        Some(unknown) if is_empty => Fact::Unknown(unknown),
        None if is_empty => Fact::Absent(read.to_owned()),
        Some(_) | None => Fact::Known(feature, read.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, path: &str, expected: Result<bool, &str>) {
        let root = host.root();
        let found = Probing::new(&root).exists(path);
        assert_eq!(
            found.as_ref().map_err(|it| it.reason.as_str()),
            expected.as_ref().map_err(|it| *it),
            "{path}"
        );
    }

    #[test]
    fn what_is_not_found_is_absent_only_where_its_file_system_is() {
        let hidden = Err("is not there, and nor is the rest of its file system");
        let empty = FakeHost::new().folder("/sys").folder("/proc");
        check(&empty, "/sys/class/net", hidden);
        check(&empty, "/proc/modules", hidden);
        check(&empty, "/etc/os-release", Ok(false));
        let mounted = FakeHost::new().folder("/sys/bus").file("/proc/version", "Linux");
        check(&mounted, "/sys/class/net", Ok(false));
        check(&mounted, "/proc/modules", Ok(false));
        check(&mounted, "/sys/bus", Ok(true));
    }

    #[test]
    fn what_cannot_be_looked_at_is_unknown() {
        let host = FakeHost::new().folder("/sys/bus").unreadable("/sys/class");
        check(&host, "/sys/class/net", Err("is a loop of symbolic links"));
    }

    #[test]
    fn what_several_probes_share_is_read_once() {
        let host = FakeHost::new().file(OSRELEASE, "6.1.0\n");
        let root = host.root();
        let probing = Probing::new(&root);
        assert_eq!(probing.release(), Ok("6.1.0"));
        let host = host.file(OSRELEASE, "6.2.0\n");
        assert_eq!(probing.release(), Ok("6.1.0"));
        drop(host);
    }
}
