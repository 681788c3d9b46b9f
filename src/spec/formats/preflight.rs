//! HostPreflight of Replicated's Troubleshoot: the analyzers whose facts are known here, as rules.
//!
//! Source: `pkg/analyze/host_*.go` of replicatedhq/troubleshoot.

use super::super::problem::{Place, Problem};
use super::super::reader::SpecReader;
use super::super::shape::{field, text};
use super::super::yaml::{YamlNode, YamlValue};
use super::super::{Bound, Group, INTEGERS, Quantity, Rule, Set, Severity, Test};
use super::build::{element, equals, not, only_set, rule, term};
use crate::words::version::Version;

/// What an analyzer compares, in the words of its `when`.
type WhenReader = fn(&str, Place) -> Option<Group>;

/// The analyzers that are understood. `kernelConfigs` has a list of its own.
const ANALYZERS: [(&str, WhenReader); 5] =
    [("cpu", cpu), ("memory", memory), ("hostOS", system), ("kernelModules", modules), ("sysctl", sysctl)];
/// Each condition may be repeated once in those behind it.
const MAX_OUTCOMES: usize = 16;

/// The rules of a document's analyzers, and what of it is lost.
pub(super) fn sets(
    reader: &mut SpecReader,
    document: &YamlNode,
    losses: &mut Vec<Problem>,
) -> Option<Vec<Set>> {
    let listed = field(document, "spec").and_then(|it| field(it, "analyzers"));
    let Some(listed) = listed else {
        reader.problem(document.at, "a HostPreflight needs `spec.analyzers`, a list of analyzers");
        return None;
    };
    let items = reader.list(listed, "`analyzers` is", "a list of analyzers")?;
    let mut rules = Vec::new();
    for item in items {
        let YamlValue::Map(pairs) = &item.value else {
            reader.problem(item.at, "an analyzer is a mapping, such as `cpu: {outcomes: [...]}`");
            continue;
        };
        for (key, said) in pairs {
            let Some(kind) = text(key) else { continue };
            match analyzer(reader, kind, said, key.at, losses) {
                Ok(found) => rules.extend(found),
                Err(message) => losses.push(Problem { at: key.at, message }),
            }
        }
    }
    Some(only_set(rules, listed.at))
}

fn analyzer(
    reader: &mut SpecReader,
    kind: &str,
    node: &YamlNode,
    at: Place,
    losses: &mut Vec<Problem>,
) -> Result<Vec<Rule>, String> {
    let name = field(node, "checkName").and_then(text).unwrap_or(kind);
    if field(node, "exclude").and_then(text).is_some_and(|it| it == "true") {
        return Err(format!("analyzer `{kind}` is left out: it is excluded"));
    }
    let (required, recommended) = if kind == "kernelConfigs" {
        (options(node).ok_or_else(|| unclear(kind))?, None)
    } else {
        let known = ANALYZERS.iter().find(|(it, _)| *it == kind);
        let Some((_, condition)) = known else {
            return Err(format!("analyzer `{kind}` is left out: what it looks at is not known here"));
        };
        let outcomes = outcomes(node, *condition, losses).ok_or_else(|| unclear(kind))?;
        (outcome(&outcomes, false), Some(outcome(&outcomes, true)))
    };
    let mut rules = Vec::new();
    if let Some(group) = required.clone().into_group(at) {
        rules.push(named(reader, name, message(node, "fail"), Severity::Required, group, at));
    }
    // A warning is a demand too, if it demands more than the failures do.
    if let Some(Some(group)) = recommended.filter(|it| *it != required).map(|it| it.into_group(at)) {
        rules.push(named(reader, name, message(node, "warn"), Severity::Recommended, group, at));
    }
    Ok(rules)
}

fn unclear(kind: &str) -> String {
    format!("analyzer `{kind}` is left out: its conditions are not understood")
}

fn named(
    reader: &mut SpecReader,
    name: &str,
    remedy: Option<&str>,
    severity: Severity,
    group: Group,
    at: Place,
) -> Rule {
    let rule = rule(reader, "", "", group, at);
    Rule { name: name.to_owned(), remedy: remedy.unwrap_or_default().to_owned(), severity, ..rule }
}

/// The first message of an outcome of this kind.
fn message<'a>(node: &'a YamlNode, kind: &str) -> Option<&'a str> {
    let YamlValue::List(items) = &field(node, "outcomes")?.value else { return None };
    items.iter().find_map(|it| field(it, kind)).and_then(|it| field(it, "message")).and_then(text)
}

/// What an outcome comes to, and when.
#[derive(Debug)]
struct PreflightOutcome {
    /// `fail`, `warn` or `pass`.
    kind: &'static str,
    /// None if it is so in any other case.
    when: Option<Group>,
}

fn outcomes(
    node: &YamlNode,
    condition: WhenReader,
    losses: &mut Vec<Problem>,
) -> Option<Vec<PreflightOutcome>> {
    let YamlValue::List(items) = &field(node, "outcomes")?.value else { return None };
    if MAX_OUTCOMES < items.len() {
        return None;
    }
    let mut found = Vec::with_capacity(items.len());
    for item in items {
        let (kind, said) =
            ["fail", "warn", "pass"].into_iter().find_map(|it| Some((it, field(item, it)?)))?;
        let when = match field(said, "when") {
            None => None,
            Some(when) => match text(when)?.trim() {
                "" => None,
                said => Some(condition(said, when.at)?),
            },
        };
        if when.is_none() && found.last().is_some_and(|it: &PreflightOutcome| it.when.is_none()) {
            let message = "the outcome is left out: the one before it holds in any case".to_owned();
            losses.push(Problem { at: item.at, message });
            continue;
        }
        found.push(PreflightOutcome { kind, when });
    }
    Some(found)
}

/// A condition, or one that is known beforehand.
#[derive(Debug, Clone, PartialEq)]
enum PreflightDemand {
    Always,
    Never,
    When(Group),
}

impl PreflightDemand {
    /// None if it always holds.
    fn into_group(self, at: Place) -> Option<Group> {
        match self {
            Self::Always => None,
            Self::When(group) => Some(group),
            // The opposite of a term without expressions, which always holds.
            Self::Never => Some(not(Group::Terms(vec![term("kernel.version", Vec::new(), at)]))),
        }
    }
}

/// That the first outcome that holds is no failure, nor a warning if these count.
fn outcome(outcomes: &[PreflightOutcome], with_warnings: bool) -> PreflightDemand {
    outcomes.iter().rev().fold(PreflightDemand::Always, |rest, it| {
        let is_bad = it.kind == "fail" || (with_warnings && it.kind == "warn");
        match (&it.when, is_bad, rest) {
            (None, true, _) => PreflightDemand::Never,
            (None, false, _) => PreflightDemand::Always,
            (Some(_), true, PreflightDemand::Never) => PreflightDemand::Never,
            (Some(_), false, PreflightDemand::Always) => PreflightDemand::Always,
            (Some(when), true, PreflightDemand::Always) => PreflightDemand::When(not(when.clone())),
            (Some(when), false, PreflightDemand::Never) => PreflightDemand::When(when.clone()),
            (Some(when), true, PreflightDemand::When(rest)) => {
                PreflightDemand::When(Group::All(vec![not(when.clone()), rest]))
            }
            (Some(when), false, PreflightDemand::When(rest)) => {
                PreflightDemand::When(Group::Any(vec![when.clone(), rest]))
            }
        }
    })
}

fn bound<T: Clone>(operator: &str, value: T) -> Option<Bound<T>> {
    Some(match operator {
        "<" => Bound::Lt(value),
        "<=" => Bound::Le(value),
        ">" => Bound::Gt(value),
        ">=" => Bound::Ge(value),
        "=" | "==" | "===" => Bound::GeLe(value.clone(), value),
        "!=" | "<>" => Bound::Outside(value.clone(), value),
        _ => return None,
    })
}

fn words(when: &str) -> Vec<&str> {
    when.split_ascii_whitespace().collect()
}

/// `count < 4`, `logical >= 2`, `>= 8`: hardware threads. Cores are not known here.
fn cpu(when: &str, at: Place) -> Option<Group> {
    let (operator, count) = match words(when).as_slice() {
        [operator, count] => (*operator, *count),
        [what, operator, count] if ["count", "logical"].contains(&what.to_lowercase().as_str()) => {
            (*operator, *count)
        }
        _ => return None,
    };
    if operator == "hasFlags" {
        let flags = count.split(',').map(|it| (it.to_owned(), Test::Exists)).collect();
        return Some(Group::Terms(vec![term("cpu.flag", flags, at)]));
    }
    let number = count.parse().ok().filter(|it| INTEGERS.contains(it))?;
    Some(element("cpu.count", "online", Test::Integer(bound(operator, number)?), at))
}

/// `< 8Gi`: all of the host's memory.
fn memory(when: &str, at: Place) -> Option<Group> {
    let [operator, size] = words(when)[..] else { return None };
    let test = Test::Quantity(bound(operator, Quantity::parse(size)?)?);
    Some(element("memory.total", "bytes", test, at))
}

/// `ubuntu >= 20.04`, or `ubuntu-20.04-kernel < 5.15`.
fn system(when: &str, at: Place) -> Option<Group> {
    let [platform, operator, version] = words(when)[..] else { return None };
    let test = Test::Version(bound(operator, Version::parse(version)?)?);
    if let Some(of) = platform.strip_suffix("-kernel") {
        let (id, release) = of.rsplit_once('-')?;
        let os = vec![("ID".to_owned(), equals(id)), ("VERSION_ID".to_owned(), equals(release))];
        return Some(Group::Terms(vec![
            term("system.osrelease", os, at),
            term("kernel.version", vec![("full".to_owned(), test)], at),
        ]));
    }
    let os = vec![("ID".to_owned(), equals(platform)), ("VERSION_ID".to_owned(), test)];
    Some(Group::Terms(vec![term("system.osrelease", os, at)]))
}

/// `overlay,br_netfilter == loaded,loadable`. What is built in counts as loaded.
fn modules(when: &str, at: Place) -> Option<Group> {
    let [names, operator, states] = words(when)[..] else { return None };
    let mut wanted: Vec<&str> = Vec::new();
    for state in states.split(',') {
        let same: &[&str] = match state {
            "loaded" => &["loaded", "builtin"],
            "loadable" => &["available"],
            "loading" | "unloading" | "unknown" => &[],
            _ => return None,
        };
        // Each once: the list is copied for each module.
        wanted.extend(same.iter().filter(|it| !wanted.contains(it)).copied().collect::<Vec<_>>());
    }
    let test = Test::In(wanted.into_iter().map(str::to_owned).collect());
    let module = |it: &str| {
        let tests = vec![("name".to_owned(), equals(it)), ("state".to_owned(), test.clone())];
        Group::Terms(vec![term("kernel.module", tests, at)])
    };
    let groups: Vec<_> = names.split(',').map(module).collect();
    match operator {
        "=" | "==" => Some(Group::All(groups)),
        "!=" | "<>" => Some(Group::All(groups.into_iter().map(not).collect())),
        _ => None,
    }
}

/// `net.ipv4.ip_forward == 1`, with blanks or without.
fn sysctl(when: &str, at: Place) -> Option<Group> {
    let start = when.find(['<', '>', '=', '!'])?;
    let (name, rest) = when.split_at_checked(start)?;
    let end = rest.find(|it: char| !"<>=!".contains(it))?;
    let (operator, value) = rest.split_at_checked(end)?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || value.is_empty() {
        return None;
    }
    let test = match operator {
        "=" | "==" | "===" => equals(value),
        _ => Test::Integer(bound(operator, value.parse().ok().filter(|it| INTEGERS.contains(it))?)?),
    };
    Some(element("kernel.sysctl", name, test, at))
}

/// `selectedConfigs: [CONFIG_CGROUPS=y, CONFIG_OVERLAY_FS=ym]`.
fn options(node: &YamlNode) -> Option<PreflightDemand> {
    let YamlValue::List(items) = &field(node, "selectedConfigs")?.value else { return None };
    let mut tests = Vec::with_capacity(items.len());
    for item in items {
        let (name, values) = text(item)?.strip_prefix("CONFIG_")?.split_once('=')?;
        let known = !values.is_empty() && values.chars().all(|it| "ymn".contains(it));
        let values: Vec<_> = values.chars().map(String::from).collect();
        tests.push((name.to_owned(), known.then_some(Test::In(values))?));
    }
    (!tests.is_empty())
        .then(|| PreflightDemand::When(Group::Terms(vec![term("kernel.config", tests, node.at)])))
}
