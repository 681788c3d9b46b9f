//! The records of runtimes' features (`runtime.feature`): whether we wrote them, and whether the runtime has changed since.

use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use super::Root;
use super::runtime::FOLDER;
use crate::os::file::PATH;

/// The annotation that names the program which a record is about. `oci-compat install` writes it; a record without it was
/// written by hand.
pub const PROGRAM: &str = "org.oci-compat.program";

/// A record of what a runtime can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuntimeRecord {
    /// The file's path on the host.
    pub path: String,
    /// Whether `oci-compat install` wrote it.
    pub is_ours: bool,
    /// The program on the host that it is about, if known.
    pub program: Option<String>,
    /// Whether the program's file has changed since the record was written (st_ctime of inode(7), which package managers
    /// cannot set back).
    pub is_outdated: bool,
}

/// The records of a host, in the order of their names. A file that cannot be read is no record.
pub fn runtime_records(root: &Root) -> Vec<RuntimeRecord> {
    let names = root.list(FOLDER).unwrap_or_default();
    let names = names.iter().filter_map(|it| it.strip_suffix(".json"));
    names.filter_map(|it| runtime_record(root, it)).collect()
}

/// The record of the runtime that is called so; `None` if there is none, or it cannot be read.
pub fn runtime_record(root: &Root, name: &str) -> Option<RuntimeRecord> {
    let path = runtime_record_path(name);
    let content: Value = serde_json::from_slice(&root.read(&path).ok()?).unwrap_or_default();
    let named = content.get("annotations").and_then(|it| it.get(PROGRAM)).and_then(Value::as_str);
    let program = named.map(str::to_owned).or_else(|| program(root, name));
    let program_changed = program.as_deref().and_then(|it| changed(root, it));
    let is_outdated =
        program_changed.zip(changed(root, &path)).is_some_and(|(program, record)| program > record);
    Some(RuntimeRecord { path, is_ours: named.is_some(), program, is_outdated })
}

/// Where the record of the runtime that is called so has to be.
pub fn runtime_record_path(name: &str) -> String {
    format!("{FOLDER}/{name}.json")
}

/// The path of a program that is named or given by its path; `None` if it is not there.
pub fn program(root: &Root, name: &str) -> Option<String> {
    let is_there = |it: &String| root.exists(it) == Ok(true);
    if name.starts_with('/') {
        return Some(name.to_owned()).filter(is_there);
    }
    PATH.split(':').map(|it| format!("{it}/{name}")).find(is_there)
}

/// Seconds and nanoseconds.
fn changed(root: &Root, path: &str) -> Option<(i64, i64)> {
    let found = root.open(path).ok()?.metadata().ok()?;
    Some((found.ctime(), found.ctime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    const RECORD: &str = "/etc/oci-compat/runtimes.d/runc.json";
    const OURS: &str = r#"{"annotations": {"org.oci-compat.program": "/opt/runc"}}"#;

    /// Time enough for the clock of the file system to go on.
    fn later() {
        std::thread::sleep(std::time::Duration::from_millis(30));
    }

    fn check(host: &FakeHost, is_ours: bool, program: Option<&str>, is_outdated: bool) {
        let (path, program) = (RECORD.to_owned(), program.map(str::to_owned));
        let expected = [RuntimeRecord { path, is_ours, program, is_outdated }];
        assert_eq!(runtime_records(&host.root()), expected);
    }

    #[test]
    fn a_record_is_outdated_when_its_program_has_changed_since() {
        let host = FakeHost::new().file("/opt/runc", "1");
        later();
        let host = host.file(RECORD, OURS).file("/etc/oci-compat/runtimes.d/README", "x");
        check(&host, true, Some("/opt/runc"), false);
        later();
        let host = host.file("/opt/runc", "2");
        check(&host, true, Some("/opt/runc"), true);
    }

    #[test]
    fn a_record_that_was_written_by_hand_is_about_the_program_of_its_name() {
        let host = FakeHost::new().file(RECORD, "{}");
        check(&host, false, None, false);
        later();
        let host = host.file("/usr/bin/runc", "1").file("/usr/local/bin/crun", "1");
        check(&host, false, Some("/usr/bin/runc"), true);
        later();
        check(&host.file(RECORD, "oops"), false, Some("/usr/bin/runc"), false);
    }

    #[test]
    fn without_records_there_are_none() {
        assert_eq!(runtime_records(&FakeHost::new().root()), []);
        assert_eq!(runtime_records(&FakeHost::new().unreadable(RECORD).root()), []);
    }

    #[test]
    fn a_program_is_found_where_programs_are() {
        let host = FakeHost::new().file("/opt/runc", "").file("/bin/crun", "");
        let found = |name: &str| program(&host.root(), name);
        assert_eq!(found("crun"), Some("/bin/crun".to_owned()));
        assert_eq!(found("/opt/runc"), Some("/opt/runc".to_owned()));
        assert_eq!((found("runc"), found("/opt/crun")), (None, None));
    }
}
