//! Reads YAML (and JSON, which is YAML) into a tree of values with their places. Never guesses what an author meant.

mod plain;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::problem::{Malformed, Place};
use crate::words::text::quoted;
use plain::plain;

/// A spec is written by hand: the largest seen has 6 KiB.
pub(super) const MAX_BYTES: usize = 256 << 10;
/// Aliases count each time that they are used, so that a small document cannot unfold into a large one.
const MAX_NODES: usize = 20_000;
/// This much text counts as one more value: an alias may stand for a long text just as for many values.
const TEXT_PER_NODE: usize = 32;
/// A spec needs nine levels.
const MAX_DEPTH: usize = 32;

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct YamlNode {
    pub(super) at: Place,
    pub(super) value: YamlValue,
    /// Whether it is text by its quotes, block or tag, so that no reader takes it for a number.
    pub(super) is_quoted: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum YamlValue {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar whose text is beyond doubt.
    Text(String),
    /// A plain scalar that YAML reads as something else than its text, and as what.
    Ambiguous(String, &'static str),
    List(Vec<YamlNode>),
    /// Keys are unique; in the order of the document, merged ones last.
    Map(Vec<(YamlNode, YamlNode)>),
}

/// Reads one document.
pub(super) fn parse(bytes: &[u8]) -> Result<YamlNode, Malformed> {
    if bytes.len() > MAX_BYTES {
        let message = format!("the document has {} bytes; a spec has at most {MAX_BYTES}", bytes.len());
        return Err(Malformed::one(START, message));
    }
    let text = std::str::from_utf8(bytes).map_err(|err| not_utf8(bytes, err.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_directives(text)?;
    let mut text = Cow::Borrowed(text);
    let mut left = MAX_BYTES;
    loop {
        let events = Parser::new_from_str(&text);
        let mut composer = Composer { events, anchors: HashMap::new(), budget: MAX_NODES, tab: None };
        let found = composer.document();
        let spaced = composer.tab.and_then(|it| without_tabs(&text, it));
        match (found, spaced, left.checked_sub(text.len())) {
            (Err(_), Some(spaced), Some(rest)) => (text, left) = (Cow::Owned(spaced), rest),
            (found, _, _) => return found,
        }
    }
}

/// The text with spaces for the tabs that end before a character: YAML, and NFD with it, take either after a colon, and
/// the parser does not. Spaces keep every place in the document.
fn without_tabs(text: &str, before: usize) -> Option<String> {
    let end = text.char_indices().nth(before).map(|(at, _)| at)?;
    let (head, tail) = text.split_at_checked(end)?;
    let kept = head.trim_end_matches(['\t', ' ']);
    (head.len() > kept.len()).then(|| format!("{kept}{}{tail}", " ".repeat(head.len() - kept.len())))
}

/// What the parser says of a tab after a colon.
const TAB: &str = "':' must be followed by a valid YAML whitespace";

const START: Place = Place { line: 1, column: 1 };

fn not_utf8(bytes: &[u8], at: usize) -> Malformed {
    let before = bytes.get(..at).unwrap_or(bytes);
    let line = before.split(|it| *it == b'\n').count();
    let column = before.rsplit(|it| *it == b'\n').next().map_or(0, <[u8]>::len) + 1;
    Malformed::one(Place { line, column }, "the document is not UTF-8 text")
}

/// NFD's parser refuses every version but 1.1, and other directives change what a document means. They stand before
/// everything but comments.
fn check_directives(text: &str) -> Result<(), Malformed> {
    let lines = text.lines().map(str::trim_end).zip(1..);
    let said = lines.filter(|(line, _)| !line.is_empty() && !line.trim_start().starts_with('#'));
    let mut directives = said.take_while(|(line, _)| line.starts_with('%'));
    match directives.find(|(line, _)| *line != "%YAML 1.1") {
        Some((line, number)) => Err(Malformed::one(
            Place { line: number, column: 1 },
            format!("a spec has no YAML directives, such as {}; remove the line", quoted(line)),
        )),
        None => Ok(()),
    }
}

struct Composer<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, (YamlNode, usize)>,
    budget: usize,
    /// The character that tabs stand before, if the parser refused them after a colon.
    tab: Option<usize>,
}

impl<'a> Composer<'a> {
    fn document(&mut self) -> Result<YamlNode, Malformed> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
                Event::StreamEnd | Event::DocumentEnd => {
                    return Ok(YamlNode { at: place(span.start), value: YamlValue::Null, is_quoted: false });
                }
                Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => {
                    let node = self.node(event, span, 0)?;
                    return self.expect_end().map(|()| node);
                }
            }
        }
    }

    fn expect_end(&mut self) -> Result<(), Malformed> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(()),
                Event::DocumentEnd | Event::Nothing => {}
                Event::StreamStart
                | Event::DocumentStart(_)
                | Event::Alias(_)
                | Event::Scalar(..)
                | Event::SequenceStart(..)
                | Event::SequenceEnd
                | Event::MappingStart(..)
                | Event::MappingEnd => {
                    let message = "a second document starts here; a spec is one document: join or split them";
                    return Err(Malformed::one(place(span.start), message));
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Malformed> {
        match self.events.next_event() {
            Some(Ok(found)) => Ok(found),
            Some(Err(err)) => {
                self.tab = (err.info() == TAB).then(|| err.marker().index());
                Err(Malformed::one(place(*err.marker()), format!("this is not valid YAML: {}", err.info())))
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<YamlNode, Malformed> {
        let at = place(span.start);
        if depth > MAX_DEPTH {
            return Err(Malformed::one(at, format!("values are nested deeper than {MAX_DEPTH} levels")));
        }
        let before = self.budget;
        self.spend(1, at)?;
        let is_quoted = matches!(&event, Event::Scalar(_, style, _, tag) if *style != ScalarStyle::Plain || tag.is_some());
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.spend(text.len() / TEXT_PER_NODE, at)?;
                (anchor, scalar(text.into_owned(), style, tag.as_deref(), at)?)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), "seq", at)?;
                (anchor, YamlValue::List(self.list(depth)?))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), "map", at)?;
                (anchor, YamlValue::Map(self.map(depth)?))
            }
            Event::Alias(anchor) => return self.alias(anchor, at),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => return Err(Malformed::one(at, "a value is missing here")),
        };
        let node = YamlNode { at, value, is_quoted };
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), before - self.budget));
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, at: Place) -> Result<YamlNode, Malformed> {
        match self.anchors.get(&anchor).cloned() {
            Some((node, size)) => self.spend(size, at).map(|()| node),
            None => Err(Malformed::one(at, "this alias is part of the value that it stands for")),
        }
    }

    fn spend(&mut self, nodes: usize, at: Place) -> Result<(), Malformed> {
        match self.budget.checked_sub(nodes) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => {
                let message =
                    format!("the document unfolds into more than {MAX_NODES} values; use fewer aliases");
                Err(Malformed::one(at, message))
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<YamlNode>, Malformed> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(items);
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Vec<(YamlNode, YamlNode)>, Malformed> {
        let mut map = Mapping::default();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return map.finish();
            }
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if merge { map.merges.push(value) } else { map.add(key, value)? }
        }
    }
}

/// A mapping that is being read: its own keys first, then those that `<<` merges in; of equal keys, the first wins.
#[derive(Default)]
struct Mapping {
    pairs: Vec<(YamlNode, YamlNode)>,
    seen: BTreeMap<String, Place>,
    merges: Vec<YamlNode>,
}

impl Mapping {
    fn add(&mut self, key: YamlNode, value: YamlNode) -> Result<(), Malformed> {
        let name = match &key.value {
            YamlValue::Text(text) | YamlValue::Ambiguous(text, _) => text.clone(),
            YamlValue::Null | YamlValue::List(_) | YamlValue::Map(_) => {
                return Err(Malformed::one(key.at, "a key has to be text"));
            }
        };
        if let Some(first) = self.seen.insert(name.clone(), key.at) {
            let message = format!(
                "{} stands here twice, first at {first}; only one can count: remove the other",
                quoted(&name)
            );
            return Err(Malformed::one(key.at, message));
        }
        self.pairs.push((key, value));
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<(YamlNode, YamlNode)>, Malformed> {
        for merge in std::mem::take(&mut self.merges) {
            match merge.value {
                YamlValue::Map(pairs) => self.merge(pairs),
                YamlValue::List(items) => {
                    for item in items {
                        match item.value {
                            YamlValue::Map(pairs) => self.merge(pairs),
                            YamlValue::Null
                            | YamlValue::Text(_)
                            | YamlValue::Ambiguous(..)
                            | YamlValue::List(_) => {
                                return Err(not_mergeable(item.at));
                            }
                        }
                    }
                }
                YamlValue::Null | YamlValue::Text(_) | YamlValue::Ambiguous(..) => {
                    return Err(not_mergeable(merge.at));
                }
            }
        }
        Ok(self.pairs)
    }

    fn merge(&mut self, pairs: Vec<(YamlNode, YamlNode)>) {
        for (key, value) in pairs {
            if let YamlValue::Text(name) | YamlValue::Ambiguous(name, _) = &key.value
                && !self.seen.contains_key(name)
            {
                self.seen.insert(name.clone(), key.at);
                self.pairs.push((key, value));
            }
        }
    }
}

fn not_mergeable(at: Place) -> Malformed {
    Malformed::one(at, "`<<` merges a mapping or a list of mappings; this is neither")
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>, at: Place) -> Result<YamlValue, Malformed> {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => return Ok(YamlValue::Text(text)),
        Some(_) => refuse_tag(tag, "str", at)?,
        None => {}
    }
    Ok(if style == ScalarStyle::Plain { plain(text) } else { YamlValue::Text(text) })
}

fn refuse_tag(tag: Option<&Tag>, fits: &str, at: Place) -> Result<(), Malformed> {
    match tag {
        None => Ok(()),
        Some(tag) if tag.is_yaml_core_schema() && tag.suffix == fits => Ok(()),
        Some(tag) => {
            let message = format!(
                "a spec has no tags, such as {}; write the value in quotes",
                quoted(&format!("!{}", tag.suffix))
            );
            Err(Malformed::one(at, message))
        }
    }
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line().max(1), column: marker.col() + 1 }
}
