//! `config check`: the exit statuses, JSON, and that what it promises is what a check does.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{folder, run, write};

/// A spec that no host with a kernel of the 5 series fits.
const TOO_NEW: &str = "version: v1alpha1
compatibilities:
- rules:
  - name: kernel
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        major: {op: Gt, value: [5]}
";

/// Whatever the umask: what others can write is warned of.
fn file(folder: &TempDir, path: &str, text: &str) {
    write(folder, path, text);
    let path = folder.path().join(path);
    for (place, mode) in [(path.as_path(), 0o644), (path.parent().expect("a folder"), 0o755)] {
        fs::set_permissions(place, Permissions::from_mode(mode)).expect("changing a file");
    }
}

fn json_of(folder: &TempDir) -> (i32, Value) {
    let ran = run(folder, "config check --config etc/config.toml --format json");
    assert_eq!(ran.stderr, "");
    (ran.status, serde_json::from_str(&ran.stdout).expect("JSON"))
}

#[test]
fn programs_get_the_same_as_json() {
    let folder = folder();
    let waiver = "[[waiver]]\nrule = \"a\\u001b\"\nimage = \"*\"\nreason = \"r\"\nexpires = \"2020-01-01\"\n";
    file(&folder, "etc/config.toml", &format!("mode = \"audit\"\n{waiver}[trust.x]\nrequire = \"none\"\n"));
    let (status, document) = json_of(&folder);
    assert_eq!(status, 0);
    let place = |name: &str| document.pointer(name).unwrap_or(&Value::Null).clone();
    assert_eq!(place("/schema"), json!("oci-compat.config/v1"));
    assert_eq!(place("/files"), json!(["etc/config.toml"]));
    assert_eq!((place("/broken"), place("/errors")), (json!(false), json!([])));
    let over = "the waiver held until 2020-01-01: renew or remove it";
    let warning = json!({"file": "etc/config.toml", "line": 2, "column": 1, "message": over});
    assert_eq!(place("/warnings"), json!([warning]));
    assert_eq!(place("/settings/0"), json!({"key": "mode", "value": "audit", "from": "etc/config.toml:1"}));
    assert_eq!(place("/settings/1"), json!({"key": "action.incompatible", "value": "refuse"}));
    assert_eq!(place("/waivers/0/rule"), json!("a\\u{1b}"));
    assert_eq!(
        place("/trust/0"),
        json!({"repository": "x", "require": "none", "keys": [], "from": "etc/config.toml:7"})
    );
}

#[test]
fn the_status_reports_whether_something_is_wrong() {
    let folder = folder();
    file(&folder, "etc/config.toml", "mode = 1\n");
    let (status, document) = json_of(&folder);
    assert_eq!((status, document.pointer("/broken")), (1, Some(&json!(true))));
    file(&folder, "etc/config.toml", "mode = \"off\"\n");
    assert_eq!(json_of(&folder).0, 0);
    let ran = run(&folder, "config check --format xml");
    assert_eq!((ran.status, ran.stdout.as_str()), (2, ""));
}

#[test]
fn a_check_of_a_bundle_uses_waivers_and_the_host_s_own_requirements() {
    let folder = folder();
    file(&folder, "bundle/config.json", "{}");
    let line = "check --bundle bundle --root host --store store --config etc/config.toml";
    file(&folder, "etc/requirements.d/1.toml", &format!("images = [\"*\"]\nspec = '''\n{TOO_NEW}'''\n"));
    let ran = run(&folder, line);
    let spec = "\nspec administrator etc/requirements.d/1.toml: unmet\n  set (weight 0): unmet\n    rule kernel: unmet\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    assert!(ran.stdout.contains(spec), "{}", ran.stdout);
    let waiver = "[[waiver]]\nrule = \"kernel\"\nimage = \"*\"\nreason = \"lab\"\nexpires = \"never\"\n";
    file(&folder, "etc/config.toml", waiver);
    let ran = run(&folder, line);
    let told = "compatible: bundle bundle\n  waived without end: kernel version major is 5, needs more than 5 (rule kernel) [kernel-version]\n    \
                lab (etc/config.toml:1)\n\nspec administrator etc/requirements.d/1.toml: met\n  set (weight 0): met\n    \
                rule kernel: unmet, waived\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with(told), "{}", ran.stdout);
}

#[test]
fn decisions_are_looked_for_where_the_configuration_has_them() {
    let folder = folder();
    let decision = concat!(
        r#"{"schema":"oci-compat.decision/v1","time":"2026-08-01T09:12:44.120034Z","program":"hook","mode":"enforce","#,
        r#""verdict":"incompatible","situation":"incompatible","action":"refuse","intention":"refuse","#,
        r#""message":"oci-compat: refused: no","subject":{"container":"c1"},"#,
        r#""reasons":[{"code":"trouble","message":"no"}],"specs":[]}"#,
    );
    file(&folder, "log.jsonl", &format!("{decision}\n"));
    let path = folder.path().join("log.jsonl").display().to_string();
    file(&folder, "etc/config.toml", &format!("log.decisions = {path:?}\n"));
    let ran = run(&folder, "log --config etc/config.toml");
    assert_eq!(ran.stderr, "");
    assert!(ran.stdout.starts_with("2026-08-01T09:12:44Z image unknown: refused: no\n"), "{}", ran.stdout);
    let ran = run(&folder, "why c1 --config etc/config.toml --reports none");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{}", ran.stdout);
}
