//! A container's bundle, made without an engine: a statically linked shell, and a `config.json` around it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::{Builder, TempDir};

use super::hook::{Hook, PATH};
use super::program::installed;
use crate::command::copy_program;

/// The bundle annotation that holds a spec.
pub(super) const SPEC: &str = "org.oci-compat.spec";

/// The bundle annotation that names the image, for those who trust it.
pub(super) const IMAGE: &str = "org.oci-compat.image";

/// What the containers do.
pub(super) const EVIDENCE: [&str; 3] = ["/bin/sh", "-c", "echo ran >/ran; echo ran"];

/// A bundle in a folder of its own, and the state of the runtime beside it.
/// The folder's name is the container's id as well, so that one word finds all that a container leaves.
#[derive(Debug)]
pub(super) struct Bundle {
    folder: TempDir,
    config: Value,
}

impl Bundle {
    /// A `config.json` without a root file system: enough to be looked at.
    pub(super) fn hollow() -> Self {
        Self::filled(|path| {
            fs::create_dir(path).expect("making a bundle");
            fs::write(path.join("config.json"), config().to_string()).expect("writing config.json");
        })
    }

    /// A container whose process says `ran`, and leaves a file as evidence.
    pub(super) fn with_a_shell() -> Self {
        let bundle = Self::hollow();
        let bin = bundle.rootfs().join("bin");
        fs::create_dir_all(&bin).expect("making a root file system");
        install_shell(&bin);
        bundle
    }

    /// A bundle that somebody else makes where there is nothing yet.
    pub(super) fn filled(fill: impl FnOnce(&Path)) -> Self {
        let folder = Builder::new().prefix("oci-compat-test-").tempdir().expect("a temporary folder");
        let path = folder.path().join("bundle");
        fill(&path);
        let config = fs::read(path.join("config.json")).expect("reading config.json");
        Self { folder, config: serde_json::from_slice(&config).expect("a configuration") }
    }

    pub(super) fn annotate(mut self, key: &str, value: &str) -> Self {
        self.config["annotations"][key] = value.into();
        self
    }

    /// Called once the container's namespaces exist, before its process runs.
    pub(super) fn hook(mut self, hook: &Hook) -> Self {
        self.config["hooks"] = json!({"createRuntime": [hook.entry()]});
        self
    }

    /// Sets the field at a JSON pointer (RFC 6901) whose parent exists.
    pub(super) fn set(mut self, pointer: &str, value: Value) -> Self {
        let (parent, key) = pointer.rsplit_once('/').expect("a JSON pointer");
        self.config.pointer_mut(parent).expect("a parent")[key] = value;
        self
    }

    /// Puts `config.json` in its place: the last step.
    pub(super) fn written(self) -> Self {
        let config = serde_json::to_vec(&self.config).expect("a configuration");
        fs::write(self.path().join("config.json"), config).expect("writing config.json");
        self
    }

    pub(super) fn id(&self) -> &str {
        self.folder
            .path()
            .file_name()
            .and_then(|name| name.to_str())
            .expect("temporary folders have plain names")
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }

    /// Where the low-level runtime keeps its state.
    pub(super) fn state_folder(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The state that runc hands to a hook (runtime specification, State).
    pub(super) fn state(&self) -> String {
        json!({
            "ociVersion": "1.0.2-dev", "id": self.id(), "status": "creating", "pid": 1, "bundle": self.path(),
            "annotations": self.config["annotations"],
        })
        .to_string()
    }

    /// Whether the container's process ran, were it only for a moment.
    pub(super) fn ran(&self) -> bool {
        self.rootfs().join("ran").exists()
    }

    fn rootfs(&self) -> PathBuf {
        self.path().join("rootfs")
    }
}

/// Copies a statically linked busybox, which brings all that a container needs.
pub(super) fn install_shell(bin: &Path) {
    let busybox = installed("busybox").expect("busybox is installed");
    copy_program(&busybox, &bin.join("busybox"));
    symlink("busybox", bin.join("sh")).expect("linking the shell");
}

/// The least that every runtime takes. No network namespace: the container does not talk.
fn config() -> Value {
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": [PATH],
            "args": EVIDENCE,
        },
        "root": {"path": "rootfs"},
        "annotations": {},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
        ],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]},
    })
}
