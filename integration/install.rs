//! `oci-compat install` on systems that are folders: what is written, shown, refused, and that nothing of it stays.

mod user;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::command::{Ran, in_folder, oci_compat, program as program_of_ours, ran};
use crate::runtimes::runtime::skip;

const WRAPPER: &str = "/usr/bin/oci-compat-runtime";
const HOOK: &str = "/usr/libexec/oci/hooks.d/oci-compat-hook";
const DAEMON: &str = "/etc/docker/daemon.json";
const CONTAINERD: &str = "/etc/containerd/config.toml";

/// A system with our programs.
struct System(TempDir);

impl System {
    fn new() -> Self {
        let system = Self(tempfile::tempdir().expect("a temporary folder"));
        for program in [WRAPPER, HOOK] {
            system.write(program, "");
            let executable = fs::Permissions::from_mode(0o755);
            fs::set_permissions(system.path(program), executable).expect("a mode");
        }
        system
    }

    fn with(self, file: &str, text: &str) -> Self {
        self.write(file, text);
        self
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
        fs::write(path, text).expect("writing a file");
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file.trim_start_matches('/'))
    }

    /// Runs `oci-compat install`; the system's folder is `ROOT` in what it says.
    fn install(&self, args: &str) -> Ran {
        let root = self.0.path().to_str().expect("a plain name");
        let program = if args.contains("podman") && !args.contains("--wrapper") { HOOK } else { WRAPPER };
        let mut all = vec!["install", "--root", root, "--program", program];
        all.extend(args.split(' '));
        let ran = oci_compat(Path::new("/"), &all);
        let plain = |text: String| text.replace(root, "ROOT");
        Ran { stdout: plain(ran.stdout), stderr: plain(ran.stderr), ..ran }
    }

    /// Runs `oci-compat uninstall`.
    fn uninstall(&self, args: &str) -> Ran {
        let root = self.0.path().to_str().expect("a plain name");
        let mut all = vec!["uninstall", "--root", root];
        all.extend(args.split(' ').filter(|it| !it.is_empty()));
        let ran = oci_compat(Path::new("/"), &all);
        let plain = |text: String| text.replace(root, "ROOT");
        Ran { stdout: plain(ran.stdout), stderr: plain(ran.stderr), ..ran }
    }

    /// Every file with mode and content, every folder.
    fn everything(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let metadata = path.symlink_metadata().expect("a file");
                let content = if metadata.is_file() { fs::read(&path).expect("a file") } else { Vec::new() };
                if metadata.is_dir() {
                    folders.push(path.clone());
                }
                found.insert(path, (metadata.permissions().mode(), content));
            }
        }
        found
    }
}

fn succeeded(stdout: &str) -> Ran {
    Ran { status: 0, stdout: stdout.to_owned(), stderr: String::new() }
}

/// Written once, unchanged when done again, and gone without a trace after `--remove`.
fn check(system: &System, args: &str, said: &str) {
    let before = system.everything();
    assert_eq!(system.install(args), succeeded(said));
    let after = system.everything();
    assert_ne!(after, before);
    let file = said.split(':').next().expect("a file");
    assert_eq!(system.install(args), succeeded(&format!("{file}: nothing to change\n")));
    assert_eq!(system.everything(), after);
    let removed = system.install(&format!("{args} --remove"));
    assert_eq!((removed.status, removed.stderr.as_str()), (0, ""));
    assert_eq!(system.everything(), before);
}

fn check_error(system: &System, args: &str, message: &str) {
    let before = system.everything();
    let ran = system.install(args);
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (2, "", message));
    assert_eq!(system.everything(), before);
}

#[test]
fn a_system_without_configurations_gets_them_and_loses_them_again() {
    let system = System::new();
    check(
        &system,
        "docker --default",
        "ROOT/etc/docker/daemon.json: written\ndocker reads it after: systemctl reload docker\n",
    );
    check(
        &system,
        "containerd",
        "ROOT/etc/containerd/config.toml: written\n\
         containerd reads it after: systemctl restart containerd (containers go on)\n",
    );
    check(
        &system,
        "podman",
        "ROOT/usr/share/containers/oci/hooks.d/oci-compat.json: written\npodman reads it on its next call\n",
    );
    check(
        &system,
        "podman --wrapper --default",
        "ROOT/etc/containers/containers.conf.d/50-oci-compat.conf: written\npodman reads it on its next call\n",
    );
    check(
        &system,
        "cri-o --wrapper",
        "ROOT/etc/crio/crio.conf.d/50-oci-compat.conf: written\ncri-o reads it after: systemctl restart crio (containers go on)\n",
    );
}

#[test]
fn a_hook_file_elsewhere_takes_an_entry_in_the_engine_s_configuration() {
    let system = System::new();
    let ran = system.install("podman --file /srv/hooks/oci-compat.json");
    let said = "ROOT/srv/hooks/oci-compat.json: written\npodman reads it on its next call\n\
                it reads only the folders that containers.conf(5) names: [engine] hooks_dir = [\"/srv/hooks\"]\n";
    assert_eq!(ran, succeeded(said));
}

#[test]
fn what_was_there_is_kept_and_comes_back() {
    let system = System::new().with(DAEMON, "{\"debug\": true}").with(CONTAINERD, "version = 3");
    fs::set_permissions(system.path(DAEMON), fs::Permissions::from_mode(0o600)).expect("a mode");
    check(
        &system,
        "docker",
        "ROOT/etc/docker/daemon.json: written; what was there before is ROOT/etc/docker/daemon.json.before-oci-compat\n\
         docker reads it after: systemctl reload docker\n",
    );
    check(
        &system,
        "containerd --default",
        "ROOT/etc/containerd/config.toml: written; what was there before is \
         ROOT/etc/containerd/config.toml.before-oci-compat\n\
         containerd reads it after: systemctl restart containerd (containers go on)\n",
    );
}

#[test]
fn what_others_wrote_meanwhile_stays() {
    let system = System::new();
    assert_eq!(system.install("docker").status, 0);
    let text = fs::read_to_string(system.path(DAEMON)).expect("a configuration");
    system.write(DAEMON, &text.replacen('{', "{\n  \"debug\": true,", 1));
    system.write("/etc/docker/key.json", "{}");
    assert_eq!(
        system.install("docker --remove"),
        succeeded(
            "ROOT/etc/docker/daemon.json: the entry is removed\ndocker forgets it after: systemctl restart docker\n"
        )
    );
    assert_eq!(
        fs::read_to_string(system.path(DAEMON)).expect("a configuration"),
        "{\n  \"debug\": true\n}\n"
    );
    let left = fs::read_dir(system.path("/etc/docker")).expect("a folder").count();
    assert_eq!(left, 2);
}

#[test]
fn a_change_can_be_looked_at_before_it_is_made() {
    let system = System::new().with(DAEMON, "{\n  \"debug\": true\n}\n");
    let before = system.everything();
    assert_eq!(
        system.install("docker --print"),
        succeeded(
            r#"--- ROOT/etc/docker/daemon.json
+++ ROOT/etc/docker/daemon.json
@@ -1,3 +1,8 @@
 {
-  "debug": true
+  "debug": true,
+  "runtimes": {
+    "oci-compat": {
+      "path": "/usr/bin/oci-compat-runtime"
+    }
+  }
 }
"#
        )
    );
    assert_eq!(
        system.install("cri-o --wrapper --print"),
        succeeded(
            r#"--- /dev/null
+++ ROOT/etc/crio/crio.conf.d/50-oci-compat.conf
@@ -0,0 +1,4 @@
+# Written by `oci-compat install`, and removed by its --remove: changes are lost.
+[crio.runtime.runtimes.oci-compat]
+runtime_path = "/usr/bin/oci-compat-runtime"
+runtime_type = "oci"
"#
        )
    );
    assert_eq!(
        system.install("docker --remove --print"),
        succeeded("ROOT/etc/docker/daemon.json: nothing to change\n")
    );
    let class = "apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata:\n  name: upf\nhandler: upf\n";
    assert_eq!(system.install("containerd --runtime-class --runtime-name upf"), succeeded(class));
    assert_eq!(system.everything(), before);
}

#[test]
fn a_bundle_gets_the_hook_and_loses_it_again() {
    let system = System::new().with("/bundle/config.json", "{\n\t\"ociVersion\": \"1.0.2\"\n}\n");
    let (bundle, hook) = (system.path("/bundle"), system.path(HOOK));
    let (bundle, hook) = (bundle.to_str().expect("a plain name"), hook.to_str().expect("a plain name"));
    let before = system.everything();
    let args = ["install", "runc", "--bundle", bundle, "--program", hook];
    let said = format!(
        "{bundle}/config.json: written; what was there before is {bundle}/config.json.before-oci-compat\n\
         the bundle's next container reads it\n"
    );
    assert_eq!(oci_compat(Path::new("/"), &args), succeeded(&said));
    let text = fs::read_to_string(system.path("/bundle/config.json")).expect("a configuration");
    let expected = r#"{
	"ociVersion": "1.0.2",
	"hooks": {
		"createRuntime": [
			{
				"args": [
					"oci-compat-hook"
				],
				"env": [
					"PATH=/usr/sbin:/usr/bin:/sbin:/bin"
				],
				"path": "HOOK",
				"timeout": 100
			}
		]
	}
}
"#;
    assert_eq!(text, expected.replace("HOOK", hook));
    let removed = oci_compat(Path::new("/"), &[&args[..], &["--remove"]].concat());
    assert_eq!((removed.status, removed.stderr.as_str()), (0, ""));
    assert_eq!(system.everything(), before);
}

#[test]
fn an_impossible_install_is_reported_and_changes_nothing() {
    let broken = "version = 2\n[plugins\n";
    check_error(
        &System::new().with(CONTAINERD, broken),
        "containerd",
        "error: /etc/containerd/config.toml: 2:9: unclosed table, expected `]`\n",
    );
    check_error(
        &System::new().with(CONTAINERD, "[plugins]\n"),
        "containerd",
        "error: ROOT/etc/containerd/config.toml: it is of version 1, which has no `version` or says 1: \
         `containerd config migrate` prints it as a newer one\n",
    );
    check_error(
        &System::new().with(DAEMON, "{,}"),
        "docker --remove",
        "error: ROOT/etc/docker/daemon.json: 1:2: key must be a string\n",
    );
    let linked = System::new().with("/etc/docker/real.json", "{}");
    symlink("real.json", linked.path(DAEMON)).expect("a link");
    check_error(
        &linked,
        "docker",
        "error: ROOT/etc/docker/daemon.json is a symbolic link: name the file itself with --file\n",
    );
    check_error(&System::new().with("/etc/docker", ""), "docker", "error: ROOT/etc/docker is not a folder\n");
    let without = System::new();
    fs::remove_file(without.path(WRAPPER)).expect("removing a program");
    check_error(
        &without,
        "docker",
        "error: ROOT/usr/bin/oci-compat-runtime is not there: say where it is with --program\n",
    );
    check_error(
        &System::new(),
        "podman --default",
        "error: --default is about the wrapper; the hook is for every container anyway\n",
    );
}

/// Runs a command with the system mounted read-only, in a namespace of its own; `None` where that is not possible.
fn sealed(system: &System, args: &str) -> Option<Ran> {
    let root = system.0.path().to_str().expect("a plain name");
    let program = system.path(if args.starts_with("podman") { HOOK } else { WRAPPER });
    let script = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && shift && exec \"$@\"";
    let mut command = in_folder(Path::new("unshare"), Path::new("/"));
    command.args(["--mount", "sh", "-c", script, "sh", root]).arg(program_of_ours()).arg("install");
    let program = program.strip_prefix(root).expect("a path below");
    command.args(["--root", root, "--program"]).arg(Path::new("/").join(program)).args(args.split(' '));
    if !nix::unistd::geteuid().is_root() {
        skip("unshare", "mounting needs root");
        return None;
    }
    let ran = ran(&mut command);
    let plain = |text: String| text.replace(root, "ROOT");
    Some(Ran { stdout: plain(ran.stdout), stderr: plain(ran.stderr), ..ran })
}

#[test]
fn on_a_read_only_system_nothing_is_written_and_everything_can_be_looked_at() {
    let failed = |path: &str| Ran {
        status: 2,
        stdout: String::new(),
        stderr: format!(
            "error: {path} is on a read-only file system: --print shows what would change in it\n"
        ),
    };
    let system = System::new().with(CONTAINERD, "version = 3\n").with("/etc/crio/crio.conf.d/other", "");
    let before = system.everything();
    for (args, path) in [
        ("containerd", "ROOT/etc/containerd/config.toml.before-oci-compat"),
        ("cri-o --wrapper", "ROOT/etc/crio/crio.conf.d/50-oci-compat.conf"),
        ("docker", "ROOT/etc/docker"),
        ("podman", "ROOT/usr/share"),
    ] {
        let Some(ran) = sealed(&system, args) else { return };
        assert_eq!(ran, failed(path), "{args}");
        let print = format!("{args} --print");
        assert_eq!(sealed(&system, &print), Some(system.install(&print)));
    }
    assert_eq!(system.everything(), before);
    assert_eq!(system.install("containerd").status, 0);
    let after = system.everything();
    assert_eq!(
        sealed(&system, "containerd"),
        Some(succeeded("ROOT/etc/containerd/config.toml: nothing to change\n"))
    );
    assert_eq!(sealed(&system, "containerd --remove"), Some(failed("ROOT/etc/containerd/config.toml")));
    assert_eq!(system.everything(), after);
}

#[test]
fn a_link_is_never_replaced_and_leads_nowhere_else() {
    let said = "error: ROOT/etc/docker/daemon.json is a symbolic link: name the file itself with --file\n";
    let dangling = System::new().with("/etc/docker/other", "");
    symlink("nowhere.json", dangling.path(DAEMON)).expect("a link");
    for args in ["docker", "docker --print", "docker --remove"] {
        check_error(&dangling, args, said);
    }
    let nowhere = System::new().with("/etc/other", "");
    symlink("nowhere", nowhere.path("/etc/docker")).expect("a link");
    check_error(&nowhere, "docker", "error: ROOT/etc/docker is not a folder\n");
    let linked = System::new().with("/srv/docker/daemon.json", "{}").with("/etc/other", "");
    symlink("../srv/docker", linked.path("/etc/docker")).expect("a link");
    check(
        &linked,
        "docker",
        "ROOT/etc/docker/daemon.json: written; what was there before is ROOT/etc/docker/daemon.json.before-oci-compat\n\
         docker reads it after: systemctl reload docker\n",
    );
    check(
        &linked,
        "docker --file /srv/docker/daemon.json",
        "ROOT/srv/docker/daemon.json: written; what was there before is ROOT/srv/docker/daemon.json.before-oci-compat\n\
         docker reads it after: systemctl reload docker\n",
    );
}

#[test]
fn a_link_out_of_another_system_is_not_followed() {
    let outside = System::new().with("/docker/daemon.json", "{}");
    let system = System::new().with("/etc/other", "");
    symlink(outside.path("/docker"), system.path("/etc/docker")).expect("a link");
    let before = outside.everything();
    let said = format!(
        "error: ROOT/etc/docker/daemon.json is in {}, outside of ROOT, because a folder above it is a symbolic link: \
         name the file itself with --file\n",
        outside.path("/docker").display()
    );
    check_error(&system, "docker", &said);
    assert_eq!(outside.everything(), before);
}

/// An engine's files before and after: `ROOT/` stands for nothing in what is written.
fn written(system: &System, file: &str) -> String {
    fs::read_to_string(system.path(file)).unwrap_or_else(|err| panic!("reading {file}: {err}"))
}

/// The links that `install` has made.
fn links(system: &System) -> Vec<(String, String)> {
    let all = system.everything();
    let links = all.keys().filter_map(|it| Some((it, fs::read_link(it).ok()?)));
    let shown = |it: &Path| it.strip_prefix(system.0.path()).unwrap_or(it).display().to_string();
    links.map(|(link, to)| (shown(link), to.display().to_string())).collect()
}

/// Every entry goes, and what it took to have it stays only where containers may need it.
fn uninstalls(system: &System, before: &BTreeMap<PathBuf, (u32, Vec<u8>)>, said: &str) {
    assert_eq!(system.uninstall(""), succeeded(said));
    let mut after = system.everything();
    after.retain(|path, _| !path.is_symlink() && !path.ends_with("oci-compat"));
    let mut before = before.clone();
    after.retain(|path, it| {
        before.remove(path).is_none_or(|other| other != *it)
            && !path.ends_with("var")
            && !path.ends_with("lib")
    });
    assert_eq!((after, before), (BTreeMap::new(), BTreeMap::new()));
    assert_eq!(system.uninstall(""), succeeded("no engine here has an entry\n"));
}

const NVIDIA: &str = "\
version = 3
[plugins.'io.containerd.cri.v1.runtime'.containerd]
default_runtime_name = 'nvidia'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.nvidia]
runtime_type = 'io.containerd.runc.v2'
base_runtime_spec = '/etc/containerd/base.json'
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.nvidia.options]
BinaryName = '/usr/bin/nvidia-container-runtime'
SystemdCgroup = true
";

/// What makes the wrapper become NVIDIA's runtime.
const CHAIN: [(&str, &str); 2] = [
    ("usr/bin/oci-compat-runtime-nvidia-container-runtime", "oci-compat-runtime"),
    ("var/lib/oci-compat/runtime-nvidia-container-runtime", "/usr/bin/nvidia-container-runtime"),
];

const CHAINED: &str = "\
ROOT/usr/bin/oci-compat-runtime-nvidia-container-runtime: a link to oci-compat-runtime
ROOT/var/lib/oci-compat/runtime-nvidia-container-runtime: a link to /usr/bin/nvidia-container-runtime
";

#[test]
fn containerd_s_default_runtime_remains_what_the_wrapper_becomes() {
    for default in ["containerd --default", "containerd"] {
        let system = System::new().with(CONTAINERD, NVIDIA);
        let before = system.everything();
        let said = format!(
            "{CHAINED}ROOT/etc/containerd/config.toml: written; what was there before is \
             ROOT/etc/containerd/config.toml.before-oci-compat\n\
             containerd reads it after: systemctl restart containerd (containers go on)\n"
        );
        assert_eq!(system.install(default), succeeded(&said));
        let text = written(&system, CONTAINERD);
        let program =
            "BinaryName = \"/usr/bin/oci-compat-runtime-nvidia-container-runtime\"\nSystemdCgroup = true\n";
        assert!(text.ends_with(program), "{text}");
        assert!(text.contains("oci-compat]\nruntime_type = 'io.containerd.runc.v2'\nbase_runtime_spec = '/etc/containerd/base.json'\n"), "{text}");
        assert_eq!(text.contains("default_runtime_name = \"oci-compat\""), default.ends_with("default"));
        assert_eq!(links(&system), CHAIN.map(|(link, to)| (link.to_owned(), to.to_owned())));
        assert_eq!(
            system.install(default),
            succeeded("ROOT/etc/containerd/config.toml: nothing to change\n")
        );
        let said = "ROOT/etc/containerd/config.toml: the entry is removed\n\
                    containerd reads it after: systemctl restart containerd (containers go on)\n";
        uninstalls(&system, &before, said);
    }
}

/// By an option of the hook, and by the wrapper's name, which chains as the plain one does.
#[test]
fn a_strict_host_is_strict_without_any_configuration_of_ours() {
    let system = System::new();
    let hook = "/usr/share/containers/oci/hooks.d/oci-compat.json";
    let steps: [(&str, &[&str]); 3] = [
        ("podman", &["oci-compat-hook"]),
        ("podman --strict", &["oci-compat-hook", "--strict"]),
        ("podman", &["oci-compat-hook", "--strict"]),
    ];
    for (args, options) in steps {
        assert_eq!(system.install(args).status, 0, "{args}");
        let text: serde_json::Value = serde_json::from_str(&written(&system, hook)).expect("an object");
        assert_eq!(text["hook"]["args"], serde_json::json!(options), "{args}");
    }
    let system = System::new().with(DAEMON, "{}");
    let ran = system.install("docker --strict --default");
    assert!(
        ran.stdout.starts_with("ROOT/usr/bin/oci-compat-runtime-strict: a link to oci-compat-runtime\n"),
        "{ran:?}"
    );
    assert!(
        written(&system, DAEMON).contains("\"/usr/bin/oci-compat-runtime-strict\""),
        "{}",
        written(&system, DAEMON)
    );
    assert_eq!(system.uninstall("docker").status, 0);
    assert_eq!(
        written(&system, DAEMON),
        "{}",
        "the link stays: containers that were made by it are ended by it"
    );
    let system = System::new().with(CONTAINERD, NVIDIA);
    for args in ["containerd", "containerd --strict", "containerd --strict", "containerd"] {
        assert_eq!(system.install(args).status, 0, "{args}");
    }
    let program = "BinaryName = \"/usr/bin/oci-compat-runtime-strict-nvidia-container-runtime\"\n";
    let text = written(&system, CONTAINERD);
    assert!(text.contains(program), "{text}");
    let link = ("usr/bin/oci-compat-runtime-strict-nvidia-container-runtime", "oci-compat-runtime");
    let all = links(&system);
    assert!(all.iter().any(|(it, to)| it.ends_with(link.0) && to == link.1), "{all:?}");
}

#[test]
fn docker_s_default_runtime_remains_what_the_wrapper_becomes() {
    let nvidia = r#"{"default-runtime": "nvidia", "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": ["-x"]}}}"#;
    let system = System::new().with(DAEMON, nvidia);
    let before = system.everything();
    let said = "ROOT/usr/bin/oci-compat-runtime-nvidia-container-runtime: a link to oci-compat-runtime\n\
                ROOT/etc/docker/daemon.json: written; what was there before is ROOT/etc/docker/daemon.json.before-oci-compat\n\
                docker reads it after: systemctl reload docker\n";
    assert_eq!(system.install("docker --default"), succeeded(said));
    assert_eq!(
        written(&system, DAEMON),
        r#"{"default-runtime": "oci-compat", "runtimes": {"nvidia": {"path": "nvidia-container-runtime", "runtimeArgs": ["-x"]}, "oci-compat": {"path":"/usr/bin/oci-compat-runtime-nvidia-container-runtime","runtimeArgs":["-x"]}}}"#
    );
    assert_eq!(
        system.install("docker --default"),
        succeeded("ROOT/etc/docker/daemon.json: nothing to change\n")
    );
    let said = "ROOT/etc/docker/daemon.json: the entry is removed\ndocker forgets it after: systemctl restart docker\n";
    uninstalls(&system, &before, said);
}

#[test]
fn what_calls_no_program_is_not_replaced() {
    let kata = NVIDIA.replace("runc.v2", "kata.v2").replace("nvidia", "kata");
    let why = |name: &str, kind: &str, how: &str| {
        format!(
            "the default runtime {name} is {kind}, and calls no program such as runc, in whose place the wrapper could stand: \
             leave --default out, and have containers ask for oci-compat by {how}\n"
        )
    };
    let said = format!(
        "error: ROOT/etc/containerd/config.toml: {}",
        why("kata", "io.containerd.kata.v2", "a RuntimeClass")
    );
    let system = System::new().with(CONTAINERD, &kata);
    check_error(&system, "containerd --default", &said);
    assert_eq!(system.install("containerd").status, 0);
    let text = written(&system, CONTAINERD);
    let ours =
        "oci-compat]\nruntime_type = \"io.containerd.runc.v2\"\npod_annotations = [\"org.oci-compat.*\"]\n";
    assert!(text.contains(ours), "{text}");
    let said = format!(
        "error: ROOT/etc/docker/daemon.json: {}",
        why("kata", "not among its runtimes", "`docker run --runtime`")
    );
    check_error(&System::new().with(DAEMON, r#"{"default-runtime": "kata"}"#), "docker --default", &said);
}

#[test]
fn where_containerd_imports_a_folder_a_file_of_ours_goes_there_and_has_the_last_word() {
    let importing =
        |version: u8| format!("version = {version}\nimports = [\"/etc/containerd/conf.d/*.toml\"]\n");
    let ours = |file: &str| {
        format!(
            "ROOT/etc/containerd/conf.d/{file}: written\n\
             containerd reads it after: systemctl restart containerd (containers go on)\n"
        )
    };
    for version in [3, 4] {
        let system = System::new().with(CONTAINERD, &importing(version));
        check(&system, "containerd --default", &ours("50-oci-compat.toml"));
        assert_eq!(system.install("containerd --default").status, 0);
        let text = written(&system, "/etc/containerd/conf.d/50-oci-compat.toml");
        let start = format!(
            "# Written by `oci-compat install`, and removed by its --remove: changes are lost.\nversion = {version}\n"
        );
        assert!(text.starts_with(&start) && text.contains("runtimes.runc]"), "{text}");
    }
    let system =
        System::new().with(CONTAINERD, &importing(3)).with("/etc/containerd/conf.d/99-nvidia.toml", NVIDIA);
    let before = system.everything();
    assert_eq!(
        system.install("containerd --default"),
        succeeded(&format!("{CHAINED}{}", ours("zz-oci-compat.toml")))
    );
    let text = written(&system, "/etc/containerd/conf.d/zz-oci-compat.toml");
    assert!(
        text.contains("default_runtime_name = \"oci-compat\"") && text.contains("SystemdCgroup = true"),
        "{text}"
    );
    assert!(!text.contains("runtimes.runc]"), "{text}");
    let said = "ROOT/etc/containerd/conf.d/zz-oci-compat.toml: removed\n\
                containerd reads it after: systemctl restart containerd (containers go on)\n";
    uninstalls(&system, &before, said);
    // containerd 1 takes all of the plugin's settings from the last file that has any.
    let nvidia = NVIDIA.replace("version = 3", "version = 2").replace("cri.v1.runtime", "grpc.v1.cri");
    let system =
        System::new().with(CONTAINERD, &importing(2)).with("/etc/containerd/conf.d/99-nvidia.toml", &nvidia);
    assert_eq!(system.install("containerd --default").status, 0);
    let text = written(&system, "/etc/containerd/conf.d/99-nvidia.toml");
    assert!(text.contains("default_runtime_name = \"oci-compat\""), "{text}");
    let last = "version = 3\nimports = [\"/etc/containerd/conf.d/*.toml\", \"/etc/nvidia.toml\"]\n";
    let system = System::new().with(CONTAINERD, last).with("/etc/nvidia.toml", NVIDIA);
    let said = "error: /etc/nvidia.toml is read behind it, and makes nvidia the default runtime: take `default_runtime_name` \
                out there first\n";
    check_error(&system, "containerd --default", said);
}

#[test]
fn an_entry_that_no_engine_reads_is_reported() {
    let system = System::new().with(CONTAINERD, "version = 2\ndisabled_plugins = [\"cri\"]\n");
    let ran = system.install("containerd --default");
    assert_eq!(ran.status, 0);
    assert_eq!(
        ran.stderr,
        "warning: /etc/containerd/config.toml: disabled_plugins names \"cri\": containerd starts nothing for Kubernetes \
         here, and reads no such entry; for Docker: oci-compat install docker\n"
    );
}

#[test]
fn k3s_and_rke2_have_files_of_their_own() {
    let folder = "/var/lib/rancher/k3s/agent/etc/containerd";
    let rendered = format!("{folder}/config.toml");
    let reread = "k3s reads it after: systemctl restart k3s (on an agent: k3s-agent)\n";
    for (version, plugin, template) in [
        (2, "io.containerd.grpc.v1.cri", "config.toml.tmpl"),
        (3, "io.containerd.cri.v1.runtime", "config-v3.toml.tmpl"),
    ] {
        let before = format!(
            "version = {version}\n[plugins.\"{plugin}\".containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\n"
        );
        let system = System::new().with(&rendered, &before);
        let said = format!("ROOT{folder}/{template}: written\n{reread}");
        // Whoever says containerd means the only one that is here.
        check(&system, "containerd", &said);
        check(&system, "k3s", &said);
        assert_eq!(system.install("k3s").status, 0);
        let expected = format!(
            "{{{{ template \"base\" . }}}}\n\n# Begin: written by `oci-compat install`, and removed by its --remove.\n\
             [plugins.\"{plugin}\".containerd.runtimes.oci-compat]\n\
             runtime_type = \"io.containerd.runc.v2\"\npod_annotations = [\"org.oci-compat.*\"]\n\n\
             [plugins.\"{plugin}\".containerd.runtimes.oci-compat.options]\n\
             BinaryName = \"/usr/bin/oci-compat-runtime\"\n# End: oci-compat.\n"
        );
        assert_eq!(written(&system, &format!("{folder}/{template}")), expected);
        let own = "{{ template \"base\" . }}\n[debug]\n";
        let system = System::new().with(&rendered, &before).with(&format!("{folder}/{template}"), own);
        let kept = format!("; what was there before is ROOT{folder}/{template}.before-oci-compat");
        check(&system, "k3s", &said.replace(": written", &format!(": written{kept}")));
    }
    let how = "error: k3s names the default runtime itself: leave --default out, and write `default-runtime: oci-compat` into \
               /etc/rancher/k3s/config.yaml\n";
    check_error(&System::new().with(&rendered, "version = 2\n"), "k3s --default", how);
    let importing = format!("version = 3\nimports = [\"{folder}/config-v3.toml.d/*.toml\"]\n");
    let said = format!("ROOT{folder}/config-v3.toml.d/50-oci-compat.toml: written\n{reread}");
    check(&System::new().with(&rendered, &importing), "k3s --default", &said);
    let early = System::new().with("/var/lib/rancher/rke2/agent/etc/containerd/other", "");
    let said = "error: /var/lib/rancher/rke2/agent/etc/containerd/config.toml is not there yet: start rke2 once, which writes it\n";
    check_error(&early, "rke2", said);
    let both = System::new().with(&rendered, "version = 2\n").with(CONTAINERD, "version = 3\n");
    let ran = both.install("containerd --print");
    assert_eq!(
        (ran.status, ran.stderr.as_str()),
        (
            0,
            "note: k3s has a containerd of its own here, which does not read this file: oci-compat install k3s\n"
        )
    );
}

#[test]
fn k0s_and_microk8s_have_files_of_their_own() {
    let k0s = System::new().with(
        "/etc/k0s/containerd.toml",
        "# k0s_managed=true\nversion = 3\nimports = [\"/etc/k0s/containerd.d/*.toml\"]\n",
    );
    let said = "ROOT/etc/k0s/containerd.d/50-oci-compat.toml: written\nk0s watches this folder, and tells its containerd\n";
    check(&k0s, "containerd --default", said);
    let own = System::new().with("/etc/k0s/containerd.toml", "version = 3\n");
    assert_eq!(own.install("k0s").status, 0);
    assert!(written(&own, "/etc/k0s/containerd.toml").contains("oci-compat-runtime"));
    let args = "/var/snap/microk8s/current/args";
    let template = "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\ndefault_runtime_name = \"${RUNTIME}\"\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.runc]\nruntime_type = \"${RUNTIME_TYPE}\"\n";
    let microk8s = System::new().with(&format!("{args}/containerd-template.toml"), template);
    let said = format!(
        "ROOT{args}/containerd-template.toml: written; what was there before is \
         ROOT{args}/containerd-template.toml.before-oci-compat\n\
         microk8s reads it after: snap restart microk8s.daemon-containerd\n"
    );
    check(&microk8s, "microk8s --default", &said);
    assert_eq!(microk8s.install("microk8s --default").status, 0);
    let text = written(&microk8s, &format!("{args}/containerd-template.toml"));
    assert!(text.contains("oci-compat]\nruntime_type = \"${RUNTIME_TYPE}\"\n"), "{text}");
}

#[test]
fn drop_ins_of_cri_o_and_podman_have_the_last_word() {
    let nvidia = "[crio.runtime]\ndefault_runtime = \"nvidia\"\n[crio.runtime.runtimes.nvidia]\nruntime_path = \"/usr/bin/nvidia-container-runtime\"\nmonitor_path = \"/usr/bin/conmon\"\n";
    let system = System::new().with("/etc/crio/crio.conf.d/99-nvidia.conf", nvidia);
    let before = system.everything();
    let ran = system.install("cri-o --wrapper --default");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert!(
        ran.stdout.starts_with(&format!("{CHAINED}ROOT/etc/crio/crio.conf.d/zz-oci-compat.conf: written\n")),
        "{ran:?}"
    );
    let text = written(&system, "/etc/crio/crio.conf.d/zz-oci-compat.conf");
    let runtime = "[crio.runtime]\ndefault_runtime = \"oci-compat\"\n\n[crio.runtime.runtimes.oci-compat]\n\
                   runtime_path = \"/usr/bin/oci-compat-runtime-nvidia-container-runtime\"\nruntime_type = \"oci\"\n\
                   monitor_path = \"/usr/bin/conmon\"\n";
    assert!(text.ends_with(runtime), "{text}");
    assert_eq!(system.uninstall("cri-o").status, 0);
    assert!(system.everything().len() > before.len(), "the links stay");
    let crun = "[engine]\nruntime = \"crun\"\n";
    let system = System::new().with("/etc/containers/containers.conf.d/60-crun.conf", crun);
    let said = "ROOT/usr/bin/oci-compat-runtime-crun: a link to oci-compat-runtime\n\
                ROOT/etc/containers/containers.conf.d/zz-oci-compat.conf: written\npodman reads it on its next call\n";
    assert_eq!(system.install("podman --wrapper --default"), succeeded(said));
}

/// Podman 6 compares the names of the drop-ins of all folders.
#[test]
fn our_drop_in_of_podman_is_the_last_in_every_version() {
    let early = "ROOT/etc/containers/containers.conf.d/50-oci-compat.conf";
    let late = "ROOT/etc/containers/containers.conf.d/zz-oci-compat.conf";
    let reread = "podman reads it on its next call\n";
    for (other, ours) in [
        ("/usr/share/containers/containers.conf.d/40.conf", early),
        ("/etc/containers/containers.rootless.conf.d/60.conf", early),
        ("/usr/share/containers/containers.conf.d/60.conf", late),
        ("/usr/share/containers/containers.rootful.conf.d/60.conf", late),
        ("/etc/containers/containers.rootful.conf.d/60.conf", late),
        ("/root/.config/containers/containers.conf.d/60.conf", late),
    ] {
        let system = System::new();
        let written = format!("{early}: written\n{reread}");
        assert_eq!(system.install("podman --wrapper --default"), succeeded(&written), "{other}");
        let system = system.with(other, "[engine]\ncgroup_manager = \"cgroupfs\"\n");
        let moved = format!("{late}: written\n{reread}{early}: removed\n");
        let said = if ours == late { moved } else { format!("{early}: nothing to change\n") };
        let before = system.everything();
        assert_eq!(system.install("podman --wrapper --default --print").status, 0, "{other}");
        assert_eq!(system.everything(), before, "{other}");
        assert_eq!(system.install("podman --wrapper --default"), succeeded(&said), "{other}");
        let again = format!("{ours}: nothing to change\n");
        assert_eq!(system.install("podman --wrapper --default"), succeeded(&again), "{other}");
        let removed = format!("{ours}: removed\n{reread}");
        assert_eq!(system.install("podman --wrapper --remove"), succeeded(&removed), "{other}");
        assert_eq!(system.uninstall(""), succeeded("no engine here has an entry\n"), "{other}");
    }
    for other in [
        "/root/.config/containers/containers.conf",
        "/root/.config/containers/containers.conf.d/40.conf",
        "/usr/share/containers/containers.conf.d/zzz.conf",
    ] {
        let system = System::new().with(other, "[engine]\nruntime = \"crun\"\n");
        let ran = system.install("podman --wrapper --default");
        let ours = if other.ends_with("zzz.conf") { late } else { early };
        let said = format!(
            "{other} is read behind {} by some version of Podman, and makes crun the default runtime: take `runtime` out there \
             first\n",
            ours.trim_start_matches("ROOT")
        );
        assert!(ran.status == 2 && ran.stderr.ends_with(&said), "{ran:?}");
        assert_eq!(system.install("podman --wrapper").status, 0, "{other}");
    }
}

/// An entry that another file hides would count as soon as that file goes.
#[test]
fn uninstall_takes_hidden_entries_of_podman_out() {
    let system = System::new();
    assert_eq!(system.install("podman --wrapper").status, 0);
    let ours = written(&system, "/etc/containers/containers.conf.d/50-oci-compat.conf");
    let hidden = [
        "/usr/share/containers/containers.conf.d/50-oci-compat.conf",
        "/etc/containers/containers.rootful.conf.d/50-oci-compat.conf",
        "/root/.config/containers/containers.conf.d/50-oci-compat.conf",
    ];
    let system = hidden.iter().fold(system, |system, file| system.with(file, &ours));
    assert_eq!(system.uninstall("").status, 0);
    assert_eq!(system.uninstall(""), succeeded("no engine here has an entry\n"));
}

#[test]
fn everything_that_was_installed_goes_at_once() {
    let system = System::new().with(DAEMON, "{\"debug\": true}\n").with(CONTAINERD, "version = 3\n");
    let before = system.everything();
    for args in [
        "docker --default",
        "containerd --runtime-name checked",
        "podman",
        "podman --wrapper",
        "cri-o --wrapper",
    ] {
        assert_eq!(system.install(args).status, 0, "{args}");
    }
    let printed = system.uninstall("--print");
    assert!(
        printed.status == 0 && printed.stdout.starts_with("--- ROOT/etc/docker/daemon.json\n"),
        "{printed:?}"
    );
    let ran = system.uninstall("");
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    assert_eq!(system.everything(), before);
    assert_eq!(system.uninstall("docker"), succeeded("no engine here has an entry\n"));
}

#[test]
fn what_still_needs_the_programs_is_reported() {
    let running = "/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/runtime";
    let system = System::new().with(running, "/usr/bin/oci-compat-runtime");
    let ran = system.uninstall("");
    let said = "warning: 1 container made with the wrapper still runs: abc; end it before the programs go, which stop it\n";
    assert_eq!(
        (ran.status, ran.stdout.as_str(), ran.stderr.as_str()),
        (1, "no engine here has an entry\n", said)
    );
    let broken = System::new().with(DAEMON, "{,}");
    let ran = broken.uninstall("");
    let said = "warning: docker: /etc/docker/daemon.json: key must be a string at line 1 column 2; it may still have an entry\n";
    assert_eq!((ran.status, ran.stderr.as_str()), (1, said));
}

/// Root takes nothing out of a folder that a user can change; it says who has to.
#[test]
fn a_user_s_own_hook_is_reported_and_left_to_the_user() {
    let system = System::new()
        .with("etc/passwd", "dev:x:1000:1000::/home/dev:/bin/sh\n")
        .with("home/dev/.local/share/containers/storage/x", "")
        .with("home/dev/.config/containers/containers.conf", "[engine]\nhooks_dir = ['/home/dev/hooks']\n")
        .with("home/dev/hooks/oci-compat.json", &format!("{{\"hook\": {{\"path\": {HOOK:?}}}}}"));
    let before = system.everything();
    let told = "warning: podman of dev has the hook by /home/dev/hooks/oci-compat.json, which is that user's: as dev, \
                oci-compat install podman --user --remove; until then the programs have to stay\n";
    let expected =
        Ran { status: 1, stdout: "no engine here has an entry\n".to_owned(), stderr: told.to_owned() };
    assert_eq!(system.uninstall(""), expected);
    assert_eq!(system.uninstall("podman"), expected);
    assert_eq!(system.uninstall("docker"), succeeded("no engine here has an entry\n"));
    assert_eq!(system.everything(), before);
}

const VERIFIER: &str = "/opt/containerd/image-verifier/bin/oci-compat-verifier";

/// A system with a shell and the command line program.
fn with_shell() -> System {
    let system = System::new();
    for program in ["/bin/sh", "/usr/bin/oci-compat"] {
        system.write(program, "");
        fs::set_permissions(system.path(program), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    system
}

#[test]
fn containerd_s_verifier_is_placed_alone_in_its_folder_and_goes_again() {
    let system = with_shell();
    let run = |args: &str| {
        let root = system.0.path().to_str().expect("a plain name");
        let line =
            format!("install --root {root} --program /usr/bin/oci-compat containerd --verifier {args}");
        let ran = oci_compat(Path::new("/"), &line.split_whitespace().collect::<Vec<_>>());
        Ran { stdout: ran.stdout.replace(root, "ROOT"), stderr: ran.stderr.replace(root, "ROOT"), ..ran }
    };
    let script = "#!/bin/sh\n# Written by `oci-compat install containerd --verifier`, and removed by its --remove.\n\
                  '/usr/bin/oci-compat' verifier -- \"$@\"\n[ $? -ne 1 ]\n";
    let shown = run("--print");
    let added: String = script.lines().map(|it| format!("+{it}\n")).collect();
    assert!(shown.status == 0 && shown.stdout.ends_with(&added), "{shown:?}");
    let said = format!(
        "ROOT{VERIFIER}: written\ncontainerd asks it from its next pull on (containerd 2.0 and later)\n"
    );
    assert_eq!(run(""), succeeded(&said));
    assert_eq!(written(&system, VERIFIER), script);
    let found = fs::metadata(system.path(VERIFIER)).expect("a file").permissions().mode();
    assert_eq!(found & 0o7777, 0o755);
    let names = |folder: &str| {
        let names = fs::read_dir(system.path(folder)).expect("a folder");
        let mut names: Vec<_> =
            names.map(|it| it.expect("an entry").file_name().into_string().expect("a name")).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names("/opt/containerd/image-verifier/bin"), ["oci-compat-verifier"]);
    assert_eq!(names("/opt/containerd/image-verifier"), ["bin"]);
    let unchanged = format!("ROOT{VERIFIER}: nothing to change\n");
    assert_eq!(run(""), succeeded(&unchanged));
    assert_eq!(run("--remove"), succeeded(&format!("ROOT{VERIFIER}: removed\n")));
    assert_eq!(names("/opt/containerd/image-verifier/bin"), Vec::<String>::new());
    assert_eq!(run("--remove"), succeeded(&unchanged));
    run("");
    assert_eq!(system.uninstall("all"), succeeded(&format!("ROOT{VERIFIER}: removed\n")));
    assert_eq!(system.uninstall("all"), succeeded("no engine here has an entry\n"));
}

#[test]
fn a_verifier_that_containerd_would_not_ask_or_could_not_run_is_told() {
    let run = |system: &System, engine: &str| {
        let root = system.0.path().to_str().expect("a plain name");
        let line = format!("install --root {root} --program /usr/bin/oci-compat {engine} --verifier");
        let ran = oci_compat(Path::new("/"), &line.split(' ').collect::<Vec<_>>());
        Ran { stdout: ran.stdout.replace(root, "ROOT"), stderr: ran.stderr.replace(root, "ROOT"), ..ran }
    };
    let fails = |system: &System, engine: &str, message: &str| {
        let expected = Ran { status: 2, stdout: String::new(), stderr: format!("error: {message}\n") };
        assert_eq!(run(system, engine), expected);
    };
    let config = "version = 3\n[plugins.\"io.containerd.cri.v1.images\"]\nuse_local_image_pull = true\n\
                  [plugins.\"io.containerd.image-verifier.v1.bindir\"]\nbin_dir = \"/verifiers\"\n";
    let system = with_shell().with(CONTAINERD, config);
    let ran = run(&system, "containerd");
    assert_eq!(
        (ran.status, ran.stdout.lines().next(), ran.stderr.as_str()),
        (
            0,
            Some("ROOT/verifiers/oci-compat-verifier: written"),
            "warning: /etc/containerd/config.toml: [plugins.\"io.containerd.cri.v1.images\"] has use_local_image_pull = true: for \
             Kubernetes containerd pulls by itself then, and asks no verifier\n"
        )
    );
    fails(&system, "docker", "--verifier is for containerd, also as k3s, RKE2, k0s and MicroK8s have it");
    let system = with_shell();
    fs::remove_file(system.path("/bin/sh")).expect("removing a file");
    fails(&system, "containerd", "ROOT/bin/sh is not there: say where it is with --program");
    let system = with_shell().with(VERIFIER, "#!/bin/sh\nexit 1\n");
    fails(
        &system,
        "containerd",
        &format!("ROOT{VERIFIER} is there already, and is not ours: remove it first"),
    );
}
