//! The decisions of the past: reads their files, selects the decisions that were asked for, and counts them. Never writes,
//! and holds no more than one line of a file at a time.

mod filter;
mod summary;
mod when;
#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{anyhow, bail};

use crate::os::file::explain_io;
use crate::outcome::decisions::{MAX_KEPT, MAX_LINE, Record, SCHEMA, rotated};
use crate::outcome::report::{Report, Subject};
use crate::words::moment::{self, Moment};

pub use filter::{DecisionFilter, DecisionOutcome};
pub use summary::{Cause, Summary};
pub use when::when;

/// The start of a line of ours. It cannot occur elsewhere in a line, where quotation marks are escaped.
const OPENING: &[u8] = br#"{"schema":"oci-compat.decision/"#;

/// A decision as it was written.
#[derive(Debug)]
pub struct HistoryEntry<'a> {
    /// When it was made.
    pub at: Moment,
    /// What it says.
    pub record: Record,
    /// The line, with fields that this version does not know.
    pub line: &'a str,
}

/// What was read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct HistoryCounts {
    /// The file itself, and old ones that it was rotated into.
    pub files: usize,
    /// Lines that are torn, or not ours.
    pub skipped: usize,
}

/// Reads all decisions, the oldest file first, in the order in which they were written.
///
/// # Errors
///
/// If a file cannot be read, or `each` fails.
pub fn read(
    path: &Path,
    mut each: impl FnMut(HistoryEntry<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<HistoryCounts> {
    let files = open_all(path)?;
    let mut found = HistoryCounts { files: files.len(), skipped: 0 };
    for file in files.into_iter().rev() {
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        while next(&mut reader, &mut line)
            .map_err(|err| anyhow!("{} {}", path.display(), explain_io(&err)))?
        {
            if line == b"\n" {
                continue;
            }
            let (entry, is_whole) = entry(&line);
            found.skipped += usize::from(!is_whole);
            entry.map_or(Ok(()), &mut each)?;
        }
    }
    Ok(found)
}

/// Whose last decision is wanted.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "a function has nothing to show")]
pub enum Whose<'a> {
    /// Anybody's.
    All,
    /// That of a container with this start of its id, or this name in Kubernetes.
    Container(&'a str),
    /// That of one whose subject fits.
    Fitting(&'a dyn Fn(&Subject) -> bool),
}

/// The last decision, as far as the log knows it; `None` if there is none.
///
/// # Errors
///
/// If several containers' ids start so, or a file cannot be read.
pub fn last(path: &Path, whose: Whose<'_>) -> anyhow::Result<Option<Report>> {
    let fits: &dyn Fn(&Subject) -> bool = match whose {
        Whose::Container(_) | Whose::All => &|_| true,
        Whose::Fitting(fits) => fits,
    };
    let record = match whose {
        Whose::Container(prefix) => last_on(path, prefix)?,
        Whose::All | Whose::Fitting(_) => {
            let mut last = None;
            read(path, |HistoryEntry { record, .. }| {
                if fits(&record.subject) {
                    last = Some(record);
                }
                Ok(())
            })?;
            last
        }
    };
    Ok(record.map(|it| {
        it.into_report(&format!("the report itself is gone; this is what {} knows", path.display()))
    }))
}

fn last_on(path: &Path, prefix: &str) -> anyhow::Result<Option<Record>> {
    let mut found: Vec<(String, Record)> = Vec::new();
    let mut exact = None;
    read(path, |HistoryEntry { record, .. }| {
        let Some(id) = record.subject.container.clone() else { return Ok(()) };
        if id == prefix || record.subject.pod.as_ref().is_some_and(|it| it.is_meant(prefix)) {
            exact = Some(record);
        } else if id.starts_with(prefix) {
            found.retain(|(other, _)| *other != id);
            found.push((id, record));
        }
        // For such a short start, only a few are named.
        if found.len() > 100 { bail!("more than 100 containers start with {prefix:?}") } else { Ok(()) }
    })?;
    if exact.is_none() && found.len() > 1 {
        let ids: Vec<_> = found.iter().take(5).map(|(id, _)| id.as_str()).collect();
        let more = if found.len() > ids.len() { ", ..." } else { "" };
        bail!("{} containers start with {prefix:?}: {}{more}", found.len(), ids.join(", "));
    }
    Ok(exact.or_else(|| found.pop().map(|(_, record)| record)))
}

/// The newest first, so that a rotation meanwhile hides none; a file that is met twice is the same file.
fn open_all(path: &Path) -> anyhow::Result<Vec<File>> {
    let mut files: Vec<(u64, File)> = Vec::new();
    for number in 0..=MAX_KEPT {
        let path = rotated(path, number);
        let failed = |err: std::io::Error| anyhow!("{} {}", path.display(), explain_io(&err));
        // O_NONBLOCK: opening a FIFO must not wait.
        let file = match OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path) {
            Err(err) if err.kind() == ErrorKind::NotFound => continue,
            opened => opened.map_err(failed)?,
        };
        let meta = file.metadata().map_err(failed)?;
        if !meta.is_file() {
            bail!("{} is not a regular file", path.display());
        }
        if files.iter().all(|(inode, _)| *inode != meta.ino()) {
            files.push((meta.ino(), file));
        }
    }
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

/// The next line, or the start of one that is too long; `false` at the end.
fn next(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    // A torn line, and a whole one behind it.
    const MAX: usize = 2 * MAX_LINE;
    line.clear();
    reader.by_ref().take(MAX as u64).read_until(b'\n', line)?;
    if line.len() == MAX && line.last() != Some(&b'\n') {
        reader.skip_until(b'\n')?;
    }
    Ok(!line.is_empty())
}

/// The decision in a line, and whether there is nothing else in it: a process that was killed within a write, or a full
/// file system, leaves a part of a line, and the next line stands behind that.
fn entry(line: &[u8]) -> (Option<HistoryEntry<'_>>, bool) {
    let at = line.windows(OPENING.len()).rposition(|it| it == OPENING);
    let parsed = at.and_then(|at| parse(line.get(at..)?));
    let is_whole = parsed.is_some() && at == Some(0);
    (parsed, is_whole)
}

fn parse(line: &[u8]) -> Option<HistoryEntry<'_>> {
    let line = str::from_utf8(line.strip_suffix(b"\n").unwrap_or(line)).ok()?;
    let record: Record = serde_json::from_str(line).ok()?;
    let at = moment::moment(&record.time)?;
    (record.schema == SCHEMA).then_some(HistoryEntry { at, record, line })
}
