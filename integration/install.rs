//! `oci-compat install` on systems that are folders: what is written, shown, refused, and that nothing of it stays.

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
fn a_user_gets_the_hook_in_their_own_configuration_beside_the_folders_that_were_named() {
    let system = System::new()
        .with("/etc/containers/containers.conf", "[engine]\nhooks_dir = [\"/srv/hooks\"]\n")
        .with("/home/sam/.config/containers/containers.conf", "[containers]\ninit = true\n");
    let before = system.everything();
    let root = system.0.path().to_str().expect("a plain name");
    let user = |args: &[&str]| {
        let mut command = in_folder(&program_of_ours(), Path::new("/"));
        command.env("HOME", "/home/sam").args([
            "install",
            "podman",
            "--user",
            "--root",
            root,
            "--program",
            HOOK,
        ]);
        let ran = ran(command.args(args));
        let plain = |text: String| text.replace(root, "ROOT");
        Ran { stdout: plain(ran.stdout), stderr: plain(ran.stderr), ..ran }
    };
    let (hook, drop_in) = (
        "/home/sam/.config/containers/oci/hooks.d/oci-compat.json",
        "/home/sam/.config/containers/containers.conf.d/50-oci-compat.conf",
    );
    let said = format!("ROOT{hook}: written\nROOT{drop_in}: written\npodman reads it on its next call\n");
    assert_eq!(user(&[]), succeeded(&said));
    let written = fs::read_to_string(system.path(drop_in)).expect("the drop-in");
    let listed = "[engine]\nhooks_dir = [\"/srv/hooks\", \"/home/sam/.config/containers/oci/hooks.d\"]\n";
    assert_eq!(written.split_once('\n').map(|it| it.1), Some(listed));
    let again = format!(
        "ROOT{hook}: nothing to change\nROOT{drop_in}: nothing to change\npodman reads it on its next call\n"
    );
    assert_eq!(user(&[]), succeeded(&again));
    let removed = format!("ROOT{drop_in}: removed\nROOT{hook}: removed\npodman reads it on its next call\n");
    assert_eq!(user(&["--remove"]), succeeded(&removed));
    assert_eq!(system.everything(), before);
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
fn what_cannot_be_done_is_said_and_nothing_changes() {
    let broken = "version = 2\n[plugins\n";
    check_error(
        &System::new().with(CONTAINERD, broken),
        "containerd",
        "error: ROOT/etc/containerd/config.toml: 2:9: unclosed table, expected `]`\n",
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
