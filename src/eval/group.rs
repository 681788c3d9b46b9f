//! Conditions within each other: three-valued, with the terms that explain what came of them.

use crate::spec::Group;

use super::{Judged, JudgedTerm, Outcome};

/// What came of a group.
pub(super) struct Came {
    pub(super) outcome: Outcome,
    /// The terms that give it this outcome, by their place among those of the rule.
    pub(super) why: Vec<usize>,
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
    together(groups.iter().map(|it| judge(it, "", judged)).collect(), Outcome::Met)
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
                why.extend((term.outcome == outcome).then_some(index));
            }
            Came { outcome, why }
        }
        Group::All(groups) => together(each(groups, place, "all", judged), Outcome::Met),
        Group::Any(groups) => together(each(groups, place, "any", judged), Outcome::Unmet),
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

/// `neutral` is the outcome of none: met for groups that all have to hold, unmet for those of which one has to.
fn together(all: Vec<Came>, neutral: Outcome) -> Came {
    let outcomes = all.iter().map(|it| it.outcome);
    let outcome = if neutral == Outcome::Met { Outcome::all(outcomes) } else { Outcome::any(outcomes) };
    let concerned = all.into_iter().filter(|it| it.outcome == outcome);
    // Of alternatives, the one that lacks least is told; of what has to hold together, all.
    let why = match (neutral, outcome) {
        (Outcome::Unmet, Outcome::Unmet | Outcome::Unknown) => {
            concerned.map(|it| it.why).min_by_key(Vec::len).unwrap_or_default()
        }
        _ => concerned.flat_map(|it| it.why).collect(),
    };
    Came { outcome, why }
}

impl JudgedTerm<'_> {
    /// Whether the rule fails because the term holds.
    pub(super) fn is_unwanted(&self) -> bool {
        self.negated && self.outcome == Outcome::Met
    }
}
