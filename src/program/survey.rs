//! What a look at all files of an image shows of each of them.

use super::binary::Binary;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct SurveyScope {
    /// The symbols that matter, of those that a file takes from others.
    pub imports: &'static [&'static str],
    /// What matters of the file at a path, which has no `/` at its start.
    pub interest: fn(&[u8]) -> Interest,
}

/// What matters of a file beyond its mode, its capabilities, and what it says as a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Nothing.
    None,
    /// That it is there.
    Name,
    /// What it holds, up to [`MAX_TEXT`].
    Text,
    /// Not even those.
    Skip,
}

/// No file with settings is larger, in bytes.
pub const MAX_TEXT: u64 = 64 << 10;

/// The bits of a mode by which a program runs as its owner or its group.
const SET_IDS: u32 = 0o6000;
const EXECUTABLE: u32 = 0o111;

/// A file of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SurveyedFile {
    /// Its path, without `/` at its start.
    pub path: Vec<u8>,
    /// Its permission bits.
    pub mode: u32,
    /// Its attribute `security.capability`.
    pub capability: Option<Vec<u8>>,
    /// What it says as a program or a library.
    pub binary: Option<Binary>,
    /// What it holds, if that was asked for.
    pub text: Option<Vec<u8>>,
}

impl SurveyedFile {
    /// Whether it runs with the rights of its owner or its group.
    pub fn sets_ids(&self) -> bool {
        self.mode & SET_IDS != 0 && self.mode & EXECUTABLE != 0
    }

    /// Whether anything in it matters.
    pub fn matters(&self, interest: Interest) -> bool {
        let is_wanted = matches!(interest, Interest::Name | Interest::Text);
        is_wanted || self.binary.is_some() || self.capability.is_some() || self.sets_ids()
    }
}
