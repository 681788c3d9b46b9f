//! What is said of the program of a container, against what happens when it is started: under QEMU with CPUs of lower levels, and by the
//! kernel that runs here.

mod kernel;
mod levels;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::command::{copy_program, make_program, oci_compat};

/// Says `ran`, whatever it is given.
const C: &str = "#include <unistd.h>\nint main(void) { return write(1, \"ran\\n\", 4) != 4; }\n";

/// A bundle in a folder of its own, beside whatever a test keeps there.
#[derive(Debug)]
struct Bundle {
    folder: TempDir,
}

impl Bundle {
    /// One whose container starts these words.
    fn of(args: &[&str]) -> Self {
        let bundle = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir_all(bundle.rootfs()).expect("making a root file system");
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {"args": args, "cwd": "/", "env": ["PATH=/bin"]},
            "root": {"path": "rootfs"},
        });
        fs::write(bundle.path().join("config.json"), config.to_string()).expect("writing config.json");
        // Others than root have to be able to read what is inside.
        for folder in [bundle.path().to_owned(), bundle.rootfs()] {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            fs::set_permissions(folder, mode).expect("setting a mode");
        }
        bundle
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn rootfs(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    /// Where a file of the container is.
    fn at(&self, path: &str) -> PathBuf {
        let at = self.rootfs().join(path.trim_start_matches('/'));
        fs::create_dir_all(at.parent().expect("a folder")).expect("making a folder");
        at
    }

    fn program(self, path: &str, content: &[u8]) -> Self {
        make_program(&self.at(path), content);
        self
    }

    /// A copy of a file of this machine.
    fn copy(self, path: &str, from: &Path) -> Self {
        copy_program(from, &self.at(path));
        self
    }

    /// What `check` says, with these options that name a host.
    fn judged(&self, host: &[&str]) -> Verdict {
        let folder = self.path().display().to_string();
        let options = ["check", "--format", "json", "--bundle", &folder, "--store", "/nonexistent"];
        let ran = oci_compat(self.path(), &[&options[..], host].concat());
        let report: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|err| panic!("{err}: {ran:?}"));
        let messages = |key: &str| {
            let all = report[key].as_array().cloned().unwrap_or_default();
            all.iter().map(|it| format!("{} [{}]", text(&it["message"]), text(&it["code"]))).collect()
        };
        Verdict {
            is_refused: report["verdict"] == "incompatible",
            reasons: messages("reasons"),
            recommendations: messages("recommendations"),
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// What is said of a container.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    is_refused: bool,
    reasons: Vec<String>,
    recommendations: Vec<String>,
}

impl Verdict {
    /// Nothing at all.
    fn is_silent(&self) -> bool {
        !self.is_refused && self.reasons.is_empty() && self.recommendations.is_empty()
    }
}
