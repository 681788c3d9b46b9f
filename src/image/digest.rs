//! SHA-256 digests as OCI writes them. Never holds a text that could be anything but a digest, so one may name a file.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::words::text::shorten;

const PREFIX: &str = "sha256:";
const DIGITS: usize = 64;

/// A digest `sha256:<64 lower-case hexadecimal digits>` (image-spec 1.1, `descriptor.md`, "Digests").
///
/// The other registered algorithms are refused: no engine and no registry in use produces them for manifests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// A text that is no digest of ours, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadDigest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest with these hexadecimal digits, as in a file's name.
    pub fn from_hex(hex: &str) -> Option<Self> {
        format!("{PREFIX}{hex}").parse().ok()
    }

    /// The 64 hexadecimal digits without the algorithm: a name for a file.
    pub fn hex(&self) -> String {
        self.to_string().split_off(PREFIX.len())
    }
}

/// Works out the digest of bytes that come piece by piece.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of them.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let bad = |what: &str| BadDigest(format!("digest {:?} {what}", shorten(text)));
        let Some(hex) = text.strip_prefix(PREFIX) else {
            return Err(bad("does not start with \"sha256:\", the only algorithm that is supported"));
        };
        if hex.len() != DIGITS {
            return Err(bad(&format!("has {} digits, expected {DIGITS}", hex.chars().count())));
        }
        let (pairs, _) = hex.as_bytes().as_chunks::<2>();
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            let (Some(high), Some(low)) = (nibble(*high), nibble(*low)) else {
                return Err(bad("has digits other than 0-9 and a-f in lower case"));
            };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|it| write!(f, "{it:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BadDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadDigest {}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = text.parse::<Digest>().map_or_else(|err| err.to_string(), |it| it.to_string());
        assert_eq!(found, expected);
    }

    #[test]
    fn only_lower_case_sha256_is_a_digest() {
        let hex = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        check(&format!("sha256:{hex}"), &format!("sha256:{hex}"));
        check(
            &format!("sha512:{hex}"),
            &format!(
                "digest \"sha512:{hex}\" does not start with \"sha256:\", the only algorithm that is supported"
            ),
        );
        check(
            hex,
            &format!(
                "digest \"{hex}\" does not start with \"sha256:\", the only algorithm that is supported"
            ),
        );
        check("", "digest \"\" does not start with \"sha256:\", the only algorithm that is supported");
        check("sha256:44136f", "digest \"sha256:44136f\" has 6 digits, expected 64");
        check("sha256:../../etc/shadow", "digest \"sha256:../../etc/shadow\" has 16 digits, expected 64");
        let upper = hex.to_uppercase();
        check(
            &format!("sha256:{upper}"),
            &format!("digest \"sha256:{upper}\" has digits other than 0-9 and a-f in lower case"),
        );
        let dots = format!("sha256:../../{}", &hex[6..]);
        check(&dots, &format!("digest {dots:?} has digits other than 0-9 and a-f in lower case"));
    }

    #[test]
    fn a_long_or_hostile_text_is_shortened_and_escaped() {
        let shown = format!("digest \"sha256:{}...\" has 1000 digits, expected 64", "a".repeat(73));
        check(&format!("sha256:{}", "a".repeat(1000)), &shown);
        check("sha256:\u{1b}[2J", "digest \"sha256:\\u{1b}[2J\" has 4 digits, expected 64");
    }

    #[test]
    fn the_digest_of_the_empty_object_is_the_one_in_the_image_spec() {
        let known = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(Digest::of(b"{}").to_string(), known);
        assert_eq!(format!("sha256:{}", Digest::of(b"{}").hex()), known);
    }

    #[test]
    fn digests_sort_as_their_texts_do() {
        let mut digests: Vec<_> = (0u8..50).map(|it| Digest::of(&[it])).collect();
        digests.sort_unstable();
        let texts: Vec<_> = digests.iter().map(Digest::to_string).collect();
        assert!(texts.is_sorted());
    }

    #[test]
    fn json_holds_the_text() {
        let digest = Digest::of(b"{}");
        let json = serde_json::to_string(&digest).unwrap();
        assert_eq!(json, format!("\"{digest}\""));
        assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        let err = serde_json::from_str::<Digest>("\"sha256:1\"").unwrap_err();
        assert_eq!(err.to_string(), "digest \"sha256:1\" has 1 digits, expected 64");
    }
}
