//! Drop-ins that make the wrapper a runtime of Podman (containers.conf(5)) and of CRI-O (crio.conf.d(5)). The whole file
//! is ours.

use anyhow::ensure;

use super::{Engine, EngineEntry, FIRST};

/// Podman's own list (containers.conf(5), runtime_supports_json), because ours replaces it: only from these runtimes does
/// Podman take errors as JSON, and then whole.
const SPEAKING_JSON: [&str; 7] = ["crun", "runc", "kata", "runsc", "youki", "krun", "ocijail"];

pub(super) fn added(current: Option<&str>, entry: &EngineEntry) -> anyhow::Result<String> {
    ensure_ours(current)?;
    let text = if entry.engine == Engine::Podman { podman(entry) } else { cri_o(entry) };
    Ok(format!("{FIRST}{text}"))
}

fn ensure_ours(current: Option<&str>) -> anyhow::Result<()> {
    ensure!(
        current.is_none_or(|it| it.starts_with(FIRST)),
        "it is there already, and was not written by oci-compat: move it away"
    );
    Ok(())
}

/// `None` for a file of ours; other files stay.
pub(super) fn cut(current: &str) -> Option<String> {
    (!current.starts_with(FIRST)).then(|| current.to_owned())
}

fn podman(entry: &EngineEntry) -> String {
    let EngineEntry { name, program, .. } = entry;
    let default = if entry.default { format!("runtime = \"{name}\"\n") } else { String::new() };
    let speaking: Vec<_> =
        SPEAKING_JSON.into_iter().chain([name.as_str()]).map(|it| format!("\"{it}\"")).collect();
    format!(
        "[engine]\n{default}runtime_supports_json = [{}]\n\n[engine.runtimes]\n{name} = [{}]\n",
        speaking.join(", "),
        toml_string(program)
    )
}

/// The settings of the previous default runtime, such as `monitor_path`, also apply to ours.
fn cri_o(entry: &EngineEntry) -> String {
    let EngineEntry { name, program, .. } = entry;
    let former = entry.former().map(|(_, it)| it.table.clone()).unwrap_or_default();
    let own = ["runtime_path", "runtime_type"];
    let kept = former.into_iter().filter(|(key, _)| !own.contains(&key.as_str()));
    let kept: String = kept
        .filter(|(_, it)| !it.is_table())
        .map(|(key, it)| format!("{key} = {}\n", super::table::value(&it)))
        .collect();
    let default = if entry.default {
        format!("[crio.runtime]\ndefault_runtime = \"{name}\"\n\n")
    } else {
        String::new()
    };
    format!(
        "{default}[crio.runtime.runtimes.{name}]\nruntime_path = {}\nruntime_type = \"oci\"\n{kept}",
        toml_string(program)
    )
}

/// As TOML writes a string.
fn toml_string(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

/// How a user's drop-in begins.
const HOOKS: &str = "[engine]\nhooks_dir";

/// The folders for hooks of a user's Podman, which reads only those that are named (containers.conf(5), `hooks_dir`).
#[derive(Debug)]
pub struct UserHooks {
    ours: String,
    listed: Vec<String>,
}

impl UserHooks {
    /// The folder that our hook is in, and those that other files name.
    pub fn new(ours: &str, listed: Vec<String>) -> Self {
        Self { ours: ours.to_owned(), listed }
    }

    /// Whether a text is such a drop-in, and not one for the wrapper.
    pub fn wrote(text: &str) -> bool {
        text.strip_prefix(FIRST).is_some_and(|it| it.starts_with(HOOKS))
    }

    /// A drop-in that names them all, and ours last: of two hook files of one name, the last counts (oci-hooks(5)).
    ///
    /// # Errors
    ///
    /// If `current`, the present text, is not ours.
    pub fn added(&self, current: Option<&str>) -> anyhow::Result<String> {
        ensure_ours(current)?;
        let folders = self.listed.iter().filter(|it| **it != self.ours).chain([&self.ours]);
        let folders: Vec<_> = folders.map(|it| toml_string(it)).collect();
        Ok(format!("{FIRST}{HOOKS} = [{}]\n", folders.join(", ")))
    }
}
