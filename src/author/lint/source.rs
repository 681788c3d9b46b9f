//! Where the scalars of a YAML document stand, to the byte, for excerpts and for corrections. Never says what they mean.

use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::LintRemark;
use crate::spec::Place;

/// A document and its scalars. Of a document that is not valid YAML: those before the error.
#[derive(Debug)]
pub struct SpecText<'a> {
    text: &'a str,
    /// In the order of the document.
    scalars: Vec<Scalar>,
    /// Where each line starts, in bytes.
    lines: Vec<usize>,
}

/// A scalar as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scalar {
    /// Where it starts.
    pub(super) at: Place,
    /// Where it stands, with its quotes.
    pub(super) range: Range<usize>,
    /// What it says.
    pub(super) text: String,
    pub(super) style: ScalarStyle,
    /// The key whose value this scalar is, or is part of: an index.
    key: Option<usize>,
}

impl<'a> SpecText<'a> {
    /// Finds the scalars of a document. What is too deep for a spec is left out.
    pub fn new(text: &'a str) -> Self {
        let lines = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|it| it + 1));
        let mut source = Self { text, scalars: Vec::new(), lines: lines.collect() };
        source.read();
        source
    }

    fn read(&mut self) {
        let start = self.text.len() - self.text.trim_start_matches('\u{feff}').len();
        let Some(body) = self.text.get(start..) else { return };
        let mut bytes = Bytes { text: body, start, character: 0, byte: 0 };
        let mut open: Vec<OpenNode> = Vec::new();
        let mut events = Parser::new_from_str(body);
        while let Some(Ok((event, span))) = events.next_event() {
            match event {
                Event::Scalar(text, style, ..) => {
                    let is_key = matches!(open.last(), Some(OpenNode::Map { is_key: true, .. }));
                    let (at, range) = (place(span.start), bytes.range(span));
                    self.scalars.push(Scalar { at, range, text: text.into_owned(), style, key: key(&open) });
                    turn(&mut open, is_key.then(|| self.scalars.len() - 1));
                }
                Event::Alias(_) => turn(&mut open, None),
                Event::SequenceStart(..) | Event::MappingStart(..) if DEEPEST < open.len() => return,
                Event::SequenceStart(..) => open.push(OpenNode::List { key: key(&open) }),
                Event::MappingStart(..) => {
                    let outer = key(&open);
                    open.push(OpenNode::Map { is_key: true, key: None, outer });
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    open.pop();
                    turn(&mut open, None);
                }
                Event::Nothing
                | Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
            }
        }
    }

    /// The scalar that starts at a place.
    pub(super) fn scalar(&self, at: Place) -> Option<&Scalar> {
        self.scalars.get(self.index(at)?)
    }

    fn index(&self, at: Place) -> Option<usize> {
        self.scalars.binary_search_by_key(&at, |it| it.at).ok()
    }

    /// The scalars below a key, in the order of the document.
    pub(super) fn below(&self, key: Place) -> impl Iterator<Item = &Scalar> {
        let index = self.index(key);
        let after = index.map_or(self.scalars.len(), |it| it + 1);
        // They follow it without a gap.
        self.scalars.iter().skip(after).take_while(move |it| index.is_some_and(|key| self.is_below(it, key)))
    }

    fn is_below(&self, scalar: &Scalar, key: usize) -> bool {
        std::iter::successors(scalar.key, |it| self.scalars.get(*it)?.key).any(|it| it == key)
    }

    /// The scalar that a remark is about.
    pub(super) fn about(&self, remark: &LintRemark) -> Option<&Scalar> {
        let Some(value) = &remark.value else { return self.scalar(remark.at) };
        let is_it = |it: &&Scalar| it.text == *value && self.field_of(it) == Some("value");
        match self.expression(remark.at) {
            Some(key) => self.below(key).find(is_it),
            None => None,
        }
    }

    /// The key whose value an expression is: that at the place, or, of `matchName` and `count`, the one before it.
    fn expression(&self, at: Place) -> Option<Place> {
        let next = self.scalars.partition_point(|it| it.at < at);
        let scalar = self.scalars.get(next)?;
        match self.field_of(scalar) {
            Some("matchName" | "count") => Some(self.scalars.get(scalar.key?)?.at),
            _ => (scalar.at == at).then_some(at),
        }
    }

    /// What to point at for a remark.
    pub fn span(&self, remark: &LintRemark) -> Range<usize> {
        self.about(remark).map_or_else(|| self.range(remark.at), |it| it.range.clone())
    }

    /// The field that a scalar is the value of, or an item of.
    pub(super) fn field_of(&self, scalar: &Scalar) -> Option<&str> {
        Some(self.scalars.get(scalar.key?)?.text.as_str())
    }

    /// What to point at for a place: the scalar there, else the rest of its line.
    fn range(&self, at: Place) -> Range<usize> {
        if let Some(scalar) = self.scalar(at) {
            return scalar.range.clone();
        }
        let (start, line) = self.line(at.line);
        let from = line.char_indices().nth(at.column.saturating_sub(1)).map_or(line.len(), |(it, _)| it);
        let rest = line.get(from..).unwrap_or_default();
        let rest = rest.split(" #").next().unwrap_or(rest).trim_end();
        start + from..start + from + rest.len()
    }

    /// The place of a byte.
    pub fn place(&self, byte: usize) -> Place {
        let line = self.lines.partition_point(|it| *it <= byte);
        let (start, text) = self.line(line);
        let before = text.get(..byte.saturating_sub(start)).unwrap_or(text);
        Place { line, column: before.chars().count() + 1 }
    }

    /// A line, counted from one, without its end; with the byte at which it starts.
    pub fn line(&self, number: usize) -> (usize, &'a str) {
        let start = self.lines.get(number.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let end = self.lines.get(number).copied().unwrap_or(self.text.len());
        let line = self.text.get(start..end).unwrap_or_default();
        (start, line.trim_end_matches(['\n', '\r']))
    }

    /// The whole document.
    pub fn text(&self) -> &'a str {
        self.text
    }
}

/// More levels than a spec may have.
const DEEPEST: usize = 64;

/// A list or a mapping that has not ended.
enum OpenNode {
    List { key: Option<usize> },
    Map { is_key: bool, key: Option<usize>, outer: Option<usize> },
}

/// The key that the next scalar belongs to.
fn key(open: &[OpenNode]) -> Option<usize> {
    match open.last()? {
        OpenNode::List { key } => *key,
        OpenNode::Map { is_key: true, outer, .. } => *outer,
        OpenNode::Map { key, .. } => *key,
    }
}

/// After a key comes its value, and after that a key.
fn turn(open: &mut [OpenNode], found: Option<usize>) {
    if let Some(OpenNode::Map { is_key, key, .. }) = open.last_mut() {
        *key = found;
        *is_key = !*is_key;
    }
}

/// Turns the characters that the parser counts into bytes: both only grow.
struct Bytes<'a> {
    text: &'a str,
    start: usize,
    character: usize,
    byte: usize,
}

impl Bytes<'_> {
    fn range(&mut self, span: Span) -> Range<usize> {
        let start = self.at(span.start.index());
        start..self.at(span.end.index())
    }

    fn at(&mut self, character: usize) -> usize {
        if character < self.character {
            (self.character, self.byte) = (0, 0);
        }
        let rest = self.text.get(self.byte..).unwrap_or_default();
        let ahead = character - self.character;
        let bytes = rest.char_indices().nth(ahead).map_or(rest.len(), |(it, _)| it);
        (self.character, self.byte) = (character, self.byte + bytes);
        self.start + self.byte
    }
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line().max(1), column: marker.col() + 1 }
}
