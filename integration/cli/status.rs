//! `status`: what it prints, and how it ends, on systems that are folders.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{folder, run, write};
use crate::schemas::Schema;

/// A system with Docker, whose every container comes to the wrapper.
fn docker() -> TempDir {
    let folder = folder();
    write(&folder, "root/usr/bin/dockerd", "");
    write(&folder, "root/usr/bin/oci-compat-runtime", "");
    let program = folder.path().join("root/usr/bin/oci-compat-runtime");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let runtime = r#""runtimes": {"oci-compat": {"path": "/usr/bin/oci-compat-runtime"}}"#;
    write(
        &folder,
        "root/etc/docker/daemon.json",
        &format!("{{\"default-runtime\": \"oci-compat\", {runtime}}}"),
    );
    folder
}

fn check(folder: &TempDir, status: i32, first: &str) {
    let ran = run(folder, "status --root root");
    assert_eq!((ran.status, ran.stdout.lines().next(), ran.stderr.as_str()), (status, Some(first), ""));
    let ran = run(folder, "status --root root --format json");
    let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.status, Schema::status().complaint(&found).as_str()), (status, ""));
}

#[test]
fn a_monitor_reads_the_exit_status() {
    let folder = docker();
    check(&folder, 0, "in force");
    write(&folder, "root/usr/bin/crio", "");
    check(&folder, 1, "not in force everywhere");
    write(&folder, "root/etc/oci-compat/config.toml", "mode = 1\n");
    check(&folder, 2, "trouble");
}

#[test]
fn containerd_s_verifier_is_shown_with_what_bypasses_it() {
    let folder = folder();
    let put = |path: &str, text: &str| write(&folder, &format!("root/{path}"), text);
    let program = |path: &str, text: &str| {
        put(path, text);
        let path = folder.path().join("root").join(path);
        std::fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a mode");
    };
    put("usr/bin/containerd", "");
    let images = "[plugins.\"io.containerd.cri.v1.images\"]\n";
    let imports = "version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n";
    put("etc/containerd/config.toml", &format!("{imports}{images}max_concurrent_downloads = 5\n"));
    put("etc/containerd/conf.d/1.toml", &format!("version = 3\n{images}use_local_image_pull = true\n"));
    let shown = || {
        let ran = run(&folder, "status --root root --format json");
        let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(Schema::status().complaint(&found), "");
        (found["engines"][0]["verifier"].clone(), run(&folder, "status --root root").stdout)
    };
    assert_eq!(shown().0, Value::Null);
    let (file, called) = ("/opt/containerd/image-verifier/bin/oci-compat-verifier", "/usr/bin/oci-compat");
    let root = folder.path().join("root").display().to_string();
    program(called.trim_start_matches('/'), "");
    program("bin/sh", "");
    let line = format!("install --root {root} --program {called} containerd --verifier");
    assert_eq!(run(&folder, &line).status, 0);
    let why = |file: &str, setting: &str| {
        format!(
            "{file}: [plugins.\"io.containerd.cri.v1.images\"] has {setting}: for Kubernetes containerd pulls by itself then, and asks \
             no verifier"
        )
    };
    let bypasses = [
        why("/etc/containerd/config.toml", "max_concurrent_downloads = 5 (not 3)"),
        why("/etc/containerd/conf.d/1.toml", "use_local_image_pull = true"),
    ];
    let (found, text) = shown();
    assert_eq!(found, json!({"file": file, "program": called, "bypasses": bypasses}));
    let judges = format!("{file} judges images before they are pulled (containerd 2.0 and later)");
    assert!(text.contains(&judges) && bypasses.iter().all(|it| text.contains(it)), "{text}");
    put("etc/containerd/conf.d/2.toml", &format!("version = 3\n{images}use_local_image_pull = false\n"));
    assert_eq!(shown().0["bypasses"], json!(bypasses[..1]));
    let path = folder.path().join("root").join(called.trim_start_matches('/'));
    std::fs::remove_file(path).expect("no program");
    let (found, text) = shown();
    assert_eq!(found["problem"], format!("{called} is not there"));
    assert!(
        text.contains(&format!("{file} judges no image before it is pulled: {called} is not there")),
        "{text}"
    );
    // What cannot be read is neither there nor missing.
    let path = folder.path().join("root").join(file.trim_start_matches('/'));
    std::fs::remove_file(&path).expect("no script");
    std::fs::create_dir(&path).expect("a folder");
    let (found, text) = shown();
    let expected = json!({"file": file, "problem": "is not a regular file", "bypasses": bypasses[..1]});
    assert_eq!(found, expected);
    let unknown =
        format!("whether {file} judges images before they are pulled is not known: it is not a regular file");
    assert!(text.contains(&unknown), "{text}");
}

/// As it is in the programs.
const MARK: &str = concat!("oci-compat-program ", env!("CARGO_PKG_VERSION"), ";");
/// When the entries of the page were written, and when its dockerd was started: seconds since 1970.
const WRITTEN: u64 = 1_772_187_120;
const STARTED: u64 = 1_772_352_000;
/// The decision of the page.
const DECISION: &str = concat!(
    r#"{"schema":"oci-compat.decision/v1","time":"2026-03-01T12:30:45.123456Z","program":"runtime","mode":"enforce","#,
    r#""verdict":"incompatible","situation":"incompatible","action":"refuse","intention":"refuse","message":"oci-compat: "#,
    r#"refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why 3f2a9c]","subject":{"container":"#,
    r#""3f2a9c"},"reasons":[{"code":"module-not-loaded","message":"kernel module gtp5g is not loaded"}],"specs":[]}"#,
    "\n"
);

/// The host of the page: Docker is checked by the wrapper, root's Podman by the hook, and a user's Podman not at all.
fn page_host() -> TempDir {
    let folder = folder();
    let put = |path: &str, text: &str| write(&folder, &format!("root/{path}"), text);
    for program in ["usr/local/bin/oci-compat-runtime", "usr/local/libexec/oci/hooks.d/oci-compat-hook"] {
        put(program, &format!("\u{7f}ELF {} ...", MARK));
        let program = folder.path().join("root").join(program);
        std::fs::set_permissions(program, Permissions::from_mode(0o755)).expect("a mode");
    }
    put("usr/bin/dockerd", "");
    put("usr/bin/podman", "");
    let runtime = r#""runtimes": {"oci-compat": {"path": "/usr/local/bin/oci-compat-runtime"}}"#;
    put("etc/docker/daemon.json", &format!("{{\"default-runtime\": \"oci-compat\", {runtime}}}"));
    let hook = "usr/share/containers/oci/hooks.d/oci-compat.json";
    put(hook, r#"{"hook": {"path": "/usr/local/libexec/oci/hooks.d/oci-compat-hook"}}"#);
    for file in ["etc/docker/daemon.json", hook] {
        let file = File::options().append(true).open(folder.path().join("root").join(file));
        let time = UNIX_EPOCH + Duration::from_secs(WRITTEN);
        file.and_then(|it| it.set_modified(time)).expect("a time");
    }
    put("proc/stat", &format!("btime {}\n", STARTED - 5));
    put("proc/7/comm", "dockerd\n");
    put("proc/7/cmdline", "/usr/bin/dockerd\0");
    put("proc/7/stat", &format!("7 (dockerd) S {} 500 0\n", ["0"; 18].join(" ")));
    put("etc/passwd", "root:x:0:0::/root:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/sh\n");
    put("home/dev/.local/share/containers/storage/x", "");
    put("var/lib/containers/storage/overlay-images/images.json", &images());
    for digit in ["1", "9"] {
        let subject = format!("sha256:{}", digit.repeat(64));
        let store = "root/var/lib/oci-compat/store";
        let ran = run(&folder, &format!("store add spec.yaml --subject {subject} --store {store}"));
        assert_eq!(ran.status, 0, "{ran:?}");
    }
    put("var/log/oci-compat/decisions.jsonl", DECISION);
    folder
}

/// Eight images in containers-storage. The first has requirements.
fn images() -> String {
    let image = |digit: usize| {
        let hex = digit.to_string().repeat(64);
        format!(
            "{{\"id\": \"{hex}\", \"digest\": \"sha256:{hex}\", \"names\": [\"docker.io/acme/upf:{digit}\"]}}"
        )
    };
    format!("[{}]", (1..=8).map(image).collect::<Vec<_>>().join(", "))
}

#[test]
fn the_page_shows_what_such_a_host_gets() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/engines.md")).expect("a page");
    let (_, rest) = page.split_once("```console status\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("its end");
    let folder = page_host();
    let root = folder.path().join("root").display().to_string();
    let ran = run(&folder, &format!("status --root {root}"));
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    assert_eq!(format!("$ oci-compat status\n{}", ran.stdout.replace(&root, "")), example);
}
