//! Makes rules of a constraint.

use std::collections::BTreeMap;

use crate::host;
use crate::spec::{Expression, Group, Language, Place, Property, Rule, Set, Severity, Spec, Term, Test};
use crate::words::version::Version;

use super::constraint::{Constraint, PlacedCondition};
use super::{GivenGpus, Strictness};

const FEATURE: &str = "gpu.nvidia";
/// From which driver on programs of all minor versions of a CUDA run (docs.nvidia.com, CUDA Compatibility, "Minor Version
/// Compatibility").
const SINCE: [(u64, &str); 3] = [(11, "450"), (12, "525"), (13, "580")];
/// The most invalid conditions whose order counts: each nests the rules one level deeper.
const MAX_INVALID: usize = 16;
/// What that excludes.
const LIMITS: &str = "it runs by CUDA's minor version compatibility or the image's own libraries: what only a newer driver \
                      does, and code compiled from a newer CUDA's PTX, fails";
/// The page that says so.
const DOCS: &str = "https://docs.nvidia.com/deploy/cuda-compatibility/";

/// How a constraint is read.
#[derive(Debug)]
pub(super) struct How<'a> {
    pub(super) given: GivenGpus,
    pub(super) reading: Strictness,
    /// The driver whose libraries the image brings.
    pub(super) compat: Option<&'a str>,
}

/// None where anything will do.
pub(super) fn spec(variable: &str, text: &str, constraint: &Constraint, how: &How<'_>) -> Option<Spec> {
    if constraint.alternatives.is_empty() {
        return None;
    }
    let some = match how.given {
        GivenGpus::Gpus(some) | GivenGpus::Perhaps(some) => some,
    };
    let strict = each_gpu(ordered(&constraint.alternatives, MAX_INVALID), some);
    let rules = match (how.reading, how.given) {
        (Strictness::Strict, _) => vec![rule(variable, Severity::Required, strict)],
        (Strictness::Sensible, given) => {
            let lenient = lenient(constraint, how.compat);
            let is_lenient = lenient != constraint.alternatives;
            let sensible = each_gpu(any(&lenient), some);
            let letter = each_gpu(any(&constraint.alternatives), some);
            match given {
                // Without a driver nothing gives it GPUs, and it runs without them.
                GivenGpus::Perhaps(_) => {
                    let when = Some(Group::Terms(vec![term(&[])]));
                    vec![Rule { when, ..rule(variable, Severity::Recommended, sensible) }]
                }
                GivenGpus::Gpus(_) if is_lenient => vec![
                    rule(variable, Severity::Required, sensible),
                    Rule {
                        remedy: LIMITS.to_owned(),
                        docs: DOCS.to_owned(),
                        ..rule(&format!("{variable} to the letter"), Severity::Recommended, letter)
                    },
                ],
                GivenGpus::Gpus(_) => vec![rule(variable, Severity::Required, sensible)],
            }
        }
    };
    let set =
        Set { tag: String::new(), weight: 0, description: format!("{variable}={text}"), rules, at: place(0) };
    Some(Spec { language: Language::Own, sets: vec![set] })
}

fn rule(name: &str, severity: Severity, group: Group) -> Rule {
    Rule {
        name: name.to_owned(),
        severity,
        id: String::new(),
        remedy: String::new(),
        docs: String::new(),
        when: None,
        groups: vec![group],
        vars: BTreeMap::new(),
        vars_template: None,
        match_features: Vec::new(),
        match_any: Vec::new(),
        at: place(0),
    }
}

/// NVIDIA asks every GPU that the container is given.
fn each_gpu(group: Group, some: Option<usize>) -> Group {
    let of_gpu = |it: &Test| {
        let Test::Nvidia(it) = it else { return false };
        it.or_compat || it.comparison.as_ref().is_some_and(|it| it.property.is_of_gpu())
    };
    let terms = group.terms();
    let mut tests = terms.iter().flat_map(|it| it.expressions.iter().flatten()).map(|(_, it)| &it.test);
    if tests.any(of_gpu) { Group::EachGpu { group: Box::new(group), some } } else { group }
}

/// One alternative has to hold, whatever is wrong with others.
fn any(alternatives: &[Vec<PlacedCondition>]) -> Group {
    Group::Any(alternatives.iter().map(|it| Group::Terms(vec![term(it)])).collect())
}

/// As NVIDIA reads it, from left to right until one alternative holds: what it calls an invalid expression counts if it
/// comes to it.
fn ordered(alternatives: &[Vec<PlacedCondition>], most: usize) -> Group {
    let may_fail = |it: &Vec<PlacedCondition>| it.iter().any(|(it, _)| it.may_be_invalid());
    let first = alternatives.iter().position(may_fail).filter(|_| 0 < most);
    let Some(first) = first else { return any(alternatives) };
    let (before, rest) = alternatives.split_at(first);
    let mut groups: Vec<_> = before.iter().map(|it| Group::Terms(vec![term(it)])).collect();
    if let Some((doubtful, after)) = rest.split_first() {
        let doubtful = conditions(doubtful, MAX_INVALID);
        groups.push(doubtful.clone());
        if !after.is_empty() {
            groups.push(Group::All(vec![Group::Not(Box::new(doubtful)), ordered(after, most - 1)]));
        }
    }
    Group::Any(groups)
}

/// All conditions of an alternative, from left to right until one does not hold.
fn conditions(all: &[PlacedCondition], most: usize) -> Group {
    let first = all.iter().position(|(it, _)| it.may_be_invalid()).filter(|_| 0 < most);
    let Some(first) = first else { return Group::Terms(vec![term(all)]) };
    let (certain, after) = all.split_at(first + 1);
    let is_invalid = certain.last().is_some_and(|(it, _)| it.comparison.is_none());
    if after.is_empty() || is_invalid {
        return Group::Terms(vec![term(certain)]);
    }
    let certain = Group::Terms(vec![term(certain)]);
    let follows = Group::Any(vec![Group::Not(Box::new(certain.clone())), conditions(after, most - 1)]);
    Group::All(vec![certain, follows])
}

/// The alternatives, where older drivers do as well.
fn lenient(constraint: &Constraint, compat: Option<&str>) -> Vec<Vec<PlacedCondition>> {
    let brought = compat.and_then(Version::parse);
    let ease = |(condition, at): &PlacedCondition| {
        let mut condition = condition.clone();
        let least = condition
            .comparison
            .as_ref()
            .filter(|it| it.property == Property::Cuda)
            .and_then(|it| it.at_least());
        if let Some(least) = least {
            let major = least.number().split('.').next().and_then(|it| it.parse().ok());
            let since = SINCE.iter().find(|(it, _)| Some(*it) == major);
            condition.or_driver = since.map(|(_, driver)| (*driver).to_owned());
            let enough = host::driver_for_cuda(&least).and_then(|it| Version::parse(&it));
            condition.or_compat = enough.zip(brought.as_ref()).is_some_and(|(enough, it)| enough <= *it);
        }
        (condition, *at)
    };
    constraint.alternatives.iter().map(|it| it.iter().map(ease).collect()).collect()
}

fn term(conditions: &[PlacedCondition]) -> Term {
    let expression = |(condition, at): &PlacedCondition| {
        let name = condition.comparison.as_ref().map_or("", |it| it.property.name());
        (name.to_owned(), Expression { test: Test::Nvidia(condition.clone()), at: place(*at) })
    };
    let expressions: Vec<_> = conditions.iter().map(expression).collect();
    Term {
        feature: FEATURE.to_owned(),
        expressions: Some(expressions).filter(|it| !it.is_empty()),
        name: None,
        count: None,
        at: place(conditions.first().map_or(0, |(_, at)| *at)),
    }
}

/// In the value of the variable.
fn place(at: usize) -> Place {
    Place { line: 1, column: at + 1 }
}
