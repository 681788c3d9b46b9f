//! What `probe` says of this machine from where it stands: as root, as nobody, and in a container that has the host's tree
//! at `/host`. Whoever sees less says less; nobody says anything else.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{copy_program, in_folder, program, ran};
use crate::runtimes::program::{installed, run, succeed};
use crate::runtimes::runtime::skip;

/// The user and the group `nobody`, under whatever name.
const NOBODY: u32 = 65_534;
const PROBE: [&str; 3] = ["probe", "--format", "json"];

#[test]
fn an_unprivileged_user_gets_root_s_facts_or_unknown() {
    let Some(folder) = as_root() else { return };
    let seen = |user: u32| {
        let mut command = in_folder(&folder.path().join("oci-compat"), Path::new("/"));
        facts(&ran(command.args(PROBE).uid(user).gid(user)).stdout)
    };
    let (before, nobody, after) = (seen(0), seen(NOBODY), seen(0));
    assert_eq!(contradictions(&before, &nobody, &after), Vec::<String>::new());
}

#[test]
fn a_container_with_the_host_s_tree_knows_less_than_the_host_and_nothing_else() {
    let Some(folder) = as_root() else { return };
    let Some(runc) = installed("runc") else { return skip("runc", "it is not installed") };
    let seen = || {
        let mut command = in_folder(&folder.path().join("oci-compat"), Path::new("/"));
        facts(&ran(command.args(PROBE)).stdout)
    };
    let bundle = bundle(&runc, folder.path());
    let id = folder.path().file_name().expect("a name").to_string_lossy().into_owned();
    let before = seen();
    let outcome = run(Command::new(&runc).current_dir(&bundle).args(["run", &id]));
    // It is gone already, unless it was interrupted.
    let _removed = run(Command::new(&runc).args(["delete", "--force", &id]));
    assert!(outcome.status.success(), "{outcome:?}");
    let inside = facts(&outcome.stdout);
    assert_eq!(contradictions(&before, &inside, &seen()), Vec::<String>::new());
    // Not the container's, which has fewer: what the host's containers can be given.
    let capabilities = |facts: &Value| facts["flags"]["kernel.capability"].clone();
    assert_eq!(capabilities(&inside), capabilities(&before));
}

#[test]
fn an_unprivileged_user_reads_what_is_known_and_why_the_rest_is_not() {
    let Some(folder) = as_root() else { return };
    let host = folder.path().join("host");
    fs::create_dir_all(host.join("proc/sys/kernel")).expect("making a host");
    fs::write(host.join("proc/sys/kernel/osrelease"), "6.1.0\n").expect("making a host");
    fs::write(host.join("proc/cmdline"), "quiet\n").expect("making a host");
    let hide = Command::new("chmod").arg("600").arg(host.join("proc/cmdline")).status();
    assert!(hide.expect("running chmod").success());
    let mut command = in_folder(&folder.path().join("oci-compat"), folder.path());
    let ran = ran(command
        .args(["probe", "--root", "host", "kernel.cmdline", "kernel.version"])
        .uid(NOBODY)
        .gid(NOBODY));
    let expected = "kernel.cmdline: unknown: /proc/cmdline may not be read by this user
kernel.version (/proc/sys/kernel/osrelease)
  full      6.1.0
  major     6
  minor     1
  revision  0
";
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, expected, ""));
}

/// The program in a folder that everybody can enter; none, said aloud, without the rights to be somebody else.
fn as_root() -> Option<TempDir> {
    if !geteuid().is_root() {
        skip("other users", "becoming one takes root");
        return None;
    }
    let folder =
        tempfile::Builder::new().prefix("oci-compat-vantage-").tempdir().expect("a temporary folder");
    succeed(Command::new("chmod").arg("755").arg(folder.path()));
    copy_program(&program(), &folder.path().join("oci-compat"));
    Some(folder)
}

/// A container of runc's own making, with the host at `/host`, as agents of a cluster have it.
fn bundle(runc: &Path, folder: &Path) -> std::path::PathBuf {
    let bundle = folder.join("bundle");
    fs::create_dir_all(bundle.join("rootfs/host")).expect("making a bundle");
    copy_program(&program(), &bundle.join("rootfs/oci-compat"));
    succeed(Command::new(runc).arg("spec").current_dir(&bundle));
    let path = bundle.join("config.json");
    let mut config: Value =
        serde_json::from_slice(&fs::read(&path).expect("config.json")).expect("a configuration");
    let args = [&["/oci-compat"], &PROBE[..], &["--root", "/host"]].concat();
    config["process"]["args"] = json!(args);
    config["process"]["terminal"] = json!(false);
    let host = json!({"destination": "/host", "type": "none", "source": "/", "options": ["rbind", "ro"]});
    config["mounts"].as_array_mut().expect("mounts").push(host);
    fs::write(path, config.to_string()).expect("writing config.json");
    bundle
}

fn facts(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|err| panic!("facts are JSON: {err}: {text}"))
}

/// Where a look says otherwise than the whole. What the whole itself does not say twice is on the move.
fn contradictions(before: &Value, look: &Value, after: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["flags", "attributes", "instances", "absent"] {
        let whole = before[kind].as_object().expect(kind);
        // Files are written all the time.
        let whole = whole.iter().filter(|(it, _)| *it != "storage.filesystem");
        for (feature, whole) in whole.filter(|(it, whole)| after[kind][*it] == **whole) {
            let seen = &look[kind][feature];
            let is_open = !look["unknown"][feature].is_null();
            let agrees = match kind {
                "absent" => is_open || !seen.is_null(),
                _ if is_open => seen.is_null() || is_part(&seen["elements"], &whole["elements"]),
                _ => seen["elements"] == whole["elements"],
            };
            if !agrees {
                found.push(format!("{feature}: {kind}: {seen} instead of {whole}"));
            }
        }
    }
    found
}

fn is_part(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(name, it)| whole.get(name).is_some_and(|whole| is_part(it, whole)))
        }
        (Value::Array(part), Value::Array(whole)) => {
            part.iter().all(|it| whole.iter().any(|whole| is_part(it, whole)))
        }
        (part, whole) => part == whole,
    }
}
