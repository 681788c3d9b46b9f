//! Probable mistakes in a spec that are allowed, and errors with their codes.

pub mod codes;
mod table;
#[cfg(test)]
mod tests;
mod source;
mod written;
mod values;
mod patterns;
mod instead;
mod compare;
mod implied;
mod demands;
mod malformed;
pub mod fix;

use std::collections::{BTreeMap, BTreeSet};

use crate::host::{self, ElementKind, FeatureInfo};
use crate::spec::formats::{self, Understood};
use crate::spec::{Expression, Group, Language, Place, Rule, Set, Spec, Term, Test};

pub use codes::{LintCode, LintInfo, RemarkLevel};
pub use source::SpecText;
pub use table::LINT_CODES;

/// One thing to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LintRemark {
    /// What kind of thing it is.
    pub code: LintCode,
    /// Where it stands.
    pub at: Place,
    /// What it is about, if that is a value of the expression that stands there.
    pub value: Option<String>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do, as the end of that sentence.
    pub help: Option<String>,
    /// How the name at the place, or the value, is written rightly, if that is certain.
    pub spelling: Option<String>,
}

impl LintRemark {
    /// How much it matters.
    pub fn level(&self) -> RemarkLevel {
        self.code.info().level
    }

    /// Whether [`fix`] corrects it: unless that makes another error.
    pub fn can_fix(&self) -> bool {
        self.spelling.is_some() || fix::is_of_quotes(self)
    }

    /// What is wrong and what to do.
    pub fn sentence(&self) -> String {
        match &self.help {
            Some(help) => format!("{}; {help}", self.message),
            None => self.message.clone(),
        }
    }
}

/// What is found about a name or a value, wherever it stands.
struct LintFound {
    code: LintCode,
    message: String,
    help: Option<String>,
    value: Option<String>,
    spelling: Option<String>,
}

impl LintFound {
    fn new(code: LintCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None, value: None, spelling: None }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// With the spelling that hosts have.
    fn write(self, right: &str) -> Self {
        Self { help: Some(format!("write {right:?}")), spelling: Some(right.to_owned()), ..self }
    }

    /// About one of the values of an expression.
    fn of_value(self, value: &str) -> Self {
        Self { value: Some(value.to_owned()), ..self }
    }

    fn at(self, at: Place) -> LintRemark {
        let Self { code, message, help, value, spelling } = self;
        LintRemark { code, at, value, message, help, spelling }
    }
}

/// Looks through a document: its errors, and what could be read of it all the same. In its order; `source` is its text.
pub fn check(bytes: &[u8], source: &SpecText<'_>) -> Vec<LintRemark> {
    let Understood { spec, malformed, losses } = formats::understand(bytes);
    let mut remarks = match (&spec, &malformed) {
        (Some(spec), None) => lint(spec),
        (Some(spec), Some(_)) => lint_partly(spec),
        (None, _) => Vec::new(),
    };
    remarks.extend(losses.iter().map(|it| LintFound::new(LintCode::LeftOut, it.message.clone()).at(it.at)));
    remarks.extend(malformed.iter().flat_map(|it| malformed::remarks(it, source)));
    remarks.sort_by_key(|it| (it.at, it.level()));
    remarks
}

/// Looks through a spec that has been parsed.
pub fn lint(spec: &Spec) -> Vec<LintRemark> {
    look(spec, false)
}

/// Looks through what could be read of a spec with errors: what seems to be missing may be what is wrong.
pub fn lint_partly(spec: &Spec) -> Vec<LintRemark> {
    look(spec, true)
}

fn look(spec: &Spec, is_partial: bool) -> Vec<LintRemark> {
    let mut lint = Linter {
        is_ours: spec.language != Language::Nfd,
        is_proposed: spec.language.is_proposed(),
        is_partial,
        ..Linter::default()
    };
    if spec.sets.is_empty() && !is_partial {
        let message = "the spec has no compatibility set, so that every host fits";
        lint.found(Place { line: 1, column: 1 }, LintFound::new(LintCode::DemandsNothing, message));
    }
    for set in &spec.sets {
        lint.set(set);
        if spec.sets.len() > 1 && !lint.is_proposed && set.description.is_empty() && set.tag.is_empty() {
            let message = "the set has neither a description nor a tag: reports show its number only";
            lint.found(set.at, LintFound::new(LintCode::MissingDescription, message));
        }
    }
    // What other formats say twice, their readers made so.
    if !is_partial && !spec.language.is_proposed() {
        lint.remarks.extend(demands::look(spec));
    }
    lint.remarks.sort_by_key(|it| it.at);
    lint.remarks
}

#[derive(Default)]
struct Linter {
    /// Whether no other tool reads it anyway.
    is_ours: bool,
    /// Whether another format was made rules of: what a host does not know by itself, it may be told.
    is_proposed: bool,
    /// Whether parts of the spec could not be read.
    is_partial: bool,
    remarks: Vec<LintRemark>,
    /// What earlier rules may have published; none once a template could have made any name.
    published: BTreeMap<String, BTreeSet<String>>,
    has_template: bool,
    /// Features, and elements with theirs, that were found to be ours: each is noted once.
    noted: BTreeSet<(&'static str, String)>,
}

impl Linter {
    fn found(&mut self, at: Place, found: LintFound) {
        self.remarks.push(found.at(at));
    }

    fn note(&mut self, at: Place, feature: &'static str, element: &str, message: String) {
        if self.noted.insert((feature, element.to_owned())) {
            self.found(at, LintFound::new(LintCode::NotInNfd, message));
        }
    }

    fn set(&mut self, set: &Set) {
        if set.rules.is_empty() && !self.is_partial {
            let message = "the compatibility set has no rules, so that every host fits";
            self.found(set.at, LintFound::new(LintCode::DemandsNothing, message));
        }
        for rule in &set.rules {
            self.rule(rule);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        let demands_nothing = !self.is_partial && has_no_terms(rule);
        let name = &rule.name;
        if demands_nothing && rule.vars.is_empty() {
            let message = format!("rule {name:?} demands nothing, so that it always holds");
            self.found(rule.at, LintFound::new(LintCode::DemandsNothing, message));
        }
        if rule.match_any.iter().any(Vec::is_empty) && !self.is_partial {
            let message =
                format!("an alternative of rule {name:?} demands nothing, so that `matchAny` always holds");
            self.found(rule.at, LintFound::new(LintCode::DemandsNothing, message));
        }
        if demands_nothing && rule.vars_template.is_some() {
            let message =
                format!("the template of rule {name:?} is never expanded: the rule matches nothing");
            self.found(rule.at, LintFound::new(LintCode::UnusedTemplate, message));
        }
        if rule.title().is_empty() && !demands_nothing && !self.is_proposed {
            let message = "the rule has neither a name nor an id: reports show its place only";
            self.found(rule.at, LintFound::new(LintCode::MissingDescription, message));
        }
        for term in rule.match_features.iter().chain(rule.match_any.iter().flatten()) {
            self.term(term, true);
        }
        for group in &rule.groups {
            self.group(group, true);
        }
        if let Some(group) = &rule.when {
            self.group(group, false);
        }
        if let Some(found) = instead::look(rule).filter(|_| !self.is_proposed) {
            self.remarks.push(found);
        }
        for (name, value) in &rule.vars {
            self.published.entry(name.clone()).or_default().insert(value.clone());
        }
        self.has_template |= rule.vars_template.is_some();
    }

    /// `is_required`: whether what it says has to be there.
    fn group(&mut self, group: &Group, is_required: bool) {
        match group {
            Group::Terms(terms) => terms.iter().for_each(|it| self.term(it, is_required)),
            Group::All(groups) | Group::Any(groups) => {
                groups.iter().for_each(|it| self.group(it, is_required));
            }
            Group::Not(group) => self.group(group, false),
            Group::EachGpu { group, .. } | Group::Named { group, .. } => self.group(group, is_required),
        }
    }

    fn term(&mut self, term: &Term, is_required: bool) {
        if !self.is_proposed {
            self.remarks.extend(patterns::look(term));
        }
        if let Some(Expression { test: Test::DoesNotExist, at }) = &term.name {
            let message =
                "`matchName` with DoesNotExist never holds: it tests names of elements that are there";
            self.found(*at, LintFound::new(LintCode::NeverHolds, message));
        }
        match term.feature.to_lowercase().as_str() {
            "rule.matched" => self.back_reference(term),
            // What they hold is up to the site.
            "local.feature" | "local.label" => {}
            name => match host::feature(name) {
                Some(info) => self.known(term, info, is_required),
                None if self.is_proposed => {}
                None => {
                    let message =
                        format!("no probe knows feature {:?}, so that it stays unknown", term.feature);
                    let mut found = LintFound::new(LintCode::UnknownFeature, message);
                    found.help = host::nearest(name).map(|it| format!("did you mean {it}?"));
                    self.found(term.at, found);
                }
            },
        }
    }

    fn back_reference(&mut self, term: &Term) {
        if self.has_template || self.is_partial {
            return;
        }
        for (name, expression) in term.expressions.iter().flatten() {
            let message = match (self.published.get(name), &expression.test) {
                (_, Test::Any | Test::DoesNotExist) => continue,
                (None, _) => format!("no rule before this one publishes variable {name:?}"),
                (Some(values), Test::In(asked)) if !asked.iter().any(|it| values.contains(it)) => {
                    let values: Vec<_> = values.iter().map(|it| format!("{it:?}")).collect();
                    format!("variable {name:?} never has this value, only {}", values.join(", "))
                }
                (Some(_), _) => continue,
            };
            self.found(expression.at, LintFound::new(LintCode::DanglingReference, message));
        }
    }

    fn known(&mut self, term: &Term, info: &'static FeatureInfo, is_required: bool) {
        self.beyond_nfd(term, info);
        for (name, expression) in term.expressions.iter().flatten() {
            let misnamed = written::name(name, info, self.is_ours);
            let misused = values::misused(name, &expression.test, info)
                .or_else(|| written::value(name, &expression.test, info));
            let is_certain = is_required && !self.is_proposed && !is_negative(&expression.test);
            for found in misnamed.into_iter().chain(misused) {
                let spelling = found.spelling.clone().filter(|_| is_certain);
                self.found(expression.at, LintFound { spelling, ..found });
            }
        }
        if let Some(Expression { test: Test::In(names), at }) = &term.name {
            for name in names {
                let Some(found) = written::name(name, info, self.is_ours) else { continue };
                let spelling = found.spelling.clone().filter(|_| is_required && !self.is_proposed);
                self.found(*at, LintFound { spelling, ..found.of_value(name) });
            }
        }
        if let Some(count) = term.count.as_ref().filter(|_| values::cannot_be_counted(info)) {
            let message =
                format!("{} has no instances that could be counted, so that this stays unknown", info.name);
            self.found(count.at, LintFound::new(LintCode::WrongTest, message));
        }
        let expressions = term.expressions.as_deref().unwrap_or(&[]);
        if info.kinds == [ElementKind::Instances]
            && !expressions.is_empty()
            && expressions.iter().all(|(_, it)| matches!(it.test, Test::NotIn(_) | Test::DoesNotExist))
        {
            let message = format!(
                "this holds as soon as one of several is different; no term says that none is ({})",
                info.name
            );
            self.found(term.at, LintFound::new(LintCode::NegativeInstances, message));
        }
    }
}

/// Whether a rule asks for no feature at all.
fn has_no_terms(rule: &Rule) -> bool {
    rule.match_features.is_empty() && rule.match_any.is_empty() && rule.groups.is_empty()
}

/// Whether it holds for what is not there or is otherwise.
fn is_negative(test: &Test) -> bool {
    matches!(test, Test::NotIn(_) | Test::DoesNotExist | Test::Any)
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
        for (name, expression) in term.expressions.iter().flatten() {
            if let Some(why) = values::beyond_nfd(&expression.test) {
                self.note(
                    expression.at,
                    feature,
                    name,
                    format!("Node Feature Discovery refuses this: {why}"),
                );
            }
        }
    }
}
