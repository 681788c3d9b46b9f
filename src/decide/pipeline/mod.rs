//! The one way from requirements and a host to a decision with its report. The hook, the wrapper and the command line collect
//! requirements and name a host. Reading, judging, waiving, reporting and deciding are the same for all. Reads the host, and
//! writes nothing.
//!
//! A further source of requirements needs a [`SpecOrigin`](crate::outcome::report::SpecOrigin), and a place where
//! [`requirements`] collects it. Nothing here depends on the source of a requirement, with one exception: the container's own
//! input comes last, see [`assess`].

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, Instant};

use crate::container::identity::CheckDeadline;
use crate::container::input::Fault;
use crate::decide::check::{self, Requirement};
use crate::decide::requirements::{self, Collected};
use crate::decide::waive::{self, Waived};
use crate::eval::verdict::{TROUBLE, Verdict};
use crate::host::{self, BundleConfig, Facts, Root};
use crate::outcome::decisions;
use crate::outcome::report::{Checked, Report, Subject};
use crate::policy::{Action, Mode, Policy, Situation, Waiver};

/// Judging may take this long even if reading took all the time there was. Twelve rules take some ten microseconds.
const JUDGING: Duration = Duration::from_millis(200);

/// The host that requirements are judged by.
#[derive(Debug, Clone, Copy)]
pub enum Host<'a> {
    /// Its files. Only those are read that the requirements name, and those that explain what is not met.
    Root(&'a Root),
    /// Facts that were recorded before, perhaps on another machine.
    Facts(&'a Facts),
    /// It cannot be read: every fact is unknown.
    Unreadable,
}

/// How requirements are judged.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Only sets with one of these tags count; all if there are none.
    pub tags: &'a [String],
    /// The administrator's waivers, in the order in which they apply.
    pub waivers: &'a [Waiver],
    /// Whether values that only root may see are unknown to specs that were not verified.
    pub withholds: bool,
    /// The end of the whole check. What was read by then is judged, however late it is.
    pub until: CheckDeadline<'a>,
    /// Gets what is known from others, before the container's own input is looked at.
    pub proven: &'a dyn Fn(&[Situation]),
    /// Whether a report on what is plainly compatible lists what was judged. When a container starts, no such report is shown.
    pub lists_compatible: bool,
}

impl Default for Terms<'_> {
    /// Everything counts, nothing is waived or withheld, and there is time.
    fn default() -> Self {
        Self {
            tags: &[],
            waivers: &[],
            withholds: false,
            until: requirements::PATIENT,
            proven: &|_| {},
            lists_compatible: true,
        }
    }
}

impl fmt::Debug for Terms<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tags, waivers, withholds, lists_compatible, .. } = self;
        f.debug_struct("Terms")
            .field("tags", tags)
            .field("waivers", waivers)
            .field("withholds", withholds)
            .field("lists_compatible", lists_compatible)
            .finish_non_exhaustive()
    }
}

/// What came of holding requirements against a host.
#[derive(Debug)]
pub struct Assessment {
    /// On what could be judged, exceptions included.
    pub verdict: Verdict,
    /// Every situation that the container or image is in, the gravest first; never empty.
    pub situations: Vec<Situation>,
    /// The texts about it for people.
    pub report: Report,
}

/// What a policy makes of an assessment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// Why the container is refused; `None` if it starts.
    pub refused: Option<Situation>,
    /// What would be done if the policy was enforced.
    pub intention: Action,
    /// How the message on it starts.
    pub opening: &'static str,
}

/// Holds what was collected against a host. Each rule is judged once.
///
/// What others demand is judged before anything is looked at that the container itself has written: that can only add to it,
/// whatever it costs.
pub fn assess(mut collected: Collected, host: &Host<'_>, terms: &Terms<'_>) -> Assessment {
    let others = std::mem::take(&mut collected.requirements);
    let mut judged = JudgedTogether::of(&others, &collected, host, terms);
    let mut brought = Vec::new();
    if collected.brings() {
        let known = Situation::Judged(verdict_of(&judged.checked));
        let missing = collected.missing.as_ref().map(|_| Situation::SpecMissing);
        (terms.proven)(&Vec::from_iter([known].into_iter().chain(missing)));
        collected.add_brought(terms.until);
        brought = std::mem::take(&mut collected.requirements);
    }
    judged.add(JudgedTogether::of(&brought, &collected, host, terms));
    if judged.asks_bundle {
        collected.faults.extend(collected.bundle.as_ref().and_then(BundleConfig::fault));
    }
    judged.sum_up(collected, terms)
}

/// Requirements that were judged together.
#[derive(Debug, Default)]
struct JudgedTogether<'a> {
    checked: Vec<Checked<'a>>,
    /// What an operator should know.
    notes: Vec<String>,
    waived: Waived,
    /// Whether a rule asks what the bundle gives the container.
    asks_bundle: bool,
}

impl<'a> JudgedTogether<'a> {
    fn of(
        requirements: &'a [Requirement],
        collected: &Collected,
        host: &Host<'_>,
        terms: &Terms<'_>,
    ) -> Self {
        if requirements.is_empty() {
            return Self::default();
        }
        let mut facts = host.facts(requirements, terms.tags, collected.bundle.as_ref());
        // What was read in time counts, however late it is by now.
        let end = (terms.until)().max(Instant::now() + JUDGING);
        let is_over = || end <= Instant::now();
        let mut checked = check::judge_until(requirements, terms.tags, &facts, terms.withholds, &is_over);
        host.explain(&mut checked, &mut facts);
        let notes = check::notes(&checked, &facts);
        let waived = waive::waive(&mut checked, terms.waivers, &collected.image, &decisions::now);
        Self { checked, notes, waived, asks_bundle: host::asks_bundle(&facts) }
    }

    /// Adds others; the same text appears once.
    fn add(&mut self, other: Self) {
        let Self { checked, notes, waived, asks_bundle } = other;
        self.checked.extend(checked);
        add_new(&mut self.notes, notes);
        self.waived.uses.extend(waived.uses);
        add_new(&mut self.waived.notes, waived.notes);
        self.asks_bundle |= asks_bundle;
    }

    fn sum_up(self, collected: Collected, terms: &Terms<'_>) -> Assessment {
        let Self { checked, notes, waived, .. } = self;
        let Collected { subject, faults, troubles, missing, notes: known, .. } = collected;
        let verdict = verdict_of(&checked);
        let is_malformed = checked.iter().any(|it| it.result.is_err());
        let situations = [
            (verdict == Verdict::Incompatible).then_some(Situation::Judged(verdict)),
            is_malformed.then_some(Situation::Malformed),
            (!faults.is_empty()).then_some(Situation::Container),
            missing.is_some().then_some(Situation::SpecMissing),
            (!troubles.is_empty()).then_some(Situation::Trouble),
            (verdict != Verdict::Incompatible).then_some(Situation::Judged(verdict)),
        ];
        let situations: Vec<_> = situations.into_iter().flatten().collect();
        let is_plain = situations == [Situation::Judged(Verdict::Compatible)]
            && waived.uses.is_empty()
            && misses_nothing(&checked);
        let listed = if is_plain && !terms.lists_compatible { &[] } else { checked.as_slice() };
        let notes = [known, notes, waived.notes].concat();
        let report = Report::new(subject, listed)
            .missing_spec(missing.as_deref())
            .with(&faults, &troubles, &notes)
            .waiving(waived.uses);
        Assessment { verdict, situations, report }
    }
}

impl Host<'_> {
    /// The facts that requirements ask for.
    fn facts(&self, requirements: &[Requirement], tags: &[String], bundle: Option<&BundleConfig>) -> Facts {
        match *self {
            Self::Root(root) => check::gather(requirements, tags, root, bundle),
            Self::Facts(taken) => {
                let mut facts = taken.clone();
                check::complete(&mut facts, requirements, tags, bundle);
                facts
            }
            Self::Unreadable => Facts::default(),
        }
    }

    /// Explains why rules are not met; for a host that can be read, with further facts.
    fn explain(&self, checked: &mut [Checked<'_>], facts: &mut Facts) {
        match self {
            Self::Root(root) => check::explain(checked, facts, root),
            Self::Facts(_) | Self::Unreadable => check::explain_by(checked, facts),
        }
    }
}

impl Assessment {
    /// For an unknown container, with the reason; `troubles` are other trouble.
    pub fn blind(subject: Subject, fault: &Fault, troubles: &[String]) -> Self {
        let message = fault.to_string();
        let (situation, report) = match fault {
            Fault::Container(_) => (Situation::Container, Report::fault(subject, &message)),
            Fault::Host(_) => (Situation::Trouble, Report::trouble(subject, &message)),
        };
        let report = report.with(&[], troubles, &[]);
        Self { verdict: Verdict::Undecided, situations: vec![situation], report }
    }

    /// The situation that weighs most.
    pub fn gravest(&self) -> Situation {
        self.situations.first().copied().unwrap_or(Situation::NoRequirements)
    }

    /// Whether everything is met, without exceptions, and nothing that is recommended is missing.
    pub fn is_plain(&self) -> bool {
        self.gravest() == Situation::Judged(Verdict::Compatible)
            && self.report.waivers.is_empty()
            && self.report.recommendations.is_empty()
    }

    /// The exit status: that of the verdict, or of trouble.
    pub fn status(&self) -> u8 {
        let has = |it: Situation| self.situations.contains(&it);
        match self.verdict {
            Verdict::Incompatible => self.verdict.status(),
            Verdict::Compatible if has(Situation::SpecMissing) => Verdict::Undecided.status(),
            Verdict::Compatible | Verdict::Undecided
                if has(Situation::Malformed) || has(Situation::Container) || has(Situation::Trouble) =>
            {
                TROUBLE
            }
            Verdict::Compatible | Verdict::Undecided => self.verdict.status(),
        }
    }

    /// What is done under a policy.
    pub fn under(&self, policy: &Policy) -> Ruling {
        let is_intended = self.situations.iter().any(|it| policy.intention(*it) == Action::Refuse);
        let intention = if is_intended { Action::Refuse } else { Action::Start };
        Ruling {
            refused: self.situations.iter().copied().find(|it| policy.action(*it) == Action::Refuse),
            intention,
            opening: self.opening(intention, policy.mode),
        }
    }

    fn opening(&self, intention: Action, mode: Mode) -> &'static str {
        match (intention, mode, self.gravest()) {
            (Action::Refuse, Mode::Enforce, _) => "refused",
            (Action::Refuse, Mode::Audit | Mode::Off, _) => "warning: would be refused",
            (Action::Start, _, Situation::Judged(Verdict::Incompatible)) => {
                "warning: started though incompatible"
            }
            (
                Action::Start,
                _,
                Situation::Malformed | Situation::Container | Situation::SpecMissing | Situation::Trouble,
            ) => "warning: started unchecked",
            (Action::Start, _, Situation::Judged(Verdict::Undecided)) => "warning: started undecided",
            (Action::Start, _, Situation::Judged(Verdict::Compatible) | Situation::NoRequirements) => {
                match self.report.waivers.is_empty() {
                    true => "note: started without what is recommended",
                    false => "warning: started by waiver",
                }
            }
        }
    }
}

impl Ruling {
    /// What is done.
    pub fn action(&self) -> Action {
        if self.refused.is_some() { Action::Refuse } else { Action::Start }
    }
}

fn verdict_of(checked: &[Checked<'_>]) -> Verdict {
    Verdict::of(checked.iter().filter_map(|it| it.result.as_ref().ok()).map(|it| it.outcome))
}

/// Whether the sets that fit have all that they recommend.
fn misses_nothing(checked: &[Checked<'_>]) -> bool {
    let best = checked.iter().filter_map(|it| it.result.as_ref().ok()?.best());
    best.flat_map(|it| it.missed()).next().is_none()
}

fn add_new(all: &mut Vec<String>, more: Vec<String>) {
    for it in more {
        if !all.contains(&it) {
            all.push(it);
        }
    }
}
