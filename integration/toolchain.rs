//! What `integration/setup` makes of the Rust that is there, before a build begins.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

/// Rust for glibc alone.
const RUSTC: &str =
    "#!/bin/sh\n[ \"$1\" = -vV ] && echo 'host: x86_64-unknown-linux-gnu' || echo /nonexistent\n";

/// Runs a group of it where these programs are, and what it takes from every system.
fn setup(group: &str, programs: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, script) in programs {
        let program = folder.path().join(name);
        fs::write(&program, script).expect("writing a program");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("setting a mode");
    }
    // No other: a distribution may have rustup among its own programs.
    for tool in ["sed", "dirname", "cut"] {
        symlink(Path::new("/usr/bin").join(tool), folder.path().join(tool)).expect("a link");
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/setup");
    let mut command = Command::new("/bin/bash");
    command.arg(script).arg(group).env_clear();
    command.env("PATH", folder.path()).output().expect("running the script")
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("text")
}

#[test]
fn a_rust_without_musl_builds_for_the_c_library_that_it_has() {
    let note = "note: Rust has no x86_64-unknown-linux-musl here: the programs are built for x86_64-unknown-linux-gnu, and start \
                more slowly\n";
    let offline = "#!/bin/sh\necho 'error: no network' >&2\nexit 1\n";
    let alone = [("rustc", RUSTC), ("cargo", RUSTC)];
    let with_rustup = [("rustc", RUSTC), ("cargo", RUSTC), ("rustup", offline)];
    for (programs, before) in [(&alone[..], ""), (&with_rustup, "error: no network\n")] {
        let output = setup("rust", programs);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(text(&output.stderr), format!("{before}{note}"));
        assert_eq!(text(&setup("target", programs).stdout), "x86_64-unknown-linux-gnu\n");
    }
}

#[test]
fn musl_is_added_where_rustup_can() {
    let adds = "#!/bin/sh\necho \"$*\" >&2\n";
    let output = setup("rust", &[("rustc", RUSTC), ("cargo", RUSTC), ("rustup", adds)]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(text(&output.stderr), "target add x86_64-unknown-linux-musl\n");
}
