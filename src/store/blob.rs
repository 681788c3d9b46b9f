//! Bytes that must match their descriptor. Reads no more than the size says. Size and digest are verified before parsing.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{anyhow, bail};
use nix::fcntl::OFlag;

use super::Digest;
use super::trouble::io_reason;

/// Holds bytes against their descriptor; fails with the rest of a sentence that starts with the file.
pub(super) fn verify(bytes: &[u8], digest: &Digest, size: u64) -> Result<(), String> {
    if u64::try_from(bytes.len()) != Ok(size) {
        return Err(format!("has {} bytes, expected {size}", bytes.len()));
    }
    verify_digest(bytes, digest)
}

/// As [`verify`], for bytes without a known size.
pub(super) fn verify_digest(bytes: &[u8], digest: &Digest) -> Result<(), String> {
    match Digest::of(bytes) {
        found if found == *digest => Ok(()),
        found => Err(format!("has digest {found}, expected {digest}")),
    }
}

/// Reads a regular file of at most `most` bytes that need not be trusted; `None` if it is not there.
pub(super) fn read(path: &Path, most: u64) -> anyhow::Result<Option<Vec<u8>>> {
    let wrong = |err: std::io::Error| anyhow!("{} {}", path.display(), io_reason(&err));
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let file = match File::options().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
        Ok(file) => file,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(err) => return Err(wrong(err)),
    };
    let found = file.metadata().map_err(wrong)?;
    if !found.is_file() {
        bail!("{} is not a regular file", path.display());
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(wrong)?;
    match u64::try_from(bytes.len()) {
        Ok(size) if size <= most => Ok(Some(bytes)),
        _ => bail!("{} has {} bytes, at most {most} are read", path.display(), found.len()),
    }
}
