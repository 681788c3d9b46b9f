//! Versions as kernels and drivers write them, compared number by number. Never fails on a release suffix.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A mark in the programs, by which `oci-compat status` finds the version of a program.
pub const MARK: &str = concat!("oci-compat-program ", env!("CARGO_PKG_VERSION"), ";");

/// A dotted number such as the `5.4.0` of `5.4.0-150-generic`; missing parts count as zero.
///
/// NFD compares coerced semantic versions and ignores pre-release and build (Masterminds `semver.NewVersion`). What that
/// library refuses, such as the underscore in `4.18.0-553.el8_10.x86_64` or a fourth number, is read here by its leading
/// dotted number.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    parts: Vec<u64>,
    text: String,
}

impl Version {
    /// Reads `v? N(.N)*` and an optional suffix that starts with `-`, `+`, `_` or `~`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('v').unwrap_or(text);
        let end = digits.find(['-', '+', '_', '~']).unwrap_or(digits.len());
        let parts = digits.get(..end)?.split('.').map(number).collect::<Option<Vec<_>>>()?;
        Some(Self { parts, text: text.to_owned() })
    }

    /// What of the text counts: all but the suffix.
    pub fn number(&self) -> &str {
        let end = self.text.find(['-', '+', '_', '~']).unwrap_or(self.text.len());
        self.text.get(..end).unwrap_or(&self.text)
    }

    fn part(&self, index: usize) -> u64 {
        self.parts.get(index).copied().unwrap_or(0)
    }
}

/// ASCII digits only: `u64::from_str` would take a leading plus.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|it| it.is_ascii_digit()) { text.parse().ok() } else { None }
}

impl TryFrom<String> for Version {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is not a version"))
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.text
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let longest = self.parts.len().max(other.parts.len());
        (0..longest)
            .map(|it| self.part(it).cmp(&other.part(it)))
            .find(|it| it.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(left: &str, order: Ordering, right: &str) {
        let parse = |text| Version::parse(text).unwrap_or_else(|| panic!("{text:?} is not a version"));
        assert_eq!(parse(left).cmp(&parse(right)), order, "{left} against {right}");
    }

    #[test]
    fn versions_compare_by_number_not_by_text() {
        check("5.9.0-1", Ordering::Less, "5.10");
        check("6.10", Ordering::Greater, "6.9.99");
        check("018.0", Ordering::Equal, "18");
    }

    #[test]
    fn missing_parts_count_as_zero() {
        check("5", Ordering::Equal, "5.0.0");
        check("v1.2", Ordering::Equal, "1.2.0.0");
        check("6.6.87.2-microsoft-standard-WSL2", Ordering::Greater, "6.6.87");
    }

    #[test]
    fn release_suffixes_are_ignored_whatever_they_hold() {
        check("4.18.0-553.el8_10.x86_64", Ordering::Equal, "4.18");
        check("1.2.3-rc1", Ordering::Equal, "1.2.3");
        check("6.1.0+", Ordering::Equal, "6.1.0-00");
        check("5.15.0_rt", Ordering::Equal, "5.15.0");
    }

    #[test]
    fn what_does_not_start_with_a_dotted_number_is_no_version() {
        for text in [
            "",
            "v",
            "5.x",
            "1.2.",
            ".1",
            "V1.2",
            " 1.2",
            "1.2 ",
            "1e3",
            "1..2",
            "+1",
            "18446744073709551616",
        ] {
            assert_eq!(Version::parse(text).map(|it| it.to_string()), None, "{text:?}");
        }
    }
}
