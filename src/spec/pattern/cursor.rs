//! A place in a pattern that moves forward. Knows nothing of what the characters mean.

use super::PatternError;

/// Characters of a pattern that a message repeats.
const MAX_SHOWN: usize = 40;

pub(super) struct Cursor<'a> {
    source: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self { source, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a str {
        // The cursor only moves by whole characters, so that there always is a rest.
        self.source.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The next character, and on behind it.
    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// On behind the prefix, if that is what comes next.
    pub(super) fn eat(&mut self, prefix: &str) -> bool {
        let comes = self.rest().starts_with(prefix);
        if comes {
            self.at += prefix.len();
        }
        comes
    }

    /// All up to the mark, and on behind the mark; `None` and no move if there is no such mark.
    pub(super) fn take_until(&mut self, mark: &str) -> Option<&'a str> {
        let (head, _) = self.rest().split_once(mark)?;
        self.at += head.len() + mark.len();
        Some(head)
    }

    /// All that is left, and on to the end.
    pub(super) fn take_rest(&mut self) -> &'a str {
        let rest = self.rest();
        self.at = self.source.len();
        rest
    }

    /// What was read since then.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.source.get(start..self.at).unwrap_or_default()
    }
}

/// A piece of a pattern for a message: short, and with nothing in it that a terminal would obey.
pub(super) fn shown(piece: &str) -> String {
    let keep = |it: char| matches!(it, '\\' | '\'' | '"');
    let escaped = |it: char| if keep(it) { it.to_string() } else { it.escape_debug().to_string() };
    let more = if piece.chars().nth(MAX_SHOWN).is_some() { "…" } else { "" };
    let head: String = piece.chars().take(MAX_SHOWN).map(escaped).collect();
    format!("`{head}{more}`")
}

pub(super) fn error<T>(offset: usize, message: String) -> Result<T, PatternError> {
    Err(PatternError { offset, message })
}
