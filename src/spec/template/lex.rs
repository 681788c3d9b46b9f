//! Splits a template into text and actions, and actions into tokens, as Go's `text/template/parse` does. Never interprets an
//! action.

use std::vec;

use super::{TemplateError, literal};

const OPEN: &str = "{{";
const CLOSE: &str = "}}";

/// What Go takes for space within actions and trims from text.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// Text to be written, or something to be done.
#[derive(Debug)]
pub(super) enum Piece<'s> {
    Text(&'s str),
    Action(TemplateAction<'s>),
}

/// What stands between `{{` and `}}`.
#[derive(Debug)]
pub(super) struct TemplateAction<'s> {
    tokens: vec::IntoIter<Token<'s>>,
    /// Where its `{{` is.
    pub(super) at: usize,
    /// Where its `}}` is.
    pub(super) end: usize,
}

/// A word of an action.
#[derive(Debug, Clone)]
pub(super) struct Token<'s> {
    pub(super) kind: TokenKind<'s>,
    /// As the author wrote it.
    pub(super) raw: &'s str,
    pub(super) at: usize,
    /// Whether space stands before it: operands have to be apart, fields must not be.
    pub(super) spaced: bool,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind<'s> {
    /// A keyword, a function, `true` or `false`.
    Word(&'s str),
    /// Without the dot.
    Field(&'s str),
    /// With the `$`.
    Variable(&'s str),
    Dot,
    Text(String),
    Integer(i64),
    LeftParen,
    RightParen,
    Pipe,
    Comma,
    Assign,
    Declare,
}

impl<'s> TemplateAction<'s> {
    /// The tokens that were not taken yet.
    pub(super) fn ahead(&self) -> &[Token<'s>] {
        self.tokens.as_slice()
    }

    pub(super) fn next(&mut self) -> Option<Token<'s>> {
        self.tokens.next()
    }

    pub(super) fn take(&mut self, count: usize) {
        self.tokens.by_ref().take(count).for_each(drop);
    }

    /// The next token, if it is a word.
    pub(super) fn word(&self) -> Option<&'s str> {
        let TokenKind::Word(word) = self.ahead().first()?.kind else { return None };
        Some(word)
    }
}

/// Reads a template from front to back.
#[derive(Debug)]
pub(super) struct Lexer<'s> {
    size: usize,
    rest: &'s str,
}

impl<'s> Lexer<'s> {
    pub(super) fn new(source: &'s str) -> Self {
        Self { size: source.len(), rest: source }
    }

    /// The next piece that is not empty, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'s>>, TemplateError> {
        while !self.rest.is_empty() {
            if let Some(inside) = self.rest.strip_prefix(OPEN) {
                match self.action(inside)? {
                    Some(action) => return Ok(Some(Piece::Action(action))),
                    None => continue,
                }
            }
            let (text, rest) = self.rest.split_at(self.rest.find(OPEN).unwrap_or(self.rest.len()));
            self.rest = rest;
            let trimmed =
                rest.strip_prefix(OPEN).and_then(left_trim).map_or(text, |_| text.trim_end_matches(SPACE));
            if !trimmed.is_empty() {
                return Ok(Some(Piece::Text(trimmed)));
            }
        }
        Ok(None)
    }

    fn at(&self) -> usize {
        self.size - self.rest.len()
    }

    /// `None` for a comment.
    fn action(&mut self, inside: &'s str) -> Result<Option<TemplateAction<'s>>, TemplateError> {
        let at = self.at();
        let inside = left_trim(inside).unwrap_or(inside);
        if let Some(comment) = inside.strip_prefix("/*") {
            self.rest = after_comment(comment).map_err(|message| TemplateError { offset: at, message })?;
            return Ok(None);
        }
        self.rest = inside;
        let mut tokens = Vec::new();
        loop {
            let inside = self.rest.trim_start_matches(SPACE);
            let spaced = inside.len() < self.rest.len();
            if let Some(rest) = after_close(inside, spaced) {
                self.rest = rest;
                let end = self.size - inside.len();
                return Ok(Some(TemplateAction { tokens: tokens.into_iter(), at, end }));
            }
            if inside.is_empty() {
                return Err(TemplateError {
                    offset: at,
                    message: "the action is not closed, expected }}".to_owned(),
                });
            }
            self.rest = inside;
            tokens.push(self.token(spaced)?);
        }
    }

    fn token(&mut self, spaced: bool) -> Result<Token<'s>, TemplateError> {
        let (start, at) = (self.rest, self.at());
        let kind = self.kind(start).map_err(|err| TemplateError { offset: at + err.offset, ..err })?;
        let raw = start.get(..start.len() - self.rest.len()).unwrap_or(start);
        Ok(Token { kind, raw, at, spaced })
    }

    /// Offsets of errors count from `start`.
    fn kind(&mut self, start: &'s str) -> Result<TokenKind<'s>, TemplateError> {
        let mut chars = start.chars();
        let first = chars.next();
        let after = chars.as_str();
        let (kind, rest) = match first {
            Some('=') => (TokenKind::Assign, after),
            Some('|') => (TokenKind::Pipe, after),
            Some(',') => (TokenKind::Comma, after),
            Some('(') => (TokenKind::LeftParen, after),
            Some(')') => (TokenKind::RightParen, after),
            Some(':') => match after.strip_prefix('=') {
                Some(rest) => (TokenKind::Declare, rest),
                None => return Err(error(1, "\":\" stands alone, expected :=".to_owned())),
            },
            Some('"') => literal::interpreted(after)
                .map(|(text, rest)| (TokenKind::Text(text), rest))
                .map_err(inside)?,
            Some('`') => {
                literal::raw(after).map(|(text, rest)| (TokenKind::Text(text), rest)).map_err(inside)?
            }
            Some('$') => name(start, 1).map(|(name, rest)| (TokenKind::Variable(name), rest))?,
            Some('.') if !after.starts_with(|it: char| it.is_ascii_digit()) => field(start)?,
            Some('+' | '-' | '.' | '0'..='9') => integer(start)?,
            Some('_' | 'a'..='z' | 'A'..='Z') => {
                name(start, 0).map(|(name, rest)| (TokenKind::Word(name), rest))?
            }
            other => return Err(error(0, unexpected(other))),
        };
        self.rest = rest;
        Ok(kind)
    }
}

fn error(offset: usize, message: String) -> TemplateError {
    TemplateError { offset, message }
}

/// An error of a literal, whose offset does not count the opening quote.
fn inside(err: TemplateError) -> TemplateError {
    TemplateError { offset: err.offset + 1, ..err }
}

fn unexpected(character: Option<char>) -> String {
    let character: String = character.into_iter().collect();
    format!("unexpected {character:?}, expected a value, a function or }}}}")
}

/// What follows a `{{- `, which trims the text before it.
fn left_trim(inside: &str) -> Option<&str> {
    inside.strip_prefix('-')?.strip_prefix(SPACE)
}

/// What follows the end of an action; a `-}}` with space before it trims the text that follows.
fn after_close(inside: &str, spaced: bool) -> Option<&str> {
    match inside.strip_prefix("-}}") {
        Some(rest) if spaced => Some(rest.trim_start_matches(SPACE)),
        _ => inside.strip_prefix(CLOSE),
    }
}

/// Go wants a comment to fill its action: only a trim marker, with a single space before it, may follow.
fn after_comment(comment: &str) -> Result<&str, String> {
    let (_, after) = comment.split_once("*/").ok_or("the comment is not closed, expected */")?;
    let trims = after.strip_prefix(SPACE).filter(|it| it.starts_with('-'));
    after_close(trims.unwrap_or(after), trims.is_some())
        .ok_or_else(|| "a comment has to end in */}} or in */ -}}".to_owned())
}

fn field(start: &str) -> Result<(TokenKind<'_>, &str), TemplateError> {
    let (name, rest) = name(start, 1)?;
    Ok(match name.strip_prefix('.') {
        None | Some("") => (TokenKind::Dot, rest),
        Some(name) => (TokenKind::Field(name), rest),
    })
}

/// Splits a name off. Its first `sigil` bytes are known to be a `.` or `$`.
fn name(start: &str, sigil: usize) -> Result<(&str, &str), TemplateError> {
    let tail = start.get(sigil..).unwrap_or_default();
    let length = tail.find(|it: char| it != '_' && !it.is_ascii_alphanumeric()).unwrap_or(tail.len());
    let (name, rest) = start.split_at(sigil + length);
    match rest.chars().next() {
        Some(next) if !ends_name(next) && !rest.starts_with(CLOSE) => {
            let message = format!(
                "{next:?} cannot stand in a name, expected ASCII letters and digits; for other names use index, as in (index . \"a-b\")"
            );
            Err(error(name.len(), message))
        }
        _ => Ok((name, rest)),
    }
}

fn ends_name(next: char) -> bool {
    SPACE.contains(&next) || ['.', ',', '|', ':', ')', '('].contains(&next)
}

fn integer(start: &str) -> Result<(TokenKind<'_>, &str), TemplateError> {
    let tail = start.strip_prefix(['+', '-']).unwrap_or(start);
    let length = tail.find(|it: char| it != '_' && it != '.' && !it.is_alphanumeric()).unwrap_or(tail.len());
    let (number, rest) = start.split_at(start.len() - tail.len() + length);
    let value = literal::integer(number).map_err(|message| error(0, message))?;
    Ok((TokenKind::Integer(value), rest))
}
