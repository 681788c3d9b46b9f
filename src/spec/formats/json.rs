//! Whether a document is JSON, which the proposals' formats are. YAML allows more, such as a comma before a closing brace.

use serde::de::IgnoredAny;

use super::super::problem::{Place, Problem};

/// The first place where a document that is meant as JSON is none.
pub(super) fn fault(bytes: &[u8]) -> Option<Problem> {
    if !is_meant(bytes) {
        return None;
    }
    let err = serde_json::from_slice::<IgnoredAny>(bytes).err()?;
    let told = err.to_string();
    let at = Place { line: err.line().max(1), column: err.column().max(1) };
    let what = match has_comma_before(bytes, at) {
        true => "there is a comma, and nothing follows it",
        false => told.split(" at line ").next().unwrap_or(&told),
    };
    Some(Problem { at, message: format!("this is not valid JSON: {what}") })
}

/// Whether a comma stands before the closing bracket at a place. Columns of JSON's errors are bytes.
fn has_comma_before(bytes: &[u8], at: Place) -> bool {
    let before: usize = bytes.split(|it| *it == b'\n').take(at.line - 1).map(|it| it.len() + 1).sum();
    let end = before + at.column - 1;
    let is_closed = matches!(bytes.get(end), Some(b'}' | b']'));
    let mut earlier = bytes.get(..end).unwrap_or_default().iter().rev();
    is_closed && earlier.find(|it| !it.is_ascii_whitespace()) == Some(&b',')
}

/// Whether a text starts as JSON's objects do, and YAML's mappings seldom.
fn is_meant(bytes: &[u8]) -> bool {
    let mut signs = bytes.iter().filter(|it| !it.is_ascii_whitespace());
    signs.next() == Some(&b'{') && matches!(signs.next(), Some(b'"' | b'}') | None)
}
