//! Demands held against each other: those that exclude each other, are made twice, or can never matter.

use super::codes::LintCode::{
    self, AlwaysHolds, Contradiction, DuplicateRule, SetNeverWins, ShadowedRule, VersionParts,
};
use super::compare;
use super::implied::{JointDemands, Work, decides, has_instances, is_feature};
use super::{LintFound, LintRemark, has_no_terms};
use crate::spec::{Bound, Expression, Group, Place, Rule, Set, Severity, Spec, Term, Test};

/// Looks through a spec without errors.
pub(super) fn look(spec: &Spec) -> Vec<LintRemark> {
    let mut look = Look { remarks: Vec::new(), work: Work::new() };
    for set in &spec.sets {
        look.rules(set);
        look.contradictions(set);
        for rule in &set.rules {
            look.alternatives(rule);
        }
    }
    look.sets(&spec.sets);
    look.remarks
}

struct Look {
    remarks: Vec<LintRemark>,
    work: Work,
}

/// A demand on an element. A host has only one such element.
struct OneDemand<'a> {
    feature: &'a str,
    element: &'a str,
    expression: &'a Expression,
}

impl Look {
    fn found(&mut self, at: Place, code: LintCode, message: String, help: &str) {
        self.remarks.push(LintFound::new(code, message).help(help).at(at));
    }

    /// Rules that say nothing that another rule of the set does not say.
    fn rules(&mut self, set: &Set) {
        let counts = |it: &&Rule| decides(it) && demands(it);
        let demands: Vec<_> =
            set.rules.iter().filter(counts).map(|it| (it, JointDemands::of_rule(it))).collect();
        for (index, (rule, its)) in demands.iter().enumerate() {
            if !publishes_nothing(rule) {
                continue;
            }
            let stricter = demands.iter().enumerate().find(|(other, (strict, theirs))| {
                *other != index
                    && theirs.imply(rule, &self.work)
                    // Of two that are the same, the first is kept, and one with variables.
                    && (*other < index || !publishes_nothing(strict) || !its.imply(strict, &self.work))
            });
            let Some((_, (other, _))) = stricter else { continue };
            let title = title(rule);
            let (code, message) = match its.imply(other, &self.work) {
                true => (DuplicateRule, format!("{title} demands the same as the rule at {}", other.at)),
                false => (ShadowedRule, format!("{title} holds wherever the rule at {} holds", other.at)),
            };
            self.found(rule.at, code, message, "remove one of the two, or write what was meant");
        }
    }

    /// Alternatives of a rule that change nothing.
    fn alternatives(&mut self, rule: &Rule) {
        self.any(&rule.match_any.iter().map(Vec::as_slice).collect::<Vec<_>>());
        rule.groups.iter().chain(&rule.when).for_each(|it| self.group(it));
    }

    fn group(&mut self, group: &Group) {
        match group {
            Group::Any(groups) => {
                let terms = groups.iter().filter_map(|it| match it {
                    Group::Terms(terms) => Some(terms.as_slice()),
                    Group::All(_)
                    | Group::Any(_)
                    | Group::Not(_)
                    | Group::Named { .. }
                    | Group::EachGpu { .. } => None,
                });
                self.any(&terms.collect::<Vec<_>>());
                groups.iter().for_each(|it| self.group(it));
            }
            Group::All(groups) => groups.iter().for_each(|it| self.group(it)),
            Group::Not(group) | Group::Named { group, .. } => self.group(group),
            Group::Terms(_) | Group::EachGpu { .. } => {}
        }
    }

    fn any(&mut self, alternatives: &[&[Term]]) {
        let demands: Vec<_> = alternatives.iter().map(|it| JointDemands::of_terms(it)).collect();
        for (index, (terms, its)) in alternatives.iter().zip(&demands).enumerate() {
            let Some(at) = terms.first().map(|it| it.at) else { continue };
            let others = alternatives.iter().zip(&demands).enumerate().filter(|(it, _)| *it != index);
            for (other, (weaker, theirs)) in others {
                let Some(place) = weaker.first().map(|it| it.at) else { continue };
                if let Some((what, help)) = covered(terms, weaker).filter(|_| other < index) {
                    let message =
                        format!("one of this alternative and that at {place} holds wherever {what} is there");
                    self.found(at, AlwaysHolds, message, &format!("{help}, or write what was meant"));
                }
                if !its.imply_terms(weaker, &self.work) {
                    continue;
                }
                let (code, message) = match theirs.imply_terms(terms, &self.work) {
                    true if index < other => continue,
                    true => (DuplicateRule, format!("this alternative demands the same as that at {place}")),
                    false => {
                        (ShadowedRule, format!("this alternative holds only where that at {place} holds"))
                    }
                };
                self.found(at, code, message, "remove it, or write what was meant");
                break;
            }
        }
    }

    /// Demands of a set that exclude each other.
    fn contradictions(&mut self, set: &Set) {
        let all = JointDemands::of_rules(&set.rules);
        let mut base = Vec::new();
        self.exclusive(&all.terms, &mut base, "no host fits this set");
        for rule in &set.rules {
            if !decides(rule) {
                let its = JointDemands::of_rule(rule);
                self.exclusive(&its.terms, &mut Vec::new(), "this rule never holds");
            }
            for alternative in &rule.match_any {
                let mut ones = if decides(rule) { copy(&base) } else { Vec::new() };
                let terms: Vec<_> = alternative.iter().collect();
                self.exclusive(&terms, &mut ones, "this alternative never holds");
            }
        }
    }

    /// Adds what these terms demand to `ones`, and says what excludes what is there.
    fn exclusive<'a>(&mut self, terms: &[&'a Term], ones: &mut Vec<OneDemand<'a>>, effect: &str) {
        for term in terms.iter().filter(|it| !has_instances(it) && !is_feature(it, "rule.matched")) {
            for (element, expression) in term.expressions.iter().flatten() {
                let one = OneDemand { feature: &term.feature, element, expression };
                self.against(&one, ones, effect);
                ones.push(one);
            }
        }
    }

    fn against(&mut self, one: &OneDemand<'_>, ones: &[OneDemand<'_>], effect: &str) {
        let OneDemand { feature, element, expression } = one;
        for other in ones.iter().filter(|it| it.feature.eq_ignore_ascii_case(feature)) {
            let cost = compare::cost(&other.expression.test, &expression.test);
            if !self.work.spend(cost) {
                return;
            }
            let is_same = other.element == *element;
            if is_same && compare::exclude(&other.expression.test, &expression.test) {
                let place = other.expression.at;
                let message =
                    format!("what {feature} {element} needs here excludes what it needs at {place}");
                self.found(
                    expression.at,
                    Contradiction,
                    format!("{effect}: {message}"),
                    "remove one of the two",
                );
                return;
            }
            if let Some(part) = lesser_part(one, other).or_else(|| lesser_part(other, one)) {
                let message = format!(
                    "kernel.version {} is compared whatever {} is, so that newer kernels do not fit",
                    part.element,
                    if part.element == "minor" { "major" } else { "the others" }
                );
                let help = "compare `full` with `type: version`";
                self.found(part.expression.at, VersionParts, message, help);
                return;
            }
        }
    }

    /// Sets that are never the best one that fits.
    fn sets(&mut self, sets: &[Set]) {
        for (index, set) in sets.iter().enumerate().filter(|(_, it)| !it.rules.is_empty()) {
            let demands = JointDemands::of_rules(&set.rules);
            let preferred = sets.iter().enumerate().find(|(other, better)| {
                let is_better = set.weight < better.weight || (set.weight == better.weight && *other < index);
                is_better && better.tag == set.tag && self.fits_wherever(better, &demands)
            });
            if let Some((_, better)) = preferred {
                let message =
                    format!("wherever this set fits, the set at {} fits too and is preferred", better.at);
                self.found(set.at, SetNeverWins, message, "give this one a larger `weight`, or remove it");
            }
        }
    }

    fn fits_wherever(&self, set: &Set, demands: &JointDemands<'_>) -> bool {
        let mut deciding = set.rules.iter().filter(|it| it.severity == Severity::Required);
        deciding.all(|it| it.when.is_none() && it.vars_template.is_none() && demands.imply(it, &self.work))
    }
}

/// The one that compares a lesser number of the kernel's version, while the greater one is left open.
fn lesser_part<'a, 'b>(lesser: &'b OneDemand<'a>, greater: &OneDemand<'_>) -> Option<&'b OneDemand<'a>> {
    let from = |it: &OneDemand<'_>| matches!(it.expression.test, Test::Integer(Bound::Ge(_) | Bound::Gt(_)));
    let is_open = matches!((lesser.element, greater.element), ("minor", "major") | ("revision", "minor"))
        && lesser.feature.eq_ignore_ascii_case("kernel.version");
    let is_nothing = matches!(lesser.expression.test, Test::Integer(Bound::Ge(low)) if low <= 0);
    (is_open && from(lesser) && from(greater) && !is_nothing).then_some(lesser)
}

/// Of two lists with one expression each: what has to be there for one of them to hold, whatever it is, and what to write instead.
fn covered(left: &[Term], right: &[Term]) -> Option<(String, &'static str)> {
    let ((term, name, test), (other, its_name, its_test)) = (only(left)?, only(right)?);
    let is_same = term.feature.eq_ignore_ascii_case(&other.feature) && name == its_name;
    if !is_same || !compare::cover(test, its_test) {
        return None;
    }
    Some(match matches!(test, Test::Exists | Test::DoesNotExist) {
        true => (term.feature.clone(), "ask for the feature alone"),
        false => (format!("{} {name}", term.feature), "use Exists"),
    })
}

/// The only expression of a list.
fn only(terms: &[Term]) -> Option<(&Term, &str, &Test)> {
    match terms {
        [term] if term.name.is_none() && term.count.is_none() && !has_instances(term) => {
            match term.expressions.as_deref() {
                Some([(name, expression)]) => Some((term, name, &expression.test)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn copy<'a>(ones: &[OneDemand<'a>]) -> Vec<OneDemand<'a>> {
    ones.iter()
        .map(|it| OneDemand { feature: it.feature, element: it.element, expression: it.expression })
        .collect()
}

/// Whether a rule demands something; what does not is reported by itself.
fn demands(rule: &Rule) -> bool {
    !has_no_terms(rule) && !rule.match_any.iter().any(Vec::is_empty)
}

fn publishes_nothing(rule: &Rule) -> bool {
    rule.vars.is_empty() && rule.vars_template.is_none()
}

fn title(rule: &Rule) -> String {
    match rule.title() {
        "" => "this rule".to_owned(),
        title => format!("rule {title:?}"),
    }
}
