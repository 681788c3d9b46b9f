//! Decisions counted by their causes: what to mend first, and the number of images that it affects.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Serialize;

use super::{DecisionOutcome, HistoryEntry};
use crate::outcome::decisions::Record;
use crate::words::text::counted;

/// The name and version of the JSON summary; fields are only ever added.
const SCHEMA: &str = "oci-compat.log-summary/v1";
/// Causes beyond these are counted together: texts of strangers must not fill the memory.
const MAX_CAUSES: usize = 1_000;

/// Decisions, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// `oci-compat.log-summary/v1`.
    pub schema: &'static str,
    /// All of them.
    pub decisions: usize,
    /// Containers that were refused.
    pub refused: usize,
    /// Containers that would have been refused, if decisions were carried out.
    pub would_refuse: usize,
    /// Containers that were started with a doubt.
    pub started: usize,
    /// Images that are known by name or digest.
    pub images: usize,
    /// When the first was made (RFC 3339); absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// When the last was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// Refusals first, and what is most frequent first. A decision with several reasons is counted with each.
    pub causes: Vec<Cause>,
}

/// A reason, and how often it was one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// `refused`, `would-refuse` or `started`.
    pub action: &'static str,
    /// What kind it is.
    pub code: String,
    /// The reason.
    pub message: String,
    /// Decisions.
    pub count: usize,
    /// Images that are known by name or digest.
    pub images: usize,
    /// When it was so for the last time.
    pub last: String,
}

/// Counts decisions, and keeps none.
#[derive(Debug, Default)]
pub struct Counter {
    outcomes: BTreeMap<DecisionOutcome, usize>,
    images: BTreeSet<u64>,
    span: Option<(String, String)>,
    causes: BTreeMap<(DecisionOutcome, String, String), CauseTally>,
}

#[derive(Debug, Default)]
struct CauseTally {
    count: usize,
    images: BTreeSet<u64>,
    last: String,
}

impl Summary {
    /// Counts from nothing.
    pub fn counter() -> Counter {
        Counter::default()
    }
}

impl Counter {
    /// Counts one more.
    pub fn add(&mut self, entry: &HistoryEntry<'_>) {
        let record = &entry.record;
        let outcome = DecisionOutcome::of(record);
        let times = usize::try_from(record.times).unwrap_or(usize::MAX);
        let count = self.outcomes.entry(outcome).or_default();
        *count = count.saturating_add(times);
        let image = image(record);
        self.images.extend(image);
        let first = self.span.take().map_or_else(|| record.time.clone(), |(first, _)| first);
        self.span = Some((first, record.time.clone()));
        let reasons: BTreeSet<_> = record.reasons.iter().map(|it| (&it.code, &it.message)).collect();
        for (code, message) in reasons {
            let mut cause = (outcome, code.clone(), message.clone());
            if self.causes.len() >= MAX_CAUSES && !self.causes.contains_key(&cause) {
                cause = (outcome, "others".to_owned(), "other causes".to_owned());
            }
            let tally = self.causes.entry(cause).or_default();
            tally.count = tally.count.saturating_add(times);
            tally.images.extend(image);
            tally.last.clone_from(&record.time);
        }
    }

    /// The sums.
    pub fn summary(self) -> Summary {
        let count = |outcome| self.outcomes.get(&outcome).copied().unwrap_or_default();
        let (refused, would_refuse, started) = (
            count(DecisionOutcome::Refused),
            count(DecisionOutcome::WouldBeRefused),
            count(DecisionOutcome::Started),
        );
        let (first, last) = self.span.unzip();
        let mut causes: Vec<_> = self.causes.into_iter().collect();
        causes.sort_by_key(|((outcome, _, _), it)| (*outcome, std::cmp::Reverse(it.count)));
        Summary {
            schema: SCHEMA,
            decisions: refused + would_refuse + started,
            refused,
            would_refuse,
            started,
            images: self.images.len(),
            first,
            last,
            causes: causes.into_iter().map(cause).collect(),
        }
    }
}

fn cause(((outcome, code, message), tally): ((DecisionOutcome, String, String), CauseTally)) -> Cause {
    let CauseTally { count, images, last } = tally;
    Cause { action: outcome.name(), code, message, count, images: images.len(), last }
}

/// By its name if that is known: for mending it, an image that was built again is the same image.
fn image(record: &Record) -> Option<u64> {
    let subject = &record.subject;
    let name = subject.image.as_ref().or(subject.digest.as_ref())?;
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    Some(hasher.finish())
}

impl Summary {
    /// For people: a line for all, and one for each cause.
    pub fn text(&self) -> String {
        let (Some(first), Some(last)) = (&self.first, &self.last) else { return "no decisions\n".to_owned() };
        let mut page =
            format!("{}{}, {}", counted(self.decisions, "decision"), on(self.images), second(first));
        if first != last {
            page.push_str(&format!(" to {}", second(last)));
        }
        page.push('\n');
        for it in &self.causes {
            let what = match (it.action, it.count) {
                ("refused", 1) => "refusal",
                ("refused", _) => "refusals",
                ("would-refuse", _) => "would be refused",
                _ => "started with a doubt",
            };
            // Writing to a string cannot fail.
            let _written = writeln!(
                page,
                "{:>4} {what}: {} [{}]{}, last at {}",
                it.count,
                it.message,
                it.code,
                on(it.images),
                second(&it.last)
            );
        }
        page
    }
}

fn on(images: usize) -> String {
    match images {
        0 => String::new(),
        _ => format!(", on {}", counted(images, "image")),
    }
}

/// A time as people read it, without parts of a second.
pub(super) fn second(time: &str) -> String {
    match (time.get(..19), time.ends_with('Z')) {
        (Some(start), true) => format!("{start}Z"),
        _ => time.to_owned(),
    }
}
