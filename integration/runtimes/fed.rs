//! The hook with a state on its standard input, and no runtime around it.

use std::fs::{self, File};
use std::io::{Seek, Write, pipe};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::geteuid;

use super::bundle::{Bundle, IMAGE, SPEC};
use super::hook::{BELIEVING, Hook, INCOMPATIBLE, MALFORMED, STRICT, TROUBLE, UNDECIDED};
use super::host::{self, Host, MET, UNMET};
use super::program::{Outcome, stdin, wait};
use super::runtime::skip;

/// What engines treat specially wherever they find it: podman keeps nothing but the line, docker changes the status.
const POISON: [&str; 7] = [
    "permission denied",
    "operation not permitted",
    "executable file not found in",
    "no such file or directory",
    "open executable",
    "not a directory",
    "is a directory",
];

/// The address space of a hook, in KiB: less than a padded state or bundle has.
const ROOM: u32 = 32 << 10;

/// As much as somebody may write who wants to see the hook fall.
const PADDING: usize = 40 << 20;

#[test]
fn a_host_that_fits_is_reported_nothing() {
    let hook = Hook::on(Host::plain());
    for bundle in [Bundle::hollow(), Bundle::hollow().annotate(SPEC, MET)] {
        assert_ended(&hook.feed(&bundle.written().state()), 0, "");
    }
}

#[test]
fn a_refusal_says_why_in_few_words_and_always_the_same() {
    let plain = Hook::on(Host::plain());
    let strict = Hook::on(Host::secretive()).configured(STRICT);
    let cases =
        [(&plain, UNMET, INCOMPATIBLE), (&plain, host::MALFORMED, MALFORMED), (&strict, UNMET, UNDECIDED)];
    for (hook, spec, status) in cases {
        let bundle = Bundle::hollow().annotate(SPEC, spec).written();
        let said = hook.feed(&bundle.state()).stderr;
        assert_refused(&hook.feed(&bundle.state()), status);
        assert_eq!(hook.feed(&bundle.state()).stderr, said);
    }
}

#[test]
fn what_only_root_may_see_is_in_the_report_and_not_in_the_message() {
    let host = Host::plain();
    fs::write(host.path().join("proc/cmdline"), "quiet luks.key=c0ffee\n").expect("writing a command line");
    let spec = UNMET.replace("kernel.loadedmodule", "kernel.cmdline");
    let spec = spec.replace("gtp5g: {op: Exists}", "luks.key: {op: In, value: [x]}");
    let bundle = Bundle::hollow().annotate(SPEC, &spec).written();
    let hook = Hook::on(host);
    let outcome = hook.feed(&bundle.state());
    assert_refused(&outcome, INCOMPATIBLE);
    let line = "refused: boot parameter luks.key is hidden, needs x [value-differs;";
    assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
    let report = hook.store().with_file_name("reports").join(format!("{}.json", bundle.id()));
    let report = fs::read_to_string(report).expect("a report");
    assert!(report.contains("luks.key is c0ffee, needs x"), "{report}");
}

#[test]
fn only_a_verified_spec_may_ask_for_what_only_root_may_see_if_the_policy_says_so() {
    let host = || {
        let host = Host::plain();
        fs::write(host.path().join("proc/cmdline"), "quiet luks.key=c0ffee\n")
            .expect("writing a command line");
        host
    };
    let spec = UNMET.replace("kernel.loadedmodule", "kernel.cmdline");
    for (value, status) in [("c0ffee", 0), ("x", INCOMPATIBLE)] {
        let spec = spec.replace("gtp5g: {op: Exists}", &format!("luks.key: {{op: In, value: [{value}]}}"));
        let bundle = Bundle::hollow().annotate(SPEC, &spec).written();
        assert_eq!(Hook::on(host()).feed(&bundle.state()).status.code(), Some(status), "an oracle");
        let hook = Hook::on(host()).configured("sensitive = \"verified\"\n");
        let told = format!(
            "oci-compat: warning: started undecided: boot parameter luks.key is unknown, needs {value}: only verified specs \
             may ask for it (sensitive) [fact-unknown; oci-compat why {}]\n",
            bundle.id()
        );
        assert_ended(&hook.feed(&bundle.state()), 0, &told);
        // This host's own may.
        let own = hook.config().with_file_name("requirements.d");
        fs::create_dir(&own).expect("making a folder");
        fs::write(own.join("own.toml"), format!("images = [\"*\"]\nspec = \'\'\'{spec}\'\'\'\n"))
            .expect("writing");
        let plain = Bundle::hollow().written();
        assert_eq!(hook.feed(&plain.state()).status.code(), Some(status));
    }
}

#[test]
fn what_could_not_be_looked_at_is_a_warning() {
    let hook = Hook::on(Host::secretive());
    assert_warned(&hook.feed(&Bundle::hollow().annotate(SPEC, UNMET).written().state()));
}

#[test]
fn every_runtimes_form_of_the_state_is_understood() {
    let hook = Hook::on(Host::plain());
    let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
    let (id, path) = (bundle.id(), bundle.path());
    let states = [
        format!(
            r#"{{"ociVersion":"1.0.2-dev","id":"{id}","status":"creating","pid":18993,"bundle":{path:?}}}"#
        ),
        format!(
            r#"{{"ociVersion":"1.0","id":"{id}","pid":0,"root":"rootfs","bundle":{path:?},"status":"created"}}"#
        ),
        format!(
            r#"{{"ociVersion":"9.9","id":"{id}","status":"later","bundle":{path:?},"later":{{"a":[1]}}}}"#
        ),
    ];
    for state in states {
        assert_refused(&hook.feed(&state), INCOMPATIBLE);
    }
}

#[test]
fn what_no_runtime_writes_is_a_warning_unless_the_policy_refuses() {
    let states = [
        "",
        "\n",
        "[]",
        "null",
        r#"{"ociVersion":"1.0.2","id":"x"}"#,
        r#"{"ociVersion":"1.0.2","id":"x","bundle":5}"#,
        r#"{"ociVersion":"1.0.2","id":"x","bundle":"relative"}"#,
    ];
    let (lenient, strict) = (Hook::on(Host::plain()), Hook::on(Host::plain()).configured(STRICT));
    for state in states {
        assert_warned(&lenient.feed(state));
        assert_refused(&strict.feed(state), TROUBLE);
    }
}

#[test]
fn what_the_container_brings_and_cannot_be_read_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let gone = format!(r#"{{"ociVersion":"1.0.2","id":"x","bundle":{:?}}}"#, folder.path().join("gone"));
    let empty = format!(r#"{{"ociVersion":"1.0.2","id":"x","bundle":{:?}}}"#, folder.path());
    let lax = || Hook::on(Host::plain()).configured("action.container_trouble = \"start\"\n");
    for state in ["{", r#"{"id":"a","id":"b"}"#, r#"{"bundle":"/b"} {}"#, &gone, &empty] {
        assert_refused(&Hook::on(Host::plain()).feed(state), MALFORMED);
        assert_warned(&lax().feed(state));
    }
    for config in ["", "{", "[]", "{\"annotations\": 5}"] {
        let bundle = Bundle::hollow().annotate(SPEC, MET).written();
        fs::write(bundle.path().join("config.json"), config).expect("writing config.json");
        let state = format!(r#"{{"ociVersion":"1.0.2","id":"x","bundle":{:?}}}"#, bundle.path());
        assert_refused(&Hook::on(Host::plain()).feed(&state), MALFORMED);
        assert_warned(&lax().feed(&state));
    }
}

#[test]
fn a_huge_bundle_is_read_and_takes_no_room() {
    let hook = Hook::on(Host::plain());
    let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
    pad(&bundle.path().join("config.json"));
    let outcome = hook.feed_within(ROOM, &bundle.state());
    assert_refused(&outcome, INCOMPATIBLE);
    assert_long_before_the_deadline(&outcome);
}

#[test]
fn a_huge_state_is_read_to_its_end() {
    let hook = Hook::on(Host::plain());
    let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
    let file = bundle.path().join("state.json");
    fs::write(&file, bundle.state()).expect("writing a state");
    pad(&file);
    let mut state = File::open(&file).expect("opening a state");
    let outcome = hook.feed_from(state.try_clone().expect("a second handle"));
    assert_refused(&outcome, INCOMPATIBLE);
    assert_long_before_the_deadline(&outcome);
    assert_eq!(unread(&mut state), 0, "crun fails if nobody reads what it writes");
}

#[test]
fn a_state_that_never_ends_is_a_warning_after_the_deadline() {
    let hook = Hook::on(Host::plain()).giving_up_after(200);
    for begun in ["", "{", r#"{"ociVersion":"1.0.2","id":"#] {
        let (reader, mut writer) = stdin(begun);
        let outcome = hook.feed_from(reader);
        writer.flush().expect("the writer stays open until here");
        assert_warned(&outcome);
        assert_soon(&outcome);
    }
}

#[test]
fn a_stderr_without_a_reader_is_left_after_the_deadline() {
    let hook = Hook::on(Host::plain()).giving_up_after(100);
    let (_unread, full) = pipe().expect("a pipe");
    let flags = |it| fcntl(&full, FcntlArg::F_SETFL(it)).expect("a flag of a pipe");
    flags(OFlag::O_NONBLOCK);
    while (&full).write(&[0; 4096]).is_ok() {}
    flags(OFlag::empty());
    let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
    let (reader, _) = stdin(&bundle.state());
    let mut child = hook.command().stdin(reader).stderr(full).spawn().expect("the hook");
    let status = wait(&mut child, Instant::now() + Duration::from_secs(5));
    assert_eq!(status.and_then(|it| it.code()), Some(INCOMPATIBLE));
}

#[test]
fn an_annotation_names_the_image_only_where_it_is_believed() {
    if !geteuid().is_root() {
        return skip("store", "only root may write to a store that the hook reads");
    }
    let digest = format!("sha256:{}", "a".repeat(64));
    let hook = Hook::on(Host::plain());
    hook.store_spec(UNMET, &digest);
    let bundle = Bundle::hollow().annotate(IMAGE, &digest).written();
    assert_eq!(hook.feed(&bundle.state()).status.code(), Some(0));
    assert_refused(&hook.configured(BELIEVING).feed(&bundle.state()), INCOMPATIBLE);
}

fn assert_ended(outcome: &Outcome, status: i32, stderr: &str) {
    assert_eq!(outcome.status.code(), Some(status), "{outcome:?}");
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", stderr));
}

/// The container may start, and a log says what to mend.
fn assert_warned(outcome: &Outcome) {
    assert_ended(outcome, 0, &outcome.stderr);
    assert_plain(&outcome.stderr, "oci-compat: warning: ");
}

fn assert_refused(outcome: &Outcome, status: i32) {
    assert_ended(outcome, status, &outcome.stderr);
    assert_plain(&outcome.stderr, "oci-compat: refused: ");
}

/// What every engine passes on unchanged.
fn assert_plain(text: &str, start: &str) {
    let first = text.lines().next().unwrap_or_default();
    assert!(first.starts_with(start) && first.len() <= 200, "{text:?}");
    assert!(text.is_ascii() && text.len() <= 1024 && text.ends_with('\n'), "{text:?}");
    let lower = text.to_lowercase();
    assert!(!POISON.iter().any(|phrase| lower.contains(phrase)), "{text:?}");
}

fn assert_soon(outcome: &Outcome) {
    assert!(outcome.took < Duration::from_secs(2), "{outcome:?}");
}

/// A build without optimisation takes some seconds for so much.
fn assert_long_before_the_deadline(outcome: &Outcome) {
    assert!(outcome.took < Duration::from_secs(30), "{outcome:?}");
}

/// JSON may end in as many blanks as it likes.
fn pad(file: &Path) {
    let mut file = File::options().append(true).open(file).expect("opening a file");
    file.write_all(&vec![b' '; PADDING]).expect("padding a file");
}

/// How much of a shared file handle is still to be read.
fn unread(file: &mut File) -> u64 {
    let length = file.metadata().expect("a length").len();
    length - file.stream_position().expect("a position")
}
