//! `local.label`, `local.feature`: the administrator's statements about the host, from files. Executes none of them.

mod file;

use std::collections::BTreeMap;

use file::Audience;

use super::values::ValuesReading;
use super::{ElementKind, Fact, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(super) const FEATURE: FeatureInfo = FeatureInfo {
    name: "local.feature",
    kinds: &[ElementKind::Attributes],
    meaning: "what the administrator states about the host, except lines marked with `# +no-feature`; a name without a value \
        is `true`",
    read: READ,
    nfd: true,
    elements: None,
    absent: ABSENT,
    since: "always",
    example: "feature: local.feature\n  matchExpressions:\n    example.com/rack: {op: In, value: [a1, a2]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: |probing, wanted| probe(probing, wanted, Audience::Features),
};

pub(super) const LABEL: FeatureInfo = FeatureInfo {
    name: "local.label",
    kinds: &[ElementKind::Attributes],
    meaning: "what the administrator states about the host, except lines marked with `# +no-label`; a name without a value is \
        `true`",
    read: READ,
    nfd: true,
    elements: None,
    absent: ABSENT,
    since: "always",
    example: "feature: local.label\n  matchExpressions:\n    example.com/rack: {op: In, value: [a1, a2]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: |probing, wanted| probe(probing, wanted, Audience::Labels),
};

const READ: &str = "/etc/kubernetes/node-feature-discovery/features.d and /etc/oci-compat/features.d";
const ABSENT: &str = "no file states it, or the statement has expired";
/// NFD's own folder, then ours, for hosts without NFD; what is read later overrides.
const FOLDERS: [&str; 2] =
    ["/etc/kubernetes/node-feature-discovery/features.d", "/etc/oci-compat/features.d"];
/// NFD reads no larger file (`MaxFeatureFileSize` in `source/local/local.go`).
const MAX_FILE: usize = 65_536;

type LocalElements = BTreeMap<String, String>;

fn probe(probing: &Probing<'_>, wanted: &Wanted, audience: Audience) -> Fact {
    let mut reading = ValuesReading::new(probing, wanted);
    let mut elements = LocalElements::new();
    for path in FOLDERS.iter().flat_map(|it| paths(probing, it)) {
        match path.and_then(|it| read(probing, &it, audience)) {
            Ok(said) => elements.extend(said),
            Err(unknown) => {
                // It may state anything, and override every earlier file.
                elements.clear();
                reading.trouble(unknown);
            }
        }
    }
    elements.retain(|name, _| wanted.has(name));
    reading.attributes(elements, READ)
}

/// The files in a folder, in the order in which they count, or why they could not be listed.
fn paths(probing: &Probing<'_>, folder: &str) -> Vec<Result<String, Unknown>> {
    match probing.list(folder) {
        Ok(names) => {
            let names = names.unwrap_or_default().into_iter().filter(|it| !it.starts_with('.'));
            names.map(|it| Ok(format!("{folder}/{it}"))).collect()
        }
        Err(unknown) => vec![Err(unknown)],
    }
}

fn read(probing: &Probing<'_>, path: &str, audience: Audience) -> Result<LocalElements, Unknown> {
    match probing.root.read(path) {
        Ok(bytes) if bytes.len() <= MAX_FILE => {
            Ok(said(probing, path, &String::from_utf8_lossy(&bytes), audience))
        }
        Ok(_) => Err(Unknown::new(path, format!("is larger than {MAX_FILE} bytes"))),
        // Deleted since the folder was listed, or a link to nowhere.
        Err(Miss::NotFound) => Ok(LocalElements::new()),
        Err(Miss::Unreadable(unknown)) => match probing.exists(&format!("{path}/.")) {
            // Folders in the folder are none of its files.
            Ok(true) => Ok(LocalElements::new()),
            Ok(false) | Err(_) => Err(unknown),
        },
    }
}

fn said(probing: &Probing<'_>, path: &str, text: &str, audience: Audience) -> LocalElements {
    let said = file::parse(text, audience, probing.now());
    for line in said.ignored {
        log::warn!(
            "{path}: ignoring {line:?}: expected expiry-time=2030-01-31T00:00:00Z, no-feature or no-label"
        );
    }
    said.elements.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const NFD: &str = "/etc/kubernetes/node-feature-discovery/features.d";
    const OURS: &str = "/etc/oci-compat/features.d";

    fn check(host: &FakeHost, features: &str, labels: &str) {
        assert_eq!(told(host, FEATURE.name), features);
        assert_eq!(told(host, LABEL.name), labels);
    }

    fn known(rest: &str) -> String {
        format!("known ({READ}): {rest}")
    }

    #[test]
    fn later_files_override_and_our_folder_comes_last() {
        let host = FakeHost::new()
            .file(&format!("{NFD}/a"), "k=1\nl=1\nm=1\n")
            .file(&format!("{NFD}/b"), "k=2\n# +no-label\nl=2\n# +no-feature\nm=2\n")
            .file(&format!("{OURS}/a"), "k=3\nn\n");
        check(&host, &known(r#"k="3" l="2" m="1" n="true""#), &known(r#"k="3" l="1" m="2" n="true""#));
        let told = told_of(&host, FEATURE.name, wanted(&["n", "../x"]));
        assert_eq!(told, known(r#"n="true""#));
    }

    #[test]
    fn a_host_without_facts_has_no_elements() {
        check(&FakeHost::new(), &known(""), &known(""));
        check(&FakeHost::new().folder(NFD), &known(""), &known(""));
    }

    #[test]
    fn hidden_files_folders_and_links_to_nowhere_are_passed_over() {
        let host = FakeHost::new()
            .file(&format!("{NFD}/.a"), "k=1\n")
            .file(&format!("{NFD}/b/c"), "k=2\n")
            .link(&format!("{NFD}/d"), "nowhere")
            .link(&format!("{NFD}/e"), "b")
            .link(&format!("{OURS}/f"), "/data/f")
            .file("/data/f", b"f=\xff\n");
        let both = known("f=\"\u{fffd}\"");
        check(&host, &both, &both);
    }

    #[test]
    fn a_file_that_cannot_be_read_may_override_those_before_it() {
        let both = |host: &FakeHost, expected: &str| check(host, expected, expected);
        let hidden = format!("{NFD}/b");
        let host = || FakeHost::new().file(&format!("{NFD}/a"), "k=1\n").unreadable(&hidden);
        let loops = format!("{hidden}: is a loop of symbolic links");
        both(&host(), &format!("unknown: {loops}"));
        let later = known(&format!(r#"l="2" and maybe more: {loops}"#));
        both(&host().file(&format!("{NFD}/c"), "l=2\n"), &later);
        let folder = FakeHost::new().file(&format!("{NFD}/a"), "k=1\n").unreadable(OURS);
        both(&folder, &format!("unknown: {OURS}: is a loop of symbolic links"));
    }

    #[test]
    fn a_file_too_large_for_nfd_is_unknown() {
        let host = |size| FakeHost::new().file(&format!("{NFD}/a"), format!("a={}", "x".repeat(size)));
        let told = told(&host(65_535), FEATURE.name);
        assert_eq!(told, format!("unknown: {NFD}/a: is larger than 65536 bytes"));
        let told = told_of(&host(65_534), FEATURE.name, wanted(&["b"]));
        assert_eq!(told, known(""));
    }
}
