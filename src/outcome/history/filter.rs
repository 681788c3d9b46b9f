//! The selection of decisions.

use crate::eval::verdict::Verdict;
use crate::image::Image;
use crate::outcome::decisions::Record;
use crate::outcome::report::Subject;
use crate::policy::Action;
use crate::words::glob::Glob;
use crate::words::moment::Moment;

use super::HistoryEntry;

/// What became of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DecisionOutcome {
    /// Its creation was aborted.
    Refused,
    /// It would have been, if decisions were carried out (audit mode).
    WouldBeRefused,
    /// It was started with a doubt.
    Started,
}

impl DecisionOutcome {
    /// What became of the container of a record.
    pub fn of(record: &Record) -> Self {
        match (record.action, record.intention) {
            (Action::Refuse, _) => Self::Refused,
            (Action::Start, Action::Refuse) => Self::WouldBeRefused,
            (Action::Start, Action::Start) => Self::Started,
        }
    }

    /// As JSON calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::WouldBeRefused => "would-refuse",
            Self::Started => "started",
        }
    }
}

/// The conditions for a decision; an absent one holds for all.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct DecisionFilter {
    /// Made at this moment or later.
    pub since: Option<Moment>,
    /// Made before this moment.
    pub until: Option<Moment>,
    /// A part of the image's name or digest; with `*` or `?`, a pattern of the whole.
    pub image: Option<String>,
    /// All names and digests of that image, as far as they are known.
    pub known_image: Option<Image>,
    /// One of its reasons has this code.
    pub code: Option<String>,
    /// The container's id starts so, or Kubernetes calls it so.
    pub container: Option<String>,
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// What became of the container.
    pub outcome: Option<DecisionOutcome>,
}

impl DecisionFilter {
    /// Whether all of it holds.
    pub fn accepts(&self, entry: &HistoryEntry<'_>) -> bool {
        let record = &entry.record;
        let is_of = |wanted: &str| {
            let subject = &record.subject;
            let (image, digest) = (subject.image.as_deref(), subject.digest.as_deref());
            [image, digest].into_iter().flatten().any(|it| names(wanted, it))
                || self.known_image.as_ref().is_some_and(|it| it.is_noted(image, digest))
        };
        let starts = |wanted: &String| {
            let Subject { container, pod, .. } = &record.subject;
            container.as_ref().is_some_and(|it| it.starts_with(wanted))
                || pod.as_ref().is_some_and(|it| it.is_meant(wanted))
        };
        self.since.is_none_or(|it| it <= entry.at)
            && self.until.is_none_or(|it| entry.at < it)
            && self.image.as_deref().is_none_or(is_of)
            && self.code.as_ref().is_none_or(|code| record.reasons.iter().any(|it| it.code == *code))
            && self.container.as_ref().is_none_or(starts)
            && self.verdict.is_none_or(|it| record.verdict == it)
            && self.outcome.is_none_or(|it| DecisionOutcome::of(record) == it)
    }
}

fn names(wanted: &str, text: &str) -> bool {
    if wanted.contains(['*', '?']) { Glob::new(wanted).matches(text) } else { text.contains(wanted) }
}
