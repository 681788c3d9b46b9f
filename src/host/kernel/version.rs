//! `kernel.version`: the running kernel's release, and the numbers that it starts with.

use crate::host::probing::OSRELEASE;
use crate::host::{Fact, Feature, FeatureInfo, Kind, Probing, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.version",
    kinds: &[Kind::Attributes],
    meaning: "the release of the running kernel, whole and by number",
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

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    match probing.release() {
        Ok(release) => Fact::Known(parse(release), OSRELEASE.to_owned()),
        Err(unknown) => Fact::Unknown(unknown.clone()),
    }
}

/// NFD's reading of a release: what is not fit for a label becomes `_`, and a number that is missing is empty.
fn parse(release: &str) -> Feature {
    let fit = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    let full: String = release.chars().map(|it| if fit(it) { it } else { '_' }).collect();
    let full = full.trim_matches(['-', '_', '.']);
    let mut elements = vec![("full", full)];
    if let Some(numbers) = numbers(full) {
        elements.extend(["major", "minor", "revision"].into_iter().zip(numbers));
    }
    Feature::attributes(elements)
}

/// One to three dotted numbers, and nothing behind them but a suffix that starts with `-`.
fn numbers(full: &str) -> Option<[&str; 3]> {
    let (dotted, _) = full.split_once('-').unwrap_or((full, ""));
    let mut parts = dotted.split('.');
    let numbers = [parts.next()?, parts.next().unwrap_or(""), parts.next().unwrap_or("")];
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let all = dotted.split('.').all(digits);
    (all && parts.next().is_none()).then_some(numbers)
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
    fn what_is_not_fit_for_a_label_becomes_an_underscore_and_is_cut_off_at_the_ends() {
        check("6.6.15+\n", r#"full="6.6.15" major="6" minor="6" revision="15""#);
        check("6.1.0~rc1\n", r#"full="6.1.0_rc1""#);
    }

    #[test]
    fn a_release_without_plain_numbers_has_none() {
        check("2.6.32.68\n", r#"full="2.6.32.68""#);
        check("v6.1\n", r#"full="v6.1""#);
        check("6..1\n", r#"full="6..1""#);
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
