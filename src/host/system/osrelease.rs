//! `system.osrelease`: which distribution runs on the host.

use std::collections::BTreeMap;

use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.osrelease",
    kinds: &[ElementKind::Attributes],
    meaning: "what os-release says about the distribution, and its version by number",
    read: "/etc/os-release, else /usr/lib/os-release",
    nfd: true,
    elements: None,
    absent: "os-release does not contain it",
    since: "always",
    example: "feature: system.osrelease\n  matchExpressions:\n    ID: {op: In, value: [debian, ubuntu]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// os-release(5): the first that is there counts.
const PLACES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
/// Folders; every host has one of them. A root without them holds no host.
const FOLDERS: [&str; 2] = ["/etc", "/usr/lib"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    for place in PLACES {
        match probing.root.read_text(place) {
            Ok(text) => return Fact::Known(Feature::attributes(parse(&text, wanted)), place.to_owned()),
            Err(Miss::NotFound) => {}
            Err(Miss::Unreadable(unknown)) => return Fact::Unknown(unknown),
        }
    }
    nowhere(probing)
}

fn nowhere(probing: &Probing<'_>) -> Fact {
    let [place, other] = PLACES;
    for folder in FOLDERS {
        match probing.root.exists(folder) {
            Ok(true) => return Fact::Absent(place.to_owned()),
            Ok(false) => {}
            Err(unknown) => return Fact::Unknown(unknown),
        }
    }
    Fact::Unknown(Unknown::new(place, format!("is not there, and nor is {other} or the folder of either")))
}

/// NFD's reading: nothing but the quotes around a value is taken off, and the last of several lines wins.
fn parse(text: &str, wanted: &Wanted) -> BTreeMap<String, String> {
    let lines = text.split('\n').map(|it| it.strip_suffix('\r').unwrap_or(it));
    let mut all: BTreeMap<_, _> = lines.filter_map(assignment).collect();
    if let Some((major, minor)) = all.get("VERSION_ID").and_then(|it| numbers(it)) {
        all.insert("VERSION_ID.major", major);
        if let Some(minor) = minor {
            all.insert("VERSION_ID.minor", minor);
        }
    }
    all.retain(|name, _| wanted.has(name));
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let word = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_');
    (word(name) && !value.is_empty()).then(|| (name, value.trim_matches(['"', '\''])))
}

/// The first number of a version, and the second where there is one: `22` and `04` of `22.04`, `12` of `12.x`.
fn numbers(version: &str) -> Option<(&str, Option<&str>)> {
    let (major, rest) = version.split_once('.').unwrap_or((version, ""));
    let (minor, _) = rest.split_once('.').unwrap_or((rest, ""));
    let number = |it: &&str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    number(&major).then(|| (major, Some(minor).filter(number)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn check_text(text: &str, expected: &str) {
        check(FakeHost::new().file("/etc/os-release", text), &format!("known (/etc/os-release): {expected}"));
    }

    #[test]
    fn names_and_values_are_read_line_by_line() {
        check_text("ID=debian\nNAME=\"Debian GNU/Linux\"\r\n", r#"ID="debian" NAME="Debian GNU/Linux""#);
        check_text("A='\"q\"'\nB=x # c\nC=a=b\nA=z\n", r#"A="z" B="x # c" C="a=b""#);
    }

    #[test]
    fn what_assigns_nothing_is_left_out() {
        check_text("#A=1\n B=y\nC-D=z\nexport E=1\nF=\n=g\nH\n\0\u{fffd}\n", "");
        check_text("", "");
    }

    #[test]
    fn a_version_is_given_by_number_too() {
        let both = |id: &str, rest: &str| {
            check_text(&format!("VERSION_ID={id}\n"), &format!("VERSION_ID={id:?}{rest}"))
        };
        both("22.04", r#" VERSION_ID.major="22" VERSION_ID.minor="04""#);
        both("3.19.1", r#" VERSION_ID.major="3" VERSION_ID.minor="19""#);
        both("12", r#" VERSION_ID.major="12""#);
        both("12.", r#" VERSION_ID.major="12""#);
        both("12.x", r#" VERSION_ID.major="12""#);
        both("12x", "");
        both("v12", "");
    }

    #[test]
    fn the_second_place_counts_if_there_is_no_first() {
        let host = FakeHost::new().file("/usr/lib/os-release", "ID=a\n");
        check(host, r#"known (/usr/lib/os-release): ID="a""#);
        let host = FakeHost::new().file("/usr/lib/os-release", "ID=a\n").unreadable("/etc/os-release");
        check(host, "unknown: /etc/os-release: is a loop of symbolic links");
    }

    #[test]
    fn a_host_without_the_file_has_none_and_an_empty_root_says_nothing() {
        check(FakeHost::new().folder("/etc"), "absent (/etc/os-release)");
        check(
            FakeHost::new(),
            "unknown: /etc/os-release: is not there, and nor is /usr/lib/os-release or the folder of either",
        );
    }

    #[test]
    fn only_the_wanted_values_are_kept() {
        let host = FakeHost::new().file("/etc/os-release", "ID=a\nVERSION_ID=7.1\n");
        let told = told_of(&host, FEATURE.name, wanted(&["VERSION_ID.minor", "X"]));
        assert_eq!(told, r#"known (/etc/os-release): VERSION_ID.minor="1""#);
    }
}
