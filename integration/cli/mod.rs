//! The command line as people and scripts meet it: whole messages, exit statuses, help, terminals and pipes.

mod usage;
mod completions;
mod help;
mod examples;
mod hidden;
mod lint;
mod convert;
mod formats;
mod explain;
mod authors;
mod probe;
mod why;
mod log;
mod store;
mod keeping;
mod config;
mod attach;
mod pull;
mod signer;
mod attacks;
mod origins;
mod copied;
mod made;
mod show;
mod status;
mod opened;
mod remote;
mod login;
mod scan;
mod select;
mod program;
mod local;
mod verifier;
mod terminal;

use std::fs;

use tempfile::TempDir;

use crate::command::{Ran, oci_compat};

/// A spec that every host with a kernel of the 5 series fits.
const SPEC: &str = "version: v1alpha1
compatibilities:
- rules:
  - name: kernel
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        major: {op: In, value: [5]}
";

/// A folder with `spec.yaml` and a `host` that fits it.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(&folder, "spec.yaml", SPEC);
    write(&folder, "host/proc/sys/kernel/osrelease", "5.4.0-200-generic\n");
    folder
}

fn write(folder: &TempDir, path: &str, text: &str) {
    let path = folder.path().join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
    fs::write(path, text).expect("writing a file");
}

/// Runs a command line, split at spaces.
fn run(folder: &TempDir, line: &str) -> Ran {
    oci_compat(folder.path(), &line.split_whitespace().collect::<Vec<_>>())
}

/// Runs a command line that goes wrong with this message and says nothing else.
fn fails(folder: &TempDir, line: &str, message: &str) {
    let expected = Ran { status: 2, stdout: String::new(), stderr: format!("error: {message}\n") };
    assert_eq!(run(folder, line), expected, "{line}");
}

/// Runs a command line that prints this and says nothing else.
fn prints(folder: &TempDir, line: &str, status: i32, stdout: &str) {
    let expected = Ran { status, stdout: stdout.to_owned(), stderr: String::new() };
    assert_eq!(run(folder, line), expected, "{line}");
}
