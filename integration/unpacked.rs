//! What the first check after a boot keeps for the next ones.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::runtimes::program::{Outcome, ours, run};
use crate::runtimes::runtime::skip;

/// The kernel's configuration is inflated once: what is kept of it decides about the next container.
#[test]
fn the_second_check_reads_what_the_first_has_unpacked() {
    if !Path::new("/proc/config.gz").exists() {
        return skip("/proc/config.gz", "this kernel has none");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kept = folder.path().join("kernel-config");
    assert_eq!(start(folder.path(), "OCI_COMPAT", "no such value").status.code(), Some(78));
    let text = fs::read(&kept).expect("what the first check has kept");
    let place =
        text[4096..].windows(3).position(|it| it == b"=y\n").expect("an option that is built in") + 4096;
    let name = text[..place].rsplit(|it| *it == b'\n').next().expect("its name");
    let name = String::from_utf8(name.to_owned()).expect("a name");
    assert_eq!(start(folder.path(), &name, "y").status.code(), Some(0));
    let mut other = text;
    other[place + 1] = b'x';
    fs::write(&kept, other).expect("another value");
    assert_eq!(start(folder.path(), &name, "x").status.code(), Some(0));
    fs::remove_file(&kept).expect("forgetting");
    let refused = start(folder.path(), &name, "x");
    assert_eq!(
        refused.stderr,
        format!(
            "oci-compat: refused: kernel option CONFIG_{name} is y, needs x [kernel-option-differs; oci-compat why c1]\n"
        )
    );
}

/// Starts a container that demands this value of an option of the kernel that runs here.
fn start(folder: &Path, option: &str, value: &str) -> Outcome {
    let spec = format!(
        "version: v1alpha1\ncompatibilities:\n  - rules:\n      - name: r\n        matchFeatures:\n          - feature: kernel.config\n            matchExpressions:\n              {option}: {{op: In, value: [{value:?}]}}\n"
    );
    let config = json!({"ociVersion": "1.0.2", "annotations": {"org.oci-compat.spec": spec}});
    fs::write(folder.join("config.json"), config.to_string()).expect("a bundle");
    let state = json!({"ociVersion": "1.0.2", "id": "c1", "status": "creating", "bundle": folder});
    fs::write(folder.join("state.json"), state.to_string()).expect("a state");
    let place = |name: &str| folder.join(name);
    let mut hook = Command::new(ours("oci-compat-hook"));
    hook.arg("--store").arg(place("store")).arg("--config").arg(place("config.toml"));
    hook.arg("--reports").arg(place("reports")).arg("--decisions").arg(place("decisions.jsonl"));
    hook.arg("--journal").arg(place("journal")).arg("--syslog").arg(place("syslog"));
    run(hook.stdin(File::open(place("state.json")).expect("the state")))
}
