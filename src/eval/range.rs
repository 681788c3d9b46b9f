//! Versions with known limits only: `cuda_at_least` and `cuda_at_most` if `cuda` itself is unknown.

use crate::host::Feature;
use crate::spec::{Bound, Test};
use crate::words::version::Version;

use super::{Evidence, Outcome};

/// The result of a test on a value with known limits only, if these decide it; and the evidence.
pub(super) fn judge(test: &Test, feature: &Feature, name: &str, read: &str) -> Option<(Outcome, Evidence)> {
    let Test::Version(bound) = test else { return None };
    let limit = |which: &str| feature.attributes.as_ref()?.get(&format!("{name}_{which}")).cloned();
    let (at_least, at_most) = (limit("at_least"), limit("at_most"));
    let parse = |it: &Option<String>| it.as_deref().and_then(Version::parse);
    let outcome = within(bound, parse(&at_least).as_ref(), parse(&at_most).as_ref());
    let evidence = Evidence::Range { at_least, at_most, read: read.to_owned() };
    (outcome != Outcome::Unknown).then_some((outcome, evidence))
}

/// Met if every value between the limits lies within the bound, unmet if none does.
fn within(bound: &Bound<Version>, low: Option<&Version>, high: Option<&Version>) -> Outcome {
    let above = |it: &Version, including: bool| match (low, high) {
        (Some(low), _) if low > it || (including && low == it) => Outcome::Met,
        (_, Some(high)) if high < it || (!including && high == it) => Outcome::Unmet,
        _ => Outcome::Unknown,
    };
    let below = |it: &Version, including: bool| match (low, high) {
        (_, Some(high)) if high < it || (including && high == it) => Outcome::Met,
        (Some(low), _) if low > it || (!including && low == it) => Outcome::Unmet,
        _ => Outcome::Unknown,
    };
    match bound {
        Bound::Gt(it) => above(it, false),
        Bound::Ge(it) => above(it, true),
        Bound::Lt(it) => below(it, false),
        Bound::Le(it) => below(it, true),
        Bound::GtLt(one, other) => above(one, false).and(below(other, false)),
        Bound::GeLe(one, other) => above(one, true).and(below(other, true)),
        Bound::Outside(one, other) => below(one, false).or(above(other, false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    /// Against a value from 10.1 to 10.2, and against one of at least 13.3.
    fn check(bound: &Bound<Version>, between: Outcome, newer: Outcome) {
        let found = within(bound, Some(&version("10.1")), Some(&version("10.2")));
        assert_eq!(found, between, "{bound:?}");
        assert_eq!(within(bound, Some(&version("13.3")), None), newer, "{bound:?}");
    }

    #[test]
    fn limits_decide_what_lies_on_one_side_of_them() {
        let (met, unmet, unknown) = (Outcome::Met, Outcome::Unmet, Outcome::Unknown);
        check(&Bound::Ge(version("9.0")), met, met);
        check(&Bound::Ge(version("10.1")), met, met);
        check(&Bound::Ge(version("10.2")), unknown, met);
        check(&Bound::Gt(version("10.1")), unknown, met);
        check(&Bound::Gt(version("10.2")), unmet, met);
        check(&Bound::Gt(version("13.3")), unmet, unknown);
        check(&Bound::Ge(version("11.0")), unmet, met);
        check(&Bound::Ge(version("14.0")), unmet, unknown);
        check(&Bound::Le(version("10.2")), met, unmet);
        check(&Bound::Lt(version("10.2")), unknown, unmet);
        check(&Bound::Lt(version("10.1")), unmet, unmet);
        check(&Bound::Le(version("14.0")), met, unknown);
        check(&Bound::GeLe(version("10.0"), version("10.2")), met, unmet);
        check(&Bound::GtLt(version("10.1"), version("14.0")), unknown, unknown);
    }

    #[test]
    fn without_limits_nothing_is_decided() {
        assert_eq!(within(&Bound::Ge(version("1")), None, None), Outcome::Unknown);
    }
}
