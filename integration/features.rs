//! `docs/features.md` is written from the table of features, and nothing else: `BLESS=1` writes it anew.

use std::fs;
use std::path::Path;

use oci_compat::author::lint::{RemarkLevel, lint};
use oci_compat::host::{ElementKind, FEATURES, FeatureInfo};
use oci_compat::spec;

#[test]
fn the_page_of_features_is_the_table_of_features() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/features.md");
    let page = page();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &page).expect("writing docs/features.md");
    }
    let found = fs::read_to_string(&path).expect("reading docs/features.md");
    assert_eq!(
        found, page,
        "docs/features.md is not current: BLESS=1 cargo test --test integration features"
    );
}

#[test]
fn every_example_is_a_term_without_warnings() {
    for info in FEATURES {
        let spec = spec::parse(example(info).as_bytes()).unwrap_or_else(|err| panic!("{}: {err}", info.name));
        let warnings: Vec<_> =
            lint(&spec).into_iter().filter(|it| it.level() == RemarkLevel::Warning).collect();
        assert_eq!(warnings, [], "{}", info.name);
        let expected = usize::from(!info.nfd);
        assert_eq!(lint(&spec).len(), expected, "{}: whether other tools know it is noted", info.name);
    }
}

fn page() -> String {
    let mut page = "# Features\n\nWhat a spec can demand, and what `oci-compat probe` reads. This page is generated from the program's own table;\n\
                    `oci-compat explain FEATURE` shows the same. Features and elements that Node Feature Discovery (NFD) does not know\n\
                    are marked: NFD's tools treat them as absent.\n\n| feature | holds | NFD |\n| --- | --- | --- |\n"
        .to_owned();
    for info in FEATURES {
        let anchor = info.name.replace('.', "");
        let nfd = if info.nfd { "yes" } else { "no" };
        page.push_str(&format!("| [`{}`](#{anchor}) | {} | {nfd} |\n", info.name, kinds(info)));
    }
    for info in FEATURES {
        page.push_str(&section(info));
    }
    page
}

fn section(info: &FeatureInfo) -> String {
    let mut text = format!("\n## `{}`\n\nHolds {}: {}.\n\n", info.name, kinds(info), info.meaning);
    text.push_str(&format!(
        "- Read from: {}\n- Absent means: {}\n- Since: {}\n",
        info.read, info.absent, info.since
    ));
    if let Some(elements) = info.elements {
        text.push_str(&format!("- Names: {}\n", quoted(elements)));
    }
    if !info.beyond_nfd.is_empty() {
        text.push_str(&format!("- Not known to NFD: {}\n", quoted(info.beyond_nfd)));
    }
    if !info.sensitive.is_empty() {
        text.push_str(&format!("- Values that engines' messages do not show: {}\n", quoted(info.sensitive)));
    }
    if let Some(key) = info.key {
        text.push_str(&format!(
            "- Only the named ones are read if every term names them by `{key}` with `In`\n"
        ));
    }
    text.push_str(&format!("\n```yaml\n- {}\n```\n", info.example));
    text
}

fn kinds(info: &FeatureInfo) -> String {
    let name = |it: &ElementKind| match it {
        ElementKind::Flags => "flags",
        ElementKind::Attributes => "attributes",
        ElementKind::Instances => "instances",
    };
    info.kinds.iter().map(name).collect::<Vec<_>>().join(" and ")
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")
}

fn example(info: &FeatureInfo) -> String {
    let term = info.example.replace('\n', "\n    ");
    format!(
        "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: example\n    matchFeatures:\n    - {term}\n"
    )
}
