//! Counts a decision that was made before: an engine that tries again every few seconds must not fill the logs. One small
//! file for each decision, to which any number of processes append at once. No process waits. A decision that cannot be
//! counted is written as if it were new.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::words::moment::{self, Moment};

/// The file starts with the time of the first decision, as RFC 3339 with microseconds, and a line feed. One byte follows
/// for each time that it was made again.
const HEADER: usize = 28;
/// That byte, if a line was written for no other reason than the time that had passed.
const WRITTEN: u8 = b'w';
/// That byte otherwise.
const COUNTED: u8 = b'.';
/// A repeated decision is recorded at least once in this time. Seconds.
const PERIOD: i64 = 3600;
/// Bytes of a file, after which a decision is new again: four months, if it is made every ten seconds.
const MAX_BYTES: u64 = 1 << 20;
/// The number of files that are kept: they are in `/run`, which is memory.
const MAX_FILES: usize = 1_000;
/// Oldest files that go at once.
const THINNED: usize = 100;
/// How often it is tried again where others came in between.
const ATTEMPTS: usize = 4;

/// Whether a decision was made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Repetition {
    /// It is new, or that cannot be found out.
    First,
    /// It is not new, and it is time to say how often it was made.
    Due(Repeated),
    /// It is not new.
    Counted,
}

/// How often a decision was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repeated {
    /// When it was made first.
    pub(super) first: String,
    /// How often since, the first time and this time included.
    pub(super) total: u64,
    /// How often since it was written last, this time included.
    pub(super) times: u64,
}

/// Counts the decision with this key, a file name, as made at a moment. It is due when the count is a power of two, and when
/// the last time was in an earlier hour.
pub(super) fn seen(folder: &Path, key: &str, at: Moment) -> Repetition {
    count(folder, key, at).unwrap_or(Repetition::First)
}

/// Makes the decision new again, because it could not be written.
pub(super) fn forget(folder: &Path, key: &str) {
    // If even that is not possible, it is told when its count has doubled.
    let _counted = fs::remove_file(folder.join(key));
}

fn count(folder: &Path, key: &str, at: Moment) -> Result<Repetition> {
    let path = folder.join(key);
    for _ in 0..ATTEMPTS {
        match open(&path) {
            Ok(file) => match again(file, at)? {
                Some(seen) => return Ok(seen),
                None => fs::remove_file(&path)?,
            },
            Err(err) if err.kind() == ErrorKind::NotFound => {
                if begin(folder, key, at)? {
                    return Ok(Repetition::First);
                }
            }
            Err(err) => return Err(err),
        }
    }
    Ok(Repetition::First)
}

fn open(path: &Path) -> Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    OpenOptions::new().read(true).append(true).custom_flags(flags).open(path)
}

/// `None` if the file is full, or none of ours.
fn again(mut file: File, at: Moment) -> Result<Option<Repetition>> {
    let found = file.metadata()?;
    if !found.is_file() || found.len() < HEADER as u64 || found.len() > MAX_BYTES {
        return Ok(None);
    }
    let mut header = [0; HEADER];
    file.read_exact(&mut header)?;
    let first = str::from_utf8(&header).ok().and_then(|it| it.strip_suffix('\n'));
    let Some(first) = first.filter(|it| moment::moment(it).is_some()) else { return Ok(None) };
    let is_late = found.mtime().div_euclid(PERIOD) != at.0.div_euclid(PERIOD);
    file.write_all(&[if is_late { WRITTEN } else { COUNTED }])?;
    // Behind the byte that this process wrote, whatever others append (`O_APPEND`).
    let total = file.stream_position()? - HEADER as u64 + 1;
    if !is_late && !total.is_power_of_two() {
        return Ok(Some(Repetition::Counted));
    }
    let times = total - last_written(&mut file, total)?;
    Ok(Some(Repetition::Due(Repeated { first: first.to_owned(), total, times })))
}

/// Which of the decisions before number `total` was the last one that a line was written for. The first is number 1.
fn last_written(file: &mut File, total: u64) -> Result<u64> {
    let doubled = 1 << (total - 1).ilog2();
    // The byte of number 2 is the first one behind the header.
    file.seek(SeekFrom::Start(HEADER as u64 + doubled - 1))?;
    let mut since = Vec::new();
    file.take(total - 1 - doubled).read_to_end(&mut since)?;
    let behind = since.iter().rposition(|it| *it == WRITTEN).map_or(0, |it| it as u64 + 1);
    Ok(doubled + behind)
}

/// Makes the file, whole from its beginning; `false` if another process was faster.
fn begin(folder: &Path, key: &str, at: Moment) -> Result<bool> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let temporary = folder.join(format!(".{}.{key}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let written = options.open(&temporary).and_then(|mut it| it.write_all(header(at)?.as_bytes()));
    // What a process of this number left that was killed goes as well, for the next time.
    let linked = written.and_then(|()| fs::hard_link(&temporary, folder.join(key)));
    fs::remove_file(&temporary)?;
    match linked {
        Err(err) if err.kind() == ErrorKind::AlreadyExists => Ok(false),
        linked => linked.and_then(|()| thin_out(folder)).map(|()| true),
    }
}

fn header(at: Moment) -> Result<String> {
    let header = moment::text(at) + "\n";
    // Years of more digits than four.
    if header.len() == HEADER { Ok(header) } else { Err(Error::from(ErrorKind::InvalidData)) }
}

/// Of too many files, the oldest are removed: a decision that was not repeated for long is new again.
#[expect(clippy::disallowed_methods, reason = "our own folder, not the host's under a root")]
fn thin_out(folder: &Path) -> Result<()> {
    let entries = fs::read_dir(folder)?.collect::<Result<Vec<_>>>()?;
    if entries.len() <= MAX_FILES {
        return Ok(());
    }
    let mut aged = Vec::new();
    for entry in &entries {
        // Others thin out the same folder.
        let Ok(found) = entry.metadata() else { continue };
        aged.push((found.modified()?, entry.path()));
    }
    aged.sort_unstable();
    for (_, path) in aged.iter().take(THINNED) {
        match fs::remove_file(path) {
            Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// The start of an hour.
    const HOUR: i64 = 1_764_000_000;

    struct DecisionsFolder(tempfile::TempDir);

    impl DecisionsFolder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a temporary folder"))
        }

        fn seen(&self, at: i64) -> Repetition {
            let seen = seen(&self.0.path().join("repeats"), "key", (at, 0));
            self.date(at);
            seen
        }

        /// As if the last decision had been made then.
        fn date(&self, at: i64) {
            let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(at).expect("after 1970"));
            let file = OpenOptions::new().append(true).open(self.0.path().join("repeats/key"));
            file.and_then(|it| it.set_modified(at)).expect("a file that counts");
        }
    }

    fn due(total: u64, times: u64) -> Repetition {
        Repetition::Due(Repeated { first: "2025-11-24T16:00:00.000000Z".to_owned(), total, times })
    }

    #[test]
    fn a_decision_is_reported_when_its_count_has_doubled() {
        let folder = DecisionsFolder::new();
        let seen: Vec<_> = (0..16).map(|_| folder.seen(HOUR)).collect();
        for (index, seen) in seen.into_iter().enumerate() {
            let expected = match index + 1 {
                1 => Repetition::First,
                2 => due(2, 1),
                4 => due(4, 2),
                8 => due(8, 4),
                16 => due(16, 8),
                _ => Repetition::Counted,
            };
            assert_eq!(seen, expected, "{index}");
        }
    }

    #[test]
    fn a_decision_is_reported_once_an_hour_whatever_the_count() {
        let folder = DecisionsFolder::new();
        let seen: Vec<_> = (0..5).map(|_| folder.seen(HOUR)).collect();
        assert_eq!(seen.last(), Some(&Repetition::Counted));
        assert_eq!(folder.seen(HOUR + 3599), Repetition::Counted);
        assert_eq!(folder.seen(HOUR + 3600), due(7, 3));
        assert_eq!(folder.seen(HOUR + 3601), due(8, 1));
        assert_eq!(folder.seen(HOUR + 7199), Repetition::Counted);
        assert_eq!(folder.seen(HOUR + 7200), due(10, 2));
        assert_eq!(folder.seen(HOUR + 100_000), due(11, 1));
        assert_eq!(folder.seen(HOUR + 100_001), Repetition::Counted);
        // A clock that was set back.
        assert_eq!(folder.seen(HOUR), due(13, 2));
    }

    #[test]
    fn decisions_are_counted_apart() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = (HOUR, 0);
        assert_eq!(seen(folder.path(), "a", at), Repetition::First);
        assert_eq!(seen(folder.path(), "b", at), Repetition::First);
    }

    #[test]
    fn many_at_once_are_all_counted_and_the_first_is_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let now = super::super::now();
        let count = |times: usize| -> Vec<Repetition> {
            (0..times).map(|_| seen(folder.path(), "key", now)).collect()
        };
        // Threads have one number.
        let mut all = count(4);
        let others: Vec<Repetition> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| count(63))).collect();
            threads.into_iter().flat_map(|it| it.join().expect("a thread")).collect()
        });
        all.extend(others);
        let size = fs::metadata(folder.path().join("key")).expect("the file").len();
        assert_eq!(size, HEADER as u64 + 255);
        assert_eq!(all.iter().filter(|it| **it == Repetition::First).count(), 1);
        let told: u64 = all
            .iter()
            .map(|it| match it {
                Repetition::First => 1,
                Repetition::Due(it) => it.times,
                Repetition::Counted => 0,
            })
            .sum();
        // The last one is number 256, a power of two.
        assert_eq!(told, 256);
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }

    #[test]
    fn a_decision_that_cannot_be_counted_is_recorded_each_time() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let place = folder.path().join("repeats");
        fs::write(&place, "").expect("a fixture");
        for _ in 0..3 {
            assert_eq!(seen(&place, "key", (HOUR, 0)), Repetition::First);
        }
    }

    #[test]
    fn a_file_that_is_full_or_foreign_is_started_again() {
        let folder = DecisionsFolder::new();
        let path = folder.0.path().join("repeats/key");
        assert_eq!(folder.seen(HOUR), Repetition::First);
        for text in ["", "short", "this is twenty-eight bytes..", "2025-11-24T16:00:00.000000Z."] {
            fs::write(&path, text).expect("a fixture");
            assert_eq!(folder.seen(HOUR), Repetition::First, "{text}");
            assert_eq!(folder.seen(HOUR), due(2, 1), "{text}");
        }
        let file = OpenOptions::new().append(true).open(&path).expect("the file");
        file.set_len(MAX_BYTES + 1).expect("a fixture");
        assert_eq!(folder.seen(HOUR), Repetition::First);
    }

    #[test]
    fn of_too_many_files_the_oldest_go() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for number in 0..=MAX_FILES as u64 {
            let file = File::create(folder.path().join(format!("{number}"))).expect("a fixture");
            file.set_modified(UNIX_EPOCH + Duration::from_secs(number)).expect("a fixture");
        }
        assert_eq!(seen(folder.path(), "key", (HOUR, 0)), Repetition::First);
        let left = fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(left, MAX_FILES + 2 - THINNED);
        assert!(!folder.path().join("99").exists() && folder.path().join("100").exists());
    }
}
