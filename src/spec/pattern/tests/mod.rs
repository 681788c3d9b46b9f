//! Compares patterns with the answers of Go's `regexp`: each table is one of its facts.

mod nfd;
mod syntax;
mod characters;
mod messages;
mod limits;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq)]
enum PatternAnswer {
    Match,
    NoMatch,
    /// Go does not compile the pattern.
    Refused,
}

fn answer(pattern: &str, text: &str) -> PatternAnswer {
    match Pattern::parse(pattern).and_then(|it| it.is_match(text)) {
        Ok(true) => PatternAnswer::Match,
        Ok(false) => PatternAnswer::NoMatch,
        Err(_) => PatternAnswer::Refused,
    }
}

fn check(cases: &[(&str, &str, PatternAnswer)]) {
    for (pattern, text, expected) in cases {
        assert_eq!(answer(pattern, text), *expected, "{pattern:?} in {text:?}");
    }
}

/// As a store gives it back: nothing but the source.
fn stored(source: &str) -> Pattern {
    serde_json::from_value(source.into()).unwrap()
}

#[test]
fn a_stored_pattern_is_its_source_and_compiled_when_needed() {
    let pattern = Pattern::parse("^Intel").unwrap();
    assert_eq!(serde_json::to_string(&pattern).unwrap(), r#""^Intel""#);
    let stored = stored("^Intel");
    assert!(stored.machine.get().is_none());
    assert_eq!(stored, pattern);
    assert_eq!(stored.is_match("Intel Xeon"), Ok(true));
    assert_eq!(stored.is_match("AMD"), Ok(false));
    assert_eq!(stored.clone().source(), "^Intel");
    assert_eq!(format!("{stored:?}"), r#"Pattern("^Intel")"#);
}

#[test]
fn a_damaged_store_is_an_error_and_never_an_answer() {
    assert_eq!(stored("(").is_match("("), Err(Pattern::parse("(").unwrap_err()));
}

#[test]
fn patterns_are_equal_if_written_equally() {
    assert_ne!(Pattern::parse("a").unwrap(), Pattern::parse("(?:a)").unwrap());
}
