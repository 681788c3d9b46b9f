//! Conditions within each other: three-valued, with the terms that explain what came of them.

use crate::spec::Group;

use super::{Blame, Effort, Finding, Judged, JudgedTerm, Outcome};

/// What came of a group.
pub(super) struct Came {
    pub(super) outcome: Outcome,
    /// The terms that give it this outcome.
    pub(super) why: Vec<Blame>,
}

/// It does not hold.
pub(super) fn not(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Met => Outcome::Unmet,
        Outcome::Unmet => Outcome::Met,
        Outcome::Unknown => Outcome::Unknown,
    }
}

/// Groups of which all have to hold.
pub(super) fn judge_all<'a>(groups: &'a [Group], judged: &mut Judged<'a, '_>) -> Came {
    together(groups.iter().map(|it| judge(it, "", judged)).collect())
}

/// `place` is where the group stands, such as `any 2`; empty for the groups of a rule.
pub(super) fn judge<'a>(group: &'a Group, place: &str, judged: &mut Judged<'a, '_>) -> Came {
    match group {
        Group::Terms(terms) => {
            let first = judged.terms.len();
            let outcome = judged.terms(terms, None);
            let is_negated = place.split(' ').filter(|it| *it == "not").count() % 2 == 1;
            let mut why = Vec::new();
            for (index, term) in judged.terms.iter_mut().enumerate().skip(first) {
                term.group = if place.is_empty() { "all".to_owned() } else { place.to_owned() };
                term.negated = is_negated;
                why.extend((term.outcome == outcome).then_some(Blame { term: index, of: 0, or: Vec::new() }));
            }
            Came { outcome, why }
        }
        Group::All(groups) => together(each(groups, place, "all", judged)),
        Group::Any(groups) => one_of(each(groups, place, "any", judged), &judged.terms),
        Group::Not(group) => {
            let Came { outcome, why } = judge(group, &within(place, "not"), judged);
            Came { outcome: not(outcome), why }
        }
    }
}

fn each<'a>(groups: &'a [Group], place: &str, name: &str, judged: &mut Judged<'a, '_>) -> Vec<Came> {
    let judge = |(index, it)| judge(it, &within(place, &format!("{name} {}", index + 1)), judged);
    groups.iter().enumerate().map(judge).collect()
}

fn within(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place} {name}") }
}

/// Of what has to hold together, all that fails is told.
fn together(all: Vec<Came>) -> Came {
    let outcome = Outcome::all(all.iter().map(|it| it.outcome));
    let concerned = all.into_iter().filter(|it| it.outcome == outcome);
    Came { outcome, why: concerned.flat_map(|it| it.why).collect() }
}

/// Of alternatives, the one that is told takes least to mend, then lacks least, then comes first.
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
        } else if count > 1 && blame.of == 0 && blame.or.is_empty() {
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
