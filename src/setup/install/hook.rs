//! The hook file that Podman and CRI-O read (oci-hooks(5)). The whole file is ours.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{EngineEntry, HOOK, STRICT, is_program, json};

/// The file that `make install` fills in as well.
const TEMPLATE: &str = include_str!("../../../hooks/oci-compat.json.in");
const PLACE: &str = "\"@LIBEXECDIR@/oci-compat-hook\"";

pub(super) fn added(current: Option<&str>, entry: &EngineEntry) -> anyhow::Result<String> {
    let Some(current) = current else {
        let text = TEMPLATE.replace(PLACE, &json!(entry.program).to_string());
        return strictly(text, entry);
    };
    let path = json::parse(current)?.pointer("/hook/path").cloned();
    ensure!(
        path.as_ref().and_then(Value::as_str).is_some_and(|it| is_program(it, HOOK)),
        "it is there already, and calls {} and not oci-compat-hook",
        path.unwrap_or_default()
    );
    // Existing options of the hook stay.
    let text = match path == Some(json!(entry.program)) {
        true => current.to_owned(),
        false => json::set(current, &["hook", "path"], &json!(entry.program))?,
    };
    strictly(text, entry)
}

/// With the hook's option for strict hosts, if the entry asks for it; one that is there stays.
fn strictly(text: String, entry: &EngineEntry) -> anyhow::Result<String> {
    let mut args = match json::parse(&text)?.pointer("/hook/args") {
        Some(Value::Array(args)) => args.clone(),
        _ => vec![json!(HOOK)],
    };
    if !entry.strict || args.contains(&json!(STRICT)) {
        return Ok(text);
    }
    args.push(json!(STRICT));
    json::set(&text, &["hook", "args"], &Value::Array(args))
}

/// `None` for a file of ours; other files stay.
pub(super) fn cut(current: &str) -> Option<String> {
    let path = json::parse(current).ok().and_then(|it| it.pointer("/hook/path").cloned());
    let ours = path.as_ref().and_then(Value::as_str).is_some_and(|it| is_program(it, HOOK));
    (!ours).then(|| current.to_owned())
}
