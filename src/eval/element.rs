//! One test against one element. Never asks where the element comes from.

use crate::spec::{Bound, Test};
use crate::version::Version;

use super::Outcome;

/// An element as a test sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Element<'a> {
    /// There is none of this name.
    Missing,
    /// There is, and it has no value.
    Flag,
    /// There is, with this value.
    Value(&'a str),
    /// Not all elements could be read, and it is not among those that could.
    Unknown,
}

/// What comes of it; unknown also for a value that the test cannot be applied to, for which NFD gives up altogether.
///
/// A value is asked only of elements that have one: `NotIn` is false for a flag, and for an element that is not there.
pub(super) fn judge(test: &Test, element: Element<'_>) -> Outcome {
    match (test, element) {
        (Test::Any, _) => Outcome::Met,
        (_, Element::Unknown) => Outcome::Unknown,
        (Test::Exists, _) => (element != Element::Missing).into(),
        (Test::DoesNotExist, _) => (element == Element::Missing).into(),
        (_, Element::Missing | Element::Flag) => Outcome::Unmet,
        (_, Element::Value(value)) => judge_value(test, value),
    }
}

fn judge_value(test: &Test, value: &str) -> Outcome {
    match test {
        Test::Any | Test::Exists => Outcome::Met,
        Test::DoesNotExist => Outcome::Unmet,
        Test::In(values) => values.iter().any(|it| it == value).into(),
        Test::NotIn(values) => (!values.iter().any(|it| it == value)).into(),
        Test::InRegexp(patterns) => {
            Outcome::any(patterns.iter().map(|it| it.is_match(value).map_or(Outcome::Unknown, Outcome::from)))
        }
        Test::Integer(bound) => within(bound, value.parse::<i64>().ok()),
        Test::Version(bound) => within(bound, Version::parse(value)),
        Test::IsTrue => (value == "true").into(),
        Test::IsFalse => (value == "false").into(),
    }
}

fn within<T: PartialOrd>(bound: &Bound<T>, value: Option<T>) -> Outcome {
    value.map_or(Outcome::Unknown, |it| bound.holds(&it).into())
}
