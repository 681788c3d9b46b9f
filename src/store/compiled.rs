//! The file with a spec's compiled form: one header line, then a body that is not looked into here.

use serde::{Deserialize, Serialize};

use super::manifest::json_reason;
use super::{Digest, MAX_COMPILED};

/// The longest header line, in bytes: the two digests and the field names need 220.
const MAX_HEADER: usize = 512;
/// The largest body, in bytes.
pub(super) const MAX_BODY: u64 = MAX_COMPILED - 512;

/// Binds a body to the spec that it was made from, to the program's format, and to its own bytes.
#[derive(Serialize, Deserialize)]
struct CompiledHeader {
    format: u32,
    blob: Digest,
    size: u64,
    digest: Digest,
}

/// What there is in a compiled form's file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CompiledForm {
    /// The body, whole and of this spec and format.
    Body(Vec<u8>),
    /// Another version of the program wrote it.
    OtherFormat(u32),
    /// It is not what was written, or belongs to another spec: the rest of a sentence that starts with the file.
    Torn(String),
}

/// Splits a file; the body's digest is verified before the body is returned.
pub(super) fn parse(mut bytes: Vec<u8>, blob: &Digest, format: u32) -> CompiledForm {
    let Some(end) = bytes.iter().take(MAX_HEADER).position(|it| *it == b'\n') else {
        return CompiledForm::Torn("has no header line".to_owned());
    };
    let body = bytes.split_off(end + 1);
    let header: CompiledHeader = match serde_json::from_slice(&bytes) {
        Ok(header) => header,
        Err(err) => {
            return CompiledForm::Torn(format!("has a header that cannot be read ({})", json_reason(&err)));
        }
    };
    if header.blob != *blob {
        return CompiledForm::Torn(format!("was made from {}, expected {blob}", header.blob));
    }
    if header.format != format {
        return CompiledForm::OtherFormat(header.format);
    }
    match super::blob::verify(&body, &header.digest, header.size) {
        Ok(()) => CompiledForm::Body(body),
        Err(reason) => CompiledForm::Torn(format!("{reason} behind its header")),
    }
}

/// Puts a file together.
pub(super) fn compose(blob: &Digest, format: u32, body: &[u8]) -> serde_json::Result<Vec<u8>> {
    let size = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let mut bytes =
        serde_json::to_vec(&CompiledHeader { format, blob: *blob, size, digest: Digest::of(body) })?;
    bytes.push(b'\n');
    bytes.extend_from_slice(body);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: CompiledForm) {
        assert_eq!(parse(bytes.to_vec(), &Digest::of(b"spec"), 3), expected);
    }

    fn torn(reason: &str) -> CompiledForm {
        CompiledForm::Torn(reason.to_owned())
    }

    #[test]
    fn a_body_comes_back_if_format_and_spec_fit() {
        let spec = Digest::of(b"spec");
        for body in [&b"one\ntwo\n"[..], b""] {
            check(&compose(&spec, 3, body).unwrap(), CompiledForm::Body(body.to_vec()));
        }
        check(&compose(&spec, 4, b"body").unwrap(), CompiledForm::OtherFormat(4));
    }

    #[test]
    fn the_header_is_one_line_of_json() {
        let bytes = compose(&Digest::of(b"spec"), 3, b"body").unwrap();
        let expected = format!(
            "{{\"format\":3,\"blob\":\"{}\",\"size\":4,\"digest\":\"{}\"}}\nbody",
            Digest::of(b"spec"),
            Digest::of(b"body")
        );
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        let most = compose(&Digest::of(b""), u32::MAX, b"").unwrap().len() + u64::MAX.to_string().len();
        assert!(most < MAX_HEADER);
    }

    #[test]
    fn a_torn_or_foreign_file_is_not_a_body() {
        let (spec, other) = (Digest::of(b"spec"), Digest::of(b"other"));
        let whole = compose(&spec, 3, b"body").unwrap();
        let (digest, wrong) = (Digest::of(b"body"), Digest::of(b"bodX"));
        check(b"", torn("has no header line"));
        check(&whole[..30], torn("has no header line"));
        check(&[b'x'; 1000], torn("has no header line"));
        check(b"{}\n", torn("has a header that cannot be read (missing field `format` at line 1 column 2)"));
        check(&whole[..whole.len() - 1], torn("has 3 bytes, expected 4 behind its header"));
        check(&[&whole[..], b"!"].concat(), torn("has 5 bytes, expected 4 behind its header"));
        check(
            &[&whole[..whole.len() - 1], b"X"].concat(),
            torn(&format!("has digest {wrong}, expected {digest} behind its header")),
        );
        check(
            &compose(&other, 3, b"body").unwrap(),
            torn(&format!("was made from {other}, expected {spec}")),
        );
    }
}
