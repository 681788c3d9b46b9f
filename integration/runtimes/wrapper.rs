//! The wrapper in a low-level runtime's place: under the name that says which one follows.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::bundle::Bundle;
use super::hook::Hook;
use super::program::ours;
use super::runtime::Runtime;
use crate::command::make_program;

/// The wrapper with the host, store and configuration of a hook.
#[derive(Debug)]
pub(super) struct Wrapper {
    pub(super) hook: Hook,
    folder: TempDir,
}

impl Wrapper {
    pub(super) fn beside(hook: Hook) -> Self {
        Self { hook, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// The start of a command line that ends up at this runtime.
    pub(super) fn before(&self, runtime: Runtime, bundle: &Bundle) -> Command {
        let mut command = runtime.command_of(&self.called(runtime.name()), &self.options(), bundle);
        let program = runtime.program();
        let folder = program.parent().expect("a folder").display();
        command.env("PATH", format!("{folder}:/usr/sbin:/usr/bin:/sbin:/bin"));
        command
    }

    /// The same before a script, which is looked for in a folder of its own; the script gets no option of ours.
    pub(super) fn before_script(&self, script: &str) -> Command {
        self.install_script(script);
        let mut command = Command::new(self.called("script"));
        command
            .args(self.options())
            .env_clear()
            .env("PATH", self.path())
            .stdin(Stdio::null())
            .current_dir("/");
        command
    }

    /// The script itself.
    pub(super) fn script(&self, script: &str) -> Command {
        let mut command = Command::new(self.install_script(script));
        command.env_clear().env("PATH", self.path()).stdin(Stdio::null()).current_dir("/");
        command
    }

    pub(super) fn options(&self) -> Vec<String> {
        let link = self.link().display().to_string();
        self.hook.options("--oci-compat-").into_iter().chain(["--oci-compat-link".to_owned(), link]).collect()
    }

    /// The link by which the runtime of the configuration is found.
    pub(super) fn link(&self) -> PathBuf {
        self.folder.path().join("lib/runtime")
    }

    /// The wrapper under a name that ends with the runtime's.
    pub(super) fn called(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(format!("oci-compat-runtime-{name}"));
        if let Err(err) = symlink(ours("oci-compat-runtime"), &path) {
            assert_eq!(err.kind(), std::io::ErrorKind::AlreadyExists, "linking the wrapper");
        }
        path
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn install_script(&self, script: &str) -> PathBuf {
        let path = self.folder.path().join("bin/script");
        fs::create_dir_all(self.folder.path().join("bin")).expect("making a folder");
        make_program(&path, script.as_bytes());
        path
    }

    fn path(&self) -> String {
        format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.folder.path().join("bin").display())
    }
}
