//! `system.l4t`: which release of Jetson Linux (Linux for Tegra) runs on an embedded board of NVIDIA's.

use std::collections::BTreeMap;

use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.l4t",
    kinds: &[ElementKind::Attributes],
    meaning: "release: that of Jetson Linux, such as 35.4.1 (compare with `type: version`); board: the board that it was made \
        for, such as t186ref",
    read: "/etc/nv_tegra_release",
    nfd: false,
    elements: Some(&["release", "board"]),
    absent: "this host does not run Jetson Linux",
    since: "always",
    example: "feature: system.l4t\n  matchExpressions:\n    release: {op: Ge, type: version, value: [\"35.1\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Its first line: `# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: …`.
pub(in crate::host) const RELEASE: &str = "/etc/nv_tegra_release";
/// Without a folder of settings there is no host to speak of.
const FOLDER: &str = "/etc";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    match read(probing) {
        Ok(Some(attributes)) => Fact::Known(Feature::attributes(attributes), RELEASE.to_owned()),
        Ok(None) => match probing.exists(FOLDER) {
            Ok(true) => Fact::Absent(RELEASE.to_owned()),
            Ok(false) => Fact::Unknown(Unknown::new(RELEASE, "is not there, and nor is its folder")),
            Err(unknown) => Fact::Unknown(unknown),
        },
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// Only the release; none on other hosts.
///
/// # Errors
///
/// If the file exists and does not contain it.
pub(in crate::host) fn release(probing: &Probing<'_>) -> Result<Option<String>, Unknown> {
    Ok(read(probing)?.and_then(|mut it| it.remove("release")))
}

fn read(probing: &Probing<'_>) -> Result<Option<BTreeMap<String, String>>, Unknown> {
    let text = match probing.root.read_text(RELEASE) {
        Ok(text) => text,
        Err(Miss::NotFound) => return Ok(None),
        Err(Miss::Unreadable(unknown)) => return Err(unknown),
    };
    let attributes = parse(&text);
    attributes.ok_or_else(|| Unknown::new(RELEASE, "names no release of Jetson Linux")).map(Some)
}

fn parse(text: &str) -> Option<BTreeMap<String, String>> {
    let line = text.lines().next()?.trim_start_matches(['#', ' ']);
    let mut parts = line.split(',').map(str::trim);
    let major = parts.next()?.strip_prefix('R')?.split(' ').next()?;
    let fields: BTreeMap<_, _> = parts.filter_map(|it| it.split_once(':')).collect();
    let release = format!("{major}.{}", fields.get("REVISION")?.trim());
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    let board = fields.get("BOARD").map(|it| ("board".to_owned(), it.trim().to_owned()));
    release
        .split('.')
        .all(is_number)
        .then(|| [("release".to_owned(), release)].into_iter().chain(board).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), expected);
    }

    #[test]
    fn a_board_reports_its_release() {
        let text = "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64, DATE: Tue Aug  1\n";
        let expected = r#"known (/etc/nv_tegra_release): board="t186ref" release="35.4.1""#;
        check(&FakeHost::new().file(RELEASE, text), expected);
        let bare = r#"known (/etc/nv_tegra_release): release="32.7""#;
        check(&FakeHost::new().file(RELEASE, "# R32 (release), REVISION: 7\nKERNEL_VARIANT: oot\n"), bare);
    }

    #[test]
    fn other_hosts_have_no_such_feature() {
        check(&FakeHost::new().folder("/etc"), "absent (/etc/nv_tegra_release)");
        check(&FakeHost::new(), "unknown: /etc/nv_tegra_release: is not there, and nor is its folder");
    }

    #[test]
    fn what_cannot_be_read_or_is_malformed_is_unknown() {
        let loops = "unknown: /etc/nv_tegra_release: is a loop of symbolic links";
        check(&FakeHost::new().unreadable(RELEASE), loops);
        for text in [
            "",
            "# R35 (release)",
            "# 35, REVISION: 4.1",
            "# Rx (release), REVISION: 4.1",
            "# R35, REVISION: ?",
        ] {
            let expected = "unknown: /etc/nv_tegra_release: names no release of Jetson Linux";
            check(&FakeHost::new().file(RELEASE, text), expected);
        }
    }
}
