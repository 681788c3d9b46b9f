//! The errors of a document with their places. A reader collects all of them and never stops at the first.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A place in a document; both count from one. In compiled specs: `[line, column]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(usize, usize)", into = "(usize, usize)")]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl From<(usize, usize)> for Place {
    fn from((line, column): (usize, usize)) -> Self {
        Self { line, column }
    }
}

impl From<Place> for (usize, usize) {
    fn from(place: Place) -> Self {
        (place.line, place.column)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One thing that is wrong with a spec: what, with which value, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it stands.
    pub at: Place,
    /// One sentence, without a place and without a full stop.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// All that is wrong with a spec, in the order of the document; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    first: Problem,
    others: Vec<Problem>,
}

impl Malformed {
    /// One problem that leaves nothing else to look at.
    pub(super) fn one(at: Place, message: impl Into<String>) -> Self {
        Self { first: Problem { at, message: message.into() }, others: Vec::new() }
    }

    /// The same, of a problem.
    pub(super) fn of(first: Problem) -> Self {
        Self { first, others: Vec::new() }
    }

    /// `None` if there are none.
    pub(super) fn all(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by_key(|it| it.at);
        let mut problems = problems.into_iter();
        let first = problems.next()?;
        Some(Self { first, others: problems.collect() })
    }

    /// The one that stands first in the document.
    pub fn first(&self) -> &Problem {
        &self.first
    }

    /// All of them, in the order of the document.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        match self.others.len() {
            0 => Ok(()),
            more => write!(f, " (+{more} more)"),
        }
    }
}

impl std::error::Error for Malformed {}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(line: usize, column: usize, message: &str) -> Problem {
        Problem { at: Place { line, column }, message: message.to_owned() }
    }

    #[test]
    fn problems_stand_in_the_order_of_the_document_and_the_first_is_reported() {
        assert_eq!(Malformed::all(Vec::new()), None);
        let unsorted = vec![problem(2, 1, "b"), problem(1, 9, "a"), problem(2, 1, "c")];
        let malformed = Malformed::all(unsorted).expect("there are some");
        let all: Vec<_> = malformed.iter().map(ToString::to_string).collect();
        assert_eq!(all, ["1:9: a", "2:1: b", "2:1: c"]);
        assert_eq!(malformed.first(), &problem(1, 9, "a"));
        assert_eq!(malformed.to_string(), "1:9: a (+2 more)");
        assert_eq!(Malformed::one(Place { line: 1, column: 1 }, "x").to_string(), "1:1: x");
    }
}
