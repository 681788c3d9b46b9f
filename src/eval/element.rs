//! One test against one element. Never asks where the element comes from.

use crate::spec::{Bound, INTEGERS, Test};
use crate::words::version::Version;

use super::Outcome;

/// An element as a test sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TestedElement<'a> {
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
///
/// The element's name may say in which unit its value is.
pub(super) fn judge(test: &Test, name: &str, element: TestedElement<'_>) -> Outcome {
    match (test, element) {
        (Test::Any, _) => Outcome::Met,
        (_, TestedElement::Unknown) => Outcome::Unknown,
        (Test::Exists, _) => (element != TestedElement::Missing).into(),
        (Test::DoesNotExist, _) => (element == TestedElement::Missing).into(),
        (_, TestedElement::Missing | TestedElement::Flag) => Outcome::Unmet,
        (_, TestedElement::Value(value)) => judge_value(test, name, value),
    }
}

fn judge_value(test: &Test, name: &str, value: &str) -> Outcome {
    match test {
        Test::Any | Test::Exists => Outcome::Met,
        Test::DoesNotExist => Outcome::Unmet,
        Test::In(values) => values.iter().any(|it| it == value).into(),
        Test::NotIn(values) => (!values.iter().any(|it| it == value)).into(),
        Test::InRegexp(patterns) => {
            Outcome::any(patterns.iter().map(|it| it.is_match(value).map_or(Outcome::Unknown, Outcome::from)))
        }
        Test::Integer(bound) => within(bound, integer(value)),
        Test::Integers(bounds) => each_within(bounds, value),
        Test::Version(bound) => within(bound, Version::parse(value)),
        Test::IsTrue => (value == "true").into(),
        Test::IsFalse => (value == "false").into(),
        Test::Enabled => matches!(value, "y" | "m").into(),
        Test::Quantity(bound) => or_unknown(bound.holds_for(|it| it.compare(name, value))),
        Test::Release(bound) => or_unknown(bound.holds_for(|it| it.compare(value))),
        Test::Nvidia(condition) => or_unknown(condition.holds(value)),
    }
}

fn or_unknown(holds: Option<bool>) -> Outcome {
    holds.map_or(Outcome::Unknown, Outcome::from)
}

fn within<T: PartialOrd>(bound: &Bound<T>, value: Option<T>) -> Outcome {
    value.map_or(Outcome::Unknown, |it| bound.holds(&it).into())
}

/// Settings of several numbers, such as the `250 32000 32 128` of kernel.sem: each is compared with its own bound.
fn each_within(bounds: &[Bound<i128>], value: &str) -> Outcome {
    let numbers: Vec<_> = value.split_ascii_whitespace().collect();
    if numbers.len() != bounds.len() {
        return Outcome::Unknown;
    }
    Outcome::all(bounds.iter().zip(numbers).map(|(bound, number)| within(bound, integer(number))))
}

/// Of 64 bits, with a sign or without; hexadecimal as in some kernel options.
fn integer(text: &str) -> Option<i128> {
    let value = match text.strip_prefix("0x") {
        Some(digits) => {
            i128::from(u64::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?)
        }
        None => text.parse().ok()?,
    };
    INTEGERS.contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(test: &Test, value: &str, expected: Outcome) {
        assert_eq!(judge(test, "", TestedElement::Value(value)), expected, "{test:?}: {value}");
    }

    #[test]
    fn integers_have_64_bits_with_or_without_a_sign() {
        let test = Test::Integer(Bound::Ge(4_294_967_295));
        check(&test, "18446744073692774399", Outcome::Met);
        check(&test, "18446744073709551615", Outcome::Met);
        check(&test, "18446744073709551616", Outcome::Unknown);
        check(&test, "-9223372036854775808", Outcome::Unmet);
        check(&test, "-9223372036854775809", Outcome::Unknown);
        check(&Test::Integer(Bound::Lt(i128::from(u64::MAX))), "18446744073709551614", Outcome::Met);
    }

    #[test]
    fn hexadecimal_values_are_numbers() {
        let test = Test::Integer(Bound::Ge(16_777_216));
        check(&test, "0x1000000", Outcome::Met);
        check(&test, "0xffffff", Outcome::Unmet);
        for value in ["0x", "0x+1", "0xg", "1000h", "0x10000000000000000"] {
            check(&test, value, Outcome::Unknown);
        }
    }

    #[test]
    fn each_of_several_numbers_has_a_bound_of_its_own() {
        let test = Test::Integers([250, 32_000, 100, 128].map(Bound::Ge).to_vec());
        check(&test, "250 32000 100 128", Outcome::Met);
        check(&test, "32000 1024000000 500 32000", Outcome::Met);
        check(&test, "250 32000 32 128", Outcome::Unmet);
        check(&test, "250 32000 100", Outcome::Unknown);
        check(&test, "250 32000 100 x", Outcome::Unknown);
        check(&test, "250", Outcome::Unknown);
    }
}
