//! Probable mistakes in a spec that are allowed. Never repeats errors of parsing.

#[cfg(test)]
mod tests;
mod written;

use std::collections::BTreeSet;

use crate::host::{self, ElementKind, FeatureInfo};
use crate::spec::{Expression, Language, Place, Rule, Set, Spec, Term, Test};
use crate::words::text::nearest;

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemarkLevel {
    /// Probably not meant.
    Warning,
    /// Meant well, but other tools will not understand it.
    Note,
}

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// How much it matters.
    pub level: RemarkLevel,
    /// Where it stands.
    pub at: Place,
    /// One sentence.
    pub message: String,
}

/// Looks through a spec that has been parsed.
pub fn lint(spec: &Spec) -> Vec<Warning> {
    look(spec, false)
}

/// Looks through what could be read of a spec with errors: what seems to be missing may be what is wrong.
pub fn lint_partly(spec: &Spec) -> Vec<Warning> {
    look(spec, true)
}

fn look(spec: &Spec, is_partial: bool) -> Vec<Warning> {
    let mut lint = Linter {
        is_ours: spec.language != Language::Nfd,
        is_proposed: spec.language.is_proposed(),
        is_partial,
        ..Linter::default()
    };
    if spec.sets.is_empty() && !is_partial {
        lint.warn(Place { line: 1, column: 1 }, "the spec has no compatibility set, so that every host fits");
    }
    for set in &spec.sets {
        lint.set(set);
    }
    lint.warnings.sort_by_key(|it| it.at);
    lint.warnings
}

#[derive(Default)]
struct Linter {
    /// Whether no other tool reads it anyway.
    is_ours: bool,
    /// Whether another format was made rules of: what a host does not know by itself, it may be told.
    is_proposed: bool,
    /// Whether parts of the spec could not be read.
    is_partial: bool,
    warnings: Vec<Warning>,
    /// What earlier rules may have published; none once a template could have made any name.
    published: BTreeSet<String>,
    has_template: bool,
    /// Features, and elements with theirs, that were found to be ours: each is noted once.
    noted: BTreeSet<(&'static str, String)>,
}

impl Linter {
    fn warn(&mut self, at: Place, message: impl Into<String>) {
        self.warnings.push(Warning { level: RemarkLevel::Warning, at, message: message.into() });
    }

    fn note(&mut self, at: Place, feature: &'static str, element: &str, message: String) {
        if self.noted.insert((feature, element.to_owned())) {
            self.warnings.push(Warning { level: RemarkLevel::Note, at, message });
        }
    }

    fn set(&mut self, set: &Set) {
        if set.rules.is_empty() && !self.is_partial {
            self.warn(set.at, "the compatibility set has no rules, so that every host fits");
        }
        for rule in &set.rules {
            self.rule(rule);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let demands_nothing = !self.is_partial
            && rule.match_features.is_empty()
            && rule.match_any.is_empty()
            && rule.groups.is_empty();
        let name = &rule.name;
        if demands_nothing && rule.vars.is_empty() {
            self.warn(rule.at, format!("rule {name:?} demands nothing, so that it always holds"));
        }
        if rule.match_any.iter().any(Vec::is_empty) && !self.is_partial {
            let message =
                format!("an alternative of rule {name:?} demands nothing, so that `matchAny` always holds");
            self.warn(rule.at, message);
        }
        if demands_nothing && rule.vars_template.is_some() {
            let message =
                format!("the template of rule {name:?} is never expanded: the rule matches nothing");
            self.warn(rule.at, message);
        }
        for term in rule.terms() {
            self.term(term);
        }
        self.published.extend(rule.vars.keys().cloned());
        self.has_template |= rule.vars_template.is_some();
    }

    fn term(&mut self, term: &Term) {
        if let Some(Expression { test: Test::DoesNotExist, at }) = &term.name {
            self.warn(
                *at,
                "`matchName` with DoesNotExist never holds: it tests names of elements that are there",
            );
        }
        match term.feature.to_lowercase().as_str() {
            "rule.matched" => self.back_reference(term),
            // What they hold is up to the site.
            "local.feature" | "local.label" => {}
            name => match host::feature(name) {
                Some(info) => self.known(term, info),
                None if self.is_proposed => {}
                None => {
                    let hint =
                        host::nearest(name).map_or_else(String::new, |it| format!("; did you mean {it}?"));
                    self.warn(
                        term.at,
                        format!("no probe knows feature {:?}, so that it stays unknown{hint}", term.feature),
                    );
                }
            },
        }
    }

    fn back_reference(&mut self, term: &Term) {
        if self.has_template || self.is_partial {
            return;
        }
        for (name, expression) in term.expressions.iter().flatten() {
            if !self.published.contains(name) && !matches!(expression.test, Test::Any | Test::DoesNotExist) {
                self.warn(expression.at, format!("no rule before this one publishes variable {name:?}"));
            }
        }
    }

    fn known(&mut self, term: &Term, info: &'static FeatureInfo) {
        self.beyond_nfd(term, info);
        for (name, expression) in term.expressions.iter().flatten() {
            let name_is_wrong = written::name(name, info).or_else(|| misnamed(name, info));
            let is_misused = || misused(name, &expression.test, info);
            for message in name_is_wrong
                .into_iter()
                .chain(is_misused().or_else(|| written::value(name, &expression.test, info)))
            {
                self.warn(expression.at, message);
            }
        }
        if let Some(count) = term.count.as_ref().filter(|_| written::cannot_be_counted(info)) {
            let message =
                format!("{} has no instances that could be counted, so that this stays unknown", info.name);
            self.warn(count.at, message);
        }
        let expressions = term.expressions.as_deref().unwrap_or(&[]);
        let is_negative = |test: &Test| matches!(test, Test::NotIn(_) | Test::DoesNotExist);
        if info.kinds == [ElementKind::Instances]
            && !expressions.is_empty()
            && expressions.iter().all(|(_, it)| is_negative(&it.test))
        {
            let message = format!(
                "this holds as soon as one of several is different; no term says that none is ({})",
                info.name
            );
            self.warn(term.at, message);
        }
    }
}

/// What Node Feature Discovery, whose language this is, does not know.
const ABSENT_IN_NFD: &str = "is not known to Node Feature Discovery: its tools take it for absent";

impl Linter {
    fn beyond_nfd(&mut self, term: &Term, info: &'static FeatureInfo) {
        let feature = info.name;
        if self.is_ours {
            return;
        }
        if !info.nfd {
            self.note(term.at, feature, "", format!("feature {feature} {ABSENT_IN_NFD}"));
            return;
        }
        for (name, expression) in term.expressions.iter().flatten().filter(|(it, _)| info.is_beyond_nfd(it)) {
            self.note(expression.at, feature, name, format!("{feature} {name} {ABSENT_IN_NFD}"));
        }
    }
}

fn misnamed(name: &str, info: &FeatureInfo) -> Option<String> {
    match (info.name, info.elements) {
        ("kernel.loadedmodule", _) if name.contains('-') => {
            let right = name.replace('-', "_");
            Some(format!(
                "the kernel lists modules with underscores: {name:?} is never loaded, write {right:?}"
            ))
        }
        ("kernel.enabledmodule", _) if name.contains('-') => {
            let right = name.replace('-', "_");
            Some(format!(
                "{name:?} is found only where it is built in: the kernel lists loaded modules with underscores; also accept {right:?}"
            ))
        }
        ("kernel.moduleparam", _) if !name.contains('.') => {
            Some(format!("parameters are named <module>.<parameter>: {name:?} is never found"))
        }
        ("kernel.config", _) if name.starts_with("CONFIG_") => {
            let right = name.strip_prefix("CONFIG_").unwrap_or(name);
            Some(format!("kernel options are named without CONFIG_: write {right:?}"))
        }
        ("kernel.config", _) if name.contains('-') => {
            let right = name.replace('-', "_").to_uppercase();
            Some(format!("kernel options are named with underscores: {name:?} is never set, write {right:?}"))
        }
        ("cpu.cpuid", _) if name.contains(|it: char| it.is_ascii_lowercase() || it == '-') => {
            let right = name.to_uppercase().replace('-', "_");
            Some(format!(
                "CPU flags are in upper case, with underscores: {name:?} is never there, write {right:?}"
            ))
        }
        ("memory.hugepages", _) if let Some(right) = page_size(name) => Some(format!(
            "sizes of pages are written as 2Mi and 1Gi: {name:?} is never there, write {right:?}"
        )),
        (feature, Some(elements)) if !elements.contains(&name) => {
            let hint = match nearest(name, elements.iter().copied()) {
                Some(it) => format!("did you mean {it:?}?"),
                None => format!("it has {}", elements.join(", ")),
            };
            Some(format!("{feature} has no element {name:?}; {hint}"))
        }
        _ => None,
    }
}

fn misused(name: &str, test: &Test, info: &FeatureInfo) -> Option<String> {
    let asks_for_value = !matches!(test, Test::Any | Test::Exists | Test::DoesNotExist);
    if info.kinds == [ElementKind::Flags] && asks_for_value {
        return Some(format!(
            "{} holds names without values, so that this never holds; use Exists",
            info.name
        ));
    }
    match (info.name, name, test) {
        (feature, _, Test::Integer(_)) if VERSIONS.contains(&(feature, name)) => {
            Some(format!("{feature} {name} is no integer, so that this stays unknown; add `type: version`"))
        }
        ("pci.device" | "usb.device", _, Test::In(values) | Test::NotIn(values)) if IDS.contains(&name) => {
            let (wrong, right) = values.iter().find_map(|it| Some((it, id(name, it)?)))?;
            let what = if name == "class" {
                "four hexadecimal digits, the first of six"
            } else {
                "four hexadecimal digits"
            };
            Some(format!(
                "{} {name} is {what}, in lower case: {wrong:?} is never found, write {right:?}",
                info.name
            ))
        }
        _ => None,
    }
}

/// Versions that are no integers.
const VERSIONS: [(&str, &str); 7] = [
    ("kernel.version", "full"),
    ("system.libc", "version"),
    ("system.osrelease", "VERSION_ID"),
    ("gpu.nvidia", "driver"),
    ("gpu.nvidia", "cuda"),
    ("gpu.amd", "driver"),
    ("kernel.module", "version"),
];

/// What sysfs writes in hexadecimal, and we without its `0x`.
const IDS: [&str; 5] = ["vendor", "device", "class", "subsystem_vendor", "subsystem_device"];

/// The digits as they are found; none if they are written so.
fn id(name: &str, value: &str) -> Option<String> {
    let lower = value.to_lowercase();
    let digits = lower.strip_prefix("0x").unwrap_or(&lower);
    if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
        return None;
    }
    let right = match digits.get(..4) {
        Some(first) if name == "class" && digits.len() == 6 => first.to_owned(),
        _ => format!("{digits:0>4}"),
    };
    (right != value).then_some(right)
}

/// The name of an element of huge pages with its size as the kernel's facts have it; none if it is written so.
fn page_size(name: &str) -> Option<String> {
    let (start, size) = name.rsplit_once('-')?;
    let end = size.find(|it: char| !it.is_ascii_digit())?;
    let (number, unit) = size.split_at_checked(end)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "g" | "gb" | "gi" | "gib" => "Gi",
        "m" | "mb" | "mi" | "mib" => "Mi",
        "k" | "kb" | "ki" | "kib" => match number {
            "2048" => return Some(format!("{start}-2Mi")),
            "1048576" => return Some(format!("{start}-1Gi")),
            _ => "Ki",
        },
        _ => return None,
    };
    let right = format!("{start}-{number}{unit}");
    (right != name && !number.is_empty()).then_some(right)
}
