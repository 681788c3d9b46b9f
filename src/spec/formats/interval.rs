//! Intervals of versions, such as `[4.19, 5.16)`.

use super::super::problem::Place;
use super::super::reader::SpecReader;
use super::super::{Bound, Test};
use super::build::version;
use crate::words::text::quoted;

/// The tests that a version in an interval meets. A version without brackets is that version only.
pub(super) fn tests(reader: &mut SpecReader, text: &str, at: Place) -> Option<Vec<Test>> {
    let trimmed = text.trim();
    let wrong = |reader: &mut SpecReader| {
        let message = format!(
            "{} is not an interval of versions, such as \"[4.19, 5.16)\"; a square bracket includes the end, and an empty end is open",
            quoted(text)
        );
        reader.problem(at, message);
    };
    let (Some(open), Some(close)) = (trimmed.chars().next(), trimmed.chars().last()) else {
        wrong(reader);
        return None;
    };
    if !matches!(open, '[' | '(') && !matches!(close, ']' | ')') && !trimmed.contains(',') {
        let version = version(reader, trimmed, at)?;
        return Some(vec![Test::Version(Bound::GeLe(version.clone(), version))]);
    }
    let inner = trimmed.strip_prefix(['[', '(']).and_then(|it| it.strip_suffix([']', ')']));
    let Some((low, high)) = inner.and_then(|it| it.split_once(',')) else {
        wrong(reader);
        return None;
    };
    let (low, high) = (low.trim(), high.trim());
    if high.contains(',') || (low.is_empty() && high.is_empty()) {
        wrong(reader);
        return None;
    }
    let ends =
        [low, high].map(|it| if it.is_empty() { Some(None) } else { version(reader, it, at).map(Some) });
    let [Some(low), Some(high)] = ends else { return None };
    if let (Some(low), Some(high)) = (&low, &high) {
        let is_closed = open == '[' && close == ']';
        if high < low || (!is_closed && high <= low) {
            let message =
                format!("no version lies in the interval {}; the lower end comes first", quoted(text));
            reader.problem(at, message);
            return None;
        }
    }
    Some(match (low, high, open, close) {
        (Some(low), Some(high), '[', ']') => vec![Test::Version(Bound::GeLe(low, high))],
        (Some(low), Some(high), '(', ')') => vec![Test::Version(Bound::GtLt(low, high))],
        (low, high, open, close) => {
            let low = low.map(|it| if open == '[' { Bound::Ge(it) } else { Bound::Gt(it) });
            let high = high.map(|it| if close == ']' { Bound::Le(it) } else { Bound::Lt(it) });
            low.into_iter().chain(high).map(Test::Version).collect()
        }
    })
}
