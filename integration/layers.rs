//! Who may name whom: the modules of the library stand in the order in which data flows, and name only what stands
//! before them. A folder is one module.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module and all that it may name.
const LAYERS: &[(&str, &[&str])] = &[
    ("version", &[]),
    ("moment", &[]),
    ("file", &[]),
    ("signals", &[]),
    ("input", &["file"]),
    ("artifact", &["moment"]),
    ("registry", &["file", "artifact"]),
    ("trust", &["artifact"]),
    ("attach", &["file", "artifact", "registry"]),
    ("identity", &["file", "input", "artifact"]),
    ("spec", &["version"]),
    ("host", &["version", "moment"]),
    ("eval", &["version", "spec", "host"]),
    ("verdict", &["eval"]),
    ("policy", &["file", "input", "moment", "spec", "verdict"]),
    ("pull", &["file", "artifact", "registry", "trust", "attach", "spec", "policy"]),
    ("report", &["spec", "eval", "verdict"]),
    ("check", &["spec", "host", "eval", "report"]),
    ("waive", &["moment", "spec", "eval", "policy", "report"]),
    ("requirements", &["file", "input", "artifact", "identity", "spec", "host", "policy", "report", "check"]),
    ("reports", &["file", "report"]),
    ("records", &["moment", "file", "signals", "report"]),
    ("history", &["moment", "file", "report", "records"]),
    ("lint", &["spec", "host"]),
    ("inspect", &["file", "moment", "spec", "eval", "policy", "report", "requirements"]),
    ("install", &[]),
    (
        "gate",
        &[
            "moment",
            "host",
            "input",
            "policy",
            "records",
            "report",
            "reports",
            "requirements",
            "check",
            "verdict",
            "waive",
        ],
    ),
    ("wrapper", &["moment", "file", "gate", "input", "policy", "signals"]),
    ("crun", &["file"]),
    ("hook", &["crun", "gate", "input", "policy", "report", "signals", "verdict"]),
];

#[test]
fn every_module_names_only_what_stands_before_it() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for (module, allowed) in LAYERS.iter().copied() {
        for path in files(&source, module) {
            let text = fs::read_to_string(&path).expect("a source file");
            for named in names(&text) {
                if named != module && !allowed.contains(&named.as_str()) {
                    wrong.push(format!(
                        "{} names crate::{named}",
                        path.strip_prefix(&source).expect("a path below").display()
                    ));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_module_has_a_layer() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = fs::read_to_string(source).expect("src/lib.rs");
    let modules = text.lines().filter_map(|it| it.strip_prefix("pub mod ")?.strip_suffix(';'));
    let known: BTreeSet<_> = LAYERS.iter().map(|(module, _)| *module).collect();
    let unlisted: Vec<_> = modules.filter(|it| !known.contains(it)).collect();
    assert_eq!(unlisted, Vec::<&str>::new());
}

/// `crate::testing` is there for unit tests only.
fn names(text: &str) -> BTreeSet<String> {
    let after = text.split("crate::").skip(1);
    let name = |it: &str| {
        it.split(|it: char| !it.is_ascii_alphanumeric() && it != '_').next().unwrap_or("").to_owned()
    };
    let grouped = |it: &str| -> Vec<String> {
        match it.strip_prefix('{') {
            Some(group) => {
                let group = group.split(';').next().unwrap_or("");
                group.split(',').map(|it| name(it.trim())).collect()
            }
            None => vec![name(it)],
        }
    };
    after.flat_map(grouped).filter(|it| !it.is_empty() && it != "testing").collect()
}

fn files(source: &Path, module: &str) -> Vec<PathBuf> {
    let single = source.join(format!("{module}.rs"));
    if single.is_file() {
        return vec![single];
    }
    let mut found = Vec::new();
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|err| panic!("{}: {err}", folder.display())) {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}
