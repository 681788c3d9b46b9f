//! Reads a whole pattern the way Go's `regexp/syntax` does with the flags `Perl`. Never recurses: depth is data here.

use std::mem;

use regex_syntax::hir::{Class, ClassUnicode, Dot, Hir, Look, Repetition};

use super::cursor::{Cursor, error, shown};
use super::group::{Opening, PatternFlags, opening};
use super::{PatternError, class, escape, too_large};

/// Go's `maxRepeat`: of one repetition, and of the product of nested ones.
const MAX_REPEAT: u32 = 1000;

/// Of the tree that a pattern describes. Go allows 1000, and mentions that the deepest found in all of Google had 128. The
/// compiler behind us recurses: 12 KiB a level, in its slowest build, on a stack of 2 MiB.
const MAX_HEIGHT: u32 = 100;

/// Ranges in all classes together: `\pL` has 660 of them, and takes three bytes to write.
pub(super) const MAX_RANGES: usize = 1 << 16;

struct PatternParser<'a> {
    cursor: Cursor<'a>,
    flags: PatternFlags,
    group: OpenGroup,
    around: Vec<OpenGroup>,
    ranges: usize,
    /// Where the repetition starts that was read last, if nothing was read since.
    repeated: Option<usize>,
}

/// A group that is still open, or the whole pattern.
#[derive(Default)]
struct OpenGroup {
    start: usize,
    captures: bool,
    flags_around: PatternFlags,
    alternatives: Vec<PatternNode>,
    sequence: Vec<PatternNode>,
}

struct PatternNode {
    hir: Hir,
    height: u32,
    /// How many copies of one of its parts the counted repetitions within make.
    copies: u32,
}

struct Bounds {
    min: u32,
    max: Option<u32>,
}

/// The expression that Go would read.
pub(super) fn parse(source: &str) -> Result<Hir, PatternError> {
    let mut parser = PatternParser {
        cursor: Cursor::new(source),
        flags: PatternFlags::default(),
        group: OpenGroup::default(),
        around: Vec::new(),
        ranges: 0,
        repeated: None,
    };
    while let Some(next) = parser.cursor.peek() {
        let repeated = parser.repeated.take();
        parser.piece(next, repeated)?;
    }
    if !parser.around.is_empty() {
        let message = "`(` is never closed: write `)` behind the group, or `\\(` for a parenthesis";
        return error(parser.group.start, message.to_owned());
    }
    Ok(parser.group.into_node().hir)
}

impl PatternParser<'_> {
    fn piece(&mut self, next: char, repeated: Option<usize>) -> Result<(), PatternError> {
        match next {
            '(' => self.open(),
            ')' => self.close(),
            '|' => {
                self.cursor.bump();
                self.group.end_alternative();
                Ok(())
            }
            '[' => {
                let class = class::bracketed(&mut self.cursor, self.flags)?;
                self.class(class)
            }
            '^' => self.assertion(if self.flags.lines { Look::StartLF } else { Look::Start }),
            '$' => self.assertion(if self.flags.lines { Look::EndLF } else { Look::End }),
            '.' => {
                self.cursor.bump();
                self.push(Hir::dot(if self.flags.dot_all { Dot::AnyChar } else { Dot::AnyCharExceptLF }));
                Ok(())
            }
            '*' | '+' | '?' | '{' => self.repetition(next, repeated),
            '\\' => self.escape(),
            _ => {
                self.cursor.bump();
                self.literal(u32::from(next));
                Ok(())
            }
        }
    }

    fn open(&mut self) -> Result<(), PatternError> {
        let start = self.cursor.at();
        let flags_around = self.flags;
        let captures = match opening(&mut self.cursor, self.flags)? {
            Opening::Captures => true,
            Opening::Groups(flags) => {
                self.flags = flags;
                false
            }
            Opening::Sets(flags) => {
                self.flags = flags;
                return Ok(());
            }
        };
        let group = OpenGroup { start, captures, flags_around, ..OpenGroup::default() };
        self.around.push(mem::replace(&mut self.group, group));
        Ok(())
    }

    fn close(&mut self) -> Result<(), PatternError> {
        let start = self.cursor.at();
        self.cursor.bump();
        let Some(around) = self.around.pop() else {
            return error(
                start,
                "`)` closes nothing: write `(` before it, or `\\)` for a parenthesis".to_owned(),
            );
        };
        let group = mem::replace(&mut self.group, around);
        self.flags = group.flags_around;
        let start = group.start;
        let node = group.into_node();
        check_height(start, node.height)?;
        self.group.sequence.push(node);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), PatternError> {
        if let Some(class) = class::escaped(&mut self.cursor, self.flags)? {
            return self.class(class);
        }
        match self.cursor.rest().get(..2) {
            Some("\\A") => self.assertion(Look::Start),
            Some("\\z") => self.assertion(Look::End),
            Some("\\b") => self.assertion(Look::WordAscii),
            Some("\\B") => self.assertion(Look::WordAsciiNegate),
            Some("\\Q") => {
                self.cursor.eat("\\Q");
                let quoted = self.cursor.take_until("\\E").unwrap_or_else(|| self.cursor.take_rest());
                quoted.chars().for_each(|it| self.literal(u32::from(it)));
                Ok(())
            }
            _ => {
                let rune = escape::character(&mut self.cursor)?;
                self.literal(rune);
                Ok(())
            }
        }
    }

    fn repetition(&mut self, operator: char, repeated: Option<usize>) -> Result<(), PatternError> {
        let start = self.cursor.at();
        let bounds = match operator {
            '{' => counted(&mut self.cursor),
            '*' => Some(Bounds { min: 0, max: None }),
            '+' => Some(Bounds { min: 1, max: None }),
            _ => Some(Bounds { min: 0, max: Some(1) }),
        };
        if operator != '{' || bounds.is_none() {
            self.cursor.bump();
        }
        let Some(bounds) = bounds else {
            self.literal(u32::from(operator));
            return Ok(());
        };
        // Says which of several matches to take, and there is a match or there is none.
        self.cursor.eat("?");
        self.repeat(start, &bounds, repeated)?;
        self.repeated = Some(start);
        Ok(())
    }

    fn repeat(&mut self, start: usize, bounds: &Bounds, repeated: Option<usize>) -> Result<(), PatternError> {
        let written = shown(self.cursor.since(start));
        if MAX_REPEAT < bounds.max.unwrap_or(bounds.min) || bounds.max.is_some_and(|it| it < bounds.min) {
            let message = format!("{written}: write the smaller number first, and none above {MAX_REPEAT}");
            return error(start, message);
        }
        if let Some(first) = repeated {
            let written = shown(self.cursor.since(first));
            let message = "a repetition cannot be repeated or possessive: write `(?:a*)+`, or one of the two";
            return error(first, format!("{written}: {message}"));
        }
        let Some(node) = self.group.sequence.pop() else {
            return error(
                start,
                format!("{written} repeats nothing: write a backslash before it for the character"),
            );
        };
        let node = node.repeated(bounds);
        if MAX_REPEAT < node.copies {
            let copies = node.copies;
            let message =
                format!("{written}: nested repetitions make {copies} copies, more than {MAX_REPEAT}");
            return error(start, message);
        }
        check_height(start, node.height)?;
        self.group.sequence.push(node);
        Ok(())
    }

    fn assertion(&mut self, look: Look) -> Result<(), PatternError> {
        if self.cursor.bump() == Some('\\') {
            self.cursor.bump();
        }
        self.push(Hir::look(look));
        Ok(())
    }

    fn literal(&mut self, rune: u32) {
        let hir = match char::from_u32(rune) {
            Some(it) if !self.flags.ignore_case => Hir::literal(it.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => Hir::class(Class::Unicode(class::single(rune, self.flags))),
        };
        self.push(hir);
    }

    fn class(&mut self, class: ClassUnicode) -> Result<(), PatternError> {
        self.ranges += class.ranges().len();
        if MAX_RANGES < self.ranges {
            return Err(too_large(self.cursor.at()));
        }
        self.push(Hir::class(Class::Unicode(class)));
        Ok(())
    }

    fn push(&mut self, hir: Hir) {
        self.group.sequence.push(PatternNode { hir, height: 1, copies: 1 });
    }
}

impl OpenGroup {
    fn end_alternative(&mut self) {
        let sequence = mem::take(&mut self.sequence);
        self.alternatives.push(PatternNode::of(sequence, Hir::concat));
    }

    fn into_node(mut self) -> PatternNode {
        self.end_alternative();
        let mut node = PatternNode::of(self.alternatives, Hir::alternation);
        node.height += u32::from(self.captures);
        node
    }
}

impl PatternNode {
    fn of(nodes: Vec<PatternNode>, join: fn(Vec<Hir>) -> Hir) -> PatternNode {
        let highest = nodes.iter().map(|it| it.height).max().unwrap_or(1);
        let height = highest + u32::from(1 < nodes.len());
        let copies = nodes.iter().map(|it| it.copies).max().unwrap_or(1);
        PatternNode { hir: join(nodes.into_iter().map(|it| it.hir).collect()), height, copies }
    }

    fn repeated(self, bounds: &Bounds) -> PatternNode {
        let copies = match bounds.max.unwrap_or(bounds.min) {
            // `a{0}` makes none, whatever it holds; `a*` and `a{0,}` make one that loops.
            0 if bounds.max.is_some() => 1,
            most => most.max(1) * self.copies,
        };
        let Bounds { min, max } = *bounds;
        let hir = Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(self.hir) });
        PatternNode { hir, height: self.height + 1, copies }
    }
}

/// Reads `{2}`, `{2,}` or `{2,5}`; `None` and no move for anything else, which is text to Go.
fn counted(cursor: &mut Cursor) -> Option<Bounds> {
    let (inner, _) = cursor.rest().strip_prefix('{')?.split_once('}')?;
    let bounds = match inner.split_once(',') {
        None => number(inner).map(|it| Bounds { min: it, max: Some(it) })?,
        Some((min, "")) => Bounds { min: number(min)?, max: None },
        Some((min, max)) => Bounds { min: number(min)?, max: Some(number(max)?) },
    };
    cursor.take_until("}");
    Some(bounds)
}

/// Without leading zeros. What does not fit is far above any limit.
fn number(digits: &str) -> Option<u32> {
    let leads = digits.len() > 1 && digits.starts_with('0');
    if digits.is_empty() || leads || !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u32::MAX))
}

fn check_height(start: usize, height: u32) -> Result<(), PatternError> {
    if height <= MAX_HEIGHT {
        return Ok(());
    }
    error(start, format!("groups and repetitions nest more than {MAX_HEIGHT} deep: flatten the pattern"))
}
