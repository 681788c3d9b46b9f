//! What demands say together: which other demands they imply. Work is bounded, so that "no" may mean "not looked at".

use std::cell::Cell;

use super::compare;
use crate::host::{self, ElementKind};
use crate::spec::{Expression, Group, Rule, Severity, Term};

/// So many comparisons of text, which takes some ten milliseconds.
const MOST: usize = 2 << 20;

/// What comparing may still cost.
#[derive(Debug)]
pub(super) struct Work(Cell<usize>);

impl Work {
    pub(super) fn new() -> Self {
        Self(Cell::new(MOST))
    }

    /// Whether there is that much left, which is then spent.
    pub(super) fn spend(&self, cost: usize) -> bool {
        let left = self.0.get().checked_sub(cost);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

/// Demands that must all hold.
#[derive(Debug, Default, Clone)]
pub(super) struct JointDemands<'a> {
    pub(super) terms: Vec<&'a Term>,
    alternatives: Vec<&'a [Vec<Term>]>,
    groups: Vec<&'a Group>,
}

impl<'a> JointDemands<'a> {
    /// Those of some terms.
    pub(super) fn of_terms(terms: &'a [Term]) -> Self {
        Self { terms: terms.iter().collect(), ..Self::default() }
    }

    /// Those of some rules that decide; of a rule with a condition, none.
    pub(super) fn of_rules(rules: impl IntoIterator<Item = &'a Rule>) -> Self {
        let mut demands = Self::default();
        for rule in rules.into_iter().filter(|it| decides(it)) {
            demands.add(rule);
        }
        demands
    }

    /// Those of a rule, whatever its condition.
    pub(super) fn of_rule(rule: &'a Rule) -> Self {
        let mut demands = Self::default();
        demands.add(rule);
        demands
    }

    fn add(&mut self, rule: &'a Rule) {
        self.terms.extend(&rule.match_features);
        if !rule.match_any.is_empty() {
            self.alternatives.push(&rule.match_any);
        }
        rule.groups.iter().for_each(|it| self.group(it));
    }

    fn group(&mut self, group: &'a Group) {
        match group {
            Group::Terms(terms) => self.terms.extend(terms),
            Group::All(groups) => groups.iter().for_each(|it| self.group(it)),
            Group::Named { group, .. } => self.group(group),
            Group::Any(_) | Group::Not(_) | Group::EachGpu { .. } => self.groups.push(group),
        }
    }

    /// Whether they make sure that a rule holds.
    pub(super) fn imply(&self, rule: &Rule, work: &Work) -> bool {
        let JointDemands { terms, alternatives, groups } = JointDemands::of_rule(rule);
        terms.iter().all(|it| self.imply_term(it, work))
            && alternatives.iter().all(|it| self.imply_any(it, work))
            && groups.iter().all(|it| self.imply_group(it, work))
    }

    /// Whether they make sure that all of these hold.
    pub(super) fn imply_terms(&self, terms: &[Term], work: &Work) -> bool {
        terms.iter().all(|it| self.imply_term(it, work))
    }

    fn imply_any(&self, alternatives: &[Vec<Term>], work: &Work) -> bool {
        let same = |ours: &&[Vec<Term>]| {
            ours.len() == alternatives.len()
                && ours.iter().zip(alternatives).all(|(left, right)| same_terms(left, right, work))
        };
        self.alternatives.iter().any(same) || alternatives.iter().any(|it| self.imply_terms(it, work))
    }

    fn imply_group(&self, group: &Group, work: &Work) -> bool {
        self.groups.iter().any(|it| same_group(it, group, work))
            || match group {
                Group::Terms(terms) => self.imply_terms(terms, work),
                Group::All(groups) => groups.iter().all(|it| self.imply_group(it, work)),
                Group::Any(groups) => groups.iter().any(|it| self.imply_group(it, work)),
                Group::Named { group, .. } => self.imply_group(group, work),
                Group::Not(_) | Group::EachGpu { .. } => false,
            }
    }

    fn imply_term(&self, term: &Term, work: &Work) -> bool {
        // What it holds depends on the rules before it.
        if is_feature(term, "rule.matched") {
            return false;
        }
        let ours = || self.terms.iter().filter(|it| work.spend(1) && is_feature(it, &term.feature));
        if term.name.is_some() || term.count.is_some() {
            return ours().any(|it| same_term(it, term, work));
        }
        let wanted = term.expressions.as_deref().unwrap_or_default();
        let said = |it: &Term, (name, test): &(String, Expression)| {
            it.expressions.iter().flatten().any(|(ours, expression)| {
                ours == name
                    && work.spend(compare::cost(&expression.test, &test.test))
                    && compare::implies(&expression.test, &test.test)
            })
        };
        if wanted.is_empty() {
            let is_more = |it: &&Term| it.expressions.iter().flatten().next().is_some();
            return ours().any(|it| is_more(it) || same_term(it, term, work));
        }
        if has_instances(term) {
            return ours().any(|it| it.count.is_none() && wanted.iter().all(|wanted| said(it, wanted)));
        }
        wanted.iter().all(|wanted| ours().any(|it| said(it, wanted)))
    }
}

/// Whether a set fits no host on which the rule does not hold.
pub(super) fn decides(rule: &Rule) -> bool {
    rule.severity == Severity::Required && rule.when.is_none()
}

/// Whether several things of one feature may each meet another term; also where nothing is known of it.
pub(super) fn has_instances(term: &Term) -> bool {
    host::feature(&term.feature.to_lowercase()).is_none_or(|it| it.kinds.contains(&ElementKind::Instances))
}

pub(super) fn is_feature(term: &Term, name: &str) -> bool {
    term.feature.eq_ignore_ascii_case(name)
}

/// Whether two lists say the same, wherever they stand.
fn same_terms(left: &[Term], right: &[Term], work: &Work) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_term(left, right, work))
}

fn same_term(left: &Term, right: &Term, work: &Work) -> bool {
    let same = |left: &Option<Expression>, right: &Option<Expression>| match (left, right) {
        (None, None) => true,
        (Some(left), Some(right)) => left.test == right.test,
        _ => false,
    };
    let (ours, theirs) = (left.expressions.as_deref(), right.expressions.as_deref());
    let count = |it: Option<&[_]>| it.map(<[(String, Expression)]>::len);
    let all = |left: &[(String, Expression)], right: &[(String, Expression)]| {
        let is_in = |(name, it): &(String, Expression)| {
            right.iter().any(|(other, expression)| other == name && expression.test == it.test)
        };
        left.iter().all(is_in)
    };
    is_feature(left, &right.feature)
        && count(ours) == count(theirs)
        && work.spend(count(ours).unwrap_or(0).pow(2).max(1))
        && all(ours.unwrap_or_default(), theirs.unwrap_or_default())
        && same(&left.name, &right.name)
        && same(&left.count, &right.count)
}

fn same_group(left: &Group, right: &Group, work: &Work) -> bool {
    let all = |left: &[Group], right: &[Group]| {
        left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same_group(left, right, work))
    };
    match (left, right) {
        (Group::Terms(left), Group::Terms(right)) => same_terms(left, right, work),
        (Group::All(left), Group::All(right)) | (Group::Any(left), Group::Any(right)) => all(left, right),
        (Group::Not(left), Group::Not(right)) => same_group(left, right, work),
        _ => false,
    }
}
