//! `status`: what it prints, and how it ends, on systems that are folders.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tempfile::TempDir;

use super::{folder, run, write};
use crate::schemas::Schema;

/// A system with Docker, whose every container comes to the wrapper.
fn docker() -> TempDir {
    let folder = folder();
    write(&folder, "root/usr/bin/dockerd", "");
    write(&folder, "root/usr/bin/oci-compat-runtime", "");
    let program = folder.path().join("root/usr/bin/oci-compat-runtime");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let runtime = r#""runtimes": {"oci-compat": {"path": "/usr/bin/oci-compat-runtime"}}"#;
    write(
        &folder,
        "root/etc/docker/daemon.json",
        &format!("{{\"default-runtime\": \"oci-compat\", {runtime}}}"),
    );
    folder
}

fn check(folder: &TempDir, status: i32, first: &str) {
    let ran = run(folder, "status --root root");
    assert_eq!((ran.status, ran.stdout.lines().next(), ran.stderr.as_str()), (status, Some(first), ""));
    let ran = run(folder, "status --root root --format json");
    let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.status, Schema::status().complaint(&found).as_str()), (status, ""));
}

#[test]
fn a_monitor_reads_the_exit_status() {
    let folder = docker();
    check(&folder, 0, "in force");
    write(&folder, "root/usr/bin/crio", "");
    check(&folder, 1, "not in force everywhere");
    write(&folder, "root/etc/oci-compat/config.toml", "mode = 1\n");
    check(&folder, 2, "trouble");
}
