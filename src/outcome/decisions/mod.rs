//! Records every decision that is not plainly "compatible": a line in a file, and a record in the system's log. Never changes a
//! decision, never waits for a lock, and does not run for a container that fits.

mod file;
mod repeats;
mod journal;
mod syslog;
mod socket;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::eval::Outcome;
use crate::eval::verdict::Verdict;
use crate::os::file::User;
use crate::outcome::report::{Pod, Reason, Report, SpecReport, Subject, WaiverReport};
use crate::policy::{Action, LogSettings, Mode, Situation};
use crate::words::moment::{self, Moment};

use crate::words::text::printable;
pub use file::{MAX_KEPT, rotated};
use repeats::{Repeated, Repetition};
use socket::Unsent;

/// The name and version of a line; fields are only ever added.
pub const SCHEMA: &str = "oci-compat.decision/v1";
/// A user's own, in the folder that they have for such things.
const NAME: &str = "decisions.jsonl";
/// Where journald listens (systemd, "Native Journal Protocol").
pub const JOURNAL: &str = "/run/systemd/journal/socket";
/// Where syslog listens (syslog(3)).
pub const SYSLOG: &str = "/dev/log";
/// Bytes of a line, with its line feed: whatever strangers write, a record is not longer.
pub const MAX_LINE: usize = 32 << 10;

/// LOG_ERR of syslog(3).
const PRIORITY_ERROR: u8 = 3;
/// LOG_WARNING of syslog(3).
const PRIORITY_WARNING: u8 = 4;
/// Reasons, notes and specs of a record; a report has all of them.
const MAX_LISTED: usize = 12;
/// Bytes of a text in a record; longer ones end with `...`.
const MAX_TEXT: usize = 240;

/// Where records go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// The file of decisions; `None`: there is none.
    pub decisions: Option<PathBuf>,
    /// Bytes that the file may have before it is rotated. If it cannot be, as many may follow (at least 1 MiB), and no more.
    pub max_bytes: u64,
    /// How many old files are kept, at most [`MAX_KEPT`].
    pub keep: u32,
    /// Where decisions that are made again are counted; `None`: each is written.
    pub repeats: Option<PathBuf>,
    /// The socket of journald; `None`: no record for it.
    pub journal: Option<PathBuf>,
    /// The socket of syslog, for a host without journald; `None`: no record for it.
    pub syslog: Option<PathBuf>,
}

impl Targets {
    /// Where records go by the policy. Another file than the policy's may be named for decisions.
    pub fn new(log: &LogSettings, decisions: Option<&Path>, journal: &Path, syslog: &Path) -> Self {
        let usual = || files(log.decisions.clone()?).into_iter().next();
        Self {
            decisions: decisions.map(Path::to_owned).or_else(usual),
            max_bytes: log.max_bytes,
            keep: log.keep,
            repeats: None,
            journal: log.journal.then(|| journal.to_owned()),
            syslog: log.syslog.then(|| syslog.to_owned()),
        }
    }
}

/// What a record has that a report lacks.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// When, by the host's clock.
    pub at: Moment,
    /// Which program decided: `hook`, `runtime` or `verifier`.
    pub program: &'a str,
    /// Whether decisions were carried out.
    pub mode: Mode,
    /// The gravest of what was found.
    pub situation: Situation,
    /// What policy would have done in mode `enforce`.
    pub intention: Action,
    /// The message to the user.
    pub message: &'a str,
}

/// One decision. Text that strangers wrote is escaped already: it can go to a terminal or a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// [`SCHEMA`]; the first field, by which a line is known as ours.
    pub schema: String,
    /// RFC 3339, in UTC, with microseconds.
    pub time: String,
    /// `hook`, `runtime` or `verifier`.
    pub program: String,
    /// Whether decisions were carried out.
    pub mode: Mode,
    /// `incompatible` or `undecided`, or `compatible` for what was started only because of a waiver.
    pub verdict: Verdict,
    /// The gravest of what was found.
    pub situation: Situation,
    /// What was done.
    pub action: Action,
    /// What policy would have done in mode `enforce`.
    pub intention: Action,
    /// The first line of the message to the user.
    pub message: String,
    /// The container and its image.
    pub subject: Subject,
    /// Why, the gravest first.
    pub reasons: Vec<Reason>,
    /// The exceptions that were used, and what else an operator should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Who demanded something.
    pub specs: Vec<RecordedSpec>,
    /// How many reasons, notes and specs are left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub omitted: usize,
    /// When the same was decided for the first time; absent if that was now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// How often it was decided since, the first time and this time included.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub total: u64,
    /// How often it was decided since the last line that says so, this time included: for how many this line stands.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u64,
}

/// A spec, without its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedSpec {
    /// As in the report: `inline`, `referenced`, `attached`, `file`, ...
    pub source: String,
    /// The file's path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The digest of the artifact's manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What time it is, by the host's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the date, for people and for what expires; nothing waits for it"
)]
pub fn now() -> Moment {
    // Before 1970 a clock is not set, and any moment is as good.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (i64::try_from(since.as_secs()).unwrap_or(i64::MAX), since.subsec_nanos())
}

/// The files of decisions for the user of this process; the first one is for writing. A user's own file comes before
/// `system`, the file that the policy names.
pub fn files(system: PathBuf) -> Vec<PathBuf> {
    let own = User::this().map(|it| it.lasting()).unwrap_or_default();
    own.into_iter().map(|it| it.join(NAME)).chain([system]).collect()
}

/// Writes the record wherever it is wanted, and returns what went wrong: a sentence each. What was decided before in the same
/// way is counted, and written now and then.
pub fn write(targets: &Targets, record: &Record) -> Vec<String> {
    let Some(record) = &counted(targets, record) else { return Vec::new() };
    let in_file = targets.decisions.as_ref().and_then(|path| {
        let rotation = file::Rotation { max_bytes: targets.max_bytes, keep: targets.keep.min(MAX_KEPT) };
        file::append(path, rotation, &record.line()).err()
    });
    if let (Some(_), Some(folder), Some(key)) = (&in_file, &targets.repeats, record.key()) {
        // It has to be written as soon as that is possible.
        repeats::forget(folder, &key);
    }
    in_file.into_iter().map(|err| format!("{err:#}")).chain(log_decision(targets, record).err()).collect()
}

/// The record with its count; `None` if it need not be written.
fn counted<'a>(targets: &Targets, record: &'a Record) -> Option<Cow<'a, Record>> {
    let at = moment::moment(&record.time);
    let (Some(folder), Some(key), Some(at)) = (&targets.repeats, record.key(), at) else {
        return Some(Cow::Borrowed(record));
    };
    match repeats::seen(folder, &key, at) {
        Repetition::First => Some(Cow::Borrowed(record)),
        Repetition::Counted => None,
        Repetition::Due(Repeated { first, total, times }) => {
            Some(Cow::Owned(Record { first: Some(first), total, times, ..record.clone() }))
        }
    }
}

/// Tells the system's log about something that is no decision and that an administrator has to hear of, and returns
/// what went wrong: a sentence.
pub fn shout(targets: &Targets, text: &str) -> Option<String> {
    let text = short(&printable(text));
    log(targets, || journal::shout(&text), || syslog::line(PRIORITY_ERROR, &text, &[])).err()
}

fn log_decision(targets: &Targets, record: &Record) -> Result<(), String> {
    let Subject { image, digest, container, pod, .. } = &record.subject;
    let (pod, total) = (pod.as_ref().map(Pod::path), record.first.as_ref().map(|_| record.total.to_string()));
    let about =
        [("container", container), ("pod", &pod), ("image", image), ("digest", digest), ("total", &total)];
    let line = || syslog::line(record.priority(), record.headline(), &about);
    log(targets, || journal::message(record), line)
}

/// Writes to journald; to syslog only if there is none, or everything would be in the journal twice.
fn log(
    targets: &Targets,
    message: impl FnOnce() -> Vec<u8>,
    line: impl FnOnce() -> String,
) -> Result<(), String> {
    let journal = targets.journal.as_ref().map(|it| journal::send(it, &message()));
    match journal {
        Some(Ok(())) => return Ok(()),
        Some(Err(Unsent::Failed(why))) => return Err(why),
        Some(Err(Unsent::Absent)) | None => {}
    }
    match targets.syslog.as_ref().map(|it| syslog::send(it, &line())) {
        Some(Err(Unsent::Failed(why))) => Err(why),
        // A host without any system log is a host like others: the file has it all.
        Some(Err(Unsent::Absent) | Ok(())) | None => Ok(()),
    }
}

impl Record {
    /// The record of a decision on a container, bounded whatever the report holds.
    pub fn new(report: &Report, decided: &Decided<'_>) -> Self {
        let reasons: Vec<_> = report.reasons.iter().take(MAX_LISTED).map(shortened).collect();
        let waived = report.waivers.iter().map(WaiverReport::sentence);
        let notes = waived.chain(report.notes.iter().cloned());
        let notes: Vec<_> = notes.take(MAX_LISTED).map(|it| short(&it)).collect();
        let specs: Vec<_> = report.specs.iter().take(MAX_LISTED).map(RecordedSpec::new).collect();
        let listed = reasons.len() + notes.len() + specs.len();
        let first_line = decided.message.lines().next().unwrap_or_default();
        let field = |it: &Option<String>| it.as_deref().map(short);
        let subject = &report.subject;
        Self {
            schema: SCHEMA.to_owned(),
            time: moment::text(decided.at),
            program: decided.program.to_owned(),
            mode: decided.mode,
            verdict: report.verdict,
            situation: decided.situation,
            action: report.action.unwrap_or(Action::Start),
            intention: decided.intention,
            message: short(&printable(first_line)),
            subject: Subject {
                image: field(&subject.image),
                digest: field(&subject.digest),
                container: field(&subject.container),
                pod: subject.pod.clone(),
                bundle: field(&subject.bundle),
            },
            omitted: report.reasons.len() + report.waivers.len() + report.notes.len() + report.specs.len()
                - listed,
            reasons,
            notes,
            specs,
            first: None,
            total: 1,
            times: 1,
        }
    }

    /// What is the same each time that the same is decided about the same container, as the name of a file. A pod's is the
    /// same whatever its id; `None` for an unknown container.
    fn key(&self) -> Option<String> {
        let subject = &self.subject;
        let who = subject.pod.as_ref().map(Pod::path).or_else(|| subject.container.clone())?;
        let reasons = self.reasons.iter().flat_map(|it| [it.code.as_str(), &it.message]);
        let about = [
            &self.program,
            self.mode.name(),
            self.situation.name(),
            self.action.name(),
            self.intention.name(),
            &self.message,
        ];
        let image = [&subject.image, &subject.digest].map(|it| it.as_deref().unwrap_or_default());
        let notes = self.notes.iter().map(String::as_str);
        let mut hash = Sha256::new_with_prefix(&who);
        for text in about.into_iter().chain(image).chain(reasons).chain(notes) {
            hash.update([0]);
            hash.update(subject.nameless(text));
        }
        Some(hash.finalize().iter().take(16).map(|it| format!("{it:02x}")).collect())
    }

    /// A report that knows no more than the record.
    pub fn into_report(self, note: &str) -> Report {
        let mut report = Report::trouble(self.subject, "");
        report.verdict = self.verdict;
        report.action = Some(self.action);
        report.time = Some(self.time);
        report.reasons = self.reasons;
        report.notes = self.notes.into_iter().chain([note.to_owned()]).collect();
        report
    }

    /// The time, the subject and the message of a decision: a line for people.
    pub fn text(&self) -> String {
        let second = |it: &str| it.get(..19).map_or_else(|| it.to_owned(), |it| format!("{it}Z"));
        let time = second(&self.time);
        let subject = &self.subject;
        let image = subject.image.as_deref().or(subject.digest.as_deref()).unwrap_or("image unknown");
        let again = match &self.first {
            Some(first) => format!(" ({} times since {})", self.total, second(first)),
            None => String::new(),
        };
        printable(&format!("{time} {image}: {}{again}", self.headline()))
    }

    /// The line, with its line feed.
    fn line(&self) -> Vec<u8> {
        // Text in a struct: serde_json has no reason to fail, and an empty line would be skipped by readers.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }

    /// Each code once, the gravest first.
    fn codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = Vec::new();
        for reason in &self.reasons {
            if !codes.contains(&reason.code.as_str()) {
                codes.push(&reason.code);
            }
        }
        codes
    }

    /// A refusal is an error, anything else a warning.
    fn priority(&self) -> u8 {
        if self.action == Action::Refuse { PRIORITY_ERROR } else { PRIORITY_WARNING }
    }

    /// The message without the program's name, which system logs put before it themselves.
    fn headline(&self) -> &str {
        self.message.strip_prefix("oci-compat: ").unwrap_or(&self.message)
    }
}

impl RecordedSpec {
    fn new(spec: &SpecReport) -> Self {
        Self {
            source: spec.source.clone(),
            file: spec.file.as_deref().map(short),
            artifact: spec.artifact.as_deref().map(short),
            outcome: spec.outcome,
        }
    }
}

/// Logs are carried elsewhere: what only root may see stays in the report.
fn shortened(reason: &Reason) -> Reason {
    let message = reason.discreet.as_ref().unwrap_or(&reason.message);
    Reason { code: reason.code.clone(), message: short(message), ..Reason::default() }
}

/// The start of a text, cut between two characters.
fn short(text: &str) -> String {
    if text.len() <= MAX_TEXT {
        return text.to_owned();
    }
    let (start, _) = text.split_at(text.floor_char_boundary(MAX_TEXT - 3));
    format!("{start}...")
}

fn once() -> u64 {
    1
}

fn is_once(times: &u64) -> bool {
    *times == 1
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}
