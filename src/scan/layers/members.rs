//! The members of a tar archive as they come (POSIX.1-2024, `pax`; GNU tar, "Basic Tar Format"). A layer has members whose size only
//! the extended header before them knows, and headers that strangers have made as large as they like: the caller decides how much
//! of each member is read. As Go's `archive/tar`, by which engines unpack, links and folders have no content.

use std::io::{self, Read};

use tar::{EntryType, Header};

/// A header, and what the size of a member is rounded up to.
const BLOCK: u64 = 512;
/// A sparse file of GNU tar with more parts than fit into its header: 21 for each further block.
const MAX_FURTHER: usize = 1 << 16;
/// Where a header has its checksum.
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// An archive that is read.
pub(super) struct TarMembers<R> {
    tar: R,
    /// What is left of the member at hand, and of the block in which it ends.
    left: u64,
    padding: u64,
}

impl<R: Read> TarMembers<R> {
    pub(super) fn new(tar: R) -> Self {
        Self { tar, left: 0, padding: 0 }
    }

    /// The header of the next member, and the size of its content by that header; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<(Header, u64)>> {
        let rest = self.left.saturating_add(self.padding);
        if io::copy(&mut self.tar.by_ref().take(rest), &mut io::sink())? < rest {
            return Err(io::Error::other("unexpected EOF during skip"));
        }
        (self.left, self.padding) = (0, 0);
        let mut header = Header::new_old();
        let mut start = Vec::new();
        self.tar.by_ref().take(BLOCK).read_to_end(&mut start)?;
        if start.iter().all(|it| *it == 0) {
            return Ok(None);
        }
        match header.as_mut_bytes().split_at_mut_checked(start.len()) {
            Some((whole, [])) => whole.copy_from_slice(&start),
            Some(_) | None => return Err(io::Error::other("failed to read entire block")),
        }
        verify(&header)?;
        if header.entry_type() == EntryType::GNUSparse && header.as_gnu().is_some_and(|it| it.is_extended()) {
            self.skip_map()?;
        }
        let size = if has_content(header.entry_type()) { header.entry_size()? } else { 0 };
        self.resize(size)?;
        Ok(Some((header, size)))
    }

    /// Gives the member at hand another size than its header has, before any of it is read.
    pub(super) fn resize(&mut self, size: u64) -> io::Result<()> {
        let whole = size.checked_next_multiple_of(BLOCK);
        let whole = whole.ok_or_else(|| io::Error::other(format!("a member has {size} bytes")))?;
        (self.left, self.padding) = (size, whole - size);
        Ok(())
    }

    /// Blocks that say where the parts of a sparse file belong.
    fn skip_map(&mut self) -> io::Result<()> {
        for _ in 0..MAX_FURTHER {
            let mut block = [0; 512];
            self.tar.read_exact(&mut block)?;
            // The byte behind 21 parts (`isextended`).
            if block.get(504) == Some(&0) {
                return Ok(());
            }
        }
        Err(io::Error::other(format!("a sparse file has more than {MAX_FURTHER} blocks of parts")))
    }
}

/// The content of the member at hand.
impl<R: Read> Read for TarMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.tar.by_ref().take(self.left).read(buffer)?;
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

/// Whether a member of this kind has any, as engines read archives.
pub(super) fn has_content(kind: EntryType) -> bool {
    const WITHOUT: [EntryType; 6] = [
        EntryType::Link,
        EntryType::Symlink,
        EntryType::Char,
        EntryType::Block,
        EntryType::Directory,
        EntryType::Fifo,
    ];
    !WITHOUT.contains(&kind)
}

/// Compares the sum of a header's bytes, in which those of the sum itself are blanks.
fn verify(header: &Header) -> io::Result<()> {
    let bytes = header.as_bytes().iter().enumerate();
    let sum: u32 = bytes.map(|(at, it)| if CHECKSUM.contains(&at) { 32 } else { u32::from(*it) }).sum();
    match header.cksum()? == sum {
        true => Ok(()),
        false => Err(io::Error::other("archive header checksum mismatch")),
    }
}
