//! An OCI image of our own, made and unpacked with umoci, which leaves the manifest's digest beside the bundle.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::bundle::{Bundle, EVIDENCE, install_shell};
use super::program::{installed, succeed};

/// An image layout with one image.
#[derive(Debug)]
pub(super) struct Image {
    folder: TempDir,
}

impl Image {
    /// A layer with a shell; `None` without umoci.
    pub(super) fn with_a_shell() -> Option<Self> {
        installed("umoci")?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let layout = folder.path().join("layout").display().to_string();
        let image = Self { folder };
        umoci(&["init", "--layout", &layout]);
        umoci(&["new", "--image", &image.name()]);
        let draft = image.folder.path().join("draft");
        let bundle = draft.display().to_string();
        umoci(&["unpack", "--image", &image.name(), &bundle]);
        fs::create_dir(draft.join("rootfs/bin")).expect("making a folder");
        install_shell(&draft.join("rootfs/bin"));
        umoci(&["repack", "--image", &image.name(), &bundle]);
        Some(image)
    }

    /// A bundle of this image.
    pub(super) fn unpacked(&self) -> Bundle {
        let fill = |path: &Path| {
            umoci(&["unpack", "--image", &self.name(), &path.display().to_string()]);
        };
        Bundle::filled(fill).set("/process/terminal", json!(false)).set("/process/args", json!(EVIDENCE))
    }

    /// The digest of the manifest that a bundle was unpacked from.
    pub(super) fn digest(bundle: &Bundle) -> String {
        let text = fs::read(bundle.path().join("umoci.json")).expect("reading umoci.json");
        let umoci: Value = serde_json::from_slice(&text).expect("umoci.json is JSON");
        let walk = umoci["from_descriptor_path"]["descriptor_walk"].as_array().expect("a walk");
        let manifest = walk.last().expect("a manifest");
        manifest["digest"].as_str().expect("a digest").to_owned()
    }

    fn name(&self) -> String {
        format!("{}:demo", self.folder.path().join("layout").display())
    }
}

fn umoci(args: &[&str]) {
    succeed(Command::new("umoci").args(args).stdin(Stdio::null()));
}
