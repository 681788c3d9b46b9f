//! Patterns that cost more than they have to.

use super::codes::LintCode::{AlwaysHolds, ExpensivePattern};
use super::{LintFound, LintRemark};
use crate::spec::{Expression, MAX_STEPS, Term, Test, steps};

/// A term with patterns may take this part of what a whole spec may cost.
const LARGE: u64 = 4;

/// What is expensive in a term.
pub(super) fn look(term: &Term) -> Vec<LintRemark> {
    let expressions = term.expressions.iter().flatten().map(|(_, it)| it).chain(&term.name);
    let mut remarks: Vec<_> = expressions.clone().filter_map(expression).collect();
    let first = expressions.into_iter().find(|it| matches!(it.test, Test::InRegexp(_)));
    let steps = steps(term);
    if let Some(first) = first.filter(|_| MAX_STEPS / LARGE < steps) {
        let percent = steps.saturating_mul(100) / MAX_STEPS;
        let message = format!("judging this term may take {percent} % of what a whole spec may cost");
        let help = "use fewer or shorter patterns, with fewer repetitions and classes";
        remarks.push(LintFound::new(ExpensivePattern, message).help(help).at(first.at));
    }
    remarks
}

fn expression(expression: &Expression) -> Option<LintRemark> {
    let Test::InRegexp(patterns) = &expression.test else { return None };
    let found = patterns.iter().find_map(|it| pattern(it.source()));
    // Several are a list of their own kind, which may go on with other patterns.
    let only = if let [only] = patterns.as_slice() { literal(only.source()) } else { None };
    found.or(only).map(|it| it.at(expression.at))
}

/// Something superfluous in a pattern.
fn pattern(source: &str) -> Option<LintFound> {
    let start = source.strip_prefix("^.*").or_else(|| source.strip_prefix(".*")).unwrap_or(source);
    let rest = match start.strip_suffix(".*$").or_else(|| start.strip_suffix(".*")) {
        Some(rest) if !rest.ends_with('\\') => rest,
        _ => start,
    };
    if rest.is_empty() || rest == "^" || rest == "$" {
        let message = format!("every value matches {source:?}");
        return Some(LintFound::new(AlwaysHolds, message).help("use Exists").of_value(source));
    }
    // What repeats the start in another way, or is one of several alternatives, is left alone.
    if rest == source || rest.starts_with(['?', '+', '*', '{']) || source.contains('|') {
        return None;
    }
    let message = format!(
        "a pattern is searched anywhere in the text, so that `.*` at an end of {source:?} changes nothing"
    );
    Some(LintFound::new(ExpensivePattern, message).help(format!("write {rest:?}")).of_value(source))
}

/// A pattern that is nothing but a value.
fn literal(source: &str) -> Option<LintFound> {
    let value = value(source)?;
    let found = LintFound::new(ExpensivePattern, format!("the pattern {source:?} is a value"));
    Some(found.help(format!("write op: In, value: [{value:?}]")).of_value(source))
}

/// The value that a pattern stands for, such as `^a$`, if it is nothing else.
fn value(source: &str) -> Option<&str> {
    let inner = source.strip_prefix('^')?.strip_suffix('$')?;
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"_-/: ".contains(&it);
    (!inner.is_empty() && inner.bytes().all(is_plain)).then_some(inner)
}
