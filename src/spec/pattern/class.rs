//! Sets of characters: `[a-z]`, `[[:alpha:]]`, `\d`, `\pL`. Never the `\d` of Unicode: Go's are ASCII.

use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

use super::cursor::{Cursor, error, shown};
use super::group::PatternFlags;
use super::parse::MAX_RANGES;
use super::{PatternError, escape, too_large, unicode};

/// Go's `posixGroup`. Three of them are the `\d`, `\s` and `\w` of its `perlGroup`. Perl's `\s` has no vertical tab.
const POSIX: [(&str, &[(char, char)]); 14] = [
    ("alnum", &[('0', '9'), ('A', 'Z'), ('a', 'z')]),
    ("alpha", &[('A', 'Z'), ('a', 'z')]),
    ("ascii", &[('\0', '\x7F')]),
    ("blank", &[('\t', '\t'), (' ', ' ')]),
    ("cntrl", &[('\0', '\x1F'), ('\x7F', '\x7F')]),
    ("digit", DIGIT),
    ("graph", &[('!', '~')]),
    ("lower", &[('a', 'z')]),
    ("print", &[(' ', '~')]),
    ("punct", &[('!', '/'), (':', '@'), ('[', '`'), ('{', '~')]),
    ("space", &[('\t', '\r'), (' ', ' ')]),
    ("upper", &[('A', 'Z')]),
    ("word", WORD),
    ("xdigit", &[('0', '9'), ('A', 'F'), ('a', 'f')]),
];
const DIGIT: &[(char, char)] = &[('0', '9')];
const WORD: &[(char, char)] = &[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')];
const PERL_SPACE: &[(char, char)] = &[('\t', '\n'), ('\x0C', '\r'), (' ', ' ')];

/// What stands between brackets. Case is folded before anything is negated, so `(?i)[^A]` holds no `a`.
#[derive(Default)]
struct Members {
    /// Not yet folded.
    ranges: Vec<ClassUnicodeRange>,
    /// Of classes, which are folded by themselves.
    folded: Vec<ClassUnicodeRange>,
}

/// Reads the `[…]` that the cursor stands at.
pub(super) fn bracketed(cursor: &mut Cursor, flags: PatternFlags) -> Result<ClassUnicode, PatternError> {
    let start = cursor.at();
    cursor.bump();
    let negated = cursor.eat("^");
    let mut members = Members::default();
    let mut first = true; // A `]` that comes first means itself.
    while first || !cursor.rest().starts_with(']') {
        first = false;
        if cursor.rest().is_empty() {
            return error(
                start,
                "`[` is never closed: write `]` behind the class, or `\\[` for a bracket".to_owned(),
            );
        }
        match class_in_class(cursor, flags)? {
            Some(class) => members.folded.extend(class.iter()),
            None => members.ranges.extend(range(cursor)?),
        }
        if MAX_RANGES < members.ranges.len() + members.folded.len() {
            return Err(too_large(cursor.at()));
        }
    }
    cursor.bump();
    let mut class = closed(ClassUnicode::new(members.ranges), flags);
    class.union(&ClassUnicode::new(members.folded));
    if negated {
        class.negate();
    }
    Ok(class)
}

/// Reads `\d`, `\pL` and the like; `None` and no move if the cursor stands at something else.
pub(super) fn escaped(
    cursor: &mut Cursor,
    flags: PatternFlags,
) -> Result<Option<ClassUnicode>, PatternError> {
    let mut ahead = cursor.rest().chars();
    let (Some('\\'), Some(name)) = (ahead.next(), ahead.next()) else { return Ok(None) };
    let class = match name.to_ascii_lowercase() {
        'd' => unicode::from_pairs(DIGIT),
        's' => unicode::from_pairs(PERL_SPACE),
        'w' => unicode::from_pairs(WORD),
        'p' => return property(cursor, flags).map(Some),
        _ => return Ok(None),
    };
    cursor.bump();
    cursor.bump();
    Ok(Some(signed(closed(class, flags), name.is_ascii_uppercase())))
}

/// One character as a class, for a pattern that ignores case; of a surrogate, the class of nothing.
pub(super) fn single(rune: u32, flags: PatternFlags) -> ClassUnicode {
    closed(ClassUnicode::new(scalars(rune, rune)), flags)
}

/// `\pL`, `\p{Greek}`, and with one or two negations `\PL`, `\p{^Greek}`, `\P{^Greek}`.
fn property(cursor: &mut Cursor, flags: PatternFlags) -> Result<ClassUnicode, PatternError> {
    let start = cursor.at();
    let negated = cursor.eat("\\P") || !cursor.eat("\\p");
    let name = match cursor.eat("{") {
        true => cursor.take_until("}"),
        false => {
            let start = cursor.at();
            cursor.bump();
            Some(cursor.since(start))
        }
    };
    let Some(name) = name else {
        return error(start, "`\\p{` is never closed: write `}` behind the name".to_owned());
    };
    let (name, inverted) = name.strip_prefix('^').map_or((name, false), |it| (it, true));
    match unicode::named(name) {
        Some(class) => Ok(signed(closed(class, flags), negated != inverted)),
        None => error(start, unknown(name, &shown(cursor.since(start)))),
    }
}

fn unknown(name: &str, written: &str) -> String {
    match name.split_once('=').filter(|(_, value)| unicode::named(value).is_some()) {
        Some((_, value)) => format!("{written}: Go takes the value alone: write `\\p{{{value}}}`"),
        None => format!(
            "{written}: Go knows no such class: write a general category such as `\\pL` or `\\p{{Letter}}`, or a \
             script of one word such as `\\p{{Greek}}`"
        ),
    }
}

/// `[:alpha:]`, `[:^alpha:]`, `\d` or `\pL`.
fn class_in_class(cursor: &mut Cursor, flags: PatternFlags) -> Result<Option<ClassUnicode>, PatternError> {
    let start = cursor.at();
    let named = cursor.rest().strip_prefix("[:").and_then(|it| it.split_once(":]"));
    let Some((name, _)) = named else { return escaped(cursor, flags) };
    cursor.eat("[:");
    cursor.take_until(":]");
    let (name, negated) = name.strip_prefix('^').map_or((name, false), |it| (it, true));
    match POSIX.iter().find(|(known, _)| *known == name) {
        Some((_, pairs)) => Ok(Some(signed(closed(unicode::from_pairs(pairs), flags), negated))),
        None => {
            let known = POSIX.map(|(known, _)| known).join(", ");
            error(
                start,
                format!("{}: Go knows no such class: write one of {known}", shown(cursor.since(start))),
            )
        }
    }
}

/// `a` or `a-z`. A hyphen before the closing bracket means itself.
fn range(cursor: &mut Cursor) -> Result<Option<ClassUnicodeRange>, PatternError> {
    let start = cursor.at();
    let low = member(cursor)?;
    let spans = cursor.rest().strip_prefix('-').is_some_and(|it| !it.is_empty() && !it.starts_with(']'));
    let high = match spans {
        true => {
            cursor.eat("-");
            member(cursor)?
        }
        false => low,
    };
    if high < low {
        let written = shown(cursor.since(start));
        return error(start, format!("{written}: the range is empty: write the smaller end first"));
    }
    Ok(scalars(low, high))
}

/// The caller knows that there is a character.
fn member(cursor: &mut Cursor) -> Result<u32, PatternError> {
    match cursor.peek() {
        Some('\\') => escape::character(cursor),
        _ => Ok(cursor.bump().map_or(0, u32::from)),
    }
}

/// Go's range of numbers without the surrogates, which no text holds.
pub(super) fn scalars(low: u32, high: u32) -> Option<ClassUnicodeRange> {
    let low = char::from_u32(low).unwrap_or('\u{E000}');
    let high = char::from_u32(high).unwrap_or('\u{D7FF}');
    (low <= high).then(|| ClassUnicodeRange::new(low, high))
}

fn closed(mut class: ClassUnicode, flags: PatternFlags) -> ClassUnicode {
    if flags.ignore_case {
        unicode::fold(&mut class);
    }
    class
}

fn signed(mut class: ClassUnicode, negated: bool) -> ClassUnicode {
    if negated {
        class.negate();
    }
    class
}
