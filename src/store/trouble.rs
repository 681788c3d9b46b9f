//! The errors of the store, each as one sentence with the path, the value found and the remedy. Never uses the C library's
//! words, because engines cut a message down to the line that has them.

use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::Digest;
use crate::os::file::Exposure;
use crate::words::errno::known;

/// Why the store could not be read. None of these is an answer to the question whether an image has requirements.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// Somebody other than root and this user could have written it, so it is not read.
    Exposed {
        /// The folder or file.
        path: PathBuf,
        /// What makes it untrustworthy.
        found: Exposure,
    },
    /// It is there, and could not be read.
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What hinders, as the rest of a sentence that starts with the path.
        reason: String,
    },
    /// It is not what was stored.
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found and what was expected, as the rest of a sentence that starts with the path.
        reason: String,
    },
    /// A manifest that is intact and that is no compatibility artifact.
    Unfit {
        /// The manifest.
        artifact: Digest,
        /// What it has and what it should have, as the rest of a sentence that starts with the artifact.
        reason: String,
    },
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exposed { path, found } => f.write_str(&found.message(path)),
            Self::Unreadable { path, reason } => write!(f, "{} {reason}", path.display()),
            Self::Damaged { path, reason } => {
                write!(f, "{} {reason}: remove it and add the artifact again", path.display())
            }
            Self::Unfit { artifact, reason } => write!(f, "artifact {artifact} {reason}"),
        }
    }
}

impl std::error::Error for Trouble {}

/// What error numbers mean for a store, where there is something to do: each as the rest of a sentence that starts with
/// the path.
const REASONS: [(Errno, &str); 10] = [
    (Errno::EACCES, CLOSED),
    (Errno::EPERM, CLOSED),
    (Errno::ENOTDIR, "is not a folder: name the store's folder with --store"),
    (Errno::EISDIR, "is a folder, expected a file: remove it and add the artifact again"),
    (
        Errno::ELOOP,
        "is a symbolic link or behind one, which a store never has: remove the link and add the artifact again",
    ),
    (Errno::ENOSPC, FULL),
    (Errno::EDQUOT, FULL),
    (Errno::EROFS, "is on a file system mounted read-only: name another store with --store"),
    (Errno::EINTR, "was not read: a signal came in between"),
    (
        Errno::ENOSYS,
        "cannot be opened safely: that takes openat2(2), which this kernel does not have (Linux 5.6) or a filter of system calls forbids",
    ),
];
const CLOSED: &str = "is closed to this user: run as root, or name another store with --store";
const FULL: &str = "has no room left on its file system: free some";

/// Says what an error number means, as the rest of a sentence that starts with the path.
pub(super) fn reason(errno: Errno) -> String {
    let own = REASONS.iter().find(|(it, _)| *it == errno).map(|(_, reason)| *reason);
    match own.or_else(|| known(errno)) {
        Some(reason) => reason.to_owned(),
        None => format!("cannot be used ({errno:?}): check its file system"),
    }
}

/// As [`reason`], of an error of the standard library.
pub(super) fn io_reason(err: &std::io::Error) -> String {
    match err.raw_os_error() {
        Some(number) => reason(Errno::from_raw(number)),
        None => format!("cannot be read ({:?})", err.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::phrases;

    fn check(trouble: Trouble, expected: &str) {
        assert_eq!(trouble.to_string(), expected);
    }

    #[test]
    fn a_trouble_says_what_was_found_and_what_to_do() {
        let path = PathBuf::from("/s/subjects");
        check(
            Trouble::Exposed { path: path.clone(), found: Exposure::Mode(0o775) },
            "/s/subjects has mode 0775, only its owner may write to it: chmod go-w /s/subjects",
        );
        check(
            Trouble::Unreadable { path, reason: reason(Errno::ENOSYS) },
            "/s/subjects cannot be opened safely: that takes openat2(2), which this kernel does not have (Linux 5.6) or a filter of system calls forbids",
        );
    }

    #[test]
    fn no_reason_is_in_the_words_that_engines_look_for() {
        for number in 1..134 {
            let text = reason(Errno::from_raw(number));
            assert_eq!(phrases::first(&text), None, "{text}");
        }
    }
}
