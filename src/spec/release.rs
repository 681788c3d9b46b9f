//! Builds of a distribution's kernel, such as `4.18.0-553.el8_10.x86_64` and `6.8.0-41-generic`, in the order of rpm and dpkg.
//! Never orders builds of different origin.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::words::version::Version;

/// What rpm puts behind a build: `uname -r` has it, and packages of one build for several machines are one build.
const MACHINES: [&str; 8] =
    [".x86_64", ".aarch64", ".ppc64le", ".s390x", ".i686", ".armv7hl", ".riscv64", ".noarch"];
/// Kernels for which a distribution counts its builds: `6.8.0-41` is of these, unless it says another one.
const MAIN: [&str; 13] = [
    "generic",
    "generic-64k",
    "generic-lpae",
    "lowlatency",
    "lowlatency-64k",
    "default",
    "amd64",
    "arm64",
    "686-pae",
    "ppc64el",
    "s390x",
    "riscv64",
    "armmp",
];

/// A build of a distribution's kernel. In compiled specs: its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Release {
    /// What the build is of, such as `4.18.0`.
    version: Version,
    /// What stands before the first `-`.
    base: String,
    /// Such as `553.el8_10` or `41`; empty if there is none.
    build: String,
    family: Family,
    text: String,
}

/// Whose builds are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Family {
    /// Of rpm: `el8`, `fc40`, `amzn2023`.
    Rpm(String),
    /// Of dpkg and others: `generic`, `aws`, `amd64`.
    Flavour(String),
    /// It does not say.
    Unsaid,
}

impl Release {
    /// Reads a dotted number, with a build and a flavour behind it or not; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = MACHINES.iter().find_map(|it| text.strip_suffix(it)).unwrap_or(text);
        let version = Version::parse(bare)?;
        let (base, rest) = bare.split_once('-').unwrap_or((bare, ""));
        let (build, family) = match dist(rest) {
            Some(family) => (rest, Family::Rpm(family)),
            None => flavoured(rest),
        };
        let (base, build) = (base.to_owned(), build.to_owned());
        Some(Self { version, base, build, family, text: text.to_owned() })
    }

    /// How a host's kernel compares to this one: none if it was built apart.
    pub fn compare(&self, host: &str) -> Option<Ordering> {
        let host = Self::parse(host)?;
        if !self.is_counted_with(&host) {
            return None;
        }
        let by_version = host.version.cmp(&self.version);
        let is_decided = by_version.is_ne() || (self.build.is_empty() && self.base == numbers(&self.base));
        if is_decided {
            return Some(by_version);
        }
        if host.build.is_empty() && !self.build.is_empty() {
            // Somebody's own build of this very version may have any patch.
            return None;
        }
        let order = if matches!(host.family, Family::Rpm(_)) { rpm } else { dpkg };
        Some(order(&host.base, &self.base).then_with(|| order(&host.build, &self.build)))
    }

    /// Builds of one family are counted together; where none is wanted in particular, those of the main kernels.
    fn is_counted_with(&self, host: &Self) -> bool {
        match (&self.family, &host.family) {
            (Family::Unsaid, Family::Flavour(flavour)) => {
                MAIN.contains(&flavour.as_str()) || host.version != self.version
            }
            (Family::Unsaid, Family::Rpm(_) | Family::Unsaid) => true,
            (Family::Rpm(_) | Family::Flavour(_), _) => self.family == host.family,
        }
    }
}

fn numbers(base: &str) -> &str {
    base.find(['+', '_', '~']).and_then(|it| base.get(..it)).unwrap_or(base)
}

/// The family of an rpm, from a part such as `el8_10` or `fc40`: minor releases of one are counted on.
fn dist(build: &str) -> Option<String> {
    const DISTS: [&str; 9] = ["el", "fc", "amzn", "azl", "cm", "oe", "uek", "tlinux", "an"];
    let parts: Vec<_> = build.split('.').collect();
    parts.iter().enumerate().find_map(|(at, part)| {
        let name = part.trim_end_matches(|it: char| it.is_ascii_digit() || it == '_');
        let number = part.strip_prefix(name)?.split('_').next()?;
        let family = (DISTS.contains(&name) && !number.is_empty()).then(|| format!("{name}{number}"))?;
        // Third-party builds for a distribution add their own name: `el8.elrepo`.
        let builder = parts.iter().skip(at + 1).filter(|it| it.contains(|it: char| it.is_ascii_alphabetic()));
        Some(builder.fold(family, |family, it| format!("{family}.{it}")))
    })
}

/// A build and its flavour: `41-generic`, `13-amd64`, `amd64`, `41`.
fn flavoured(rest: &str) -> (&str, Family) {
    let starts_with_digit = |it: &str| it.starts_with(|it: char| it.is_ascii_digit());
    if !starts_with_digit(rest) {
        let family = if rest.is_empty() { Family::Unsaid } else { Family::Flavour(rest.to_owned()) };
        return ("", family);
    }
    match rest.split_once('-') {
        Some((build, flavour)) if !starts_with_digit(flavour) => (build, Family::Flavour(flavour.to_owned())),
        Some(_) | None => (rest, Family::Unsaid),
    }
}

/// As rpm orders (`rpmvercmp`): runs of digits by number, runs of letters by text, a number before letters, the longer
/// one after the shorter; `~` before everything, `^` after the end.
fn rpm(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    loop {
        let is_part = |it: &u8| it.is_ascii_alphanumeric() || *it == b'~' || *it == b'^';
        left = skip(left, |it| !is_part(it)).1;
        right = skip(right, |it| !is_part(it)).1;
        let order = match (left.first(), right.first()) {
            (None, None) => return Ordering::Equal,
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                (left, right) = (left.get(1..).unwrap_or(&[]), right.get(1..).unwrap_or(&[]));
                continue;
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(b'^'), Some(_)) => return Ordering::Less,
            (Some(_), Some(b'^')) => return Ordering::Greater,
            (Some(one), Some(other)) => one.is_ascii_digit().cmp(&other.is_ascii_digit()),
        };
        if order.is_ne() {
            return order;
        }
        let is_like = |it: &u8| match left.first().is_some_and(u8::is_ascii_digit) {
            true => it.is_ascii_digit(),
            false => it.is_ascii_alphabetic(),
        };
        let ((one, after_left), (other, after_right)) = (skip(left, is_like), skip(right, is_like));
        let order = run(one, other);
        if order.is_ne() {
            return order;
        }
        (left, right) = (after_left, after_right);
    }
}

/// As dpkg orders (`verrevcmp`): text without digits, in which letters come before other signs and `~` before the end,
/// and runs of digits by number, in turn.
fn dpkg(left: &str, right: &str) -> Ordering {
    let weight = |it: Option<&u8>| match it {
        Some(b'~') => -1,
        None => 0,
        Some(it) if it.is_ascii_alphabetic() => i32::from(*it),
        Some(it) => i32::from(*it) + 256,
    };
    let (mut left, mut right) = (left.as_bytes(), right.as_bytes());
    while !left.is_empty() || !right.is_empty() {
        let ((one, after_left), (other, after_right)) =
            (skip(left, |it| !it.is_ascii_digit()), skip(right, |it| !it.is_ascii_digit()));
        for at in 0..one.len().max(other.len()) {
            let order = weight(one.get(at)).cmp(&weight(other.get(at)));
            if order.is_ne() {
                return order;
            }
        }
        let ((one, after_left), (other, after_right)) =
            (skip(after_left, u8::is_ascii_digit), skip(after_right, u8::is_ascii_digit));
        let order = number(one, other);
        if order.is_ne() {
            return order;
        }
        (left, right) = (after_left, after_right);
    }
    Ordering::Equal
}

/// What it starts with, and the rest.
fn skip(text: &[u8], is_part: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let end = text.iter().position(|it| !is_part(it)).unwrap_or(text.len());
    text.split_at(end)
}

fn run(left: &[u8], right: &[u8]) -> Ordering {
    if left.first().is_some_and(u8::is_ascii_digit) { number(left, right) } else { left.cmp(right) }
}

/// Of any length.
fn number(left: &[u8], right: &[u8]) -> Ordering {
    let (left, right) = (skip(left, |it| *it == b'0').1, skip(right, |it| *it == b'0').1);
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

impl PartialEq for Release {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl PartialOrd for Release {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        other.compare(&self.text)
    }
}

impl TryFrom<String> for Release {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no release"))
    }
}

impl From<Release> for String {
    fn from(release: Release) -> Self {
        release.text
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, expected: Option<Ordering>, wanted: &str) {
        let release = Release::parse(wanted).unwrap_or_else(|| panic!("{wanted:?} is no release"));
        assert_eq!(release.compare(host), expected, "{host} against {wanted}");
    }

    #[test]
    fn builds_of_one_family_are_in_order() {
        let (less, equal, greater) = (Some(Ordering::Less), Some(Ordering::Equal), Some(Ordering::Greater));
        check("4.18.0-80.el8.x86_64", less, "4.18.0-553.el8_10");
        check("4.18.0-553.el8_10.x86_64", equal, "4.18.0-553.el8_10");
        check("4.18.0-553.16.1.el8_10.x86_64", greater, "4.18.0-553.el8_10");
        check("4.18.0-553.el8_10.x86_64", greater, "4.18.0-80.el8");
        check("4.18.0-553.el8_10.aarch64", equal, "4.18.0-553.el8_10.x86_64");
        check("6.8.0-39-generic", less, "6.8.0-41-generic");
        check("6.8.0-41-generic", equal, "6.8.0-41-generic");
        check("6.8.0-110-generic", greater, "6.8.0-41-generic");
        check("6.11.0-8-generic", greater, "6.8.0-41-generic");
        check("6.1.0-9-amd64", less, "6.1.0-13-amd64");
        check("6.12.43+deb13-amd64", greater, "6.12.38+deb13-amd64");
        check("5.14.21-150500.55.49-default", greater, "5.14.21-150500.55.7-default");
        check("6.1.141-155.222.amzn2023.x86_64", greater, "6.1.141-99.1.amzn2023");
    }

    #[test]
    fn a_build_without_a_flavour_is_of_the_main_kernels() {
        check("6.8.0-39-generic", Some(Ordering::Less), "6.8.0-41");
        check("6.8.0-45-lowlatency", Some(Ordering::Greater), "6.8.0-41");
        check("6.8.0-1010-aws", None, "6.8.0-41");
        check("6.11.0-1010-aws", Some(Ordering::Greater), "6.8.0-41");
        check("4.18.0-80.el8.x86_64", Some(Ordering::Less), "4.18.0-553");
        check("6.1.0-13-amd64", Some(Ordering::Equal), "6.1.0-13");
        check("6.8.0", None, "6.8.0-41");
        check("6.8.1", Some(Ordering::Greater), "6.8.0-41");
        check("6.8.0-39-generic", Some(Ordering::Equal), "6.8");
    }

    #[test]
    fn what_was_built_apart_is_not_in_order() {
        check("5.14.0-427.el9.x86_64", None, "4.18.0-553.el8_10");
        check("5.4.288-1.el8.elrepo.x86_64", None, "4.18.0-553.el8_10");
        check("5.4.288-1.el8.elrepo.x86_64", Some(Ordering::Greater), "5.4.280-1.el8.elrepo");
        check("6.8.0-1010-aws", None, "6.8.0-41-generic");
        check("6.17.1", None, "4.18.0-553.el8_10");
        check("no kernel", None, "6.8.0-41");
    }

    #[test]
    fn rpm_and_dpkg_order_as_they_do() {
        let check = |order: fn(&str, &str) -> Ordering, left: &str, expected: Ordering, right: &str| {
            assert_eq!(order(left, right), expected, "{left} {right}");
            assert_eq!(order(right, left), expected.reverse(), "{right} {left}");
        };
        check(rpm, "1.0010", Ordering::Greater, "1.9");
        check(rpm, "1.05", Ordering::Equal, "1.5");
        check(rpm, "1.0", Ordering::Greater, "1");
        check(rpm, "2.50", Ordering::Greater, "2.5");
        check(rpm, "fc4", Ordering::Equal, "fc.4");
        check(rpm, "FC5", Ordering::Less, "fc4");
        check(rpm, "2a", Ordering::Less, "2.0");
        check(rpm, "1.0~rc1", Ordering::Less, "1.0");
        check(rpm, "1.0^git1", Ordering::Greater, "1.0");
        check(rpm, "1.0^git1", Ordering::Less, "1.01");
        check(dpkg, "1.0~rc1", Ordering::Less, "1.0");
        check(dpkg, "1.0-1", Ordering::Less, "1.0-10");
        check(dpkg, "1.0a", Ordering::Greater, "1.0");
        check(dpkg, "1.0+b1", Ordering::Greater, "1.0a");
        check(dpkg, "09", Ordering::Equal, "9");
    }
}
