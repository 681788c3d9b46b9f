//! What is said of a command line that cannot be followed, and of input that cannot be read.

use std::fs;

use super::{SPEC, fails, folder, prints, run, write};
use crate::command::fed;

const MORE: &str = "\n\nFor more information, try '--help'.";
const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn a_command_line_that_asks_for_nothing_shows_the_help() {
    let ran = run(&folder(), "");
    let help = run(&folder(), "-h").stdout;
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr), (2, "", help));
}

#[test]
fn a_command_line_that_cannot_be_followed_says_what_is_wrong() {
    let folder = folder();
    let check = |line: &str, message: &str| fails(&folder, line, &format!("{message}{MORE}"));
    check(
        "chekc",
        "unrecognized subcommand 'chekc'\n\n  tip: a similar subcommand exists: 'check'\n\n\
         Usage: oci-compat [OPTIONS] <COMMAND>",
    );
    let usage = "Usage: oci-compat check <IMAGE|--bundle <DIR>|--spec <FILE>...|--from-engine <ENGINE>>";
    let subject = "<IMAGE|--bundle <DIR>|--spec <FILE>...|--from-engine <ENGINE>>";
    check("check", &format!("the following required arguments were not provided:\n  {subject}\n\n{usage}"));
    check(
        "check sha256:1 --spec spec.yaml",
        &format!("the argument '[IMAGE]' cannot be used with '--spec <FILE>...'\n\n{usage}"),
    );
    check(
        "check --spec spec.yaml --facts facts.json --root host",
        &format!(
            "the argument '--facts <FILE>' cannot be used with '--root <DIR>'\n\n\
             Usage: oci-compat check --facts <FILE> {subject}"
        ),
    );
    let formats = "[possible values: text, json, junit, sarif]";
    let format = format!("invalid value 'xml' for '--format <FORMAT>'\n  {formats}");
    check("check --spec spec.yaml --format xml", &format);
    check(
        "probe --list kernel.version",
        "the argument '--list' cannot be used with '[FEATURE]...'\n\nUsage: oci-compat probe --list [FEATURE]...",
    );
    let nothing = |what: &str, usage: &str| {
        format!("the following required arguments were not provided:\n  {what}\n\nUsage: oci-compat {usage}")
    };
    check("lint", &nothing("<FILE>...", "lint <FILE>..."));
    check(
        "explain",
        &nothing(
            "<CODE | LINT-CODE | STATUS | FEATURE | SPEC>",
            "explain <CODE | LINT-CODE | STATUS | FEATURE | SPEC>",
        ),
    );
    check("man", &nothing("<DIR>", "man <DIR>"));
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let folder = folder();
    write(&folder, "broken.json", "{\n");
    fails(&folder, "check --spec nowhere.yaml", "nowhere.yaml is not there");
    fails(&folder, "check --spec host", "host is not a regular file");
    fails(&folder, "check --spec spec.yaml --facts nowhere.json", "nowhere.json is not there");
    fails(
        &folder,
        "check --spec spec.yaml --facts broken.json",
        "reading facts from broken.json: parsing facts document: EOF while parsing an object at line 2 column 0",
    );
    fails(&folder, "check --spec spec.yaml --root nowhere", "opening host root nowhere: is not there");
    // All others are looked at.
    let linted = run(&folder, "lint spec.yaml nowhere.yaml");
    assert_eq!((linted.status, &*linted.stdout), (2, "1 file: 0 errors, 0 warnings\n"));
    assert_eq!(linted.stderr, "error: nowhere.yaml is not there\n");
    fails(&folder, "man nowhere", "writing man pages into nowhere: it is not there");
}

#[test]
fn an_image_is_named_by_its_digest_or_as_it_was_pulled() {
    let folder = folder();
    fails(
        &folder,
        "check docker.io/acme/upf:1 --store store",
        "no engine here has an image \"docker.io/acme/upf:1\", and the store store has nothing for one of that name: oci-compat pull \
         docker.io/acme/upf:1, ask its registry with --remote, or write its digest, such as NAME@sha256:...",
    );
    fails(
        &folder,
        "check upf@sha256:12",
        "the image \"upf@sha256:12\": digest \"sha256:12\" has 2 digits, expected 64",
    );
}

#[test]
fn an_image_without_specs_is_reported_as_not_checked() {
    let note = "  note: nothing is demanded: there is no spec for it, in store or elsewhere\n";
    let line = format!("check upf@{DIGEST} --store store --root host");
    let expected = format!("compatible: image upf@{DIGEST}, {DIGEST}\n{note}");
    prints(&folder(), &line, 0, &expected);
}

#[test]
fn a_bundle_that_cannot_be_read_is_undecided_and_trouble() {
    let reason = "host/config.json is not there; a bundle is a folder with a config.json [container-trouble]";
    prints(&folder(), "check --bundle host", 2, &format!("undecided: bundle host\n  {reason}\n"));
}

#[test]
fn a_spec_on_standard_input_is_a_file_named_with_a_dash() {
    let folder = folder();
    let ran = fed(folder.path(), &["check", "--spec", "-", "--root", "host"], SPEC.as_bytes());
    let expected = run(&folder, "check --spec spec.yaml --root host").stdout.replace("spec.yaml", "-");
    assert_eq!((ran.status, ran.stdout, ran.stderr.as_str()), (0, expected, ""));
    let ran = fed(folder.path(), &["lint", "--format", "short", "-"], b"version: v1alpha1\n");
    let error = "-:1:1: error[missing-field]: a spec needs `compatibilities`, the list of alternatives\n1 file: 1 error, 0 warnings\n";
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (1, error, ""));
}

#[test]
fn the_log_says_what_is_read_only_if_it_is_asked_to() {
    let folder = folder();
    let line = "check --spec spec.yaml --root host";
    let (plain, verbose) = (run(&folder, line), run(&folder, &format!("{line} -vv")));
    assert_eq!((plain.stdout, plain.stderr), (verbose.stdout, String::new()));
    assert!(verbose.stderr.contains("/proc/sys/kernel/osrelease"), "{}", verbose.stderr);
}

#[test]
fn man_pages_are_written_one_for_each_command() {
    let folder = folder();
    prints(&folder, "man host", 0, "");
    for command in ["", "-check", "-lint", "-probe", "-store-add", "-why"] {
        let page =
            fs::read_to_string(folder.path().join(format!("host/oci-compat{command}.1"))).expect(command);
        assert!(page.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn completions_are_scripts_for_the_shell_that_is_named() {
    let check = |shell: &str, start: &str| {
        let ran = run(&folder(), &format!("completions {shell}"));
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        assert!(ran.stdout.starts_with(start), "{}", ran.stdout);
    };
    check("bash", "# Completions of oci-compat for bash");
    check("zsh", "#compdef oci-compat\n");
    check("fish", "# Completions of oci-compat for fish");
    check("elvish", "\nuse builtin;");
    check("powershell", "\nusing namespace");
}
