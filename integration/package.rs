//! `make install` into an empty folder: what is there then, and that `make uninstall` takes all of it away.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::command::{program, ran};
use crate::runtimes::program::installed;
use crate::runtimes::runtime::skip;

/// Every file, without the man pages of single commands: there is one for each.
const FILES: &[&str] = &[
    "755 usr/bin/oci-compat",
    "755 usr/bin/oci-compat-runtime",
    "644 usr/lib/systemd/system/oci-compat-pull.path",
    "644 usr/lib/systemd/system/oci-compat-pull.service",
    "644 usr/lib/systemd/system/oci-compat-pull.timer",
    "644 usr/lib/tmpfiles.d/oci-compat.conf",
    "755 usr/libexec/oci/hooks.d/oci-compat-hook",
    "644 usr/share/bash-completion/completions/oci-compat",
    "644 usr/share/fish/vendor_completions.d/oci-compat.fish",
    "644 usr/share/man/man1/oci-compat-check.1",
    "644 usr/share/man/man1/oci-compat-install.1",
    "644 usr/share/man/man1/oci-compat.1",
    "644 usr/share/man/man5/oci-compat-config.5",
    "644 usr/share/man/man5/oci-compat-spec.5",
    "644 usr/share/man/man8/oci-compat-hook.8",
    "644 usr/share/man/man8/oci-compat-runtime.8",
    "644 usr/share/oci-compat/config-file.schema.json",
    "644 usr/share/oci-compat/config.toml",
    "644 usr/share/oci-compat/decision.schema.json",
    "644 usr/share/oci-compat/facts.schema.json",
    "644 usr/share/oci-compat/oci-compat.json",
    "644 usr/share/oci-compat/report.schema.json",
    "644 usr/share/oci-compat/spec.schema.json",
    "644 usr/share/oci-compat/status.schema.json",
    "644 usr/share/zsh/site-functions/_oci-compat",
];

#[test]
fn everything_is_placed_and_taken_away_again() {
    if installed("make").is_none() {
        return skip("make", "not installed (run integration/setup demo)");
    }
    let root = tempfile::tempdir().expect("a temporary folder");
    make("install", root.path());
    let placed = files(root.path());
    let missing: Vec<_> = FILES.iter().filter(|it| !placed.contains(&(**it).to_owned())).collect();
    let man = |it: &&String| it.starts_with("644 usr/share/man/man1/oci-compat-");
    let unknown: Vec<_> = placed.iter().filter(|it| !man(it) && !FILES.contains(&it.as_str())).collect();
    assert_eq!((missing, unknown), (Vec::new(), Vec::new()));
    let hook =
        fs::read_to_string(root.path().join("usr/share/oci-compat/oci-compat.json")).expect("the hook file");
    assert!(hook.contains("\"path\": \"/usr/libexec/oci/hooks.d/oci-compat-hook\""), "{hook}");
    let unit = root.path().join("usr/lib/systemd/system/oci-compat-pull.service");
    let unit = fs::read_to_string(unit).expect("the unit");
    assert!(unit.contains("ExecStart=/usr/bin/oci-compat pull $ENGINES\n"), "{unit}");
    make("uninstall", root.path());
    assert_eq!(files(root.path()), Vec::<String>::new());
}

/// With the programs that are there: nothing is built.
fn make(target: &str, root: &Path) {
    let programs = program();
    let programs = programs.parent().expect("a folder");
    let mut make = Command::new("make");
    make.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "--silent",
        "--old-file=build",
        target,
        "PREFIX=/usr",
    ]);
    make.arg(format!("DESTDIR={}", root.display())).arg(format!("BIN={}", programs.display()));
    let outcome = ran(make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL"));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
}

fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let metadata = path.symlink_metadata().expect("a file");
            if metadata.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(root).expect("a path below").display().to_string();
            found.push(format!("{:o} {name}", metadata.permissions().mode() & 0o7777));
        }
    }
    found.sort();
    found
}
