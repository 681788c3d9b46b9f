//! Reports on containers that were refused or started with a doubt, one file each, for `oci-compat why`.
//! Writing one never changes a decision.

mod recall;

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use sha2::{Digest, Sha256};

use crate::os::file::{self, User};
use crate::outcome::report::{Pod, Report, Subject};

pub use recall::Recall;

/// Where the system's reports are: they are of no use after a reboot.
pub const FOLDER: &str = "/run/oci-compat/reports";
/// A user's own, in the folder that they have for such things.
const NAME: &str = "reports";
/// A report on a spec of the largest size.
const MAX_REPORT: usize = 8 << 20;

/// The number of reports that are kept: containers that restart for weeks must not fill `/run`, which is memory.
const MAX_REPORTS: usize = 1_000;
/// Oldest reports that go at once, so that not every report is followed by a search for the oldest.
const THINNED: usize = 100;

/// Bytes of all reports together: strangers write long specs, and each of their containers has a report.
const MAX_BYTES: u64 = 64 << 20;
/// Bytes of a report; as long as none is larger, all of them fit.
const LARGE: u64 = MAX_BYTES / MAX_REPORTS as u64;

/// The folders of reports for the user of this process; the first one is for writing. A user's own comes before the system's.
pub fn folders() -> Vec<PathBuf> {
    let own = User::this().map(|it| it.fleeting()).unwrap_or_default();
    own.into_iter().map(|it| it.join(NAME)).chain([PathBuf::from(FOLDER)]).collect()
}

/// Writes the report on a container, in place of an older one. Of too many reports, the oldest go. A pod's container that is
/// tried again has another id each time, and one report.
///
/// # Errors
///
/// If the id is no file name, or the folder cannot be written.
pub fn write(folder: &Path, id: &str, report: &Report) -> anyhow::Result<()> {
    path(folder, id)?;
    let name = file_name(id, report.subject.pod.as_ref());
    let path = folder.join(&name);
    let bytes = serde_json::to_vec(report).context("writing a report")?;
    make(folder).map_err(|err| anyhow!("folder {} {}", folder.display(), file::explain_io(&err)))?;
    let temporary = folder.join(format!(".{}.{name}", std::process::id()));
    write_private(&temporary, &bytes).and_then(|()| fs::rename(&temporary, &path)).map_err(|err| {
        // What is half written is of no use; that it could not be written is the error to tell.
        let _left_behind = fs::remove_file(&temporary);
        anyhow!("report {} {}", path.display(), file::explain_io(&err))
    })?;
    thin_out(folder, bytes.len() as u64).map_err(|err| {
        anyhow!("folder {} is not thinned out: it {}", folder.display(), file::explain_io(&err))
    })
}

/// After a report of so many bytes has come.
#[expect(clippy::disallowed_methods, reason = "our own folder, not the host's under a root")]
fn thin_out(folder: &Path, added: u64) -> std::io::Result<()> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>, _>>()?;
    if entries.len() <= MAX_REPORTS && added <= LARGE {
        return Ok(());
    }
    let mut aged = Vec::new();
    for entry in &entries {
        let found = entry.metadata().and_then(|it| Ok((it.modified()?, it.len(), it.is_file())));
        let file = unless_gone(found)?.filter(|(_, _, is_file)| *is_file);
        aged.extend(file.map(|(time, size, _)| (time, entry.path(), size)));
    }
    aged.sort_unstable();
    let mut bytes: u64 = aged.iter().map(|(_, _, size)| size).sum();
    let surplus = if aged.len() > MAX_REPORTS { aged.len() - MAX_REPORTS + THINNED } else { 0 };
    for (index, (_, path, size)) in aged.iter().enumerate() {
        if index >= surplus && bytes <= MAX_BYTES {
            break;
        }
        unless_gone(fs::remove_file(path))?;
        bytes -= size;
    }
    Ok(())
}

/// Other hooks thin out the same folder.
fn unless_gone<T>(done: std::io::Result<T>) -> std::io::Result<Option<T>> {
    match done {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

/// Facts may be sensitive (a kernel command line, a serial number): only root reads reports.
fn make(folder: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
    file.write_all(bytes)
}

fn file_name(id: &str, pod: Option<&Pod>) -> String {
    format!("{}.json", pod.map_or_else(|| id.to_owned(), of_pod))
}

/// The file's name for a container of a pod. No id starts so.
fn of_pod(pod: &Pod) -> String {
    let hash = Sha256::digest(pod.path());
    format!("={}", hash.iter().take(16).map(|it| format!("{it:02x}")).collect::<String>())
}

/// Reads the report on a container whose id starts with `wanted`, or which is a pod's and called so
/// ([`Pod::is_meant`]); `None` if there is none.
///
/// # Errors
///
/// If there is more than one, or it cannot be read.
pub fn read(folder: &Path, wanted: &str) -> anyhow::Result<Option<Report>> {
    let is_pod_s = Pod::may_be_meant(wanted);
    if !is_pod_s {
        path(folder, wanted)?;
    }
    let names = names(folder)?;
    let (pods, ids): (Vec<_>, Vec<_>) = names.into_iter().partition(|it| it.starts_with('='));
    // A report of another container that cannot be read must not hide this one's.
    let pods: Vec<Report> =
        pods.iter().filter_map(|it| read_file(&folder.join(format!("{it}.json"))).ok().flatten()).collect();
    if is_pod_s {
        let meant =
            pods.into_iter().filter(|it| it.subject.pod.as_ref().is_some_and(|it| it.is_meant(wanted)));
        return Ok(meant.max_by(|one, other| one.time.cmp(&other.time)));
    }
    let mut found: Vec<(String, Option<Report>)> = ids.into_iter().map(|it| (it, None)).collect();
    found.extend(pods.into_iter().filter_map(|it| Some((it.subject.container.clone()?, Some(it)))));
    let is_whole = found.iter().any(|(id, _)| id == wanted);
    found.retain(|(id, _)| if is_whole { id == wanted } else { id.starts_with(wanted) });
    if found.len() > 1 {
        let mut ids: Vec<_> = found.into_iter().map(|(id, _)| id).collect();
        ids.sort_unstable();
        bail!("{} containers start with {wanted:?}: {}", ids.len(), some(&ids));
    }
    match found.pop() {
        Some((_, Some(report))) => Ok(Some(report)),
        Some((id, None)) => read_file(&path(folder, &id)?),
        None => Ok(None),
    }
}

fn read_file(path: &Path) -> anyhow::Result<Option<Report>> {
    let Some(bytes) = file::read(path, MAX_REPORT)? else { return Ok(None) };
    serde_json::from_slice(&bytes).with_context(|| format!("reading {}", path.display())).map(Some)
}

/// The report that was written last; `None` if there is none.
///
/// # Errors
///
/// If the folder or the report cannot be read.
pub fn latest(folder: &Path) -> anyhow::Result<Option<Report>> {
    let mut last = None;
    for name in names(folder)? {
        let path = folder.join(format!("{name}.json"));
        let written = fs::symlink_metadata(&path).and_then(|it| it.modified());
        let written =
            unless_gone(written).map_err(|err| anyhow!("{} {}", path.display(), file::explain_io(&err)))?;
        last = last.max(written.map(|it| (it, path)));
    }
    last.map_or(Ok(None), |(_, path)| read_file(&path))
}

/// The last report whose subject fits; `None` if there is none. One that cannot be read hides no other.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn last(folder: &Path, fits: &dyn Fn(&Subject) -> bool) -> anyhow::Result<Option<Report>> {
    let mut last: Option<Report> = None;
    for name in names(folder)? {
        let Ok(Some(report)) = read_file(&folder.join(format!("{name}.json"))) else { continue };
        if fits(&report.subject) && last.as_ref().is_none_or(|it| it.time <= report.time) {
            last = Some(report);
        }
    }
    Ok(last)
}

fn some(ids: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = if ids.len() > SHOWN { ", ..." } else { "" };
    ids.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ") + more
}

#[expect(clippy::disallowed_methods, reason = "our own folder, not the host's under a root")]
fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(err) => bail!("{} {}", folder.display(), file::explain_io(&err)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|err| anyhow!("{} {}", folder.display(), file::explain_io(&err)))?;
        let name = entry.file_name();
        let name = name.to_str().and_then(|it| it.strip_suffix(".json")).filter(|it| !it.starts_with('.'));
        names.extend(name.map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether a text may be the id of a container, or the start of one.
pub fn is_id(text: &str) -> bool {
    // runc allows ids of letters, digits and `_+-.` (`libcontainer/factory_linux.go`); no runtime allows a slash.
    let fits = |it: char| it.is_ascii_alphanumeric() || "_+-.:@".contains(it);
    !text.is_empty() && text.len() <= 200 && !text.starts_with('.') && text.chars().all(fits)
}

fn path(folder: &Path, id: &str) -> anyhow::Result<PathBuf> {
    if !is_id(id) {
        bail!("{id:?} is no container id");
    }
    Ok(folder.join(format!("{id}.json")))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Reports(tempfile::TempDir);

    impl Reports {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a temporary folder"))
        }

        fn folder(&self) -> PathBuf {
            self.0.path().join("run/reports")
        }

        fn write(&self, id: &str) -> Result<(), String> {
            write(&self.folder(), id, &report(id)).map_err(|it| self.said(&it))
        }

        fn read(&self, prefix: &str) -> Result<Option<String>, String> {
            let found = read(&self.folder(), prefix).map_err(|it| self.said(&it))?;
            Ok(found.map(|it| it.subject.container.expect("a container")))
        }

        fn said(&self, err: &anyhow::Error) -> String {
            format!("{err:#}").replace(&self.0.path().display().to_string(), "DIR")
        }
    }

    fn report(id: &str) -> Report {
        let subject = Subject { container: Some(id.to_owned()), ..Subject::default() };
        Report::trouble(subject, "a test")
    }

    #[test]
    fn what_was_written_is_read_back_by_its_id_or_the_start_of_it() {
        let reports = Reports::new();
        for id in ["abc", "abcd", "x_+-.:@Y", "abc"] {
            assert_eq!(reports.write(id), Ok(()));
        }
        assert_eq!(read(&reports.folder(), "abcd").expect("a report"), Some(report("abcd")));
        assert_eq!(reports.read("abc"), Ok(Some("abc".to_owned())));
        assert_eq!(reports.read("x"), Ok(Some("x_+-.:@Y".to_owned())));
        assert_eq!(reports.read("ab"), Err("2 containers start with \"ab\": abc, abcd".to_owned()));
    }

    #[test]
    fn only_a_few_of_many_containers_are_named() {
        let reports = Reports::new();
        for id in ["a1", "a2", "a3", "a4", "a5", "a6"] {
            assert_eq!(reports.write(id), Ok(()));
        }
        assert_eq!(
            reports.read("a"),
            Err("6 containers start with \"a\": a1, a2, a3, a4, a5, ...".to_owned())
        );
    }

    #[test]
    fn a_pod_s_container_has_one_report_however_often_it_is_tried() {
        let reports = Reports::new();
        let tried = |id: &str, pod: &str, time: &str| {
            let mut report = report(id);
            report.subject.pod = Pod::new(["default", pod, "upf"].map(str::to_owned));
            report.time = Some(time.to_owned());
            write(&reports.folder(), id, &report).map_err(|it| reports.said(&it))
        };
        assert_eq!(reports.write("5f00"), Ok(()));
        assert_eq!(tried("5e00", "upf-0", "2026-08-01T00:00:00Z"), Ok(()));
        assert_eq!(tried("5e01", "upf-0", "2026-08-01T00:00:10Z"), Ok(()));
        assert_eq!(tried("5e02", "upf-1", "2026-08-01T00:00:05Z"), Ok(()));
        assert_eq!(fs::read_dir(reports.folder()).expect("the folder").count(), 3);
        let check = |wanted: &str, expected: Option<&str>| {
            assert_eq!(reports.read(wanted), Ok(expected.map(str::to_owned)), "{wanted}");
        };
        check("default/upf-0/upf", Some("5e01"));
        check("upf-1/upf", Some("5e02"));
        check("default/upf-2/upf", None);
        check("5e01", Some("5e01"));
        check("5e00", None);
        check("5f", Some("5f00"));
        assert_eq!(reports.read("5e"), Err("2 containers start with \"5e\": 5e01, 5e02".to_owned()));
    }

    #[test]
    fn the_last_report_that_fits_is_found_beside_damaged_ones() {
        let reports = Reports::new();
        let written = |id: &str, image: &str, time: &str| {
            let mut report = report(id);
            report.subject.image = Some(image.to_owned());
            report.time = Some(time.to_owned());
            write(&reports.folder(), id, &report).expect("a report");
        };
        written("a", "upf:1", "2026-08-01T00:00:02Z");
        written("b", "upf:1", "2026-08-01T00:00:01Z");
        written("c", "smf:1", "2026-08-01T00:00:03Z");
        fs::write(reports.folder().join("d.json"), "{").expect("writing a fixture");
        let of = |image: &str| {
            let found = last(&reports.folder(), &|it| it.image.as_deref() == Some(image));
            found.expect("a folder").and_then(|it| it.subject.container)
        };
        assert_eq!(
            [of("upf:1"), of("smf:1"), of("amf:1")],
            [Some("a".to_owned()), Some("c".to_owned()), None]
        );
    }

    #[test]
    fn a_report_that_is_not_there_is_none() {
        let reports = Reports::new();
        assert_eq!(reports.read("abc"), Ok(None));
        assert_eq!(reports.write("other"), Ok(()));
        assert_eq!(reports.read("abc"), Ok(None));
    }

    #[test]
    fn an_id_that_is_no_file_name_is_refused() {
        let reports = Reports::new();
        let long = "x".repeat(201);
        for id in ["", ".hidden", "..", "../b", "a b", "a\nb", "\u{e9}", long.as_str()] {
            let expected = format!("{id:?} is no container id");
            assert_eq!(reports.write(id), Err(expected.clone()));
            assert_eq!(reports.read(id), Err(expected));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_reported_in_our_own_words() {
        let reports = Reports::new();
        fs::write(reports.0.path().join("run"), "").expect("writing a fixture");
        assert_eq!(reports.write("a"), Err("folder DIR/run/reports is not a folder".to_owned()));
        assert_eq!(reports.read("a"), Err("DIR/run/reports is not a folder".to_owned()));
    }

    #[test]
    fn a_report_that_cannot_take_its_place_leaves_nothing_behind() {
        let reports = Reports::new();
        fs::create_dir_all(reports.folder().join("a.json/x")).expect("making a fixture");
        assert_eq!(reports.write("a"), Err("report DIR/run/reports/a.json is a folder".to_owned()));
        assert_eq!(fs::read_dir(reports.folder()).expect("the folder").count(), 1);
    }

    #[test]
    fn of_too_many_reports_the_oldest_go() {
        let reports = Reports::new();
        assert_eq!(reports.write("first"), Ok(()));
        let date = |name: &str, seconds: u64| {
            let file = OpenOptions::new().append(true).create(true).open(reports.folder().join(name));
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            file.and_then(|it| it.set_modified(time)).expect("making a fixture");
        };
        date("first.json", 0);
        (1..MAX_REPORTS as u64).for_each(|it| date(&format!("{it}.json"), it));
        assert_eq!((reports.write("1"), reports.read("first").is_ok_and(|it| it.is_some())), (Ok(()), true));
        assert_eq!(reports.write("last"), Ok(()));
        assert_eq!(fs::read_dir(reports.folder()).expect("the folder").count(), MAX_REPORTS - THINNED);
        // The first and those from 2 to 101; 1 was written again.
        let found = ["first", "1", "2", "101", "102", "last"];
        let found = found.map(|it| reports.folder().join(format!("{it}.json")).exists());
        assert_eq!(found, [false, true, false, false, true, true]);
    }

    #[test]
    fn reports_take_no_more_room_than_they_may_whatever_strangers_write() {
        let reports = Reports::new();
        assert_eq!(reports.write("small"), Ok(()));
        for it in 0..8 {
            let file = fs::File::create(reports.folder().join(format!("{it}.json"))).expect("a fixture");
            file.set_len(8 << 20).expect("a fixture");
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(it);
            file.set_modified(time).expect("a fixture");
        }
        let left = || {
            let names = names(&reports.folder()).expect("the folder");
            names.into_iter().collect::<String>()
        };
        assert_eq!((reports.write("small"), left().as_str()), (Ok(()), "01234567small"));
        let large =
            Report::trouble(report("large").subject, &"x".repeat(usize::try_from(LARGE).expect("a size")));
        assert!(write(&reports.folder(), "large", &large).is_ok());
        assert_eq!(left(), "1234567largesmall");
    }

    #[test]
    fn only_their_owner_may_read_reports() {
        let reports = Reports::new();
        assert_eq!(reports.write("a"), Ok(()));
        let mode = |path: PathBuf| fs::metadata(path).expect("a report").permissions().mode() & 0o777;
        assert_eq!((mode(reports.folder()), mode(reports.folder().join("a.json"))), (0o700, 0o600));
    }

    #[test]
    fn a_damaged_report_is_an_error() {
        let reports = Reports::new();
        fs::create_dir_all(reports.folder()).expect("making a fixture");
        fs::write(reports.folder().join("a.json"), "{").expect("writing a fixture");
        let expected =
            "reading DIR/run/reports/a.json: EOF while parsing an object at line 1 column 1".to_owned();
        assert_eq!(reports.read("a"), Err(expected));
    }
}
