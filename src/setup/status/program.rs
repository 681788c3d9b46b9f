//! A program that an engine is configured to call: whether it can run, and its version.

use std::io::Read;
use std::os::unix::fs::MetadataExt;

use crate::host::{Miss, Root};

/// Our programs have two to three megabytes; of a larger file, no version is looked for.
const MAX_PROGRAM: u64 = 16 << 20;

/// What is wrong with a program, or its version where that is known.
pub(super) fn look(root: &Root, path: &str) -> Result<Option<String>, String> {
    let file = root.open(path).map_err(|miss| match miss {
        Miss::NotFound => format!("{path} is not there"),
        Miss::Unreadable(unknown) => format!("{path}: {}", unknown.reason),
    })?;
    // An opened file has its inode's state.
    let found = file.metadata().map_err(|err| format!("{path} {}", crate::os::file::explain_io(&err)))?;
    if found.mode() & 0o111 == 0 {
        return Err(format!("{path} is not a program: its mode is {:04o}", found.mode() & 0o7777));
    }
    if found.uid() != 0 && found.uid() != nix::unistd::geteuid().as_raw() {
        return Err(format!("{path} belongs to user {}, who can replace it: chown root {path}", found.uid()));
    }
    if found.mode() & 0o022 != 0 {
        return Err(format!(
            "{path} can be written by others (mode {:04o}): chmod go-w {path}",
            found.mode() & 0o7777
        ));
    }
    let mut bytes = Vec::new();
    // What cannot be read to its end has no version that we know.
    let read = file.take(MAX_PROGRAM).read_to_end(&mut bytes);
    Ok(read.ok().and_then(|_| version(&bytes)))
}

fn version(program: &[u8]) -> Option<String> {
    let mark = crate::words::version::MARK.split_once(' ')?.0.as_bytes();
    let at = program.windows(mark.len()).position(|it| it == mark)? + mark.len();
    let rest = program.get(at..)?.strip_prefix(b" ")?;
    let end = rest.iter().take(64).position(|it| *it == b';')?;
    let text = str::from_utf8(rest.get(..end)?).ok()?;
    Some(text.to_owned()).filter(|it| it.chars().all(|it| it.is_ascii_graphic()))
}
