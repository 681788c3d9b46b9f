//! Drop-ins that make the wrapper a runtime of Podman (containers.conf(5)) and of CRI-O (crio.conf.d(5)). The whole file
//! is ours.

use anyhow::ensure;

use super::{Engine, Entry};

/// By this line, a file is known for ours.
const FIRST: &str = "# Written by `oci-compat install`, and removed by its --remove: changes are lost.\n";

/// Podman's own list (containers.conf(5), runtime_supports_json), because ours replaces it: only from these runtimes does
/// Podman take errors as JSON, and then whole.
const SPEAKING_JSON: [&str; 7] = ["crun", "runc", "kata", "runsc", "youki", "krun", "ocijail"];

pub(super) fn added(current: Option<&str>, entry: &Entry) -> anyhow::Result<String> {
    ensure!(
        current.is_none_or(|it| it.starts_with(FIRST)),
        "it is there already, and was not written by oci-compat: move it away"
    );
    let text = if entry.engine == Engine::Podman { podman(entry) } else { cri_o(entry) };
    Ok(format!("{FIRST}{text}"))
}

/// `None` for a file of ours; anybody else's stays.
pub(super) fn cut(current: &str) -> Option<String> {
    (!current.starts_with(FIRST)).then(|| current.to_owned())
}

fn podman(entry: &Entry) -> String {
    let Entry { name, program, .. } = entry;
    let default = if entry.default { format!("runtime = \"{name}\"\n") } else { String::new() };
    let speaking: Vec<_> =
        SPEAKING_JSON.into_iter().chain([name.as_str()]).map(|it| format!("\"{it}\"")).collect();
    format!(
        "[engine]\n{default}runtime_supports_json = [{}]\n\n[engine.runtimes]\n{name} = [{}]\n",
        speaking.join(", "),
        quoted(program)
    )
}

fn cri_o(entry: &Entry) -> String {
    let Entry { name, program, .. } = entry;
    let default = if entry.default {
        format!("[crio.runtime]\ndefault_runtime = \"{name}\"\n\n")
    } else {
        String::new()
    };
    format!(
        "{default}[crio.runtime.runtimes.{name}]\nruntime_path = {}\nruntime_type = \"oci\"\n",
        quoted(program)
    )
}

/// As TOML writes a string.
fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}
