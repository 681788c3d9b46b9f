//! What one test says about another on the same value. Never claims what depends on the host.

use std::cmp::Ordering;

use crate::spec::{Bound, Test};
use crate::words::version::Version;

/// What looking at a pattern costs, in comparisons of text.
const PATTERN: usize = 1000;

/// How much comparing two tests takes.
pub(super) fn cost(left: &Test, right: &Test) -> usize {
    size(left).saturating_mul(size(right)).max(1)
}

fn size(test: &Test) -> usize {
    match test {
        Test::In(values) | Test::NotIn(values) => values.len(),
        Test::InRegexp(patterns) => patterns.len().saturating_mul(PATTERN),
        Test::Any
        | Test::Exists
        | Test::DoesNotExist
        | Test::Integer(_)
        | Test::Integers(_)
        | Test::Version(_)
        | Test::IsTrue
        | Test::IsFalse
        | Test::Enabled
        | Test::Quantity(_)
        | Test::Release(_)
        | Test::Nvidia(_) => 1,
    }
}

/// Whether no value meets both.
pub(super) fn exclude(left: &Test, right: &Test) -> bool {
    match (left, right) {
        (Test::DoesNotExist, other) | (other, Test::DoesNotExist) => needs_value(other),
        (Test::Integer(left), Test::Integer(right)) => are_disjoint(left, right),
        (Test::Version(left), Test::Version(right)) => are_disjoint(left, right),
        (Test::Quantity(left), Test::Quantity(right)) => are_disjoint(left, right),
        (left, right) => {
            let none_of = |few: &Test, other: &Test| {
                values(few).is_some_and(|it| it.iter().all(|it| holds(other, it) == Some(false)))
            };
            none_of(left, right) || none_of(right, left)
        }
    }
}

/// Whether every value that meets `stricter` meets `weaker`.
pub(super) fn implies(stricter: &Test, weaker: &Test) -> bool {
    if stricter == weaker {
        return true;
    }
    match (stricter, weaker) {
        (_, Test::Any) => true,
        (it, Test::Exists) => needs_value(it),
        (Test::Integer(inner), Test::Integer(outer)) => is_within(inner, outer),
        (Test::Version(inner), Test::Version(outer)) => is_within(inner, outer),
        (Test::Quantity(inner), Test::Quantity(outer)) => is_within(inner, outer),
        (it, Test::NotIn(values)) if needs_value(it) => {
            values.iter().all(|value| holds(it, value) == Some(false))
        }
        (few, weaker) => values(few).is_some_and(|it| it.iter().all(|it| holds(weaker, it) == Some(true))),
    }
}

/// Whether one of the two holds, whatever the value is; of Exists and DoesNotExist, also without one.
pub(super) fn cover(left: &Test, right: &Test) -> bool {
    match (left, right) {
        (Test::Exists, Test::DoesNotExist) | (Test::DoesNotExist, Test::Exists) => true,
        (Test::Integer(left), Test::Integer(right)) => fill(left, right) || fill(right, left),
        (Test::Version(left), Test::Version(right)) => fill(left, right) || fill(right, left),
        _ => false,
    }
}

fn fill<T: PartialOrd>(above: &Bound<T>, below: &Bound<T>) -> bool {
    match (ends(above), ends(below)) {
        (Some((Some((low, is_low)), None)), Some((None, Some((high, is_high))))) => {
            low < high || (low == high && (is_low || is_high))
        }
        _ => false,
    }
}

/// Whether it never holds for an element that is not there.
fn needs_value(test: &Test) -> bool {
    !matches!(test, Test::Any | Test::DoesNotExist)
}

/// The only values that meet a test, if they are few.
fn values(test: &Test) -> Option<Vec<&str>> {
    match test {
        Test::In(values) => Some(values.iter().map(String::as_str).collect()),
        Test::IsTrue => Some(vec!["true"]),
        Test::IsFalse => Some(vec!["false"]),
        Test::Enabled => Some(vec!["y", "m"]),
        Test::Any
        | Test::Exists
        | Test::DoesNotExist
        | Test::NotIn(_)
        | Test::InRegexp(_)
        | Test::Integer(_)
        | Test::Integers(_)
        | Test::Version(_)
        | Test::Quantity(_)
        | Test::Release(_)
        | Test::Nvidia(_) => None,
    }
}

/// Whether a value meets a test; none if that cannot be said of its text.
fn holds(test: &Test, value: &str) -> Option<bool> {
    match test {
        Test::Any | Test::Exists => Some(true),
        Test::DoesNotExist => Some(false),
        Test::In(values) => Some(values.iter().any(|it| it == value)),
        Test::NotIn(values) => Some(values.iter().all(|it| it != value)),
        Test::InRegexp(patterns) => {
            let matched: Result<Vec<_>, _> = patterns.iter().map(|it| it.is_match(value)).collect();
            // A pattern that was just parsed always answers.
            matched.ok().map(|it| it.contains(&true))
        }
        Test::Integer(bound) => value.parse().ok().map(|it| bound.holds(&it)),
        Test::Version(bound) => Version::parse(value).map(|it| bound.holds(&it)),
        Test::IsTrue => Some(value == "true"),
        Test::IsFalse => Some(value == "false"),
        Test::Enabled => Some(value == "y" || value == "m"),
        Test::Integers(_) | Test::Quantity(_) | Test::Release(_) | Test::Nvidia(_) => None,
    }
}

/// An end of an interval, and whether it is part of it.
type End<'a, T> = Option<(&'a T, bool)>;

/// The lower and the upper end; none if it is no interval.
fn ends<T>(bound: &Bound<T>) -> Option<(End<'_, T>, End<'_, T>)> {
    Some(match bound {
        Bound::Gt(low) => (Some((low, false)), None),
        Bound::Ge(low) => (Some((low, true)), None),
        Bound::Lt(high) => (None, Some((high, false))),
        Bound::Le(high) => (None, Some((high, true))),
        Bound::GtLt(low, high) => (Some((low, false)), Some((high, false))),
        Bound::GeLe(low, high) => (Some((low, true)), Some((high, true))),
        Bound::Outside(..) => return None,
    })
}

fn are_disjoint<T: PartialOrd>(left: &Bound<T>, right: &Bound<T>) -> bool {
    let (Some((left_low, left_high)), Some((right_low, right_high))) = (ends(left), ends(right)) else {
        return false;
    };
    let is_below = |high: End<'_, T>, low: End<'_, T>| match (high, low) {
        (Some((high, is_high)), Some((low, is_low))) => high < low || (high == low && !(is_high && is_low)),
        _ => false,
    };
    is_below(left_high, right_low) || is_below(right_high, left_low)
}

fn is_within<T: PartialOrd>(inner: &Bound<T>, outer: &Bound<T>) -> bool {
    let (Some((inner_low, inner_high)), Some((outer_low, outer_high))) = (ends(inner), ends(outer)) else {
        return false;
    };
    let keeps = |inner: End<'_, T>, outer: End<'_, T>, beyond: Ordering| match (inner, outer) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some((inner, is_inner)), Some((outer, is_outer))) => match inner.partial_cmp(outer) {
            Some(Ordering::Equal) => is_outer || !is_inner,
            Some(order) => order == beyond,
            None => false,
        },
    };
    keeps(inner_low, outer_low, Ordering::Greater) && keeps(inner_high, outer_high, Ordering::Less)
}
