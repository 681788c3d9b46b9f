//! Splits a command line as the runtimes' own parsers do: Go's flag package (runc), getopt (crun) and clap (youki). Words are
//! bytes; nothing is an error.

use std::ffi::{OsStr, OsString};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;

/// The options of one place in a command line.
#[derive(Debug)]
pub(super) struct Grammar {
    /// Those with a value. Go takes one dash as well as two.
    pub(super) valued: &'static [&'static str],
    /// The same, of one letter and one dash.
    pub(super) valued_letters: &'static [u8],
    /// Those without.
    pub(super) flags: &'static [&'static str],
    /// The same, of one letter and one dash.
    pub(super) flag_letters: &'static [u8],
    /// The words that end the options. Behind an option that is not known, any other word is taken for its value. Empty:
    /// options may stand anywhere, and those that are not known have no value.
    pub(super) ends: &'static [&'static str],
}

/// What was found, in the order of the words.
#[derive(Debug, Default)]
pub(super) struct SplitWords<'a> {
    /// Options with all that belongs to them.
    pub(super) options: Vec<GivenOption<'a>>,
    /// Other words, by their places; where there are `ends`, only the first of them.
    pub(super) plain: Vec<usize>,
}

/// An option as it was given.
#[derive(Debug)]
pub(super) struct GivenOption<'a> {
    /// Without dashes, and in full.
    pub(super) name: &'a [u8],
    /// What was given with it.
    pub(super) value: Option<&'a OsStr>,
    /// Its words.
    pub(super) words: Range<usize>,
}

/// Reads as many words as the grammar is about.
pub(super) fn read<'a>(words: &'a [OsString], grammar: &Grammar) -> SplitWords<'a> {
    let mut found = SplitWords::default();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at = match word.as_bytes() {
            b"--" => {
                found.plain.extend(at + 1..words.len());
                words.len()
            }
            [b'-', b'-', text @ ..] => long(text, at, words, grammar, &mut found),
            [b'-', text @ ..] if !text.is_empty() => short(text, at, words, grammar, &mut found),
            _ => {
                found.plain.push(at);
                if grammar.ends.is_empty() { at + 1 } else { words.len() }
            }
        };
    }
    found
}

/// `--name`, `--name=value` or `--name value`; the place behind it.
fn long<'a>(
    text: &'a [u8],
    at: usize,
    words: &'a [OsString],
    grammar: &Grammar,
    found: &mut SplitWords<'a>,
) -> usize {
    let (given, attached) = split(text);
    let name = in_full(given, grammar);
    let is_valued = has(grammar.valued, name);
    let next = words.get(at + 1).map(OsString::as_os_str);
    let taken = match attached {
        Some(_) => None,
        None if is_valued => next,
        None if has(grammar.flags, name) => None,
        None => next.filter(|it| !grammar.ends.is_empty() && may_be_value(it, grammar)),
    };
    let end = at + 1 + usize::from(taken.is_some());
    found.options.push(GivenOption {
        name,
        value: attached.map(OsStr::from_bytes).or(taken),
        words: at..end,
    });
    end
}

/// `-name` as Go has it, else letters with a value behind the last of them: `-b value`, `-bvalue`, `-b=value`, `-db value`.
fn short<'a>(
    text: &'a [u8],
    at: usize,
    words: &'a [OsString],
    grammar: &Grammar,
    found: &mut SplitWords<'a>,
) -> usize {
    let (name, _) = split(text);
    let is_known = |it: &u8| grammar.valued_letters.contains(it) || grammar.flag_letters.contains(it);
    let letters = text
        .iter()
        .position(|it| grammar.valued_letters.contains(it))
        .and_then(|it| text.get(..=it))
        .unwrap_or(text);
    if has(grammar.valued, name) || has(grammar.flags, name) || !letters.iter().all(is_known) {
        return long(text, at, words, grammar, found);
    }
    for (index, letter) in text.iter().enumerate() {
        let (name, behind) =
            (text.get(index..=index).unwrap_or_default(), text.get(index + 1..).unwrap_or_default());
        if grammar.valued_letters.contains(letter) {
            let attached = (!behind.is_empty()).then(|| behind.strip_prefix(b"=").unwrap_or(behind));
            let taken = if attached.is_none() { words.get(at + 1).map(OsString::as_os_str) } else { None };
            let end = at + 1 + usize::from(taken.is_some());
            found.options.push(GivenOption {
                name,
                value: attached.map(OsStr::from_bytes).or(taken),
                words: at..end,
            });
            return end;
        }
        found.options.push(GivenOption { name, value: None, words: at..at + 1 });
    }
    at + 1
}

fn split(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match text.iter().position(|it| *it == b'=') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    }
}

/// getopt takes the start of a name for the whole, if no other name starts like it.
fn in_full<'a>(given: &'a [u8], grammar: &Grammar) -> &'a [u8] {
    let known = || grammar.valued.iter().chain(grammar.flags).map(|it| it.as_bytes());
    if known().any(|it| it == given) {
        return given;
    }
    let mut alike = known().filter(|it| it.starts_with(given));
    match (alike.next(), alike.next()) {
        (Some(only), None) => only,
        _ => given,
    }
}

fn has(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|it| it.as_bytes() == name)
}

/// Whether the grammar has an option of this name.
pub(super) fn is_known(name: &[u8], grammar: &Grammar) -> bool {
    let is_letter = |it: &u8| grammar.valued_letters.contains(it) || grammar.flag_letters.contains(it);
    has(grammar.valued, name) || has(grammar.flags, name) || matches!(name, [letter] if is_letter(letter))
}

fn may_be_value(word: &OsStr, grammar: &Grammar) -> bool {
    !word.as_bytes().starts_with(b"-") && !has(grammar.ends, word.as_bytes())
}
