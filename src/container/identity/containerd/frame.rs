//! The frames of HTTP/2 (RFC 9113), as far as a call needs them. Only bytes: reads no socket.

/// Which connection this is (section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The length of a frame's head.
pub(super) const HEAD: usize = 9;
/// No frame may be longer, unless we allowed it (section 4.2).
pub(super) const MAX_PAYLOAD: usize = 16_384;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const ACK: u8 = 1;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// Settings (section 6.5.2) that keep the other side simple: no dynamic table, no pushes, and a window that no answer
/// fills, so that it never waits for us.
const OURS: [(u16, u32); 3] = [(1, 0), (2, 0), (4, WINDOW)];
const WINDOW: u32 = 1 << 26;
/// What the whole connection may be sent without our asking (section 6.9.2).
const FIRST_WINDOW: u32 = 65_535;

/// The header before a frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Head {
    pub(super) fn read(bytes: [u8; HEAD]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = bytes;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        // The first bit is reserved, and ignored.
        Self { length, kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff }
    }

    pub(super) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// Adds a frame; the payload is shorter than [`MAX_PAYLOAD`].
pub(super) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    out.extend(length);
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// What a client says first.
pub(super) fn greeting() -> Vec<u8> {
    let mut settings = Vec::new();
    for (name, value) in OURS {
        settings.extend(name.to_be_bytes());
        settings.extend(value.to_be_bytes());
    }
    let mut out = PREFACE.to_vec();
    put(&mut out, SETTINGS, 0, 0, &settings);
    put(&mut out, WINDOW_UPDATE, 0, 0, &(WINDOW - FIRST_WINDOW).to_be_bytes());
    out
}

/// The payload of a DATA or HEADERS frame without padding and priority; `None` if there is more of them than payload.
pub(super) fn content(head: Head, mut payload: &[u8]) -> Option<&[u8]> {
    if head.has(PADDED) {
        let (padding, rest) = payload.split_first()?;
        payload = rest.get(..rest.len().checked_sub(usize::from(*padding))?)?;
    }
    if head.kind == HEADERS && head.has(PRIORITY) {
        payload = payload.get(5..)?;
    }
    Some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_written() {
        let mut out = Vec::new();
        put(&mut out, DATA, END_STREAM, 3, &[7; 300]);
        let (head, payload) = out.split_first_chunk().expect("a head");
        let expected = Head { length: 300, kind: DATA, flags: END_STREAM, stream: 3 };
        assert_eq!((Head::read(*head), payload), (expected, &[7; 300][..]));
        assert_eq!(Head::read([0, 0, 0, 0, 0, 0x80, 0, 0, 1]).stream, 1);
    }

    #[test]
    fn padding_and_priority_are_taken_off() {
        let check = |kind, flags, payload: &[u8], expected: Option<&[u8]>| {
            let head = Head { length: payload.len(), kind, flags, stream: 1 };
            assert_eq!(content(head, payload), expected, "{kind} {flags} {payload:?}");
        };
        check(DATA, 0, b"abc", Some(b"abc"));
        check(DATA, PADDED, b"\x01ab\0", Some(b"ab"));
        check(DATA, PRIORITY, b"abcdef", Some(b"abcdef"));
        check(HEADERS, PRIORITY | PADDED, b"\x02-----ab\0\0", Some(b"ab"));
        check(DATA, PADDED, b"\x00", Some(b""));
        check(DATA, PADDED, b"\x01", None);
        check(DATA, PADDED, b"", None);
        check(HEADERS, PRIORITY, b"----", None);
    }
}
