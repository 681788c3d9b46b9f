//! Protocol Buffers as far as three calls need them (protobuf.dev, "Encoding"). Knows no message, only fields.

/// The wire types; the groups (3 and 4) have long been out of use.
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// Adds a field with a text; an empty one is the default, and is not written.
pub(super) fn put(message: &mut Vec<u8>, field: u8, text: &str) {
    if text.is_empty() {
        return;
    }
    message.push(field << 3 | 2);
    let mut length = text.len();
    while length >= 0x80 {
        message.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
        length >>= 7;
    }
    message.push(u8::try_from(length).unwrap_or_default());
    message.extend_from_slice(text.as_bytes());
}

/// The bytes of a field: of the last one, if it comes several times; empty if it does not come.
///
/// `None` if this is no message.
pub(super) fn bytes(message: &[u8], field: u64) -> Option<&[u8]> {
    Some(all(message, field)?.last().copied().unwrap_or_default())
}

/// As [`bytes`], of a field that holds a text.
pub(super) fn text(message: &[u8], field: u64) -> Option<&str> {
    str::from_utf8(bytes(message, field)?).ok()
}

/// All values of a field that may come several times.
pub(super) fn all(mut message: &[u8], field: u64) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message)?;
        let value = match key & 7 {
            VARINT => varint(&mut message).map(|_| None)?,
            FIXED_64 => take(&mut message, 8).map(|_| None)?,
            FIXED_32 => take(&mut message, 4).map(|_| None)?,
            BYTES => {
                let length = varint(&mut message)?;
                Some(take(&mut message, usize::try_from(length).ok()?)?)
            }
            _ => return None,
        };
        if key >> 3 == field {
            found.extend(value);
        }
    }
    Some(found)
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let [byte] = take(message, 1)? else { return None };
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = message.split_at_checked(length)?;
    *message = rest;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found_whatever_stands_between() {
        let long = "x".repeat(70_000);
        let mut message = Vec::new();
        put(&mut message, 1, "first");
        put(&mut message, 9, "");
        message.extend([2 << 3, 0x96, 1]); // field 2, a number
        message.extend([3 << 3 | 1, 1, 2, 3, 4, 5, 6, 7, 8]); // field 3, 64 bits
        message.extend([4 << 3 | 5, 1, 2, 3, 4]); // field 4, 32 bits
        put(&mut message, 5, &long);
        put(&mut message, 1, "last");
        assert_eq!(text(&message, 1), Some("last"));
        assert_eq!(text(&message, 5), Some(long.as_str()));
        assert_eq!(all(&message, 1), Some(vec![&b"first"[..], b"last"]));
        for absent in [2, 3, 4, 9, 1000] {
            assert_eq!(text(&message, absent), Some(""), "field {absent}");
        }
    }

    #[test]
    fn what_is_no_message_is_none() {
        let broken: [&[u8]; 7] = [
            &[0x0a],                                     // a length is missing
            &[0x0a, 2, b'x'],                            // a byte is missing
            &[0x0b],                                     // a group
            &[0x09, 1],                                  // seven bytes are missing
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], // longer than any message
            &[0x80; 11],                                 // a number without end
            &[0x08],                                     // a number is missing
        ];
        for message in broken {
            assert_eq!(bytes(message, 1), None, "{message:?}");
        }
        assert_eq!(text(&[0x0a, 1, 0xff], 1), None);
    }
}
