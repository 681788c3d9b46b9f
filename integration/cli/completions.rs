//! Completions, as the shells themselves show them.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::pull::{artifact, pull, stocked};
use super::terminal::{has_terminals, typed_at_a_terminal};
use super::{SPEC, folder, run, write};
use crate::command::{oci_compat, program, ran};
use crate::runtimes::program::installed;
use crate::runtimes::runtime::skip;

/// How a line may go on, without meanings: the words are those behind the program's name.
fn ways(folder: &TempDir, words: &[&str]) -> Vec<String> {
    let ran = oci_compat(folder.path(), &[&["__complete", "--"], words].concat());
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{words:?}");
    ran.stdout.lines().map(|it| it.split('\t').next().expect("a word").to_owned()).collect()
}

#[test]
fn commands_options_and_their_values_are_completed() {
    let folder = folder();
    let check = |words: &[&str], expected: &[&str]| assert_eq!(ways(&folder, words), expected, "{words:?}");
    check(&["li"], &["lint", "list"]);
    check(&["store", "e"], &["export"]);
    check(&["lint", "--f"], &["--fix", "--format"]);
    check(&["lint", "--format", "s"], &["short", "sarif"]);
    check(&["lint", "--format=s"], &["--format=short", "--format=sarif"]);
    check(&["lint", "--fix", ""], &[":files"]);
    check(&["lint", "a.yaml", "b"], &[":files"]);
    check(&["--config", ""], &[":files"]);
    check(&["check", "--root", ""], &[":folders"]);
    check(&["explain", "module-not"], &["module-not-loaded", "module-not-enabled"]);
    check(&["explain", "misspelled"], &["misspelled-name"]);
    check(&["explain", "kernel.b"], &["kernel.binfmt", "kernel.bpf", "kernel.bpftype"]);
    check(&["log", "--code", "cpu-fl"], &["cpu-flag-missing", "cpu-flag-unwanted"]);
    check(&["probe", "kernel.k"], &["kernel.kvm"]);
    check(&["probe", "kernel.kvm", "kernel.ls"], &["kernel.lsm"]);
    check(&["completions", ""], &["bash", "elvish", "fish", "powershell", "zsh"]);
    check(&["completions", "bash", ""], &[]);
    check(&["lint", "--no-such", "--", "--f"], &[":files"]);
    check(&["no-such", "--fix"], &[]);
    assert!(!ways(&folder, &[""]).contains(&"__complete".to_owned()));
    let ran = run(&folder, "__complete -- explain kernel.kvm");
    assert_eq!(ran.stdout, "kernel.kvm\twhether the kernel offers virtual machines through /dev/kvm\n");
}

#[test]
fn images_of_the_store_are_completed() {
    let folder = folder();
    let (fake, image) = stocked();
    artifact(&fake, &image, SPEC, "2026-02-01T00:00:00Z");
    let pulled = pull(&folder, &fake, "");
    assert_eq!(pulled.status, 0, "{}", pulled.stderr);
    let name = format!("{}/acme/upf:1", fake.name());
    let start = name.get(..name.len() - 3).expect("a start");
    assert_eq!(ways(&folder, &["--store", "store", "show", start]), [name.as_str()]);
    assert_eq!(ways(&folder, &["--store=store", "show", start]), [name.as_str()]);
    assert_eq!(ways(&folder, &["--store", "nowhere", "show", start]), [""; 0]);
    // Bash has cut the word at the last colon.
    assert_eq!(
        bash(&folder, &format!("oci-compat --store store show {start}")),
        format!("{}/acme/upf:1", port(&name))
    );
    assert_eq!(
        bash(&folder, &format!("oci-compat --store store remove {}:", name.trim_end_matches(":1"))),
        "1"
    );
}

/// The port of a registry's name.
fn port(name: &str) -> &str {
    name.split([':', '/']).nth(1).expect("a port")
}

/// What bash has for a line whose end is the cursor.
fn bash(folder: &TempDir, line: &str) -> String {
    let script = run(folder, "completions bash").stdout;
    write(folder, "completions", &script);
    let drive = r#"
        source ./completions
        compopt() { :; }
        COMP_LINE=$1 COMP_POINT=${#1}
        _oci_compat "$2"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut command = Command::new("bash");
    let ran =
        ran(command.current_dir(folder.path()).args(["--norc", "-c", drive, "bash", line]).arg(program()));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{line}");
    ran.stdout.trim_end().to_owned()
}

#[test]
fn bash_completes_what_the_program_says() {
    let folder = folder();
    write(&folder, "a folder/x", "");
    assert_eq!(bash(&folder, "oci-compat li"), "lint\nlist");
    assert_eq!(bash(&folder, "oci-compat lint --format "), "text\nshort\njson\nsarif\ngithub");
    // Bash has cut the word at the sign.
    assert_eq!(bash(&folder, "oci-compat lint --format=sa"), "sarif");
    assert_eq!(bash(&folder, "oci-compat lint sp"), "spec.yaml");
    assert_eq!(bash(&folder, "oci-compat probe --root a"), "a folder");
    assert_eq!(bash(&folder, "oci-compat explain kernel.bpft"), "kernel.bpftype");
    assert_eq!(bash(&folder, "oci-compat store v"), "verify");
    assert_eq!(bash(&folder, "oci-compat nothing --x"), "");
}

/// In a terminal, with the key for completion.
#[test]
fn bash_itself_completes_a_line() {
    if !has_terminals("completions of bash") {
        return;
    }
    let folder = folder();
    let bin = program().parent().expect("a folder").display().to_string();
    let keys = format!(
        "PATH={bin}:$PATH\nsource <(oci-compat completions bash)\noci-compat expl\tkernel.kv\t\nexit\n"
    );
    let seen = typed_at_a_terminal(&folder, "bash --norc --noprofile -i", &keys);
    let expected = "oci-compat explain kernel.kvm \r\nkernel.kvm (attributes)\r\n";
    assert!(seen.stdout.contains(expected), "{seen:?}");
}

/// Where a shell is, if it is installed.
fn shell(name: &str) -> Option<PathBuf> {
    let found = installed(name);
    if found.is_none() {
        skip(name, "not installed, so its completions are not tried");
    }
    found
}

#[test]
fn zsh_completes_what_the_program_says() {
    let Some(shell) = shell("zsh") else { return };
    let folder = folder();
    write(&folder, "completions", &run(&folder, "completions zsh").stdout);
    let drive = r#"
        _files() { print -r -- FILES }
        _describe() { print -rl -- "${(@P)2}" }
        source ./completions
        words=("$1" "${@:2}") CURRENT=$#
        _oci_compat
    "#;
    let zsh = |words: &[&str]| {
        let mut command = Command::new(&shell);
        let ran = ran(command
            .current_dir(folder.path())
            .args(["-f", "-c", drive, "zsh"])
            .arg(program())
            .args(words));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{words:?}");
        ran.stdout
    };
    assert_eq!(
        zsh(&["probe", "kernel.kv"]),
        "kernel.kvm:whether the kernel offers virtual machines through /dev/kvm\n"
    );
    assert_eq!(zsh(&["lint", ""]), "FILES\n");
}

#[test]
fn fish_completes_what_the_program_says() {
    let Some(shell) = shell("fish") else { return };
    let folder = folder();
    write(&folder, "completions.fish", &run(&folder, "completions fish").stdout);
    let bin = program().parent().expect("a folder").display().to_string();
    let drive =
        format!("set -x PATH {bin} $PATH; source completions.fish; complete -C 'oci-compat probe kernel.kv'");
    let mut command = Command::new(&shell);
    let ran = ran(command.current_dir(folder.path()).env("HOME", folder.path()).args([
        "--no-config",
        "-c",
        &drive,
    ]));
    assert_eq!(ran.stdout, "kernel.kvm\twhether the kernel offers virtual machines through /dev/kvm\n");
}
