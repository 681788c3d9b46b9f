//! Command lines of engines and people, and confusing ones.

use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use super::*;

/// Splits at blanks; `''` is an empty word.
fn words(line: &str) -> Vec<OsString> {
    line.split(' ').filter(|it| !it.is_empty()).map(|it| if it == "''" { "" } else { it }.into()).collect()
}

/// Which container is made, as `command bundle id`, or nothing.
fn made(line: &str) -> Option<String> {
    let call = RuntimeCall::parse(words(line));
    assert_eq!(call.args, words(line), "{line}: everything is passed on");
    call.creation.map(|it| {
        let bundle = it.bundle.map_or_else(|| ".".to_owned(), |it| it.display().to_string());
        format!("{:?} {bundle} {}", it.command, it.id.display())
    })
}

fn check(line: &str, expected: &str) {
    assert_eq!(made(line), Some(expected.to_owned()), "{line}");
}

fn passes(line: &str) {
    assert_eq!(made(line), None, "{line}");
}

#[test]
fn engines_are_understood() {
    // containerd's shim, Docker, conmon for Podman and CRI-O, buildah.
    check(
        "--root /run/containerd/runc/default --log /b/log.json --log-format json --systemd-cgroup create --bundle /b \
         --pid-file /b/init.pid --console-socket /tmp/pty1/pty.sock --no-pivot --no-new-keyring c1",
        "Create /b c1",
    );
    check(
        "--log-format=json --log /run/u/oci-log create --bundle /u/userdata --pid-file /run/u/pidfile \
         --console-socket /tmp/conmon-term.X c1",
        "Create /u/userdata c1",
    );
    check("--root=/run/runc --systemd-cgroup create --bundle /b --pid-file /p c1", "Create /b c1");
    check(
        "create --bundle /var/tmp/buildah1 --pid-file /var/tmp/buildah1/pid buildah-buildah1",
        "Create /var/tmp/buildah1 buildah-buildah1",
    );
    check(
        "--root /r restore --image-path /i --work-path /w --bundle /b --detach --pid-file /p --no-subreaper c1",
        "Restore /b c1",
    );
}

#[test]
fn people_are_understood() {
    check("run c1", "Run . c1");
    check("run -b /b c1", "Run /b c1");
    check("run -d -b /b --keep c1", "Run /b c1");
    check("run --detach --pid-file p --preserve-fds 3 c1", "Run . c1");
    check("create c1", "Create . c1");
    check("restore c1", "Restore . c1");
}

#[test]
fn all_else_is_passed_on() {
    for line in [
        "",
        "--version",
        "-v",
        "--help",
        "features",
        "list",
        "spec --bundle /b",
        "start c1",
        "--root /r state c1",
        "exec --process /tmp/runc-process1 --detach --pid-file /b/e1.pid c1",
        "exec c1 create x",
        "pause c1",
        "resume c1",
        "ps --format json c1",
        "kill c1 9",
        "kill --all c1 9",
        "update --resources - c1",
        "events --stats c1",
        "checkpoint --image-path /i c1",
        "delete --force c1",
        "help create",
        "creat c1",
        "Create c1",
        "'' create c1",
        "- create c1",
    ] {
        passes(line);
    }
}

#[test]
fn a_name_is_no_command() {
    for line in [
        "delete create",
        "kill create 9",
        "state create",
        "--root create delete c1",
        "--root=create delete c1",
        "--log create --log-format run kill c1",
        "-root create state c1",
        "-r create state c1",
        "-l create state c1",
        "--criu create state c1",
        "--rootless run kill c1",
        "--cgroup-manager create kill c1",
        "--log-level create kill c1",
        "-- delete create",
        "delete -- create",
        "delete --bundle create run",
    ] {
        passes(line);
    }
    check("create create", "Create . create");
    check("run --bundle create run", "Run create run");
    check("--root create create --bundle delete kill", "Create delete kill");
    check("--log run --log-format create run -b state exec", "Run state exec");
}

#[test]
fn options_are_read_in_every_spelling() {
    for bundle in [
        "--bundle /b",
        "--bundle=/b",
        "-bundle /b",
        "-bundle=/b",
        "-b /b",
        "-b=/b",
        "-b/b",
        "-db /b",
        "-db/b",
        "--bund /b",
        "--bundle /a --bundle /b",
        "-b /a --bundle=/b",
        "-d --no-pivot -b /b",
    ] {
        check(&format!("create {bundle} c1"), "Create /b c1");
        check(&format!("create c1 {bundle}"), "Create /b c1");
    }
    check("create -- c1", "Create . c1");
    check("create --bundle /b -- --c1", "Create /b --c1");
    check("create -b -- c1", "Create -- c1");
    check("create --bundle '' c1", "Create . c1");
    check("create --bundle= c1", "Create . c1");
    check("-- create c1", "Create . c1");
    check("-debug -systemd-cgroup=true -log=/l create c1", "Create . c1");
    check("--debug --systemd-cgroup=false create c1", "Create . c1");
    check("-s -r /r -l/l create c1", "Create . c1");
    check("-sr /r create c1", "Create . c1");
}

#[test]
fn unknown_options_hide_no_command() {
    check("--later create c1", "Create . c1");
    check("--later value create c1", "Create . c1");
    check("--later=value create c1", "Create . c1");
    check("-other value create c1", "Create . c1");
    check("--later --other value create c1", "Create . c1");
    check("create --later value c1", "Create . c1");
    check("create --later --bundle /b c1", "Create /b c1");
    check("create -x -b /b c1", "Create /b c1");
    passes("--later value delete create");
    passes("--later delete create");
}

/// runsc takes the same words for flags that runc takes for options with a value, and knows others.
#[test]
fn in_doubt_both_readings_are_looked_at() {
    check("--rootless run c1", "Run . c1");
    check("--root /r --rootless run --bundle /b c1", "Run /b c1");
    check("--rootless create --bundle /b kill", "Create /b kill");
    check("--rootless run --bundle kill c1", "Run kill c1");
    check("--rootless run -detach -bundle /b delete", "Run /b delete");
    check("--rootless true run --bundle /b c1", "Run /b c1");
    check("--rootless --debug run --bundle /b c1", "Run /b c1");
    check("-host-uds all run --bundle /b c1", "Run /b c1");
    check("-host-uds=all -vfs2 -strace run --bundle /b c1", "Run /b c1");
    check("--verbosity info create --bundle /b c1", "Create /b c1");
    check("-events list --root /r create --bundle /b c1", "Create /b c1");
    for line in [
        "--rootless run kill c1",
        "--rootless run --root /r --debug delete c1",
        "--rootless run",
        "--rootless kill c1",
        "--rootless delete create",
        "--verbosity kill create 9",
        "--verbosity info delete create",
        "list create c1",
        "--debug list create c1",
        "help create",
        "--verbosity help create",
    ] {
        passes(line);
    }
}

#[test]
fn a_bundle_gets_its_real_path_and_nothing_else_changes() {
    let check = |line: &str, expected: &str| {
        let mut call = RuntimeCall::parse(words(line));
        call.rename_bundle(std::path::Path::new("/real"));
        assert_eq!(call.args, words(expected), "{line}");
    };
    check("create --bundle /b c1", "create --bundle /real c1");
    check("--oci-compat-store /s create --bundle /b /b", "create --bundle /real /b");
    check("create -db/b c1 --oci-compat-store /s", "create -db/real c1 --oci-compat-store /s");
    check("create -b=/b --pid-file /b c1", "create -b=/real --pid-file /b c1");
    check("create --bundle /a --bundle=/b c1", "create --bundle /a --bundle=/real c1");
    check("create --bundle '' c1", "create --bundle '' c1");
    check("create c1", "create c1");
    check("kill --bundle /b c1", "kill --bundle /b c1");
}

#[test]
fn questions_and_halves_are_left_to_the_runtime() {
    for line in [
        "create --help",
        "create -h c1",
        "run -? c1",
        "run --usage c1",
        "--help create c1",
        "-h create c1",
        "--version create c1",
        "-v run c1",
        "create",
        "create --bundle",
        "create --bundle /b",
        "create --",
        "--log create c1",
        "--root",
    ] {
        passes(line);
    }
}

#[test]
fn the_last_log_counts() {
    let check = |line: &str, file: Option<&str>, is_json: bool| {
        let expected = RuntimeLog { file: file.map(PathBuf::from), is_json };
        assert_eq!(RuntimeCall::parse(words(line)).log, expected, "{line}");
    };
    check("create c1", None, false);
    check("--log /l create c1", Some("/l"), false);
    check("--log /l --log-format json create c1", Some("/l"), true);
    check("-log=/l -log-format=json create c1", Some("/l"), true);
    check("-l /l --log-format json --log-format text create c1", Some("/l"), false);
    check("--log-format JSON --log /a --log /b create c1", Some("/b"), false);
    check("--log '' --log-format json create c1", None, true);
    check("create --log /l c1", None, false);
    check("--log /l --log-format json delete c1", Some("/l"), true);
    check("--log", None, false);
}

#[test]
fn words_are_bytes() {
    let id = OsString::from_vec(b"c\xff1".to_vec());
    let folder = OsString::from_vec(b"/b\xfe".to_vec());
    let given: Vec<OsString> = vec!["create".into(), "--bundle".into(), folder.clone(), id.clone()];
    let call = RuntimeCall::parse(given.clone());
    assert_eq!(call.args, given);
    let creation = call.creation.expect("a container");
    assert_eq!((creation.id, creation.bundle), (id, Some(PathBuf::from(folder))));
    let odd = vec![
        OsString::from_vec(b"--\xff".to_vec()),
        OsString::from_vec(b"-\xff".to_vec()),
        "create".into(),
        "c1".into(),
    ];
    assert!(RuntimeCall::parse(odd).creation.is_some());
}

#[test]
fn another_configuration_is_noticed() {
    let check = |line: &str, expected| {
        let creation = RuntimeCall::parse(words(line)).creation.expect(line);
        assert_eq!(creation.is_configured_elsewhere, expected, "{line}");
    };
    check("create c1", false);
    check("create --config /other.json c1", true);
    check("run -f/other.json c1", true);
    check("run --config=/other.json c1", true);
}

#[test]
fn our_own_options_are_kept_from_the_runtime() {
    let check = |line: &str, passed: &str, complaint: Option<&str>| {
        let call = RuntimeCall::parse(words(line));
        assert_eq!((call.args, call.complaint.as_deref()), (words(passed), complaint), "{line}");
        call.options
    };
    let options = check(
        "--oci-compat-store /s --root /r --oci-compat-deadline-ms=5 -oci-compat-config /c create -b /b c1",
        "--root /r create -b /b c1",
        None,
    );
    let standard = GateOptions::standard();
    let expected = GateOptions {
        store: "/s".into(),
        config: "/c".into(),
        deadline: Some(Duration::from_millis(5)),
        ..standard.clone()
    };
    assert_eq!(options, expected);
    let call = RuntimeCall::parse(words("--oci-compat-link /l --oci-compat-root create kill c1"));
    assert_eq!(
        (call.link, call.options.root, call.args),
        (Some("/l".into()), "create".into(), words("kill c1"))
    );
    let behind = "create --oci-compat-store /s c1";
    assert_eq!(check(behind, behind, None), standard);
    check("--oci-compat-stores /s kill c1", "kill c1", Some("there is no option --oci-compat-stores"));
    check("--oci-compat-stores kill c1", "kill c1", Some("there is no option --oci-compat-stores"));
    check("kill c1 --oci-compat-store", "kill c1 --oci-compat-store", None);
    check("--oci-compat-store", "", Some("option --oci-compat-store needs a value"));
    check(
        "--oci-compat-deadline-ms 2s kill c1",
        "kill c1",
        Some("--deadline-ms needs a number of milliseconds, not \"2s\""),
    );
}
