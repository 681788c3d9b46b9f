//! Files that hold one value each, as sysfs and `/proc/sys` have them. What cannot be read is never taken for missing.

use std::collections::BTreeMap;

use nix::errno::Errno;
use nix::unistd;

use super::root::reason;
use super::{Fact, Feature, Instance, Probing, Unknown, Wanted};

/// All that a value can have: sysfs gives an attribute one page to write to (`sysfs_emit`).
const MAX_VALUE: usize = 4096;

/// What the values of one feature are read with: it keeps the first trouble on the way.
#[derive(Debug)]
pub(super) struct ValuesReading<'a> {
    pub(super) probing: &'a Probing<'a>,
    pub(super) wanted: &'a Wanted,
    incomplete: Option<Unknown>,
}

impl<'a> ValuesReading<'a> {
    pub(super) fn new(probing: &'a Probing<'a>, wanted: &'a Wanted) -> Self {
        Self { probing, wanted, incomplete: None }
    }

    /// The wanted ones of some values, given as names and as files below a folder.
    pub(super) fn values(&mut self, folder: &str, files: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut values = BTreeMap::new();
        for (name, file) in files.iter().filter(|(name, _)| self.wanted.has(name)) {
            let found = value(self.probing, &format!("{folder}/{file}"));
            if let Some(text) = self.note(found) {
                values.insert((*name).to_owned(), text);
            }
        }
        values
    }

    /// What was found; none if it is not there, or if it could not be read, which is noted.
    pub(super) fn note<T>(&mut self, found: Result<Option<T>, Unknown>) -> Option<T> {
        match found {
            Ok(it) => it,
            Err(unknown) => {
                self.trouble(unknown);
                None
            }
        }
    }

    /// Notes that something could not be read. The first is kept: later ones are usually the same.
    pub(super) fn trouble(&mut self, unknown: Unknown) {
        self.incomplete.get_or_insert(unknown);
    }

    /// Whether all that was looked at could be read so far.
    pub(super) fn is_complete(&self) -> bool {
        self.incomplete.is_none()
    }

    /// The fact that these attributes make: unknown if none could be read.
    pub(super) fn attributes(self, attributes: BTreeMap<String, String>, read: &str) -> Fact {
        match self.incomplete {
            Some(unknown) if attributes.is_empty() => Fact::Unknown(unknown),
            incomplete => {
                Fact::Known(Feature { incomplete, ..Feature::attributes(attributes) }, read.to_owned())
            }
        }
    }

    /// The fact that these instances make.
    pub(super) fn instances(self, instances: Vec<Instance>, read: &str) -> Fact {
        let feature = Feature { incomplete: self.incomplete, ..Feature::instances(instances) };
        Fact::Known(feature, read.to_owned())
    }
}

/// The value in a file, without the white space around it; none if there is no such file, or no value in it now.
///
/// # Errors
///
/// If there may be a value and it could not be read.
pub(super) fn value(probing: &Probing<'_>, path: &str) -> Result<Option<String>, Unknown> {
    let Some(file) = probing.surely(path, probing.root.open(path))? else {
        return Ok(None);
    };
    let mut bytes = [0; MAX_VALUE];
    // A value comes in one piece. No retry after EINTR: the hook's timer ends a read that takes too long.
    match unistd::read(&file, &mut bytes) {
        Ok(MAX_VALUE) => Err(Unknown::new(path, format!("has more than {} bytes", MAX_VALUE - 1))),
        Ok(length) => {
            let text = String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
            Ok(Some(text.trim().to_owned()))
        }
        Err(errno) => no_value(path, errno).map(|()| None),
    }
}

/// What a failed read says: that there is no value, or that we could not read it.
fn no_value(path: &str, errno: Errno) -> Result<(), Unknown> {
    // EINVAL: such as the speed of a link that is down (`speed_show` in `net/core/net-sysfs.c`).
    // ENODEV: the device went away after the file was opened (`kernfs_seq_start`).
    if matches!(errno, Errno::EINVAL | Errno::ENODEV) {
        return Ok(());
    }
    Err(Unknown::new(path, reason(errno)))
}

/// For a folder or file that every host has: where it is missing, not all of the host is there to be seen.
pub(super) fn required<T>(path: &str, found: Result<Option<T>, Unknown>) -> Result<T, Unknown> {
    found?.ok_or_else(|| Unknown::new(path, "is not there, as it is on every host"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::show;
    use crate::testing::FakeHost;

    const FILES: [(&str, &str); 3] = [("a", "a"), ("b", "sub/b"), ("c", "c")];

    fn check(host: &FakeHost, wanted: &Wanted, expected: &str) {
        let root = host.root();
        let probing = Probing::new(&root);
        let mut reading = ValuesReading::new(&probing, wanted);
        let values = reading.values("/sys/x", &FILES);
        assert_eq!(show(&reading.attributes(values, "/sys/x")), expected);
    }

    #[test]
    fn values_are_read_without_the_space_around_them() {
        let host = FakeHost::new().file("/sys/x/a", " 1 2\n\n").file("/sys/x/sub/b", "").folder("/sys/bus");
        check(&host, &Wanted::All, r#"known (/sys/x): a="1 2" b="""#);
        check(&host, &Wanted::Names(["b".to_owned()].into()), r#"known (/sys/x): b="""#);
    }

    #[test]
    fn a_value_that_cannot_be_read_costs_no_other() {
        let host = FakeHost::new().file("/sys/x/a", "1").unreadable("/sys/x/c").folder("/sys/bus");
        let reason = "/sys/x/c: is a loop of symbolic links";
        check(&host, &Wanted::All, &format!(r#"known (/sys/x): a="1" and maybe more: {reason}"#));
        check(&host, &Wanted::Names(["c".to_owned()].into()), &format!("unknown: {reason}"));
    }

    #[test]
    fn a_file_too_large_for_a_value_is_unknown() {
        let host = FakeHost::new().file("/sys/x/a", "x".repeat(4096)).folder("/sys/bus");
        check(&host, &Wanted::All, "unknown: /sys/x/a: has more than 4095 bytes");
        let host = FakeHost::new().file("/sys/x/a", " ".repeat(4095)).folder("/sys/bus");
        check(&host, &Wanted::All, r#"known (/sys/x): a="""#);
    }

    #[test]
    fn a_value_that_the_device_does_not_have_now_is_distinguished_from_one_that_is_hidden() {
        assert_eq!(no_value("/sys/x", Errno::EINVAL), Ok(()));
        assert_eq!(no_value("/sys/x", Errno::ENODEV), Ok(()));
        let hidden = Err(Unknown::new("/sys/x", "may not be read by this user"));
        assert_eq!(no_value("/sys/x", Errno::EACCES), hidden);
    }
}
