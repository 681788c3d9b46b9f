//! The store's folder for look-ups: opened here, or by another process if its file system may never answer.

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

use super::Trouble;
use super::folder::{StoreFolder, unreadable};
use crate::os::file::{self, FOLDER, Silence};

/// How the store's folder is reached.
#[derive(Debug)]
pub(super) enum StoreAccess {
    /// It is open.
    Near(StoreFolder),
    /// A separate process looks, once for each call.
    Far(Far),
}

/// A folder on a file system that may never answer.
#[derive(Debug)]
pub(super) struct Far {
    path: PathBuf,
    until: Instant,
}

/// What a process apart found; the bytes of a file follow.
#[derive(Serialize, Deserialize)]
enum FarReply {
    Nothing,
    Something,
    Trouble(Trouble),
}

impl StoreAccess {
    /// Opens a folder that only its trusted owner can write to; `None` if it is not there.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, Trouble> {
        StoreFolder::open(path).map(|it| it.map(Self::Near))
    }

    /// The same for callers with a deadline. On a file system that may never answer, a process apart looks.
    pub(super) fn open_until(path: &Path, until: impl FnOnce() -> Instant) -> Result<Option<Self>, Trouble> {
        match file::near(path, FOLDER) {
            Ok(Some(fd)) => StoreFolder::opened(fd, path).map(|it| Some(Self::Near(it))),
            Ok(None) => {
                // The process apart works in another folder.
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                let far = Far { path, until: until() };
                let found = far.ask(|_| Ok(Some(Vec::new())))?;
                Ok(found.map(|_| Self::Far(far)))
            }
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(unreadable(path, errno)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Near(folder) => folder.path(),
            Self::Far(far) => &far.path,
        }
    }

    /// As [`StoreFolder::full`].
    pub(super) fn full(&self, relative: &str) -> PathBuf {
        self.path().join(relative)
    }

    /// As [`StoreFolder::holds`].
    pub(super) fn holds(&self, relative: &str) -> Result<bool, Trouble> {
        match self {
            Self::Near(folder) => folder.holds(relative),
            Self::Far(far) => {
                far.ask(|it| it.holds(relative).map(|it| it.then(Vec::new))).map(|it| it.is_some())
            }
        }
    }

    /// As [`StoreFolder::read`].
    pub(super) fn read(&self, relative: &str, most: u64) -> Result<Option<Vec<u8>>, Trouble> {
        match self {
            Self::Near(folder) => folder.read(relative, most),
            Self::Far(far) => far.ask(|it| it.read(relative, most)),
        }
    }

    /// As [`StoreFolder::names`]. Only people list a store, and they can interrupt it.
    pub(super) fn names(&self, relative: &str) -> Result<Vec<CString>, Trouble> {
        match self {
            Self::Near(folder) => folder.names(relative),
            Self::Far(far) => StoreFolder::open(&far.path)?.map_or(Ok(Vec::new()), |it| it.names(relative)),
        }
    }

    /// As [`StoreFolder::size`], likewise.
    pub(super) fn size(&self, relative: &str) -> Result<u64, Trouble> {
        match self {
            Self::Near(folder) => folder.size(relative),
            Self::Far(far) => StoreFolder::open(&far.path)?.map_or(Ok(0), |it| it.size(relative)),
        }
    }

    /// As [`StoreFolder::damaged`].
    pub(super) fn damaged(&self, relative: &str, reason: String) -> Trouble {
        Trouble::Damaged { path: self.full(relative), reason }
    }
}

impl Far {
    fn ask(
        &self,
        look: impl FnOnce(&StoreFolder) -> Result<Option<Vec<u8>>, Trouble>,
    ) -> Result<Option<Vec<u8>>, Trouble> {
        let silent = |it: Silence| Trouble::Unreadable { path: self.path.clone(), reason: it.to_string() };
        let bytes = file::apart(self.until, || {
            let found = StoreFolder::open(&self.path).and_then(|it| it.map_or(Ok(None), |it| look(&it)));
            composed(found)
        });
        parsed(bytes.map_err(silent)?).unwrap_or_else(|| Err(silent(Silence::Ended)))
    }
}

fn composed(found: Result<Option<Vec<u8>>, Trouble>) -> Vec<u8> {
    let (found, bytes) = match found {
        Ok(None) => (FarReply::Nothing, Vec::new()),
        Ok(Some(bytes)) => (FarReply::Something, bytes),
        Err(trouble) => (FarReply::Trouble(trouble), Vec::new()),
    };
    // A path that is no text has no message.
    let mut line = serde_json::to_vec(&found).unwrap_or_default();
    line.push(b'\n');
    line.extend(bytes);
    line
}

fn parsed(mut answer: Vec<u8>) -> Option<Result<Option<Vec<u8>>, Trouble>> {
    let end = answer.iter().position(|it| *it == b'\n')?;
    let bytes = answer.split_off(end + 1);
    Some(match serde_json::from_slice(&answer).ok()? {
        FarReply::Nothing => Ok(None),
        FarReply::Something => Ok(Some(bytes)),
        FarReply::Trouble(trouble) => Err(trouble),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::file::Exposure;
    use crate::store::Digest;

    #[test]
    fn what_a_process_apart_found_comes_back_as_it_was() {
        let path = || PathBuf::from("/s/subjects");
        let troubles = [
            Trouble::Exposed { path: path(), found: Exposure::Mode(0o777) },
            Trouble::Exposed { path: path(), found: Exposure::Owner { found: 7, reader: 0 } },
            Trouble::Exposed { path: path(), found: Exposure::Unseen },
            Trouble::Unreadable { path: path(), reason: "is \"closed\"\nto all".to_owned() },
            Trouble::Damaged { path: path(), reason: "is torn".to_owned() },
            Trouble::Unfit { artifact: Digest::of(b"a"), reason: "is none".to_owned() },
        ];
        let found = [Ok(None), Ok(Some(Vec::new())), Ok(Some(b"{\n}\n\xff".to_vec()))];
        for it in found.into_iter().chain(troubles.map(Err)) {
            assert_eq!(parsed(composed(it.clone())), Some(it));
        }
        assert_eq!(parsed(b"\n".to_vec()), None);
        assert_eq!(parsed(Vec::new()), None);
    }
}
