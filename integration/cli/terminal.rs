//! Colour on terminals and nowhere else; a reader that has seen enough is no error.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use tempfile::TempDir;

use super::folder;
use crate::command::{Ran, in_folder, program, ran};

const CHECK: &str = "check --spec spec.yaml --root host";
const COLOURS: &str = "\u{1b}[32mcompatible\u{1b}[0m\r\n";
const WORDS: &str = "compatible\r\n";

#[test]
fn colour_is_for_terminals_that_can_show_it_and_whose_user_wants_it() {
    if !Path::new("/usr/bin/script").exists() {
        // Past the harness, which would keep it for itself.
        writeln!(io::stderr(), "SKIPPED: colour on a terminal: script (util-linux) is not installed")
            .expect("standard error");
        return;
    }
    let folder = folder();
    let check = |environment: &[(&str, &str)], first: &str| {
        let seen = on_a_terminal(&folder, environment);
        assert!(seen.stdout.starts_with(first) && seen.status == 0, "{environment:?}: {seen:?}");
    };
    check(&[("TERM", "xterm")], COLOURS);
    check(&[("TERM", "xterm"), ("NO_COLOR", "")], COLOURS);
    check(&[("TERM", "xterm"), ("NO_COLOR", "1")], WORDS);
    check(&[("TERM", "dumb")], WORDS);
    check(&[], WORDS);
}

/// script(1) gives a program a terminal, whatever ours is.
fn on_a_terminal(folder: &TempDir, environment: &[(&str, &str)]) -> Ran {
    let line = format!("{} {CHECK}", program().display());
    let script = Path::new("/usr/bin/script");
    let unset = environment.iter().all(|(name, _)| *name != "TERM");
    let line = if unset { format!("unset TERM; {line}") } else { line };
    ran(in_folder(script, folder.path())
        .args(["-qec", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .envs(environment.iter().copied())
        .stdin(fs::File::open("/dev/null").expect("/dev/null")))
}

#[test]
fn there_is_no_colour_in_pipes() {
    let folder = folder();
    let seen = ran(in_folder(&program(), folder.path()).args(CHECK.split(' ')).env("TERM", "xterm"));
    assert!(seen.stdout.starts_with("compatible\n"), "{seen:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = folder();
    for line in [CHECK, "probe --list", "explain met", "lint spec.yaml", "completions bash", "--help"] {
        let (reader, writer) = io::pipe().expect("a pipe");
        drop(reader);
        let mut command: Command = in_folder(&program(), folder.path());
        let child = command.args(line.split(' ')).stdout(writer).stderr(std::process::Stdio::piped());
        let output = child.spawn().expect("starting").wait_with_output().expect("waiting");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{line}");
    }
}
