//! Docker's `daemon.json` (dockerd(8)): one more runtime, and on request the default one.

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use super::{Entry, WRAPPER, is_program, json};

const DEFAULT: &str = "default-runtime";

pub(super) fn added(current: Option<&str>, entry: &Entry) -> anyhow::Result<String> {
    ensure!(entry.name != "runc", "docker keeps the name runc for itself: choose another --runtime-name");
    // dockerd takes an empty file for an empty object, and so do we.
    let text = current.map(without_mark).filter(|it| !it.trim().is_empty()).unwrap_or("{}\n");
    let value = json::parse(text)?;
    if let Some(there) = value.get("runtimes").and_then(|it| it.get(&entry.name))
        && !is_ours(there)
    {
        bail!("runtime {} is already there, and is {there}: choose another --runtime-name", entry.name);
    }
    let mut text = json::set(text, &["runtimes", &entry.name, "path"], &json!(entry.program))?;
    if entry.default {
        text = json::set(&text, &[DEFAULT], &json!(entry.name))?;
    }
    Ok(text)
}

/// dockerd passes over a byte order mark, as editors on Windows write it; JSON has none.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

pub(super) fn cut(current: &str, before: Option<&str>, entry: &Entry) -> anyhow::Result<String> {
    let current = without_mark(current);
    let value = json::parse(current)?;
    let mut text = current.to_owned();
    if value.get("runtimes").and_then(|it| it.get(&entry.name)).is_some_and(is_ours) {
        text = json::unset(&text, &["runtimes", &entry.name])?;
    }
    if value.get(DEFAULT) == Some(&json!(entry.name)) {
        let before = before.map(without_mark).map(json::parse).transpose()?;
        text = match before.as_ref().and_then(|it| it.get(DEFAULT)).filter(|it| **it != entry.name) {
            Some(former) => json::set(&text, &[DEFAULT], former)?,
            None => json::unset(&text, &[DEFAULT])?,
        };
    }
    Ok(text)
}

fn is_ours(runtime: &Value) -> bool {
    runtime.get("path").and_then(Value::as_str).is_some_and(|it| is_program(it, WRAPPER))
}
