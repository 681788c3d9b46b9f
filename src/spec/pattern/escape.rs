//! A character after a backslash. Never a class or an assertion: callers look for those first.

use super::PatternError;
use super::cursor::{Cursor, error, shown};

/// What `\x{…}` may name: beyond `char`, also the surrogates, which no text holds.
const MAX_RUNE: u32 = 0x10_FFFF;

/// Reads the escape that the cursor stands at, as Go's `parseEscape` does.
pub(super) fn character(cursor: &mut Cursor) -> Result<u32, PatternError> {
    let start = cursor.at();
    cursor.bump();
    match cursor.bump() {
        None => error(start, "the pattern ends in a backslash: write `\\\\` for a backslash".to_owned()),
        Some('x') => hex(cursor, start),
        Some(digit @ '0'..='7') => octal(cursor, start, digit),
        Some('a') => Ok(0x07),
        Some('f') => Ok(0x0C),
        Some('n') => Ok(0x0A),
        Some('r') => Ok(0x0D),
        Some('t') => Ok(0x09),
        Some('v') => Ok(0x0B),
        Some(it) if it.is_ascii() && !it.is_ascii_alphanumeric() => Ok(u32::from(it)),
        Some(it) => refuse(start, it),
    }
}

/// `\0`, and one or two digits more; `\1` to `\7` need at least one, or would refer back in other dialects.
fn octal(cursor: &mut Cursor, start: usize, first: char) -> Result<u32, PatternError> {
    let follows = |cursor: &Cursor| cursor.peek().and_then(|it| it.to_digit(8));
    if first != '0' && follows(cursor).is_none() {
        return refuse(start, first);
    }
    let mut value = first.to_digit(8).unwrap_or_default();
    for _ in 1..3 {
        let Some(digit) = follows(cursor) else { break };
        cursor.bump();
        value = value * 8 + digit;
    }
    Ok(value)
}

/// `\x7F` or `\x{10FFFF}`: two digits, or any number of them in braces.
fn hex(cursor: &mut Cursor, start: usize) -> Result<u32, PatternError> {
    let digits = match cursor.eat("{") {
        true => cursor.take_until("}"),
        false => {
            let start = cursor.at();
            cursor.bump();
            cursor.bump();
            Some(cursor.since(start)).filter(|it| it.chars().count() == 2)
        }
    };
    match digits.and_then(rune) {
        Some(rune) => Ok(rune),
        None => error(start, "`\\x` needs a character's number: write `\\x7F` or `\\x{10FFFF}`".to_owned()),
    }
}

/// By hand, as `from_str_radix` takes a sign, and any number of leading zeros is right.
fn rune(digits: &str) -> Option<u32> {
    let add = |value: u32, digit: char| Some(value * 16 + digit.to_digit(16)?).filter(|it| *it <= MAX_RUNE);
    if digits.is_empty() { None } else { digits.chars().try_fold(0, add) }
}

fn refuse(start: usize, escaped: char) -> Result<u32, PatternError> {
    let instead = match escaped {
        '1'..='9' => "Go's regular expressions have no back-references: repeat what the group says",
        'b' | 'B' => "a word boundary cannot stand in a class: write `\\x08` for a backspace",
        'A' | 'z' => "an anchor cannot stand in a class: write an alternative such as `(a|\\z)`",
        'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'p' | 'P' => {
            "a class cannot be the end of a range: write `\\-` for a hyphen"
        }
        'Q' => "quoting cannot start in a class: write a backslash before each character",
        'E' => "there is no `\\Q` before it: write `\\Q…\\E`",
        'C' => "Go's regular expressions match characters, not bytes: write `(?s:.)`",
        'Z' => "Go has no such anchor: write `\\n?\\z`, or `\\z` for the end of the text",
        'G' | 'K' => "Go's regular expressions know of no earlier match: leave it out",
        'N' => "Go has no such class: write `[^\\n]`",
        'R' => "Go has no such class: write `(?:\\r\\n|[\\n-\\r])`",
        'h' => "Go has no such class: write `[\\t ]`",
        'X' => "Go's regular expressions do not know what a reader sees as one character: write `\\PM\\pM*`",
        'e' => "write `\\x1B` for an escape",
        'c' => "write the control character's number, such as `\\x01`",
        'u' | 'U' => "write the character's number as `\\x{…}`",
        _ => "Go knows no such escape: write the character alone, or `\\\\` for a backslash",
    };
    error(start, format!("{}: {instead}", shown(&format!("\\{escaped}"))))
}
