//! The text after `(?`: a name, flags, or syntax of other dialects that Go lacks. Never reads the content of a group.

use super::PatternError;
use super::cursor::{Cursor, error, shown};

/// How to read what follows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PatternFlags {
    /// `i`: characters match whatever their case.
    pub(super) ignore_case: bool,
    /// `m`: `^` and `$` match at lines too.
    pub(super) lines: bool,
    /// `s`: a dot matches line feeds too.
    pub(super) dot_all: bool,
}

/// What an opening parenthesis turned out to be.
pub(super) enum Opening {
    /// `(` or `(?P<name>`: a group that is counted.
    Captures,
    /// `(?i:`: a group, read by other flags.
    Groups(PatternFlags),
    /// `(?i)`: no group, but other flags for the rest of the one around it.
    Sets(PatternFlags),
}

/// Reads the `(`, `(?P<name>` or `(?flags:` that the cursor stands at.
pub(super) fn opening(cursor: &mut Cursor, flags: PatternFlags) -> Result<Opening, PatternError> {
    let start = cursor.at();
    cursor.bump();
    if !cursor.eat("?") {
        Ok(Opening::Captures)
    } else if cursor.rest().starts_with("<=") || cursor.rest().starts_with("<!") {
        error(
            start,
            "Go's regular expressions have no look-behind: match the text before it as well".to_owned(),
        )
    } else if cursor.eat("P<") || cursor.eat("<") {
        name(cursor, start)
    } else {
        switches(cursor, start, flags)
    }
}

/// Go allows names twice, and any ASCII letter, digit or underscore in any place.
fn name(cursor: &mut Cursor, start: usize) -> Result<Opening, PatternError> {
    let name = cursor.take_until(">").unwrap_or_default();
    if name.is_empty() || !name.chars().all(|it| it == '_' || it.is_ascii_alphanumeric()) {
        let message = "a group's name has to be of ASCII letters, digits and `_`: write `(?P<name>…)`";
        return error(start, message.to_owned());
    }
    Ok(Opening::Captures)
}

fn switches(cursor: &mut Cursor, start: usize, before: PatternFlags) -> Result<Opening, PatternError> {
    let mut flags = before;
    let (mut on, mut seen) = (true, true);
    while let Some(next) = cursor.bump() {
        match next {
            'i' => flags.ignore_case = on,
            'm' => flags.lines = on,
            's' => flags.dot_all = on,
            // Asks for the shortest match, which is a match all the same.
            'U' => (),
            ':' if seen => return Ok(Opening::Groups(flags)),
            ')' if seen => return Ok(Opening::Sets(flags)),
            '-' if on => {
                (on, seen) = (false, false);
                continue;
            }
            _ => return refuse(start, next, cursor.since(start)),
        }
        seen = true;
    }
    error(start, "`(?` is never closed: write `(?i:…)` for a group, `\\(` for a parenthesis".to_owned())
}

fn refuse(start: usize, unknown: char, written: &str) -> Result<Opening, PatternError> {
    let message = match (unknown, written) {
        ('=' | '!', "(?=" | "(?!") => {
            "Go's regular expressions have no look-ahead: match the text behind it as well, or use a second expression"
        }
        ('>', "(?>") => "Go's regular expressions have no atomic groups: write `(?:…)`",
        ('#', "(?#") => "Go's regular expressions have no comments: leave it out",
        ('\'', "(?'") => "Go has no such name of a group: write `(?P<name>…)`",
        ('P', "(?P") => "Go's regular expressions cannot refer to a group: write `(?P<name>…)` for a name",
        ('0'..='9' | 'R' | '&' | '+', "(?R" | "(?&" | "(?+") | ('0'..='9', _) => {
            "Go's regular expressions have no recursion: write out what should be repeated"
        }
        ('x', _) => "Go has no flag `x`: write the pattern without blanks and comments",
        ('-' | ':' | ')', _) => "no flag follows `-`: write `(?-i)` or `(?-i:…)`",
        _ => {
            "Go knows the flags i, m, s and U: write `(?i)` or `(?i:…)`, and `(?:…)` for a group without flags"
        }
    };
    error(start, format!("{}: {message}", shown(written)))
}
