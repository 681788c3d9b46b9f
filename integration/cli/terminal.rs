//! Colour and a bar on terminals and nowhere else; a reader that has seen enough is no error.

use std::path::Path;
use std::process::Command;
use std::{fs, io};

use tempfile::TempDir;

use super::pull::{artifact, stocked};
use super::{SPEC, folder};
use crate::command::{Ran, in_folder, program, ran};
use crate::runtimes::runtime::skip;

const SCRIPT: &str = "/usr/bin/script";
const CHECK: &str = "check --spec spec.yaml --root host";
const COLOURS: &str = "\u{1b}[32mcompatible\u{1b}[0m\r\n";
const WORDS: &str = "compatible\r\n";

#[test]
fn colour_needs_a_terminal_that_supports_it_and_a_user_who_wants_it() {
    if !has_terminals("colour") {
        return;
    }
    let folder = folder();
    let check = |environment: &[(&str, &str)], first: &str| {
        let seen = on_a_terminal(&folder, CHECK, environment);
        assert!(seen.stdout.starts_with(first) && seen.status == 0, "{environment:?}: {seen:?}");
    };
    check(&[("TERM", "xterm")], COLOURS);
    check(&[("TERM", "xterm"), ("NO_COLOR", "")], COLOURS);
    check(&[("TERM", "xterm"), ("NO_COLOR", "1")], WORDS);
    check(&[("TERM", "dumb")], WORDS);
    check(&[], WORDS);
}

#[test]
fn how_far_a_pull_is_is_shown_on_a_terminal() {
    if !has_terminals("a bar") {
        return;
    }
    let ((fake, image), folder) = (stocked(), folder());
    artifact(&fake, &image, SPEC, "2026-01-01T00:00:00Z");
    let line = "pull --plain-http --config none --store STORE --jobs 1 HOST/acme/gone:1 HOST/acme/upf:1";
    let line = line.replace("HOST", &fake.name());
    let seen = |store: &str, term: &str| {
        let seen = on_a_terminal(&folder, &line.replace("STORE", store), &[("TERM", term)]);
        assert_eq!(seen.status, 1, "{seen:?}");
        bars_and_lines(&seen.stdout.replace(&fake.name(), "HOST"))
    };
    let gone = "error: HOST/acme/gone:1: registry HOST: reading the manifest of HOST/acme/gone:1: it is not there \
                (\"MANIFEST_UNKNOWN: manifest unknown\")";
    let stored = "HOST/acme/upf:1: 1 artifact stored";
    let summary = "2 images: 1 artifact new, 0 known, 0 without any, 1 with errors";
    let (bars, lines) = seen("store", "xterm");
    assert_eq!(
        bars,
        [
            "[                              ] 0 of 2 images, 0 artifacts new",
            "[===============>              ] 1 of 2 images, 0 artifacts new, 1 with errors",
            "[==============================] 2 of 2 images, 1 artifact new, 1 with errors",
        ]
    );
    assert_eq!(lines, [gone, stored, summary]);
    // One that cannot write over a line gets a line for each image, as a file does.
    let (bars, lines) = seen("another", "dumb");
    assert_eq!(
        (bars.len(), lines),
        (0, [gone, "HOST/acme/gone:1: 1 error", stored, summary].map(str::to_owned).to_vec())
    );
}

/// Each bar that stood on the screen, without the time that it took, and the lines that stayed.
fn bars_and_lines(screen: &str) -> (Vec<String>, Vec<String>) {
    let parts = screen.split(['\r', '\n', '\u{1b}']).map(|it| {
        // To the left, up and down.
        let moved = ["[2K", "[1A", "[1B"].into_iter().find_map(|moved| it.strip_prefix(moved));
        moved.unwrap_or(it).trim_end()
    });
    let (bars, lines): (Vec<_>, Vec<_>) =
        parts.filter(|it| !it.is_empty()).partition(|it| it.starts_with("[ ") || it.starts_with("[="));
    let mut seen: Vec<_> =
        bars.iter().filter_map(|it| it.rsplit_once(", ")).map(|(bar, _)| bar.to_owned()).collect();
    // A number may be drawn before what is said of it.
    seen.reverse();
    seen.dedup_by_key(|it| it.split(',').next().map(str::to_owned));
    seen.reverse();
    (seen, lines.into_iter().map(str::to_owned).collect())
}

pub(super) fn has_terminals(what: &str) -> bool {
    let is_there = Path::new(SCRIPT).exists();
    if !is_there {
        skip("script", &format!("not installed, so there is no terminal for {what} (util-linux has it)"));
    }
    is_there
}

/// script(1) gives a program a terminal, whatever ours is.
fn on_a_terminal(folder: &TempDir, line: &str, environment: &[(&str, &str)]) -> Ran {
    let line = format!("stty cols 200; {} {line}", program().display());
    let unset = environment.iter().all(|(name, _)| *name != "TERM");
    let line = if unset { format!("unset TERM; {line}") } else { line };
    ran(in_folder(Path::new(SCRIPT), folder.path())
        .args(["-qec", &line, "/dev/null"])
        .env("SHELL", "/bin/sh")
        .envs(environment.iter().copied())
        .stdin(fs::File::open("/dev/null").expect("/dev/null")))
}

/// What a program shows to a person who types these keys.
pub(super) fn typed_at_a_terminal(folder: &TempDir, line: &str, keys: &str) -> Ran {
    let file = folder.path().join("keys");
    fs::write(&file, keys).expect("writing keys");
    ran(in_folder(Path::new(SCRIPT), folder.path())
        .args(["-qec", &format!("stty cols 200; {line}"), "/dev/null"])
        .env("SHELL", "/bin/sh")
        .env("TERM", "dumb")
        .stdin(fs::File::open(&file).expect("keys")))
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
