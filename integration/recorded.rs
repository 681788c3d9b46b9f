//! What `oci-compat install` records of low-level runtimes: on a machine whose `/etc` and `/usr/local` are folders, with a
//! runtime that is a script, and with runc.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{Ran, in_folder, program, ran};
use crate::runtimes::runtime::skip;

const RECORD: &str = "/etc/oci-compat/runtimes.d/runc.json";
const WRITTEN: &str = "/etc/docker/daemon.json: written\ndocker reads it after: systemctl reload docker\n";
const UNCHANGED: &str = "/etc/docker/daemon.json: nothing to change\n";
const REMOVED: &str = "/etc/docker/daemon.json: removed\ndocker forgets it after: systemctl restart docker\n";

struct Machine(TempDir);

impl Machine {
    /// With this script in the place of runc; `None` where namespaces cannot be had, which is said aloud.
    fn with(runc: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip("unshare", "mounting needs root");
            return None;
        }
        let machine = Self(tempfile::tempdir().expect("a temporary folder"));
        fs::create_dir(machine.path("/etc")).expect("a folder");
        machine.script("/usr/local/bin/oci-compat-runtime", "");
        if !runc.is_empty() {
            machine.script("/usr/local/bin/runc", runc);
        }
        Some(machine)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
        fs::write(path, text).expect("writing a file");
    }

    fn script(&self, path: &str, text: &str) {
        self.write(path, &format!("#!/bin/sh\n{text}\n"));
        self.mode(path, 0o755);
    }

    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).expect("a mode");
    }

    fn run(&self, args: &str) -> Ran {
        let mount = "mount --bind \"$1/etc\" /etc && mount --bind \"$1/usr/local\" /usr/local && shift && exec \"$@\"";
        let mut command = in_folder(Path::new("unshare"), Path::new("/"));
        command.args(["--mount", "sh", "-c", mount, "sh"]).arg(self.0.path()).arg(program());
        command.args(args.split(' '));
        if args.starts_with("install") {
            command.args(["--program", "/usr/local/bin/oci-compat-runtime"]);
        }
        ran(&mut command)
    }

    fn record(&self) -> Option<Value> {
        let text = fs::read_to_string(self.path(RECORD)).ok()?;
        Some(serde_json::from_str(&text).expect("JSON"))
    }

    /// All files in `/etc`.
    fn configured(&self) -> Vec<String> {
        let mut found = in_folder(Path::new("find"), &self.path("/etc"));
        ran(found.args([".", "!", "-type", "d"])).stdout.lines().map(str::to_owned).collect()
    }
}

fn succeeded(stdout: &str) -> Ran {
    Ran { status: 0, stdout: stdout.to_owned(), stderr: String::new() }
}

const RUNC: &str = r#"case $1 in
    features) echo '{"ociVersionMax": "1.0.2", "linux": {"mountExtensions": {"idmap": {"enabled": true}}}}' ;;
    --version) printf 'runc version 9.9\nspec: 1.0.2\n' ;;
    *) exit 1 ;;
esac"#;

#[test]
fn what_the_runtime_can_do_is_recorded_and_goes_with_the_last_entry() {
    let Some(machine) = Machine::with(RUNC) else { return };
    let shown = machine.run("install docker --print");
    assert_eq!((shown.status, shown.stderr.as_str()), (0, ""));
    assert!(shown.stdout.contains(&format!("+++ {RECORD}\n")), "{}", shown.stdout);
    assert_eq!(machine.record(), None);
    assert_eq!(machine.run("install docker"), succeeded(&format!("{WRITTEN}{RECORD}: written\n")));
    let expected = json!({
        "ociVersionMax": "1.0.2", "linux": {"mountExtensions": {"idmap": {"enabled": true}}},
        "annotations": {"org.oci-compat.program": "/usr/local/bin/runc", "org.oci-compat.version": "9.9"},
    });
    assert_eq!(machine.record(), Some(expected));
    assert_eq!(machine.run("install docker"), succeeded(UNCHANGED));
    let containerd = "/etc/containerd/config.toml";
    let reread = "containerd reads it after: systemctl restart containerd (containers go on)";
    assert_eq!(machine.run("install containerd"), succeeded(&format!("{containerd}: written\n{reread}\n")));
    let removed = format!("{containerd}: removed\n{reread}\n");
    assert_eq!(machine.run("install containerd --remove"), succeeded(&removed));
    let shown = machine.run("install docker --remove --print").stdout;
    assert!(shown.contains(&format!("--- {RECORD}\n+++ /dev/null\n")), "{shown}");
    let removed = format!("{REMOVED}{RECORD}: removed\n");
    assert_eq!(machine.run("install docker --remove"), succeeded(&removed));
    assert_eq!(machine.configured(), Vec::<String>::new());
}

#[test]
fn uninstall_removes_the_record() {
    let Some(machine) = Machine::with(RUNC) else { return };
    assert_eq!(machine.run("install docker").status, 0);
    let shown = machine.run("uninstall docker --print").stdout;
    assert!(shown.contains(&format!("--- {RECORD}\n+++ /dev/null\n")), "{shown}");
    let ran = machine.run("uninstall docker");
    let reread = "docker forgets it after: systemctl restart docker";
    assert_eq!(ran.stdout, format!("/etc/docker/daemon.json: removed\n{RECORD}: removed\n{reread}\n"));
    assert_eq!(machine.configured(), Vec::<String>::new());
}

#[test]
fn a_runtime_that_has_changed_since_is_named_and_asked_again() {
    let Some(machine) = Machine::with(RUNC) else { return };
    assert_eq!(machine.run("install docker").status, 0);
    // Time enough for the clock of the file system to go on.
    std::thread::sleep(std::time::Duration::from_millis(30));
    machine.script("/usr/local/bin/runc", RUNC);
    let note = format!(
        "runtimes       note: {RECORD} is older than /usr/local/bin/runc, which it tells of: oci-compat install ENGINE, once \
         more\n"
    );
    let status = machine.run("status").stdout;
    assert!(status.contains(&note), "{status}");
    assert_eq!(machine.run("install docker"), succeeded(&format!("{UNCHANGED}{RECORD}: written\n")));
    let status = machine.run("status").stdout;
    assert!(!status.contains("runtimes "), "{status}");
}

/// The entry is written, and a note says why the record is not.
fn check(machine: &Machine, why: &str) {
    let expected = Ran { stderr: format!("note: {RECORD}: not written: {why}\n"), ..succeeded(WRITTEN) };
    assert_eq!(machine.run("install docker"), expected);
    assert_eq!(machine.record(), None);
    assert_eq!(machine.run("install docker --remove"), succeeded(REMOVED));
}

#[test]
fn a_runtime_that_reports_nothing_usable_is_a_note_and_no_error() {
    let none = "`/usr/local/bin/runc features` prints no features (runc has this command since 1.1, crun since 1.8.6)";
    for (script, why) in [
        ("echo unknown command features; exit 1", none),
        ("exit 0", none),
        ("echo '[]'", none),
        ("echo '{}'", none),
        ("echo '{\"a\": 1}'; exit 1", none),
        ("echo '{\"a\": 1'", none),
        (
            "echo '{\"annotations\": 1}'",
            "`/usr/local/bin/runc features` prints annotations that are no object",
        ),
        ("yes", "`/usr/local/bin/runc features` prints more than 131072 bytes"),
        ("sleep 99 & sleep 99", "`/usr/local/bin/runc features` did not end within 5 s"),
        ("exec >&-; sleep 99", "`/usr/local/bin/runc features` did not end within 5 s"),
    ] {
        let Some(machine) = Machine::with(script) else { return };
        check(&machine, why);
    }
}

#[test]
fn a_runtime_that_others_can_replace_is_not_run() {
    let Some(machine) = Machine::with("touch /etc/ran") else { return };
    machine.mode("/usr/local/bin/runc", 0o777);
    let why = "/usr/local/bin/runc can be replaced by others than root: chown root /usr/local/bin/runc; chmod go-w \
               /usr/local/bin/runc";
    check(&machine, why);
    machine.mode("/usr/local/bin/runc", 0o644);
    check(&machine, "/usr/local/bin/runc is not a program: its mode is 0644");
    assert_eq!(machine.configured(), Vec::<String>::new());
}

#[test]
fn a_record_that_was_written_by_hand_stays() {
    let Some(machine) = Machine::with(RUNC) else { return };
    machine.write(RECORD, "{}");
    let why = "it was written by hand: remove it first, or keep it up to date yourself";
    let expected = Ran { stderr: format!("note: {RECORD}: not written: {why}\n"), ..succeeded(WRITTEN) };
    assert_eq!(machine.run("install docker"), expected);
    assert_eq!(machine.run("install docker --remove"), succeeded(REMOVED));
    assert_eq!(machine.record(), Some(json!({})));
}

#[test]
fn a_runtime_of_another_system_is_not_run() {
    let Some(machine) = Machine::with("touch /etc/ran") else { return };
    let root = machine.0.path().to_str().expect("a plain name");
    let expected = Ran {
        stderr: format!(
            "note: {root}{RECORD}: not written: no program of another system is run: on that system, `oci-compat install \
             docker` writes it\n"
        ),
        ..succeeded(&format!("{root}{}", WRITTEN))
    };
    assert_eq!(machine.run(&format!("install docker --root {root}")), expected);
    assert_eq!(machine.record(), None);
}

#[test]
fn runc_reports_its_features() {
    if !Path::new("/usr/sbin/runc").is_file() {
        return skip("runc", "/usr/sbin/runc is not installed");
    }
    let Some(machine) = Machine::with("") else { return };
    assert_eq!(machine.run("install docker"), succeeded(&format!("{WRITTEN}{RECORD}: written\n")));
    let mut features = in_folder(Path::new("/usr/sbin/runc"), Path::new("/"));
    let mut expected: Value = serde_json::from_str(&ran(features.arg("features")).stdout).expect("features");
    let mut version = in_folder(Path::new("/usr/sbin/runc"), Path::new("/"));
    let version = ran(version.arg("--version")).stdout;
    let version = version.lines().next().and_then(|it| it.strip_prefix("runc version ")).expect("a version");
    expected["annotations"]["org.oci-compat.program"] = json!("/usr/sbin/runc");
    expected["annotations"]["org.oci-compat.version"] = json!(version);
    assert_eq!(machine.record(), Some(expected));
    let probed = machine.run("probe runtime.feature --format json").stdout;
    let probed: Value = serde_json::from_str(&probed).expect("facts");
    assert!(probed.to_string().contains("\"name\":\"runc\""), "{probed}");
}
