//! Why a set does not fit: a line for each thing that is missing. Never names what holds.

use std::collections::BTreeSet;

use crate::eval::{Clue, Evidence, Finding, JudgedRule, JudgedSet, JudgedTerm, Manager, Outcome, lower};
use crate::spec::{Rule, Test};
use crate::words::text::list;

use super::Code;
use super::finding::parameter;
use super::words::shown;

impl<'a> JudgedSet<'a> {
    /// What keeps the set from fitting, the code and one line for each; empty if it fits.
    pub fn reasons(&self) -> Vec<(Code, String)> {
        self.lacks().into_iter().map(|(code, line, _)| (code, line)).collect()
    }

    /// As [`Self::reasons`], each with the rule that it is of.
    pub fn lacks(&self) -> Vec<(Code, String, &'a Rule)> {
        let of = |rule: &'a Rule| move |(code, line)| (code, line, rule);
        let lacking = self.required().flat_map(|it| it.reasons(self.outcome).into_iter().map(of(it.rule)));
        let templates = self.required().filter_map(|it| it.template_reason().map(of(it.rule)));
        lacking.chain(templates).collect()
    }
}

impl<'a> JudgedRule<'a> {
    /// The codes of everything that is not met in what the rule demands, of alternatives only in the one that lacks
    /// least.
    pub fn codes(&self) -> BTreeSet<&'static str> {
        let nearest = self.nearest_alternative();
        let is_meant = |it: &&JudgedTerm<'_>| it.alternative.is_none() || it.alternative == nearest;
        let terms = self.terms.iter().filter(|it| it.group.is_empty()).filter(is_meant);
        let findings = terms.flat_map(|it| &it.findings).filter(|it| it.outcome != Outcome::Met);
        let blamed = self.blamed().map(|(_, it)| it.code());
        let template = self.template_error.as_ref().map(|_| Code::TemplateFailed);
        findings.map(Finding::code).chain(blamed).chain(template).map(Code::name).collect()
    }

    /// The first thing that keeps the rule from being met, if it is not waived: the code and one line.
    pub fn first_reason(&self) -> Option<(Code, String)> {
        self.all_reasons().into_iter().next()
    }

    /// All that keeps the rule from being met, if it is not waived.
    pub fn all_reasons(&self) -> Vec<(Code, String)> {
        self.reasons(self.outcome).into_iter().chain(self.template_reason()).collect()
    }

    fn reasons(&self, outcome: Outcome) -> Vec<(Code, String)> {
        let lacks = |it: &JudgedTerm<'a>| {
            it.reasons().into_iter().map(|lack| self.among_alternatives(it, lack)).collect::<Vec<_>>()
        };
        match self.common_lack(outcome) {
            Some(lack) => self.required(outcome).flat_map(lacks).chain([lack]).collect(),
            None => self.decisive(outcome).flat_map(lacks).collect(),
        }
    }

    /// What one alternative lacks is not all that would do.
    fn among_alternatives(&self, term: &JudgedTerm<'a>, (code, line): (Code, String)) -> (Code, String) {
        let blame = self.blamed().find(|(_, it)| std::ptr::eq(*it, term)).map(|(blame, _)| blame);
        if let Some(blame) = blame.filter(|it| !it.or.is_empty()) {
            let others = blame.or.iter().filter_map(|it| self.terms.get(*it));
            let lacks = std::iter::once(term).chain(others).flat_map(|it| &it.findings);
            let lacks: Vec<_> = lacks.filter(|it| it.outcome != Outcome::Met).collect();
            if let Some(line) = common_line(&lacks) {
                return (code, line);
            }
        }
        let count = match (term.alternative, blame) {
            (Some(_), _) => self.rule.match_any.len(),
            (None, blame) => blame.map_or(0, |it| it.of),
        };
        // Where there is no driver at all, none is nearer.
        let is_alike = code == Code::NvidiaRequire && term.has_no_feature();
        let nearest = match count {
            0 | 1 => String::new(),
            _ if is_alike => String::new(),
            _ => format!(" (nearest of {count} alternatives)"),
        };
        (code, format!("{line}{nearest}"))
    }

    fn template_reason(&self) -> Option<(Code, String)> {
        let error = self.template_error.as_ref().filter(|_| self.waived.is_none())?;
        let message =
            format!("the template of rule {} cannot be expanded: {error}", shown(self.rule.title()));
        Some((Code::TemplateFailed, message))
    }

    /// All alternatives fail in one expression each, and all on the same element: one line names what each would accept.
    fn common_lack(&self, outcome: Outcome) -> Option<(Code, String)> {
        if self.outcome != outcome || outcome == Outcome::Met || self.rule.match_any.len() < 2 {
            return None;
        }
        let lacks: Option<Vec<_>> = (0..self.rule.match_any.len()).map(|it| self.only_lack(it)).collect();
        let mut lacks = lacks?;
        // What is easier to mend comes first, whatever the order of the spec.
        lacks.sort_by_key(|it| it.effort());
        let first = *lacks.first()?;
        let are_alike = lacks.iter().all(|it| it.outcome == outcome && it.is_like(first));
        if are_alike { common_line(&lacks).map(|line| (first.code(), line)) } else { None }
    }

    /// The expression in which an alternative fails, if it is the only one.
    fn only_lack(&self, alternative: usize) -> Option<&Finding<'a>> {
        let terms = self.terms.iter().filter(|it| it.alternative == Some(alternative));
        let mut lacks = terms.flat_map(|it| &it.findings).filter(|it| it.outcome != Outcome::Met);
        let only = lacks.next()?;
        lacks.next().is_none().then_some(only)
    }
}

/// One line on what several expressions find missing in the same element: what each would accept.
fn common_line(lacks: &[&Finding<'_>]) -> Option<String> {
    let needed = list(each_once(lacks.iter().map(|it| it.needed())), "or");
    lacks.first().map(|it| it.line(&needed))
}

/// In the order in which they come.
fn each_once(texts: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    let mut seen = BTreeSet::new();
    texts.filter(move |it| seen.insert(it.clone()))
}

impl JudgedTerm<'_> {
    /// Everything in the term that is not as it has to be: a line for each element, one for all attributes of an instance.
    fn reasons(&self) -> Vec<(Code, String)> {
        if self.is_unwanted() {
            return vec![(self.code(), self.unwanted_line())];
        }
        let decisive = || self.findings.iter().filter(|it| it.outcome == self.outcome);
        let Some(first) = decisive().next().filter(|_| self.outcome != Outcome::Met) else {
            return Vec::new();
        };
        let whole = match (self.outcome, &first.evidence) {
            (Outcome::Unmet, Evidence::Nearest { .. } | Evidence::NoInstance { .. }) => {
                Some(self.no_instance(first))
            }
            (Outcome::Unmet, Evidence::Count { fitting, .. }) => Some(self.count_line(first, *fitting)),
            // What is asked of a driver that is not there is said once.
            (Outcome::Unmet, Evidence::NoFeature { .. }) if first.code() == Code::NvidiaRequire => {
                Some(first.line(&first.needed()))
            }
            (Outcome::Unknown, Evidence::Unknown(unknown)) if self.term.count.is_some() => {
                let (thing, needed) = (first.thing(), first.needed());
                let (read, reason) = (&unknown.read, &unknown.reason);
                Some(format!("how many {thing}s there are is unknown, needs {needed}: {read} {reason}"))
            }
            (Outcome::Unmet, Evidence::NoFeature { .. }) if first.code() == Code::FeatureAbsent => {
                Some(self.no_feature(first))
            }
            _ => None,
        };
        match whole {
            Some(line) => vec![(first.code(), line)],
            None => {
                // Facts of one unreadable place share one reason, which is reported once.
                let mut findings: Vec<_> = decisive().collect();
                findings.dedup_by(|it, before| {
                    matches!(it.evidence, Evidence::Unknown(_)) && it.evidence == before.evidence
                });
                findings.into_iter().map(|it| (it.code(), it.line(&it.needed()))).collect()
            }
        }
    }

    fn decisive(&self) -> Option<&Finding<'_>> {
        self.findings.iter().find(|it| it.outcome == self.outcome)
    }

    fn has_no_feature(&self) -> bool {
        self.findings.iter().all(|it| matches!(it.evidence, Evidence::NoFeature { .. }))
    }

    fn code(&self) -> Code {
        match self.decisive() {
            Some(finding) if self.is_unwanted() => match &*lower(finding.feature) {
                "kernel.loadedmodule" | "kernel.enabledmodule" => Code::ModuleUnwanted,
                _ => Code::ElementUnwanted,
            },
            Some(finding) => finding.code(),
            None => Code::Met,
        }
    }

    /// What must not hold, and does.
    fn unwanted_line(&self) -> String {
        let of_instance = |it: &Finding<'_>| matches!(it.evidence, Evidence::Nearest { .. });
        let thing = |it: &Finding<'_>| match of_instance(it) {
            true => demand(it),
            false => format!("{} is {}", it.subject(), it.found()),
        };
        let all = list(self.findings.iter().map(thing), "and");
        match self.findings.first().filter(|it| of_instance(it)) {
            Some(first) => format!("there is a {} with {all}, and must not be", first.thing()),
            None => format!("{all}, and must not be"),
        }
    }

    /// How many there are of what is counted.
    fn count_line(&self, finding: &Finding<'_>, fitting: i128) -> String {
        let demands = self.term.expressions.iter().flatten();
        let demands: Vec<_> =
            demands.map(|(name, it)| super::demands::attribute(self.term, name, it)).collect();
        let with = if demands.is_empty() { String::new() } else { format!(" with {}", demands.join(", ")) };
        let thing = match (finding.thing(), fitting) {
            (thing, 1) => thing.to_owned(),
            ("mount in the container", _) => "mounts in the container".to_owned(),
            (thing, _) => format!("{thing}s"),
        };
        format!("there are {fitting} {thing}{with}, needs {}", finding.needed())
            .replacen("are 1 ", "is 1 ", 1)
    }

    /// One line on why the term does not hold; empty if it does.
    pub fn headline(&self) -> String {
        self.reasons().into_iter().next().map(|(_, line)| line).unwrap_or_default()
    }

    /// The host has nothing of the kind: what is needed of it, and what it has instead.
    fn no_feature(&self, first: &Finding<'_>) -> String {
        let feature = shown(first.feature);
        let named: Vec<_> = self.findings.iter().filter(|it| !it.element.is_empty()).collect();
        let is_unwanted = |it: &&&Finding<'_>| matches!(it.test, Some(Test::DoesNotExist));
        let instead = first.read().split_once("; ").map_or_else(String::new, |(_, it)| format!("; {it}"));
        if named.is_empty() {
            return format!("this host has no {feature}{instead}");
        }
        if named.iter().filter(is_unwanted).count() == named.len() {
            return format!("this host has no {feature}, and DoesNotExist holds only where there is one");
        }
        let demands: Vec<_> = named.into_iter().map(demand).collect();
        format!("this host has no {feature}, needs {}{instead}", demands.join(", "))
    }

    /// All attributes have to be those of one device, so all are named; and the device that comes nearest.
    fn no_instance(&self, first: &Finding<'_>) -> String {
        let named = || self.findings.iter().filter(|it| !it.element.is_empty());
        let demands: Vec<_> = named().map(demand).collect();
        let with = if demands.is_empty() { String::new() } else { format!(" with {}", demands.join(", ")) };
        let line = format!("no {}{with}", first.thing());
        let at_boot = self.findings.iter().find_map(|it| match &it.clue {
            Some(Clue::BootParameter { given, .. }) => Some(parameter(given)),
            _ => None,
        });
        let line = match (at_boot, self.findings.iter().find_map(Finding::command)) {
            (Some(parameter), _) => format!("{line} (disabled at boot: {parameter})"),
            (None, Some(command)) => format!("{line} (try: {command})"),
            (None, None) => line,
        };
        // One of another name is not near.
        let is_another = self.naming().is_some_and(|it| it.outcome == Outcome::Unmet);
        if let Evidence::Nearest { read, .. } = &first.evidence
            && !is_another
        {
            let missing: Vec<_> = named().filter(|it| it.outcome == Outcome::Unmet).map(difference).collect();
            // A facts document does not say where an instance was read.
            let nearest = match self.nearest_name(read) {
                Some(name) => format!("nearest is {}: ", shown(name)),
                None => "of the nearest ".to_owned(),
            };
            return format!("{line}; {nearest}{}", missing.join(", "));
        }
        line
    }

    /// What the nearest instance is called: by the attribute that names it, else by where it was read; none if all were
    /// read in one place.
    fn nearest_name<'b>(&'b self, read: &'b str) -> Option<&'b str> {
        match self.naming().map(|it| &it.evidence) {
            Some(Evidence::Nearest { value: Some(value), .. }) => Some(value),
            _ if read.starts_with("/proc/") || read == "/dev" => None,
            _ => read.strip_prefix("config.json ").or_else(|| Some(read.rsplit_once('/')?.1)),
        }
    }

    /// The finding on the attribute that names an instance, if the term demands it.
    fn naming(&self) -> Option<&Finding<'_>> {
        self.findings.iter().find(|it| it.names_the_instance())
    }
}

/// Element and test in a list of attributes.
pub(super) fn demand(finding: &Finding<'_>) -> String {
    let element = shown(finding.element);
    match finding.test {
        Some(Test::Exists) => element,
        Some(Test::DoesNotExist) => format!("no {element}"),
        _ => format!("{element} {}", finding.needed()),
    }
}

fn difference(finding: &Finding<'_>) -> String {
    let element = shown(finding.element);
    if let Evidence::Nearest { value: Some(value), .. } = &finding.evidence {
        return format!("{element} is {}", shown(value));
    }
    format!("{element} is not there")
}

impl Finding<'_> {
    /// Whether both are about the same element with the same evidence.
    pub(in crate::eval) fn is_like(&self, other: &Self) -> bool {
        let has_subject =
            matches!(self.evidence, Evidence::Value { .. } | Evidence::Unfit { .. } | Evidence::Unknown(_));
        has_subject
            && !self.element.is_empty()
            && self.element == other.element
            && lower(self.feature) == lower(other.feature)
            && self.evidence == other.evidence
    }

    /// One line on why the expression does not hold; `needed` is what would hold. Empty if it holds.
    fn line(&self, needed: &str) -> String {
        match (self.outcome, &self.evidence) {
            (Outcome::Met, _) => String::new(),
            _ if let Some(Test::Nvidia(condition)) = self.test => self.nvidia_line(condition, needed),
            (Outcome::Unknown, Evidence::Unknown(unknown)) => {
                let needs = if self.test.is_some() { format!(", needs {needed}") } else { String::new() };
                let read = if unknown.read.is_empty() { String::new() } else { format!("{} ", unknown.read) };
                format!("{} is unknown{needs}: {read}{}", self.subject(), unknown.reason)
            }
            (Outcome::Unknown, _) => format!("{} is {}, needs {needed}", self.subject(), self.found()),
            (Outcome::Unmet, _) => self.unmet_line(needed),
        }
    }

    fn unmet_line(&self, needed: &str) -> String {
        let (subject, found, element) = (self.subject(), self.found(), shown(self.element));
        match (&self.evidence, self.test, &self.clue) {
            (_, _, Some(Clue::Loadable(manager))) => {
                let how = match manager {
                    Manager::Files | Manager::Image => format!("try: modprobe {element}"),
                    Manager::Talos => "name it in machine.kernel.modules".to_owned(),
                    Manager::NoModules => "but kernel.modules_disabled is 1: load it at boot".to_owned(),
                };
                format!("{subject} is {found} (available; {how})")
            }
            (_, _, Some(Clue::NotLoadable { option: Some(option), is_module: Some(false), .. })) => {
                format!("{subject} is {found}, and this kernel was built without it (CONFIG_{option})")
            }
            (
                _,
                _,
                Some(Clue::NotLoadable {
                    package: Some(package),
                    is_module: Some(true),
                    manager: Manager::Files | Manager::NoModules,
                    ..
                }),
            ) => {
                let package = shown(package);
                format!("{subject} is {found} and not installed for this kernel: {package} has it")
            }
            (_, _, Some(Clue::NotLoadable { .. })) => {
                format!("{subject} is {found} and not installed for this kernel")
            }
            (_, _, Some(Clue::LoadedBy { .. })) if let Some(command) = self.command() => {
                format!("{subject} is {found} (try: {command})")
            }
            (Evidence::Value { value: Some(_), .. }, _, Some(Clue::BootParameter { given, .. })) => {
                format!("{subject} is {found}, needs {needed} (set at boot: {})", parameter(given))
            }
            (_, _, Some(Clue::BootParameter { given, .. })) => {
                format!("{subject} is {found} (disabled at boot: {})", parameter(given))
            }
            (_, _, Some(Clue::Answer(_))) => format!("{subject} is {found}"),
            (_, _, Some(Clue::Foreign { file, host, remedy })) => {
                let file = shown(file);
                match self.element {
                    "i386" => format!(
                        "{file} is for i386, and this kernel starts no 32-bit programs (CONFIG_IA32_EMULATION, ia32_emulation=)"
                    ),
                    "x32" => format!(
                        "{file} is for x32, and this kernel was built without it (CONFIG_X86_X32_ABI)"
                    ),
                    _ => {
                        let how = remedy.map_or_else(String::new, |it| format!(" (try: {it})"));
                        format!(
                            "{file} is for {element}; this host is {host}, and no binfmt handler for {element} is enabled{how}"
                        )
                    }
                }
            }
            (_, _, Some(Clue::NoInterpreter { file, missing, is_script })) => {
                let (what, more) = match is_script {
                    true if missing.ends_with('\r') => {
                        ("interpreter", ": its line ends as on Windows (try: dos2unix)")
                    }
                    true => ("interpreter", ""),
                    false => ("loader", ""),
                };
                format!("{} needs the {what} {}, which the image lacks{more}", shown(file), shown(missing))
            }
            (_, _, Some(Clue::TooManyScripts { file, is_loop: true, .. })) => {
                format!(
                    "{} is a script that leads back to itself by the interpreters of its `#!` lines",
                    shown(file)
                )
            }
            (_, _, Some(Clue::TooManyScripts { file, last, .. })) => {
                format!(
                    "{} is a script that is interpreted by a script, and so on: kernels follow five, and {} is the sixth",
                    shown(file),
                    shown(last)
                )
            }
            (_, _, Some(Clue::Linked { file })) => {
                format!(
                    "{} was linked for pages of {needed} bytes, and this kernel has pages of {found} bytes: it cannot be mapped",
                    shown(file)
                )
            }
            (_, _, Some(Clue::Missing { flags, whose, virtual_cpu })) => {
                let level = self.element.to_lowercase().replace('_', "-");
                let who = if *virtual_cpu { "this virtual CPU" } else { "this CPU" };
                match whose {
                    Some(whose) => {
                        format!("{} needs {level}; {who} lacks {}", shown(whose), flags.join(", "))
                    }
                    None => format!("{who} is not {level}: it lacks {}", flags.join(", ")),
                }
            }
            (Evidence::NoFeature { .. }, ..) => self.no_feature_line(),
            (Evidence::Names { .. }, ..) => self.no_name_line(needed),
            (Evidence::Flag { .. }, Some(Test::Exists | Test::DoesNotExist), _) => {
                format!("{subject} is {found}")
            }
            (Evidence::Flag { present: true, .. }, ..) => {
                format!("{subject} has no value to be held against {needed}")
            }
            (_, Some(Test::Exists), _) => format!("{subject} is {found}"),
            (_, Some(Test::DoesNotExist), _) => {
                format!("{subject} is {found}, and must not be {}", self.words().0)
            }
            _ => {
                let how = self.command().map_or_else(String::new, |it| format!(" (try: {it})"));
                format!("{subject} is {found}, needs {needed}{how}")
            }
        }
    }

    fn no_feature_line(&self) -> String {
        let (subject, feature) = (self.subject(), shown(self.feature));
        match self.test {
            _ if self.code() == Code::ModuleNotLoaded => {
                format!("{subject} is not loaded: this kernel loads no modules")
            }
            _ if self.element.is_empty() => format!("this host has no {feature}"),
            Some(Test::DoesNotExist) => {
                format!("this host has no {feature}, and DoesNotExist holds only where there is one")
            }
            _ => format!("this host has no {feature}: {subject} is needed"),
        }
    }

    fn no_name_line(&self, needed: &str) -> String {
        let feature = shown(self.feature);
        match self.test {
            Some(Test::Any | Test::Exists) => format!("{feature} has no elements"),
            Some(Test::DoesNotExist) => format!("no name of {feature} can be one that does not exist"),
            _ if feature == "bundle.device" => {
                format!("no device that the container is given has a name {needed}")
            }
            _ => format!("no element of {feature} has a name {needed}"),
        }
    }
}
