//! As much of the protocol buffers' wire format as calls to an engine take.
//! <https://protobuf.dev/programming-guides/encoding/>

/// Wire types: a number, and bytes with their length before them.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub(super) fn texts(self, field: u64, texts: &[&str]) -> Self {
        texts.iter().fold(self, |message, text| message.text(field, text))
    }

    pub(super) fn number(mut self, field: u64, number: u64) -> Self {
        varint(field << 3 | VARINT, &mut self.0);
        varint(number, &mut self.0);
        self
    }

    pub(super) fn message(self, field: u64, message: Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// A map of texts: each pair is a message of its own.
    pub(super) fn map(self, field: u64, pairs: &[(&str, &str)]) -> Self {
        pairs.iter().fold(self, |message, (key, value)| {
            message.message(field, Self::new().text(1, key).text(2, value))
        })
    }

    pub(super) fn encoded(self) -> Vec<u8> {
        self.0
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        varint(field << 3 | LENGTH, &mut self.0);
        varint(bytes.len() as u64, &mut self.0);
        self.0.extend(bytes);
        self
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The text of a field; empty if it is not there, as the format has it.
pub(super) fn text(message: &[u8], field: u64) -> String {
    String::from_utf8(bytes(message, field).to_vec()).expect("text")
}

/// The bytes of a field, or the message in it.
pub(super) fn bytes(message: &[u8], field: u64) -> &[u8] {
    match find(message, field) {
        Some(Value::Bytes(bytes)) => bytes,
        Some(Value::Number(number)) => panic!("field {field} is the number {number}"),
        None => &[],
    }
}

/// The number of a field; 0 if it is not there.
pub(super) fn number(message: &[u8], field: u64) -> u64 {
    match find(message, field) {
        Some(Value::Number(number)) => number,
        Some(Value::Bytes(bytes)) => panic!("field {field} has {} bytes", bytes.len()),
        None => 0,
    }
}

fn find(mut rest: &[u8], field: u64) -> Option<Value<'_>> {
    while !rest.is_empty() {
        let key = take_varint(&mut rest);
        let value = match key & 7 {
            VARINT => Value::Number(take_varint(&mut rest)),
            LENGTH => {
                let length = usize::try_from(take_varint(&mut rest)).expect("a length");
                Value::Bytes(rest.split_off(..length).expect("all of a field"))
            }
            other => panic!("wire type {other}"),
        };
        if key >> 3 == field {
            return Some(value);
        }
    }
    None
}

fn varint(mut number: u64, to: &mut Vec<u8>) {
    while number > 0x7f {
        to.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    to.push(number.to_le_bytes()[0]);
}

fn take_varint(from: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first().expect("all of a number");
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return number;
        }
    }
    panic!("a number of more than 64 bits")
}
