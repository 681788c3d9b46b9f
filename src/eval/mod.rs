//! Judges rules by facts. Pure: no file, clock, environment or log. Never fails, and never stops at the first finding.

mod element;
mod lack;
mod spelling;
mod range;
mod nvidia;
mod term;
mod progress;
mod group;
mod matched;
mod demand;
mod clue;
mod discreet;
mod reason;
pub mod verdict;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::host::{Facts, Unknown};
use crate::spec::{Place, Rule, Set, Severity, Spec, Term, Test};

use lack::Effort;
use matched::RuleMatched;
use progress::RuleProgress;

pub use clue::{clues, explaining};
pub use demand::demand;
pub use lack::{Clue, Manager};
pub use reason::{CODES, Code, demands, group_demands};

/// What came of a test, a rule, a set or a spec; Kleene's three values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Met,
    /// It does not hold.
    Unmet,
    /// It is unknown.
    Unknown,
}

impl Outcome {
    /// As reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Unmet => "unmet",
            Self::Unknown => "unknown",
        }
    }

    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Unmet, _) | (_, Self::Unmet) => Self::Unmet,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Met, Self::Met) => Self::Met,
        }
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Met, _) | (_, Self::Met) => Self::Met,
            (Self::Unknown, _) | (_, Self::Unknown) => Self::Unknown,
            (Self::Unmet, Self::Unmet) => Self::Unmet,
        }
    }

    /// All hold; true of none.
    pub fn all(outcomes: impl IntoIterator<Item = Self>) -> Self {
        outcomes.into_iter().fold(Self::Met, Self::and)
    }

    /// At least one holds; false of none.
    pub fn any(outcomes: impl IntoIterator<Item = Self>) -> Self {
        outcomes.into_iter().fold(Self::Unmet, Self::or)
    }
}

impl From<bool> for Outcome {
    fn from(holds: bool) -> Self {
        if holds { Self::Met } else { Self::Unmet }
    }
}

/// A spec judged on a host.
#[derive(Debug, Clone)]
pub struct Judgement<'a> {
    /// Met if a set is, or if the spec has none. Unknown if none was selected.
    pub outcome: Outcome,
    /// The sets that were selected, in the order of the spec.
    pub sets: Vec<JudgedSet<'a>>,
}

/// A compatibility set judged on a host.
#[derive(Debug, Clone)]
pub struct JudgedSet<'a> {
    /// What was judged.
    pub set: &'a Set,
    /// Met if all required rules are.
    pub outcome: Outcome,
    /// In the order of the set.
    pub rules: Vec<JudgedRule<'a>>,
}

/// A rule judged on a host.
#[derive(Debug, Clone)]
pub struct JudgedRule<'a> {
    /// What was judged.
    pub rule: &'a Rule,
    /// Met if all terms are, and an alternative if there are any; or if the rule is waived.
    pub outcome: Outcome,
    /// What the outcome would be if the rule was not waived; none if it is not.
    pub waived: Option<Outcome>,
    /// Terms in the order of the rule, `matchFeatures` first, then each alternative of `matchAny`, then `when` and groups.
    pub terms: Vec<JudgedTerm<'a>>,
    /// Why its template could not be expanded, which leaves the rule unknown.
    pub template_error: Option<String>,
    /// Whether the rule counts here, by its `when`; met if it has none.
    pub applies: Outcome,
    /// What came of the terms, whether the rule counts or not.
    holds: Outcome,
    /// Which of `terms`, among those of its groups, give them their outcome; known once the judgement is explained.
    blame: Vec<Blame>,
}

/// A term of a group that gives it its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Blame {
    /// Its place among the terms of the rule.
    term: usize,
    /// Of how many alternatives it belongs to the nearest; zero where there is no other.
    of: usize,
    /// Terms of other alternatives that fail by the same element, one each.
    or: Vec<usize>,
}

/// A term judged on a host.
#[derive(Debug, Clone)]
pub struct JudgedTerm<'a> {
    /// What was judged.
    pub term: &'a Term,
    /// Which alternative of `matchAny` it belongs to, from zero; none for `matchFeatures`.
    pub alternative: Option<usize>,
    /// In which group it stands, such as `any 2` or `not`; empty for `matchFeatures` and `matchAny`.
    pub group: String,
    /// Whether the group has to fail: it stands within one `not`, or three.
    pub negated: bool,
    /// Met if all findings are.
    pub outcome: Outcome,
    /// One for each expression, in the order of the term; one for a term without any.
    pub findings: Vec<Finding<'a>>,
}

/// One expression judged on a host, with the evidence.
#[derive(Debug, Clone)]
pub struct Finding<'a> {
    /// The feature as the author wrote it.
    pub feature: &'a str,
    /// The element that is tested; empty for `matchName` and for a bare feature.
    pub element: &'a str,
    /// What is tested; none for a bare feature, which has to exist.
    pub test: Option<&'a Test>,
    /// Its place in the spec.
    pub at: Place,
    /// What came of it.
    pub outcome: Outcome,
    /// What the host has, and where that was read.
    pub evidence: Evidence,
    /// Whether only root may read the file that holds the value.
    pub secret: bool,
    /// Further knowledge that explains the outcome; known once the judgement is explained.
    pub clue: Option<Clue>,
}

/// What a test was applied to.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// It could not be looked at.
    Unknown(Unknown),
    /// We looked, and the host has no such feature.
    NoFeature {
        /// Where.
        read: String,
    },
    /// The feature is there; nothing more was asked.
    Feature {
        /// Where.
        read: String,
    },
    /// Whether a name is among the flags.
    Flag {
        /// Whether it is.
        present: bool,
        /// Where.
        read: String,
    },
    /// An attribute's value; none if there is no such attribute.
    Value {
        /// The value.
        value: Option<String>,
        /// Where.
        read: String,
    },
    /// A value with known limits only; these decide.
    Range {
        /// It is no less.
        at_least: Option<String>,
        /// It is no more.
        at_most: Option<String>,
        /// Where.
        read: String,
    },
    /// A value that the test cannot be applied to.
    Unfit {
        /// The value.
        value: String,
        /// Where.
        read: String,
    },
    /// The names of elements: how many were tested, and the first that fits.
    Names {
        /// How many.
        count: usize,
        /// Which one.
        fitting: Option<String>,
        /// Where.
        read: String,
    },
    /// An attribute of the instance that comes nearest to what the term demands.
    Nearest {
        /// The attribute's value; none if the instance has no such attribute.
        value: Option<String>,
        /// The instance.
        read: String,
        /// How many instances there are.
        count: usize,
    },
    /// How many instances meet a term's expressions.
    Count {
        /// Their number.
        fitting: i128,
        /// Of so many.
        all: usize,
        /// Where.
        read: String,
    },
    /// There is no instance at all.
    NoInstance {
        /// Where.
        read: String,
    },
}

/// What rules are judged by, and for how long.
struct Context<'f> {
    facts: &'f Facts,
    /// Whether the time is up: what is not judged by then is unknown.
    is_over: &'f dyn Fn() -> bool,
    access: Access,
}

/// What a spec may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    Full,
    /// Nothing that only root may see: its author could find out values by trying which containers start.
    Public,
}

/// Holds a spec against facts, and explains what is not met. If `tags` is not empty, only sets with one of these tags count.
pub fn evaluate<'a>(spec: &'a Spec, tags: &[String], facts: &Facts) -> Judgement<'a> {
    let mut judgement = evaluate_until(spec, tags, facts, Access::Full, &|| false);
    judgement.explain(facts);
    judgement
}

/// As [`evaluate`], without the explanations, which [`Judgement::explain`] adds. What the spec may not ask for is unknown, and
/// so is what is not judged once `is_over` says so. What is proven stays so.
pub fn evaluate_until<'a>(
    spec: &'a Spec,
    tags: &[String],
    facts: &Facts,
    access: Access,
    is_over: &dyn Fn() -> bool,
) -> Judgement<'a> {
    let context = Context { facts, is_over, access };
    let mut matched = RuleMatched::new(facts);
    let selected = spec.sets.iter().filter(|it| tags.is_empty() || tags.contains(&it.tag));
    let sets: Vec<_> = selected.map(|it| judge_set(it, &context, &mut matched)).collect();
    let outcome = match (spec.sets.is_empty(), sets.is_empty()) {
        (true, _) => Outcome::Met,
        (false, true) => Outcome::Unknown,
        (false, false) => Outcome::any(sets.iter().map(|it| it.outcome)),
    };
    Judgement { outcome, sets }
}

impl<'a> Judgement<'a> {
    /// The set that the image should run as: of those that fit the heaviest, the first among equals.
    pub fn best(&self) -> Option<&JudgedSet<'a>> {
        let fitting = self.sets.iter().filter(|it| it.outcome == Outcome::Met);
        fitting.reduce(|best, it| if it.set.weight > best.set.weight { it } else { best })
    }

    /// The set to speak of when none fits: the one that takes least to mend, then the one that lacks least, then the
    /// heaviest, then the first.
    pub fn nearest(&self) -> Option<&JudgedSet<'a>> {
        let lacking = |it: &JudgedSet<'_>| it.decisive().map(JudgedTerm::lacking).sum::<usize>();
        let effort = |it: &JudgedSet<'_>| it.decisive().map(JudgedTerm::effort).max();
        self.sets.iter().min_by_key(|it| {
            (it.outcome == Outcome::Unmet, effort(it), lacking(it), -i128::from(it.set.weight))
        })
    }
}

impl Judgement<'_> {
    /// Says why rules are not met, from these facts and what was read to explain them. Changes no outcome. It comes before
    /// [`Judgement::waive`]: a rule that is waived is met.
    pub fn explain(&mut self, facts: &Facts) {
        for rule in self.sets.iter_mut().flat_map(|it| &mut it.rules) {
            for term in &mut rule.terms {
                term.explain(facts);
            }
            if rule.outcome != Outcome::Met {
                rule.blame = group::blame(rule);
            }
        }
    }
}

impl<'a> Judgement<'a> {
    /// Takes rules off the outcome: those that are not met, and for which `is_waived` says so.
    pub fn waive(&mut self, mut is_waived: impl FnMut(&JudgedRule<'a>) -> bool) {
        for set in &mut self.sets {
            for rule in set.rules.iter_mut().filter(|it| it.outcome != Outcome::Met) {
                if is_waived(rule) {
                    rule.waived = Some(rule.outcome);
                    rule.outcome = Outcome::Met;
                }
            }
            set.outcome = of_required(&set.rules);
        }
        if !self.sets.is_empty() {
            self.outcome = Outcome::any(self.sets.iter().map(|it| it.outcome));
        }
    }
}

impl<'a> JudgedSet<'a> {
    /// The terms that keep the set from fitting.
    pub fn decisive(&self) -> impl Iterator<Item = &JudgedTerm<'a>> {
        self.required().flat_map(move |it| it.decisive(self.outcome))
    }

    /// The rules that decide whether it fits.
    fn required(&self) -> impl Iterator<Item = &JudgedRule<'a>> {
        self.rules.iter().filter(|it| it.rule.severity == Severity::Required)
    }

    /// The rules that do not hold for certain, and only recommend.
    pub fn missed(&self) -> impl Iterator<Item = &JudgedRule<'a>> {
        let is_missed =
            |it: &&JudgedRule<'a>| it.rule.severity == Severity::Recommended && it.outcome == Outcome::Unmet;
        self.rules.iter().filter(is_missed)
    }
}

fn of_required(rules: &[JudgedRule<'_>]) -> Outcome {
    Outcome::all(rules.iter().filter(|it| it.rule.severity == Severity::Required).map(|it| it.outcome))
}

impl<'a> JudgedRule<'a> {
    /// The terms that give the rule this outcome: of alternatives only those of the one that lacks least.
    fn decisive(&self, outcome: Outcome) -> impl Iterator<Item = &JudgedTerm<'a>> {
        let nearest = self.nearest_alternative();
        let alternative =
            self.failing(outcome).filter(move |it| nearest.is_some() && it.alternative == nearest);
        self.required(outcome).chain(alternative)
    }

    /// The terms of `matchFeatures` that give the rule this outcome.
    fn required(&self, outcome: Outcome) -> impl Iterator<Item = &JudgedTerm<'a>> {
        let is_concerned = self.outcome == outcome && outcome != Outcome::Met;
        let blamed = self.blamed().map(|(_, it)| it).filter(move |_| is_concerned);
        self.failing(outcome).filter(|it| it.alternative.is_none() && it.group.is_empty()).chain(blamed)
    }

    /// The terms of groups that give these their outcome.
    fn blamed(&self) -> impl Iterator<Item = (&Blame, &JudgedTerm<'a>)> {
        self.blame.iter().filter_map(|it| Some((it, self.terms.get(it.term)?)))
    }

    fn failing(&self, outcome: Outcome) -> impl Iterator<Item = &JudgedTerm<'a>> {
        // If it is unknown whether the rule counts, only that is reported.
        let is_concerned = self.outcome == outcome && outcome != Outcome::Met && self.applies == Outcome::Met;
        self.terms.iter().filter(move |it| is_concerned && it.outcome == outcome)
    }

    /// The alternative that lacks least; `None` if there are no alternatives.
    fn nearest_alternative(&self) -> Option<usize> {
        let all = (0..self.rule.match_any.len()).map(|index| {
            let terms = self.terms.iter().filter(move |it| it.alternative == Some(index));
            let lacking: usize = terms.clone().map(JudgedTerm::lacking).sum();
            let effort = terms.clone().map(JudgedTerm::effort).max();
            // Of those that lack as much the first: authors begin with what they prefer.
            (Outcome::all(terms.map(|it| it.outcome)) == Outcome::Unmet, effort, lacking, index)
        });
        all.min().map(|(.., index)| index)
    }
}

impl JudgedTerm<'_> {
    fn explain(&mut self, facts: &Facts) {
        for finding in self.findings.iter_mut().filter(|it| it.outcome == Outcome::Unmet) {
            finding.clue = clue::clue(self.term, finding, facts);
        }
    }

    /// How many demands are not met.
    fn lacking(&self) -> usize {
        self.findings.iter().filter(|it| it.outcome != Outcome::Met).count()
    }

    /// What it takes at most to mend one of them.
    fn effort(&self) -> Effort {
        let lacking = self.findings.iter().filter(|it| it.outcome != Outcome::Met);
        lacking.map(Finding::effort).max().unwrap_or(Effort::None)
    }
}

fn judge_set<'a>(set: &'a Set, context: &Context<'_>, matched: &mut RuleMatched) -> JudgedSet<'a> {
    let rules: Vec<_> = set.rules.iter().map(|it| judge_rule(it, context, matched)).collect();
    JudgedSet { set, outcome: of_required(&rules), rules }
}

fn judge_rule<'a>(rule: &'a Rule, context: &Context<'_>, matched: &mut RuleMatched) -> JudgedRule<'a> {
    #[cfg(test)]
    crate::testing::note_judged_rule();
    let has_template = rule.vars_template.is_some();
    let mut judged = RuleProgress { context, matched, has_template, gpu: 0, terms: Vec::new() };
    let features = judged.terms(&rule.match_features, None);
    let mut alternatives = Vec::with_capacity(rule.match_any.len());
    for (index, alternative) in rule.match_any.iter().enumerate() {
        alternatives.push(judged.terms(alternative, Some(index)));
    }
    let any = if alternatives.is_empty() { Outcome::Met } else { Outcome::any(alternatives.iter().copied()) };
    let groups = group::judge_all(&rule.groups, &mut judged);
    let holds = features.and(any).and(groups);
    let applies = rule.when.as_ref().map_or(Outcome::Met, |it| group::judge(it, group::WHEN, &mut judged));
    // What follows from a condition: where it does not hold, nothing.
    let outcome = group::not(applies).or(holds);
    let terms = judged.terms;
    let published = applies.and(holds);
    let template_error = matched.publish(rule, published, &alternatives, context.facts).err();
    let outcome = if template_error.is_some() { Outcome::Unknown } else { outcome };
    JudgedRule { rule, outcome, waived: None, terms, template_error, applies, holds, blame: Vec::new() }
}

fn lower(feature: &str) -> Cow<'_, str> {
    // Byte by byte: this runs some times for every term.
    let may_change = feature.bytes().any(|it| it.is_ascii_uppercase() || !it.is_ascii());
    if may_change { feature.to_lowercase().into() } else { feature.into() }
}
