//! Reads JSON of any size as a stream, in bounded memory, and keeps the few fields that are needed; a library then parses
//! them. It checks no grammar in what it skips. In what it keeps, text that runtimes read differently is an error.

mod inside;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::ops::Range;

use anyhow::{anyhow, bail};

use super::Fault;
use crate::os::file;

use inside::{Inside, MAX_DEPTH, SkimStep, is_plain};

/// More than any runtime's memory limit in use lets it read of a `config.json`; they have no limit of their own.
const MAX_READ: usize = 64 << 20;
/// A long seccomp profile has 60 KiB, a spec at most 1 MiB.
const MAX_KEPT: usize = 4 << 20;
/// The longest key that is needed, each character of it written as `\u0061`.
const MAX_KEY: usize = 512;
/// The kernel takes 128 KiB of one argument or variable (`MAX_ARG_STRLEN`); those that are kept have some hundred bytes.
const MAX_ITEMS: usize = 256 << 10;
/// Of those behind the first one of an array that is kept from its start: a path, and not a whole script behind `sh -c`.
const MAX_FURTHER: usize = 4096;
const CHUNK: usize = 8 << 10;

/// What is kept of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Keep {
    /// All of it.
    Whole,
    /// Of an object these fields. They are fields of a structure to runtimes: runc takes them in any case.
    Fields(&'static [(&'static str, Keep)]),
    /// All fields of an object, and for these the given part: other parts may be large, and secret.
    But(&'static [(&'static str, Keep)]),
    /// Nothing.
    Nothing,
    /// Of an array so many values from its start.
    First(usize),
    /// Of an array the texts that start so, or that perhaps do: a text may be spelled in many ways.
    Starting(&'static [&'static str]),
    /// Of an object these keys, and those that start with the text, if there is one. They are keys of a map to runtimes: case
    /// counts.
    Keys(&'static [&'static str], &'static str),
    /// Of a value the words among these that occur in it.
    Mentions(&'static [&'static str]),
}

/// An object with what is kept of another one.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SkimmedObject {
    pub(super) json: Vec<u8>,
    /// Where the values of its fields stand in it, and of those of theirs that [`Keep::But`] names.
    fields: Vec<(&'static str, Range<usize>)>,
}

impl SkimmedObject {
    /// The value of a field that [`Keep::But`] names, as JSON: `null` if there is none, and `None` if runtimes do not agree on
    /// what it is.
    pub(super) fn one(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.fields.iter().filter(|it| it.0 == name);
        let only = fields.next().map_or(Some(&b"null"[..]), |(_, place)| self.json.get(place.clone()));
        only.filter(|_| fields.next().is_none())
    }

    /// The value of a field, as JSON; `null` if it has none.
    pub(super) fn field(&self, name: &str) -> &[u8] {
        let field = self.fields.iter().find(|it| it.0 == name);
        field.and_then(|(_, place)| self.json.get(place.clone())).unwrap_or(b"null")
    }
}

/// Reads an object to its end, and returns what is kept of it; `None` if the stream holds something else. `larger` times
/// the usual number of bytes may be read.
pub(super) fn object(stream: impl Read, keep: Keep, larger: usize) -> Result<Option<SkimmedObject>, Fault> {
    let mut skimmer = Skimmer {
        stream,
        buffer: vec![0; CHUNK],
        at: 0,
        end: 0,
        left: MAX_READ * larger,
        most: MAX_READ * larger,
        kept: Vec::new(),
        fields: Vec::new(),
        watch: None,
    };
    match skimmer.blank()? {
        Some(b'{') => skimmer.fields(keep)?,
        Some(_) | None => return Ok(None),
    }
    match skimmer.blank()? {
        None => Ok(Some(SkimmedObject { json: skimmer.kept, fields: skimmer.fields })),
        Some(_) => Err(Fault::Container(anyhow!("something follows its JSON object"))),
    }
}

struct Skimmer<R> {
    stream: R,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// How many bytes may still be read.
    left: usize,
    most: usize,
    kept: Vec<u8>,
    fields: Vec<(&'static str, Range<usize>)>,
    watch: Option<Watch>,
}

/// What is looked for in a value that is passed over.
struct Watch {
    /// The words that have not occurred yet.
    words: Vec<&'static str>,
    /// The end of what was looked at: a word may go on in what follows.
    tail: Vec<u8>,
}

impl Watch {
    fn look(&mut self, bytes: &[u8]) {
        let Some(longest) = self.words.iter().map(|it| it.len()).max() else { return };
        self.tail.extend_from_slice(bytes);
        self.words.retain(|it| !self.tail.windows(it.len()).any(|window| window == it.as_bytes()));
        self.tail.drain(..self.tail.len().saturating_sub(longest));
    }
}

impl<R: Read> Skimmer<R> {
    /// The fields of an object whose brace was read.
    fn fields(&mut self, keep: Keep) -> Result<(), Fault> {
        let mut seen = 0_u32;
        let is_outermost = self.kept.is_empty();
        self.put(b"{")?;
        let mut is_first = true;
        loop {
            match self.blank()? {
                Some(b'}') => break,
                Some(b'"') => {}
                Some(b',') if !is_first => match self.blank()? {
                    Some(b'"') => {}
                    other => return Err(self.odd(other)),
                },
                other => return Err(self.odd(other)),
            }
            is_first = false;
            let key = self.key()?;
            match self.blank()? {
                Some(b':') => {}
                other => return Err(self.odd(other)),
            }
            match keep.of(&key, &mut seen)? {
                Some((name, Keep::Nothing)) => {
                    self.fields.push((name, 0..0));
                    self.value(None)?;
                }
                Some((name, inner)) => {
                    if self.kept.last() != Some(&b'{') {
                        self.put(b",")?;
                    }
                    let key = serde_json::to_vec(&key).unwrap_or_default();
                    self.put(&key)?;
                    self.put(b":")?;
                    let start = self.kept.len();
                    self.value(Some(inner))?;
                    if is_outermost || !name.is_empty() && matches!(keep, Keep::But(_)) {
                        self.fields.push((name, start..self.kept.len()));
                    }
                }
                None => self.value(None)?,
            }
        }
        self.put(b"}")
    }

    /// A key whose quote was read. One that is too long for any that is needed is cut off.
    fn key(&mut self) -> Result<String, Fault> {
        let mut raw = vec![b'"'];
        let mut is_cut = false;
        loop {
            let byte = self.next()?;
            if raw.len() < MAX_KEY {
                raw.push(byte)
            } else {
                is_cut = true
            }
            match byte {
                b'"' => break,
                b'\\' => {
                    let escaped = self.next()?;
                    if raw.len() < MAX_KEY { raw.push(escaped) } else { is_cut = true }
                }
                _ => {}
            }
        }
        if is_cut {
            return Ok(String::new());
        }
        if raw.contains(&b'\\') {
            return serde_json::from_slice(&raw)
                .map_err(|_| Fault::Container(anyhow!("a key of it is no text")));
        }
        let text = raw.get(1..raw.len() - 1).unwrap_or_default();
        // Bytes that are not UTF-8 are in no key that is needed.
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// A value, which is copied if it is kept.
    fn value(&mut self, keep: Option<Keep>) -> Result<(), Fault> {
        let first = self.blank()?;
        match (first, keep) {
            (Some(b'{'), Some(keep @ (Keep::Fields(_) | Keep::But(_) | Keep::Keys(..)))) => {
                return self.fields(keep);
            }
            (Some(_), Some(Keep::Mentions(words))) => {
                self.at -= 1;
                return self.mentions(words);
            }
            (Some(b'['), Some(keep @ (Keep::First(_) | Keep::Starting(_)))) => return self.items(keep),
            // Something else than runtimes take there.
            (Some(_), Some(Keep::First(_) | Keep::Starting(_))) => {
                self.put(b"false")?;
                self.at -= 1;
                return self.value(None);
            }
            _ => {}
        }
        let is_kept = keep.is_some();
        match first {
            Some(byte) if is_plain(byte) => self.plain(byte, is_kept),
            Some(b'"' | b'{' | b'[') => {
                self.at -= 1;
                self.whole(is_kept)
            }
            other => Err(self.odd(other)),
        }
    }

    /// The values of an array whose bracket was read: texts that are wanted, and `null` for what is none or too large.
    fn items(&mut self, keep: Keep) -> Result<(), Fault> {
        self.put(b"[")?;
        let (mut is_first, mut left) = (true, MAX_ITEMS);
        let mut wanted = if let Keep::First(count) = keep { count } else { 0 };
        loop {
            match self.blank()? {
                Some(b']') if is_first => break,
                Some(_) if is_first => self.at -= 1,
                Some(b',') => {}
                other => return Err(self.odd(other)),
            }
            if let Keep::Starting(starts) = keep {
                self.item(starts, &mut left)?;
            } else if wanted > 0 {
                self.item(&[""], &mut left)?;
                wanted -= 1;
                left = left.min(MAX_FURTHER);
            } else {
                self.value(None)?;
            }
            is_first = false;
            match self.blank()? {
                Some(b']') => break,
                Some(b',') => self.at -= 1,
                other => return Err(self.odd(other)),
            }
        }
        self.put(b"]")
    }

    /// A value of an array; `left` bytes of the array may still be kept. It may start like one of these.
    fn item(&mut self, starts: &[&str], left: &mut usize) -> Result<(), Fault> {
        if self.blank()? != Some(b'"') {
            self.at -= 1;
            self.add(b"null")?;
            return self.value(None);
        }
        let mut text = vec![b'"'];
        let mut inside = Inside::text();
        loop {
            self.fill()?;
            let there = self.buffer.get(self.at..self.end).unwrap_or_default();
            let (count, step) = inside.scan(there);
            // One byte more than may be kept shows that it is too large.
            let room = count.min((*left + 1).saturating_sub(text.len()));
            text.extend_from_slice(there.get(..room).unwrap_or_default());
            self.at += count;
            if matches!(step, SkimStep::Done) {
                break;
            }
        }
        let spelled = text.get(1..).unwrap_or_default();
        let may_start = |start: &&str| {
            let begun = spelled.get(..start.len()).unwrap_or(spelled);
            begun == start.as_bytes() || begun.contains(&b'\\')
        };
        if !starts.iter().any(may_start) {
            return Ok(());
        }
        match left.checked_sub(text.len()) {
            Some(rest) => {
                *left = rest;
                self.add(&text)
            }
            None => self.add(b"null"),
        }
    }

    /// Passes over a value, and puts the words that occur in it into an array.
    fn mentions(&mut self, words: &'static [&'static str]) -> Result<(), Fault> {
        self.watch = Some(Watch { words: words.to_vec(), tail: Vec::new() });
        self.value(None)?;
        let missing = self.watch.take().map_or_else(Vec::new, |it| it.words);
        let found: Vec<_> = words.iter().filter(|it| !missing.contains(it)).collect();
        let json = serde_json::to_vec(&found).unwrap_or_default();
        self.put(&json)
    }

    /// Adds a value to an array.
    fn add(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.kept.last() != Some(&b'[') {
            self.put(b",")?;
        }
        self.put(value)
    }

    /// A text, an array or an object to its end, unchanged.
    fn whole(&mut self, is_kept: bool) -> Result<(), Fault> {
        let mut inside = Inside::default();
        loop {
            self.fill()?;
            let there = self.buffer.get(self.at..self.end).unwrap_or_default();
            let (count, step) = inside.scan(there);
            self.take(count, is_kept)?;
            match step {
                SkimStep::More => {}
                SkimStep::Done => return Ok(()),
                SkimStep::Odd(byte) => return Err(self.odd(Some(byte))),
                SkimStep::Deep => {
                    return Err(Fault::Container(anyhow!("it is nested more than {MAX_DEPTH} deep")));
                }
            }
        }
    }

    /// A number, or `true`, `false` or `null`, whose first byte was read.
    fn plain(&mut self, first: u8, is_kept: bool) -> Result<(), Fault> {
        self.put_if(is_kept, &[first])?;
        while self.peek()?.is_some_and(is_plain) {
            let byte = self.next()?;
            self.put_if(is_kept, &[byte])?;
        }
        Ok(())
    }

    /// The next byte that is no blank; `None` at the end.
    fn blank(&mut self) -> Result<Option<u8>, Fault> {
        while let Some(byte) = self.peek()? {
            self.at += 1;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(Some(byte));
            }
        }
        Ok(None)
    }

    fn next(&mut self) -> Result<u8, Fault> {
        self.fill()?;
        let byte = self.buffer.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        Ok(byte)
    }

    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        if self.at == self.end {
            self.read()?;
        }
        Ok(self.buffer.get(..self.end).and_then(|it| it.get(self.at)).copied())
    }

    /// Sees to it that there is a next byte.
    fn fill(&mut self) -> Result<(), Fault> {
        match self.peek()? {
            Some(_) => Ok(()),
            None => Err(self.odd(None)),
        }
    }

    fn read(&mut self) -> Result<(), Fault> {
        let host = |err: &std::io::Error| Fault::Host(anyhow!("it {}", file::explain_io(err)));
        (self.at, self.end) = (0, self.stream.read(&mut self.buffer).map_err(|err| host(&err))?);
        match self.left.checked_sub(self.end) {
            Some(left) => self.left = left,
            None => return Err(Fault::Container(anyhow!("it is larger than {} bytes", self.most))),
        }
        Ok(())
    }

    /// Takes so many of the bytes that are there.
    fn take(&mut self, count: usize, is_kept: bool) -> Result<(), Fault> {
        let from = self.at;
        self.at += count;
        let taken = self.buffer.get(from..self.at).unwrap_or_default();
        if let Some(watch) = &mut self.watch {
            watch.look(taken);
        }
        if is_kept {
            self.kept.extend_from_slice(taken);
            return self.put(b"");
        }
        Ok(())
    }

    fn put_if(&mut self, is_kept: bool, bytes: &[u8]) -> Result<(), Fault> {
        if is_kept { self.put(bytes) } else { Ok(()) }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.kept.extend_from_slice(bytes);
        if self.kept.len() > MAX_KEPT {
            return Err(Fault::Container(anyhow!(
                "it has more than {MAX_KEPT} bytes besides its other annotations, hooks, arguments and environment"
            )));
        }
        Ok(())
    }

    /// The message about an unexpected byte.
    fn odd(&self, found: Option<u8>) -> Fault {
        let place = self.most - self.left - (self.end - self.at);
        Fault::Container(match found {
            None => anyhow!("it is not JSON: it ends too early"),
            Some(byte) => anyhow!("it is not JSON: byte {place} is {:?}", char::from(byte)),
        })
    }
}

impl Keep {
    /// What is kept of the field with this key, and its name if that is known.
    fn of(self, key: &str, seen: &mut u32) -> Result<Option<(&'static str, Self)>, Fault> {
        let (index, name, keep) = match self {
            Self::Whole => return Ok(Some(("", Self::Whole))),
            Self::But(fields) => {
                let of = fields.iter().find(|(name, _)| is_read_as(key, name));
                return Ok(Some(of.map_or(("", Self::Whole), |(name, keep)| match *name == key {
                    true => (*name, *keep),
                    false => (*name, Self::Nothing),
                })));
            }
            Self::Nothing | Self::First(_) | Self::Starting(_) | Self::Mentions(_) => return Ok(None),
            Self::Keys(names, start) => match (0..).zip(names).find(|(_, name)| **name == key) {
                Some((index, name)) => (index, *name, Self::Whole),
                None if !start.is_empty() && key.starts_with(start) => return Ok(Some((start, Self::Whole))),
                None => return Ok(None),
            },
            Self::Fields(fields) => match (0..).zip(fields).find(|(_, (name, _))| is_read_as(key, name)) {
                Some((index, (name, keep))) => (index, *name, *keep),
                None => return Ok(None),
            },
        };
        if name != key {
            return Err(Fault::Container(anyhow!(
                "its key {key:?} is {name} to some runtimes and nothing to others"
            )));
        }
        once(key, index, seen).map_err(Fault::Container)?;
        Ok(Some((name, keep)))
    }
}

/// runc puts two values of one key together, crun takes the first, and youki none.
fn once(key: &str, index: u32, seen: &mut u32) -> anyhow::Result<()> {
    let bit = 1 << index;
    if *seen & bit != 0 {
        bail!("it has {key} twice");
    }
    *seen |= bit;
    Ok(())
}

/// As Go's `encoding/json` compares a key with the name of a field (`foldName`), for names of ASCII letters.
fn is_read_as(key: &str, name: &str) -> bool {
    let folded = key.chars().map(|it| match it {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        it => it.to_ascii_lowercase(),
    });
    folded.eq(name.chars().map(|it| it.to_ascii_lowercase()))
}
