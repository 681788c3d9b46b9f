//! Turns a facts document that is YAML, as `kubectl get -o yaml` prints a `NodeFeature`, into the equivalent JSON.

use anyhow::{Context, bail, ensure};
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde_json::{Map, Value};

/// A list of objects takes nine levels.
const MAX_DEPTH: usize = 32;

/// Reads one document. Every scalar is text: facts have no numbers, and `kubectl` quotes what is not plainly text.
///
/// # Errors
///
/// With the line if it is not valid, has an alias, or is no mapping.
pub fn json(text: &str) -> anyhow::Result<Value> {
    let mut events = Events(Parser::new_from_str(text));
    loop {
        match events.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
            (event @ Event::MappingStart(..), line) => {
                let value = events.value(event, line, 0)?;
                return events.expect_end().map(|()| value);
            }
            (_, line) => bail!("is neither JSON nor a mapping of YAML at line {line}"),
        }
    }
}

struct Events<'a>(Parser<'a, StrInput<'a>>);

impl<'a> Events<'a> {
    /// The next event and its line.
    fn next(&mut self) -> anyhow::Result<(Event<'a>, usize)> {
        match self.0.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(err)) => bail!("is not valid YAML: {} at line {}", err.info(), err.marker().line()),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn value(&mut self, event: Event<'a>, line: usize, depth: usize) -> anyhow::Result<Value> {
        ensure!(depth <= MAX_DEPTH, "is nested deeper than {MAX_DEPTH} levels at line {line}");
        match event {
            Event::Scalar(text, ScalarStyle::Plain, _, _) if matches!(&*text, "" | "~" | "null") => {
                Ok(Value::Null)
            }
            Event::Scalar(text, ..) => Ok(Value::String(text.into_owned())),
            Event::SequenceStart(..) => self.list(depth),
            Event::MappingStart(..) => self.map(depth),
            Event::Alias(_) => bail!("has an alias at line {line}; write the value out"),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => bail!("lacks a value at line {line}"),
        }
    }

    fn list(&mut self, depth: usize) -> anyhow::Result<Value> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, line) => items.push(self.value(event, line, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> anyhow::Result<Value> {
        let mut fields = Map::new();
        loop {
            let (name, at) = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Object(fields)),
                (Event::Scalar(name, ..), line) => (name.into_owned(), line),
                (_, line) => bail!("has a key that is no text at line {line}"),
            };
            let (event, line) = self.next()?;
            let value = self.value(event, line, depth + 1).with_context(|| format!("{name:.60?}"))?;
            ensure!(!fields.contains_key(&name), "has {name:.60?} twice, again at line {at}");
            fields.insert(name, value);
        }
    }

    fn expect_end(&mut self) -> anyhow::Result<()> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentEnd | Event::Nothing, _) => {}
                (_, line) => bail!("has a second document at line {line}; give one"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = json(text).map_or_else(|err| format!("{err:#}"), |it| it.to_string());
        assert_eq!(told, expected, "{text:?}");
    }

    #[test]
    fn yaml_is_read_as_the_json_that_it_stands_for() {
        check(
            "# kubectl\na:\n  b: {}\n  c: \"1\"\n  d: [x, ~]\n  e: 6.10\nf:\n",
            r#"{"a":{"b":{},"c":"1","d":["x",null],"e":"6.10"},"f":null}"#,
        );
        check("---\na: 'y'\n...\n", r#"{"a":"y"}"#);
    }

    #[test]
    fn what_no_facts_need_is_refused_with_its_line() {
        check("oops", "is neither JSON nor a mapping of YAML at line 1");
        check("- a\n", "is neither JSON nor a mapping of YAML at line 1");
        check("# nothing\n", "is neither JSON nor a mapping of YAML at line 2");
        check("a: 1\na: 2\n", "has \"a\" twice, again at line 2");
        check("a: &x 1\nb: *x\n", "\"b\": has an alias at line 2; write the value out");
        check("a: b\n---\nc: d\n", "has a second document at line 2; give one");
        check("? [a]\n: b\n", "has a key that is no text at line 1");
        let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
        check(&deep, "\"a\": is nested deeper than 32 levels at line 1");
    }
}
