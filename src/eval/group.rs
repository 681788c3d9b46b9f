//! Nested conditions: three-valued, with the terms that explain the result.

use crate::spec::Group;

use super::progress::RuleProgress;
use super::{Blame, Effort, Finding, JudgedRule, JudgedTerm, Outcome, nvidia};

/// What came of a group.
struct Came {
    outcome: Outcome,
    /// The terms that give it this outcome.
    why: Vec<Blame>,
}

/// The place of a rule's condition.
pub(super) const WHEN: &str = "when";

/// It does not hold.
pub(super) fn not(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Met => Outcome::Unmet,
        Outcome::Unmet => Outcome::Met,
        Outcome::Unknown => Outcome::Unknown,
    }
}

/// Judges groups that must all hold.
pub(super) fn judge_all<'a>(groups: &'a [Group], judged: &mut RuleProgress<'a, '_>) -> Outcome {
    let each: Vec<_> = groups.iter().map(|it| judge(it, "", judged)).collect();
    Outcome::all(each)
}

/// Judges a group. `place` is where it stands, such as `any 2`; empty for the groups of a rule.
pub(super) fn judge<'a>(group: &'a Group, place: &str, judged: &mut RuleProgress<'a, '_>) -> Outcome {
    match group {
        Group::Terms(terms) => {
            let first = judged.terms.len();
            let outcome = judged.terms(terms, None);
            let is_negated = place.split(' ').filter(|it| *it == "not").count() % 2 == 1;
            for term in judged.terms.iter_mut().skip(first) {
                term.group = if place.is_empty() { "all".to_owned() } else { place.to_owned() };
                term.negated = is_negated;
            }
            outcome
        }
        Group::All(groups) => Outcome::all(each(groups, place, "all", judged)),
        Group::Any(groups) => Outcome::any(each(groups, place, "any", judged)),
        Group::Not(group) => not(judge(group, &within(place, "not"), judged)),
        Group::Named { name, group } => judge(group, &within(place, &named(name)), judged),
        Group::EachGpu { group, some } => each_gpu(group, *some, place, judged),
    }
}

/// Of several GPUs only the terms of the one that decides are kept: one for which the group does not hold, if there is one.
/// Where it is about some of them and these are not known, it does not hold for certain if it holds for none.
fn each_gpu<'a>(
    group: &'a Group,
    some: Option<usize>,
    place: &str,
    judged: &mut RuleProgress<'a, '_>,
) -> Outcome {
    let first = judged.terms.len();
    let count = nvidia::gpus(judged.context.facts);
    let (mut outcomes, mut gravest) = (Vec::new(), None);
    for gpu in 0..count.clamp(1, nvidia::MOST) {
        judged.gpu = gpu;
        let outcome = judge(group, place, judged);
        let terms = judged.terms.split_off(first);
        outcomes.push(outcome);
        if gravest.as_ref().is_none_or(|(it, _)| weight(*it) < weight(outcome)) {
            gravest = Some((outcome, terms));
        }
    }
    judged.gpu = 0;
    let Some((outcome, mut terms)) = gravest else { return Outcome::Unknown };
    let is_another = some.is_some_and(|it| it < count) && outcomes.iter().any(|it| *it != Outcome::Unmet);
    let is_uncertain = outcome == Outcome::Unmet && is_another;
    if is_uncertain {
        let unknown = nvidia::which(some, count);
        terms.iter_mut().for_each(|it| it.doubt(&unknown));
    }
    judged.terms.extend(terms);
    if is_uncertain { Outcome::Unknown } else { outcome }
}

fn weight(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Met => 0,
        Outcome::Unknown => 1,
        Outcome::Unmet => 2,
    }
}

fn each<'a>(groups: &'a [Group], place: &str, name: &str, judged: &mut RuleProgress<'a, '_>) -> Vec<Outcome> {
    let judge = |(index, it)| judge(it, &within(place, &format!("{name} {}", index + 1)), judged);
    groups.iter().enumerate().map(judge).collect()
}

/// One word, and none that says something of a place.
fn named(name: &str) -> String {
    let word = name.split_whitespace().collect::<Vec<_>>().join("_");
    if word == "not" { format!("{word:?}") } else { word }
}

fn within(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place} {name}") }
}

/// Which terms of its groups, or of its condition, give a rule its outcome.
pub(super) fn blame(judged: &JudgedRule<'_>) -> Vec<Blame> {
    let rule = judged.rule;
    let others = rule.match_features.len() + rule.match_any.iter().map(Vec::len).sum::<usize>();
    let mut explained = Explained { terms: &judged.terms, next: others };
    let groups = explained.all(&rule.groups);
    if let Some(when) = rule.when.as_ref().filter(|_| judged.applies == Outcome::Unknown) {
        return explained.group(when).why;
    }
    if groups.outcome == judged.holds { groups.why } else { Vec::new() }
}

/// The judged terms of a rule, and the next one that a group takes: in the order in which [`judge`] added them.
struct Explained<'f, 'a> {
    terms: &'f [JudgedTerm<'a>],
    next: usize,
}

impl Explained<'_, '_> {
    fn all(&mut self, groups: &[Group]) -> Came {
        together(groups.iter().map(|it| self.group(it)).collect())
    }

    fn group(&mut self, group: &Group) -> Came {
        match group {
            Group::Terms(terms) => {
                let first = self.next;
                self.next += terms.len();
                let terms = || self.terms.iter().enumerate().take(self.next).skip(first);
                let outcome = Outcome::all(terms().map(|(_, it)| it.outcome));
                let concerned = terms().filter(|(_, it)| it.outcome == outcome);
                let why = concerned.map(|(term, _)| Blame { term, of: 0, or: Vec::new() }).collect();
                Came { outcome, why }
            }
            Group::All(groups) => self.all(groups),
            Group::Any(groups) => {
                let each = groups.iter().map(|it| self.group(it)).collect();
                one_of(each, self.terms)
            }
            Group::Not(group) => {
                let Came { outcome, why } = self.group(group);
                Came { outcome: not(outcome), why }
            }
            // Of the GPUs only one's terms are there.
            Group::Named { group, .. } | Group::EachGpu { group, .. } => self.group(group),
        }
    }
}

/// Of groups that must all hold, every failing one is reported.
fn together(all: Vec<Came>) -> Came {
    let outcome = Outcome::all(all.iter().map(|it| it.outcome));
    let concerned = all.into_iter().filter(|it| it.outcome == outcome);
    Came { outcome, why: concerned.flat_map(|it| it.why).collect() }
}

/// Of alternatives, the one that is easiest to mend is reported, then the one that lacks least, then the first.
fn one_of(all: Vec<Came>, terms: &[JudgedTerm<'_>]) -> Came {
    let outcome = Outcome::any(all.iter().map(|it| it.outcome));
    let count = all.len();
    let mut concerned: Vec<_> = all.into_iter().filter(|it| it.outcome == outcome).map(|it| it.why).collect();
    if outcome == Outcome::Met {
        return Came { outcome, why: concerned.concat() };
    }
    concerned.sort_by_key(|it| cost(it, terms));
    // Where each fails by one thing, and all by the same, one line names what each would accept.
    let alone: Option<Vec<_>> = concerned.iter().map(|it| only_lack(it, terms)).collect();
    let are_alike = alone.as_deref().is_some_and(|all| {
        all.len() == count && all.windows(2).all(|it| matches!(it, [a, b] if a.is_like(b)))
    });
    let or =
        if are_alike { concerned.iter().skip(1).flatten().map(|it| it.term).collect() } else { Vec::new() };
    let mut why = concerned.into_iter().next().unwrap_or_default();
    for blame in &mut why {
        if are_alike {
            blame.or.extend(or.iter().copied());
        } else if count > 1 && blame.of == 0 {
            blame.of = count;
        }
    }
    Came { outcome, why }
}

fn cost(why: &[Blame], terms: &[JudgedTerm<'_>]) -> (Effort, usize) {
    let blamed = || why.iter().filter_map(|it| terms.get(it.term));
    let effort = blamed().map(|it| if it.is_unwanted() { Effort::Unknown } else { it.effort() }).max();
    (effort.unwrap_or(Effort::None), blamed().map(|it| it.lacking().max(1)).sum())
}

/// The expression that fails, if it is the only one.
fn only_lack<'f, 'a>(why: &[Blame], terms: &'f [JudgedTerm<'a>]) -> Option<&'f Finding<'a>> {
    let [blame] = why else { return None };
    let term = terms.get(blame.term).filter(|it| !it.negated && blame.or.is_empty())?;
    let mut lacks = term.findings.iter().filter(|it| it.outcome != Outcome::Met);
    lacks.next().filter(|_| lacks.next().is_none())
}

impl JudgedTerm<'_> {
    /// Whether the rule fails because the term holds.
    pub(super) fn is_unwanted(&self) -> bool {
        self.negated && self.outcome == Outcome::Met
    }
}
