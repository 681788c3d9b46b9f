//! Changes single members of a JSON text, and leaves every other byte as it is. Never accepts a text that `serde_json` refuses.

use anyhow::{anyhow, bail};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Serializer, Value};

/// A member of an object, or an element of an array: where its key and its value stand.
#[derive(Debug)]
struct Member {
    key: Option<String>,
    start: usize,
    value: std::ops::Range<usize>,
}

/// Parses the text; an empty one is an empty object.
///
/// # Errors
///
/// What is wrong, with line and column.
pub(super) fn parse(text: &str) -> anyhow::Result<Value> {
    let value: Value = serde_json::from_str(text).map_err(|err| {
        let reason = err.to_string();
        let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |it| it.0);
        anyhow!("{}:{}: {reason}", err.line(), err.column())
    })?;
    if !value.is_object() {
        bail!("1:1: it is not an object, `{{...}}`");
    }
    Ok(value)
}

/// The text in which the member at `path` has this value; objects on the way are made.
pub(super) fn set(text: &str, path: &[&str], value: &Value) -> anyhow::Result<String> {
    let mut at = 0;
    for (depth, key) in path.iter().enumerate() {
        let members = members(text, &mut at)?;
        let Some(member) = members.iter().rfind(|it| it.key.as_deref() == Some(key)) else {
            let rest = path.get(depth + 1..).unwrap_or_default();
            let nested = rest.iter().rev().fold(value.clone(), |value, key| serde_json::json!({*key: value}));
            return appended(text, at, &members, Some(key), &nested);
        };
        at = member.value.start;
        if depth + 1 == path.len() {
            let indentation = indentation(text, member.start);
            return Ok(replaced(text, member.value.clone(), &rendered(value, indentation, text)?));
        }
    }
    Ok(text.to_owned())
}

/// The text in which the array at `path` ends with this value.
pub(super) fn push(text: &str, path: &[&str], value: &Value) -> anyhow::Result<String> {
    match find(text, path)? {
        Some(member) => {
            let mut at = member.value.start;
            let members = members(text, &mut at)?;
            appended(text, at, &members, None, value)
        }
        None => set(text, path, &Value::Array(vec![value.clone()])),
    }
}

/// The text without the member at `path`, and without the objects that held nothing else.
pub(super) fn unset(text: &str, path: &[&str]) -> anyhow::Result<String> {
    let [parents @ .., key] = path else { return Ok(text.to_owned()) };
    let mut at = match find(text, parents)? {
        Some(parent) => parent.value.start,
        None if parents.is_empty() => 0,
        None => return Ok(text.to_owned()),
    };
    let members = members(text, &mut at)?;
    let Some(index) = members.iter().rposition(|it| it.key.as_deref() == Some(key)) else {
        return Ok(text.to_owned());
    };
    if members.len() == 1 && !parents.is_empty() {
        return unset(text, parents);
    }
    Ok(without(text, at, &members, index))
}

/// The text without the elements of the array at `path` that are ours, and without an array that held nothing else.
pub(super) fn pull(text: &str, path: &[&str], ours: impl Fn(&Value) -> bool) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    loop {
        let Some(array) = find(&text, path)? else { return Ok(text) };
        let mut at = array.value.start;
        let members = members(&text, &mut at)?;
        let is_ours = |it: &Member| {
            text.get(it.value.clone())
                .and_then(|it| serde_json::from_str(it).ok())
                .is_some_and(|it| ours(&it))
        };
        let Some(index) = members.iter().position(is_ours) else { return Ok(text) };
        text = if members.len() == 1 { unset(&text, path)? } else { without(&text, at, &members, index) };
    }
}

fn find(text: &str, path: &[&str]) -> anyhow::Result<Option<Member>> {
    let mut at = 0;
    let mut found = None;
    for key in path {
        let member = members(text, &mut at)?.into_iter().rfind(|it| it.key.as_deref() == Some(*key));
        let Some(member) = member else { return Ok(None) };
        at = member.value.start;
        found = Some(member);
    }
    Ok(found)
}

/// The text with one more member in the object or array that begins at `at`, laid out as the last one is.
fn appended(
    text: &str,
    at: usize,
    members: &[Member],
    key: Option<&str>,
    value: &Value,
) -> anyhow::Result<String> {
    let key = match key {
        Some(key) => format!("{}: ", Value::from(key)),
        None => String::new(),
    };
    if let Some(last) = members.last() {
        let begins = indentation(text, last.start);
        let gap = if begins.is_some() { format!("\n{}", begins.unwrap_or_default()) } else { " ".to_owned() };
        let member = format!(",{gap}{key}{}", rendered(value, begins, text)?);
        return Ok(replaced(text, last.value.end..last.value.end, &member));
    }
    // An empty object: its end is the next bracket.
    let end = at + 1 + text.get(at + 1..).unwrap_or_default().find(['}', ']']).unwrap_or_default();
    if text.trim_end().contains('\n') || at == 0 {
        let outer = indentation(text, line_start(text, at)).unwrap_or_default();
        let inner = format!("{outer}{}", unit(text));
        let member = format!("\n{inner}{key}{}\n{outer}", rendered(value, Some(&inner), text)?);
        return Ok(replaced(text, at + 1..end, &member));
    }
    Ok(replaced(text, at + 1..end, &format!("{key}{}", rendered(value, None, text)?)))
}

fn without(text: &str, at: usize, members: &[Member], index: usize) -> String {
    let from = match index.checked_sub(1).and_then(|it| members.get(it)) {
        Some(previous) => previous.value.end,
        None => at + 1,
    };
    let until = match (index, members.get(index), members.get(index + 1)) {
        // The first one goes with the comma behind it, any other with that before it.
        (0, _, Some(next)) => return replaced(text, first_start(members)..next.start, ""),
        (_, Some(member), _) => member.value.end,
        _ => from,
    };
    replaced(text, from..until, "")
}

fn first_start(members: &[Member]) -> usize {
    members.first().map_or(0, |it| it.start)
}

/// The text before something on its line, if that is only blanks.
fn indentation(text: &str, at: usize) -> Option<&str> {
    let before = text.get(..at)?;
    let (_, line) = before.rsplit_once('\n')?;
    line.trim_matches([' ', '\t']).is_empty().then_some(line)
}

/// The first character on the line that is not blank.
fn line_start(text: &str, at: usize) -> usize {
    let begins = text.get(..at).and_then(|it| it.rfind('\n')).map_or(0, |it| it + 1);
    let line = text.get(begins..).unwrap_or_default();
    begins + (line.len() - line.trim_start_matches([' ', '\t']).len())
}

/// One step of indentation, as the text has it.
fn unit(text: &str) -> &str {
    let indented = text.lines().find(|it| it.starts_with([' ', '\t']) && !it.trim().is_empty());
    match indented {
        Some(line) => line.get(..line.len() - line.trim_start().len()).unwrap_or("  "),
        None => "  ",
    }
}

/// A value on one line, or on several that are indented like the line that it begins on.
fn rendered(value: &Value, indentation: Option<&str>, text: &str) -> anyhow::Result<String> {
    let Some(indentation) = indentation else { return Ok(value.to_string()) };
    let mut bytes = Vec::new();
    let pretty = PrettyFormatter::with_indent(unit(text).as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut bytes, pretty))?;
    Ok(String::from_utf8(bytes)?.replace('\n', &format!("\n{indentation}")))
}

fn replaced(text: &str, range: std::ops::Range<usize>, with: &str) -> String {
    let (before, after) = (text.get(..range.start), text.get(range.end..));
    [before.unwrap_or_default(), with, after.unwrap_or_default()].concat()
}

/// What the object or array at `at` holds; `at` is moved to its bracket. The text has been parsed before: it is valid.
fn members(text: &str, at: &mut usize) -> anyhow::Result<Vec<Member>> {
    let bytes = text.as_bytes();
    *at = blank(bytes, *at);
    let keyed = match bytes.get(*at) {
        Some(b'{') => true,
        Some(b'[') => false,
        _ => bail!("{} is not an object or array", text.get(*at..end(bytes, *at)).unwrap_or_default()),
    };
    let mut found = Vec::new();
    let mut next = blank(bytes, *at + 1);
    while !matches!(bytes.get(next), Some(b'}' | b']') | None) {
        let start = next;
        let mut key = None;
        if keyed {
            let close = end(bytes, next);
            key = Some(serde_json::from_str(text.get(next..close).unwrap_or_default())?);
            next = blank(bytes, blank(bytes, close) + 1);
        }
        let value = next..end(bytes, next);
        next = blank(bytes, value.end);
        if bytes.get(next) == Some(&b',') {
            next = blank(bytes, next + 1);
        }
        found.push(Member { key, start, value });
    }
    Ok(found)
}

fn blank(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|it| it.is_ascii_whitespace()).count()
}

/// Where the value ends that begins at `from`.
fn end(bytes: &[u8], from: usize) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (index, byte) in bytes.iter().enumerate().skip(from) {
        match (quoted, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') => {
                quoted = false;
                if depth == 0 {
                    return index + 1;
                }
            }
            (true, _) => {}
            (false, b'"') => quoted = true,
            (false, b'{' | b'[') => depth += 1,
            (false, b'}' | b']' | b',') if depth == 0 => return index,
            (false, b'}' | b']') => {
                depth -= 1;
                if depth == 0 {
                    return index + 1;
                }
            }
            (false, b) if depth == 0 && b.is_ascii_whitespace() => return index,
            (false, _) => {}
        }
    }
    bytes.len()
}
