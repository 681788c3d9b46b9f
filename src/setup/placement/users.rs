//! The users of a host who use Podman without root.

use crate::host::Root;
use crate::setup::engines::{self, podman::Rules};
use crate::setup::install::{Way, is_ours};

/// A user who is not root, and has run Podman.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodmanUser {
    /// Their name; a stranger's text.
    pub name: String,
    /// Their number, as it is written there.
    pub uid: String,
    /// Their home on the host.
    pub home: String,
}

/// All of them, as `/etc/passwd` lists them.
pub fn podman_users(root: &Root) -> Vec<PodmanUser> {
    let passwd = root.read_text("/etc/passwd").unwrap_or_default();
    let user = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, uid, _, _, home, ..] = fields.as_slice() else { return None };
        let uses = *uid != "0" && root.exists(&format!("{home}/.local/share/containers/storage")) == Ok(true);
        uses.then(|| PodmanUser {
            name: (*name).to_owned(),
            uid: (*uid).to_owned(),
            home: (*home).to_owned(),
        })
    };
    passwd.lines().filter_map(user).collect()
}

impl PodmanUser {
    /// The folders of hooks that their Podman has by the rules of one version.
    pub fn hooks(&self, root: &Root, rules: Rules) -> Vec<String> {
        engines::podman::hooks_by(root, rules, &self.uid, &self.home)
    }

    /// The files that call our hook, in the folders that their own configuration names.
    pub fn entries(&self, root: &Root) -> Vec<String> {
        let folders = engines::podman::hooks_of(root, &self.home);
        let files = folders.into_iter().map(|it| format!("{it}/oci-compat.json"));
        let calls = |file: &String| {
            let Ok(text) = root.read_text(file) else { return false };
            let parsed: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
            let program = parsed.pointer("/hook/path").and_then(serde_json::Value::as_str);
            program.is_some_and(|it| is_ours(it, Way::Hook))
        };
        files.filter(calls).collect()
    }
}
