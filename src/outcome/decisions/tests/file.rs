//! The file of decisions, with one writer and with many, and with other things in its place.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::outcome::decisions::file::{LEAST_SLACK, MAX_KEPT, Rotation, append, rotated};

const ROOMY: Rotation = Rotation { max_bytes: 1 << 20, keep: 2 };

struct LogFixture(tempfile::TempDir);

impl LogFixture {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("log/decisions.jsonl")
    }

    fn append(&self, rotation: Rotation, line: &str) -> Result<(), String> {
        append(&self.path(), rotation, line.as_bytes())
            .map_err(|err| format!("{err:#}").replace(&self.0.path().display().to_string(), "DIR"))
    }

    /// The text of the file itself, and of the old ones.
    fn texts(&self) -> Vec<Option<String>> {
        let text = |number| fs::read_to_string(rotated(&self.path(), number)).ok();
        let mut texts: Vec<_> = (0..=MAX_KEPT).map(text).collect();
        while texts.last().is_some_and(Option::is_none) {
            texts.pop();
        }
        texts
    }

    fn folder(&self) -> PathBuf {
        let folder = self.0.path().join("log");
        fs::create_dir(&folder).expect("making a fixture");
        folder
    }
}

fn texts(expected: &[&str]) -> Vec<Option<String>> {
    expected.iter().map(|it| Some((*it).to_owned())).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn lines_are_appended_to_a_file_that_only_root_and_its_group_read() {
    let log = LogFixture::new();
    assert_eq!(log.append(ROOMY, "one\n"), Ok(()));
    assert_eq!(log.append(ROOMY, "two\n"), Ok(()));
    assert_eq!(log.texts(), texts(&["one\ntwo\n"]));
    assert_eq!((mode(&log.path()) & 0o137, mode(log.path().parent().expect("a folder")) & 0o027), (0, 0));
}

#[test]
fn a_full_file_becomes_an_old_one_and_the_oldest_goes() {
    let log = LogFixture::new();
    let rotation = Rotation { max_bytes: 8, keep: 2 };
    for line in ["one\n", "two\n", "three\n", "four\n", "a line of its own\n", "five\n"] {
        assert_eq!(log.append(rotation, line), Ok(()));
    }
    assert_eq!(log.texts(), texts(&["five\n", "a line of its own\n", "four\n"]));
}

#[test]
fn without_old_files_the_full_one_is_dropped() {
    let log = LogFixture::new();
    let rotation = Rotation { max_bytes: 8, keep: 0 };
    for line in ["one\n", "two\n", "three\n"] {
        assert_eq!(log.append(rotation, line), Ok(()));
    }
    assert_eq!(log.texts(), texts(&["three\n"]));
}

#[test]
fn old_files_of_a_configuration_that_kept_more_are_dropped() {
    let log = LogFixture::new();
    for keep in [4, 4, 4, 4, 4, 2] {
        assert_eq!(log.append(Rotation { max_bytes: 1, keep }, "x\n"), Ok(()));
    }
    assert_eq!(log.texts(), texts(&["x\n", "x\n", "x\n"]));
}

#[test]
fn a_file_that_cannot_be_rotated_grows_by_as_much_again_and_no_further() {
    let log = LogFixture::new();
    let rotation = Rotation { max_bytes: 1 << 20, keep: 1 };
    let half = "x".repeat((1 << 19) - 1) + "\n";
    assert_eq!(log.append(rotation, &half), Ok(()));
    let held = fs::File::open(log.path()).expect("the file");
    held.try_lock().expect("nobody else has it");
    for _ in 0..3 {
        assert_eq!(log.append(rotation, &half), Ok(()));
    }
    let full = "decision not logged: DIR/log/decisions.jsonl: it is full, and another process has locked it";
    assert_eq!(log.append(rotation, "more\n"), Err(full.to_owned()));
    drop(held);
    assert_eq!(log.append(rotation, "more\n"), Ok(()));
    assert_eq!(log.texts(), texts(&["more\n", &half.repeat(4)]));
}

#[test]
fn what_is_no_regular_file_is_left_alone() {
    let check = |make: &dyn Fn(&Path), what: &str| {
        let log = LogFixture::new();
        make(&log.folder().join("decisions.jsonl"));
        let expected = format!("decision not logged: DIR/log/decisions.jsonl: it {what}");
        assert_eq!(log.append(ROOMY, "one\n"), Err(expected));
    };
    let fifo = |path: &Path| {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("making a fixture");
    };
    check(&fifo, "is not a regular file");
    check(&|path| drop(UnixListener::bind(path).expect("making a fixture")), "is not a regular file");
    check(
        &|path| symlink("elsewhere", path).expect("making a fixture"),
        "is a symbolic link, or a loop of them",
    );
    check(
        &|path| symlink("/dev/null", path).expect("making a fixture"),
        "is a symbolic link, or a loop of them",
    );
    check(&|path| fs::create_dir(path).expect("making a fixture"), "is a folder");
}

#[test]
fn only_the_last_folder_is_made() {
    let log = LogFixture::new();
    let path = log.0.path().join("a/b/decisions.jsonl");
    let err = append(&path, ROOMY, b"one\n").expect_err("there is no folder a");
    let folder = log.0.path().display();
    let expected = format!(
        "decision not logged: {folder}/a/b/decisions.jsonl: folder {folder}/a/b cannot be made: it is not there"
    );
    assert_eq!(format!("{err:#}"), expected);
    fs::write(log.0.path().join("log"), "").expect("writing a fixture");
    let expected = "decision not logged: DIR/log/decisions.jsonl: it is not a folder";
    assert_eq!(log.append(ROOMY, "one\n"), Err(expected.to_owned()));
}

/// Every line that many writers wrote at once: how often it is in the files, and what is no whole line.
fn written_at_once(
    rotation: Rotation,
    writers: usize,
    lines: usize,
) -> (BTreeMap<String, usize>, LogFixture) {
    let log = LogFixture::new();
    let path = log.path();
    std::thread::scope(|scope| {
        for writer in 0..writers {
            let path = &path;
            scope.spawn(move || {
                for number in 0..lines {
                    let line = format!("{writer}-{number}-{}\n", "x".repeat(writer * 7 % 200));
                    append(path, rotation, line.as_bytes()).expect("a line");
                }
            });
        }
    });
    let mut found = BTreeMap::new();
    for text in log.texts().into_iter().flatten() {
        assert!(text.ends_with('\n'));
        for line in text.lines() {
            *found.entry(line.to_owned()).or_default() += 1;
        }
    }
    (found, log)
}

#[test]
fn many_writers_lose_nothing_tear_nothing_and_write_nothing_twice_while_files_are_rotated() {
    let (found, log) = written_at_once(Rotation { max_bytes: 20_000, keep: MAX_KEPT }, 40, 50);
    assert_eq!(found.len(), 2_000);
    assert_eq!(found.values().max(), Some(&1));
    let well_formed = |it: &str| it.split('-').nth(2).is_some_and(|it| it.bytes().all(|it| it == b'x'));
    assert_eq!(found.keys().find(|it| !well_formed(it)), None);
    assert!(log.texts().len() > 1, "{}", log.texts().len());
}

#[test]
fn many_writers_stay_within_the_bound() {
    let rotation = Rotation { max_bytes: 2_000, keep: 2 };
    let (found, log) = written_at_once(rotation, 40, 50);
    assert_eq!(found.values().max(), Some(&1));
    let sizes: Vec<_> = log.texts().iter().flatten().map(|it| it.len() as u64).collect();
    assert!(sizes.len() <= 3 && sizes.iter().all(|it| *it <= 2_000 + LEAST_SLACK), "{sizes:?}");
}
