//! `kernel.version`: the running kernel's release, and the numbers that it starts with.

use std::borrow::Cow;

use crate::host::probing::OSRELEASE;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.version",
    kinds: &[ElementKind::Attributes],
    meaning: "the release of the running kernel as `uname -r` prints it, and its first three numbers; `full` also matches as \
        Node Feature Discovery writes it (`6.6.15_rt` for `6.6.15+rt`)",
    read: "/proc/sys/kernel/osrelease",
    nfd: true,
    elements: Some(&["full", "major", "minor", "revision"]),
    absent: "a part that the release does not have, such as the revision of 6.1-custom",
    since: "always",
    example: "feature: kernel.version\n  matchExpressions:\n    full: {op: Ge, type: version, value: [\"5.10\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const NUMBERS: [&str; 3] = ["major", "minor", "revision"];

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    match probing.release() {
        Ok(release) => Fact::Known(parse(release), OSRELEASE.to_owned()),
        Err(unknown) => Fact::Unknown(unknown.clone()),
    }
}

/// The whole text is what `uname -r` prints.
fn parse(release: &str) -> Feature {
    let mut feature = Feature::attributes([("full", release)]);
    complete(&mut feature);
    feature
}

/// Adds the numbers that a release starts with, where they are not there yet: documents of NFD lack them for releases that
/// are not plain (`6.12.62+rpt-rpi-v8`, `6.6.87.2-microsoft-standard-WSL2`).
pub(in crate::host) fn complete(feature: &mut Feature) {
    let Some(attributes) = &mut feature.attributes else { return };
    let Some(numbers) = attributes.get("full").and_then(|it| numbers(it)) else { return };
    let numbers = numbers.map(str::to_owned);
    for (name, number) in NUMBERS.into_iter().zip(numbers) {
        attributes.entry(name.to_owned()).or_insert(number);
    }
}

/// The same in NFD's form: characters that a label cannot have become `_`, and only plain releases have numbers.
pub(in crate::host) fn as_nfd(feature: &Feature) -> Feature {
    let mut feature = feature.clone();
    if let Some(attributes) = &mut feature.attributes
        && let Some(full) = attributes.get("full").map(|it| label(it).into_owned())
    {
        if !is_plain(&full) {
            attributes.retain(|it, _| !NUMBERS.contains(&it.as_str()));
        }
        attributes.insert("full".to_owned(), full);
    }
    feature
}

/// A release as NFD rewrites it, because labels of Kubernetes have no other characters.
pub(crate) fn label(release: &str) -> Cow<'_, str> {
    let fit = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    let is_end = ['-', '_', '.'];
    if release.chars().all(fit) {
        return release.trim_matches(is_end).into();
    }
    let full: String = release.chars().map(|it| if fit(it) { it } else { '_' }).collect();
    full.trim_matches(is_end).to_owned().into()
}

/// The first three dotted numbers, those that are missing empty; none if the release starts with no number.
fn numbers(release: &str) -> Option<[&str; 3]> {
    let (mut rest, mut numbers) = (release, [""; 3]);
    for number in &mut numbers {
        let end = rest.find(|it: char| !it.is_ascii_digit()).unwrap_or(rest.len());
        (*number, rest) = rest.split_at(end);
        match rest.strip_prefix('.') {
            Some(next) if !number.is_empty() => rest = next,
            Some(_) | None => break,
        }
    }
    (!numbers[0].is_empty()).then_some(numbers)
}

/// One to three dotted numbers, and nothing behind them but a suffix that starts with `-`: the only ones that NFD reads.
fn is_plain(full: &str) -> bool {
    let (dotted, _) = full.split_once('-').unwrap_or((full, ""));
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    dotted.split('.').all(is_number) && dotted.split('.').count() <= NUMBERS.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    fn check(release: &str, expected: &str) {
        let host = FakeHost::new().file(OSRELEASE, release);
        let expected = format!("known (/proc/sys/kernel/osrelease): {expected}");
        assert_eq!(told(&host, FEATURE.name), expected, "{release:?}");
    }

    #[test]
    fn a_release_is_read_as_a_whole_and_by_number() {
        check("6.1.0-13-amd64\n", r#"full="6.1.0-13-amd64" major="6" minor="1" revision="0""#);
        check("5.14\n", r#"full="5.14" major="5" minor="14" revision="""#);
        check("6\n", r#"full="6" major="6" minor="" revision="""#);
        let rhel = r#"full="4.18.0-477.el8_8.x86_64" major="4" minor="18" revision="0""#;
        check("4.18.0-477.el8_8.x86_64\n", rhel);
    }

    #[test]
    fn a_release_of_any_distribution_has_its_numbers() {
        check("6.12.62+rpt-rpi-v8\n", r#"full="6.12.62+rpt-rpi-v8" major="6" minor="12" revision="62""#);
        check("6.12.43+deb13-amd64\n", r#"full="6.12.43+deb13-amd64" major="6" minor="12" revision="43""#);
        let wsl = r#"full="6.6.87.2-microsoft-standard-WSL2" major="6" minor="6" revision="87""#;
        check("6.6.87.2-microsoft-standard-WSL2\n", wsl);
        check("6.6.15+\n", r#"full="6.6.15+" major="6" minor="6" revision="15""#);
        check("6.1.0~rc1\n", r#"full="6.1.0~rc1" major="6" minor="1" revision="0""#);
        check("2.6.32.68\n", r#"full="2.6.32.68" major="2" minor="6" revision="32""#);
        check("6.1-custom\n", r#"full="6.1-custom" major="6" minor="1" revision="""#);
        check("6..1\n", r#"full="6..1" major="6" minor="" revision="""#);
        check("6rc1\n", r#"full="6rc1" major="6" minor="" revision="""#);
    }

    #[test]
    fn a_release_that_starts_with_no_number_has_none() {
        check("v6.1\n", r#"full="v6.1""#);
        check(".6\n", r#"full=".6""#);
    }

    #[test]
    fn nfd_gets_the_facts_that_it_would_find_itself() {
        let check = |release: &str, expected: &[(&str, &str)]| {
            assert_eq!(as_nfd(&parse(release)), Feature::attributes(expected.iter().copied()), "{release}");
        };
        let numbers = [("major", "6"), ("minor", "6"), ("revision", "15")];
        check("6.6.15+", &[[("full", "6.6.15")].as_slice(), &numbers].concat());
        check("6.6.15-rt", &[[("full", "6.6.15-rt")].as_slice(), &numbers].concat());
        check("6.6.15+rt-1", &[("full", "6.6.15_rt-1")]);
        check("6.6.15.1", &[("full", "6.6.15.1")]);
    }

    #[test]
    fn a_document_of_nfd_s_gets_the_numbers_that_nfd_leaves_out() {
        let mut feature = Feature::attributes([("full", "6.12.62_rpt-rpi-v8"), ("minor", "99")]);
        complete(&mut feature);
        let numbers = [("full", "6.12.62_rpt-rpi-v8"), ("major", "6"), ("minor", "99"), ("revision", "62")];
        assert_eq!(feature, Feature::attributes(numbers));
        let mut nothing = Feature::attributes([("", ""); 0]);
        complete(&mut nothing);
        assert_eq!(nothing, Feature::attributes([("", ""); 0]));
    }

    #[test]
    fn a_release_that_cannot_be_read_is_unknown() {
        let check = |host: FakeHost, reason: &str| {
            assert_eq!(told(&host, FEATURE.name), format!("unknown: /proc/sys/kernel/osrelease: {reason}"));
        };
        check(FakeHost::new(), "is not there");
        check(FakeHost::new().file(OSRELEASE, " \n"), "is empty");
        check(FakeHost::new().unreadable(OSRELEASE), "is a loop of symbolic links");
    }
}
