//! Header fields of HTTP/2 (HPACK, RFC 7541), as far as a call needs them: writes those of a request, and reads the status of
//! the call from an answer. Keeps no dynamic table: the connection forbids the other side to use one.

/// The static table has this many entries (RFC 7541, Appendix A).
const STATIC: usize = 61;
/// `:status` stands at these of them; the first says 200.
const STATUS: std::ops::RangeInclusive<usize> = 8..=14;

/// How many codes of each length there are, from 5 bits to 19, and what they stand for, in the order of the codes
/// (RFC 7541, Appendix B: the codes are canonical). Longer ones stand for what no header of gRPC has.
const CODES: [usize; 15] = [10, 26, 32, 6, 0, 5, 3, 2, 6, 2, 3, 0, 0, 0, 1];
const SYMBOLS: &[u8] =
    b"012aceiost %-./3456789=A_bdfghlmnpru:BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz&*,;XZ!\"()?'+|#>\0$@[]~^}<`{\\";

/// What an answer's header fields say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ResponseHeaders {
    /// Not 200, which means that it was no gRPC server.
    pub(super) failed: bool,
    /// `grpc-status`: zero is success.
    pub(super) status: Option<String>,
    /// `grpc-message`.
    pub(super) message: String,
}

/// The header fields of a call to a method, such as `/containerd.services.images.v1.Images/Get`.
pub(super) fn request(method: &str, namespace: &str) -> Vec<u8> {
    // Entries of the static table: `:method: POST` and `:scheme: http`.
    let mut block = vec![0x80 | 3, 0x80 | 6];
    for (name, value) in [(4, method), (1, "localhost"), (31, "application/grpc")] {
        integer(&mut block, 0, 4, name);
        literal(&mut block, value);
    }
    for (name, value) in [("te", "trailers"), ("containerd-namespace", namespace)] {
        block.push(0);
        literal(&mut block, name);
        literal(&mut block, value);
    }
    block
}

fn literal(block: &mut Vec<u8>, text: &str) {
    integer(block, 0, 7, text.len());
    block.extend_from_slice(text.as_bytes());
}

fn integer(block: &mut Vec<u8>, flags: u8, bits: u32, mut value: usize) {
    let most = (1 << bits) - 1;
    if value < most {
        block.push(flags | u8::try_from(value).unwrap_or_default());
        return;
    }
    block.push(flags | u8::try_from(most).unwrap_or_default());
    value -= most;
    while value >= 0x80 {
        block.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    block.push(u8::try_from(value).unwrap_or_default());
}

/// Reads the header fields of an answer; `None` if they are broken, or rest on a dynamic table.
pub(super) fn answer(block: &[u8]) -> Option<ResponseHeaders> {
    let mut answer = ResponseHeaders::default();
    let mut rest = block;
    while let Some(first) = rest.first() {
        match first {
            0x80.. => answer.failed |= is_failure(read_integer(&mut rest, 7)?)?,
            // A new limit for the dynamic table.
            0x20..=0x3f => _ = read_integer(&mut rest, 5)?,
            0x40..=0x7f => answer.field(&mut rest, 6)?,
            0x00..=0x1f => answer.field(&mut rest, 4)?,
        }
    }
    Some(answer)
}

/// Whether a whole entry of the static table is a status other than 200.
fn is_failure(entry: usize) -> Option<bool> {
    match entry {
        1..=STATIC => Some(STATUS.contains(&entry) && entry != *STATUS.start()),
        _ => None,
    }
}

impl ResponseHeaders {
    /// Reads a field whose value, and maybe whose name, is written out.
    fn field(&mut self, rest: &mut &[u8], bits: u32) -> Option<()> {
        let entry = read_integer(rest, bits)?;
        let name = match entry {
            0 => string(rest)?,
            1..=STATIC if STATUS.contains(&entry) => b":status".to_vec(),
            1..=STATIC => Vec::new(),
            _ => return None,
        };
        let value = string(rest)?;
        match name.as_slice() {
            b":status" => self.failed |= value != b"200",
            b"grpc-status" => self.status = Some(String::from_utf8_lossy(&value).into_owned()),
            b"grpc-message" => self.message = String::from_utf8_lossy(&value).into_owned(),
            _ => {}
        }
        Some(())
    }
}

fn read_integer(rest: &mut &[u8], bits: u32) -> Option<usize> {
    let most = (1 << bits) - 1;
    let mut value = usize::from(byte(rest)?) & most;
    if value < most {
        return Some(value);
    }
    for shift in (0..28).step_by(7) {
        let byte = byte(rest)?;
        value += usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let is_coded = rest.first()? & 0x80 != 0;
    let length = read_integer(rest, 7)?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    if is_coded { decode(text) } else { Some(text.to_vec()) }
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    Some(*first)
}

/// Undoes the Huffman code. What ends a text is less than eight bits of ones, the start of a code that is never used.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut bits = text.iter().flat_map(|byte| (0..8).rev().map(move |it| usize::from(byte >> it & 1)));
    loop {
        match symbol(&mut bits) {
            Ok(symbol) => decoded.push(symbol),
            Err(Rest { bits: 0..=7, is_ones: true }) => return Some(decoded),
            Err(_) => return None,
        }
    }
}

/// The bits at the end of a text that make no symbol.
struct Rest {
    bits: usize,
    is_ones: bool,
}

fn symbol(bits: &mut impl Iterator<Item = usize>) -> Result<u8, Rest> {
    let mut rest = Rest { bits: 0, is_ones: true };
    let (mut code, mut first, mut at) = (0, 0, 0);
    for count in [0; 4].into_iter().chain(CODES) {
        let Some(bit) = bits.next() else { return Err(rest) };
        rest = Rest { bits: rest.bits + 1, is_ones: rest.is_ones && bit == 1 };
        code = code << 1 | bit;
        first <<= 1;
        if code < first + count {
            // A code of this length that is none of the last length's continuations.
            return SYMBOLS.get(at + code - first).copied().ok_or(rest);
        }
        first += count;
        at += count;
    }
    Err(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<_> = hex.chars().filter_map(|it| it.to_digit(16)).collect();
        digits.chunks(2).map(|it| u8::try_from(it[0] << 4 | it[1]).expect("a byte")).collect()
    }

    fn check(hex: &str, failed: bool, status: Option<&str>, message: &str) {
        let expected =
            ResponseHeaders { failed, status: status.map(str::to_owned), message: message.to_owned() };
        assert_eq!(answer(&bytes(hex)), Some(expected), "{hex}");
    }

    #[test]
    fn a_text_is_decoded_as_the_rfc_does() {
        // RFC 7541, C.4 and C.6.
        let texts = [
            ("f1e3 c2e5 f23a 6ba0 ab90 f4ff", "www.example.com"),
            ("a8eb 1064 9cbf", "no-cache"),
            ("25a8 49e9 5bb8 e8b4 bf", "custom-value"),
            ("d07a be94 1054 d444 a820 0595 040b 8166 e082 a62d 1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("9d29 ad17 1863 c78f 0b97 c8e9 ae82 ae43 d3", "https://www.example.com"),
        ];
        for (hex, text) in texts {
            assert_eq!(
                decode(&bytes(hex)).map(|it| String::from_utf8(it).expect("text")).as_deref(),
                Some(text)
            );
        }
        // A whole byte of ones, an ending in zeros, and a code that no header has.
        for hex in ["ff", "f8ff", "00", "ffff ffff"] {
            assert_eq!(decode(&bytes(hex)), None, "{hex}");
        }
    }

    #[test]
    fn how_a_call_ended_is_read() {
        check("", false, None, "");
        check("88", false, None, "");
        check("8d", true, None, "");
        check("20 88 5f 10 6170706c69636174696f6e2f67727063", false, None, "");
        check("08 03 353032", true, None, "");
        check(
            "00 0b 677270632d737461747573 01 35 40 0c 677270632d6d657373616765 02 6e6f",
            false,
            Some("5"),
            "no",
        );
    }

    #[test]
    fn what_is_broken_or_needs_a_table_is_none() {
        for hex in
            ["80", "be", "7e 00", "00", "00 05 61", "00 01 61", "ff ffffffffff", "0f", "08 83 ff", "40 01"]
        {
            assert_eq!(answer(&bytes(hex)), None, "{hex}");
        }
    }

    #[test]
    fn a_request_has_its_path_and_its_namespace() {
        let block = request("/p", &"n".repeat(200));
        let expected = "83 86 04 02 2f70 01 09 6c6f63616c686f7374 0f10 10 6170706c69636174696f6e2f67727063 \
                        00 02 7465 08 747261696c657273 00 14 636f6e7461696e6572642d6e616d657370616365 7f49";
        assert_eq!(block, [bytes(expected), vec![b'n'; 200]].concat());
    }
}
