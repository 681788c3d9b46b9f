//! `docs/lint.md` is written from the table of lint's codes, and nothing else: `BLESS=1` writes it anew.

use std::fs;
use std::path::Path;

use oci_compat::author::lint::{LINT_CODES, LintInfo, RemarkLevel};
use oci_compat::eval::CODES;
use oci_compat::host::FEATURES;

#[test]
fn the_page_of_lint_is_the_table_of_its_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lint.md");
    let page = page();
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, &page).expect("writing docs/lint.md");
    }
    let found = fs::read_to_string(&path).expect("reading docs/lint.md");
    assert_eq!(found, page, "docs/lint.md is not current: BLESS=1 cargo test --test integration codes");
}

/// `explain` knows all of them by one name.
#[test]
fn no_code_of_lint_is_another_thing_s_name() {
    for info in LINT_CODES {
        assert!(CODES.iter().all(|(_, name, _)| *name != info.name), "{}", info.name);
        assert!(FEATURES.iter().all(|it| it.name != info.name), "{}", info.name);
    }
}

fn page() -> String {
    let mut page = "# What `lint` finds\n\nThis page is generated from the program's own table; `oci-compat explain CODE` shows the same. An error makes a spec\n\
                    malformed. A warning is probably a mistake; `--deny-warnings` makes it fail. A note fails nowhere.\n\n\
                    | code | |\n| --- | --- |\n"
        .to_owned();
    for info in LINT_CODES {
        page.push_str(&format!("| [`{0}`](#{0}) | {1} |\n", info.name, info.level.word()));
    }
    for info in LINT_CODES {
        page.push_str(&section(info));
    }
    page
}

fn section(info: &LintInfo) -> String {
    let LintInfo { name, level, meaning, wrong, right, .. } = info;
    let meaning = meaning.replace(" `lint --fix`", "\n`lint --fix`");
    let word = match level {
        RemarkLevel::Error => "An error.",
        RemarkLevel::Warning => "A warning.",
        RemarkLevel::Note => "A note.",
    };
    format!("\n## `{name}`\n\n{word} {meaning}\n\n```yml\n{wrong}```\n\nRather:\n\n```yml\n{right}```\n")
}
