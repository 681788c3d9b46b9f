//! Unpacks a layer as it comes: gzip, zstd, or as it is. What a stranger packed may be any size: the reader bounds it.

use std::io::{self, BufRead, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: [u8; 2] = [0x1f, 0x8b];
/// RFC 8878, 3.1.1 and 3.1.2.
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

/// The unpacked bytes. The first bytes say how it is packed; media types may be wrong.
pub(super) fn unpacked<'a>(mut packed: impl BufRead + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut start = Vec::new();
    packed.by_ref().take(4).read_to_end(&mut start)?;
    let is_gzip = start.starts_with(&GZIP);
    let is_zstd = start.starts_with(&ZSTD) || is_skippable(&start);
    let packed = Cursor::new(start).chain(packed);
    Ok(match () {
        () if is_gzip => Box::new(MultiGzDecoder::new(packed)),
        () if is_zstd => Box::new(Frames { packed, decoder: FrameDecoder::new(), is_within: false }),
        () => Box::new(packed),
    })
}

fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [first, rest @ ..] if first & 0xf0 == 0x50 && rest == SKIPPABLE)
}

/// The frames of a zstd file, one after another. Layers that can be fetched in parts have many.
struct Frames<R> {
    packed: R,
    decoder: FrameDecoder,
    is_within: bool,
}

impl<R: BufRead> Frames<R> {
    /// Whether there is one more frame with content.
    fn next(&mut self) -> io::Result<bool> {
        loop {
            let mut start = Vec::new();
            self.packed.by_ref().take(4).read_to_end(&mut start)?;
            if start.is_empty() {
                return Ok(false);
            }
            if !is_skippable(&start) {
                let mut head = Cursor::new(start).chain(&mut self.packed);
                self.decoder.reset(&mut head).map_err(io::Error::other)?;
                self.is_within = true;
                return Ok(true);
            }
            let mut size = [0; 4];
            self.packed.read_exact(&mut size)?;
            let size = u64::from(u32::from_le_bytes(size));
            let skipped = io::copy(&mut self.packed.by_ref().take(size), &mut io::sink())?;
            if skipped < size {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_within && !self.next()? {
                return Ok(0);
            }
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            if self.decoder.is_finished() {
                self.is_within = false;
                continue;
            }
            let block = BlockDecodingStrategy::UptoBlocks(1);
            self.decoder.decode_blocks(&mut self.packed, block).map_err(io::Error::other)?;
        }
    }
}
