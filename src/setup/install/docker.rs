//! Docker's `daemon.json` (dockerd(8)): one more runtime, and on request the default one.

use anyhow::{bail, ensure};
use serde_json::{Value, json};

use super::{EngineEntry, WRAPPER, is_program, json};

const DEFAULT: &str = "default-runtime";
/// The sort of runtime that calls a program, and the option that names it.
const RUNC: &str = "io.containerd.runc.v2";
const BINARY: &str = "BinaryName";

pub(super) fn added(current: Option<&str>, entry: &EngineEntry) -> anyhow::Result<String> {
    ensure!(entry.name != "runc", "docker keeps the name runc for itself: choose another --runtime-name");
    // dockerd takes an empty file for an empty object, and so do we.
    let text = current.map(without_mark).filter(|it| !it.trim().is_empty()).unwrap_or("{}\n");
    let value = json::parse(text)?;
    if let Some(there) = value.get("runtimes").and_then(|it| it.get(&entry.name))
        && !is_ours(there)
    {
        bail!("runtime {} is already there, and is {there}: choose another --runtime-name", entry.name);
    }
    let there = value.get("runtimes").and_then(|it| it.get(&entry.name));
    let mut text = match there.is_none().then(|| former(&value)).flatten() {
        Some(former) => json::set(text, &["runtimes", &entry.name], &taken_over(former, &entry.program))?,
        None if there.is_some_and(|it| it.get("path").is_none()) => {
            json::set(text, &["runtimes", &entry.name, "options", BINARY], &json!(entry.program))?
        }
        None => json::set(text, &["runtimes", &entry.name, "path"], &json!(entry.program))?,
    };
    if entry.default {
        text = json::set(&text, &[DEFAULT], &json!(entry.name))?;
    }
    Ok(text)
}

/// dockerd passes over a byte order mark, as editors on Windows write it; JSON has none.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

pub(super) fn cut(current: &str, before: Option<&str>, entry: &EngineEntry) -> anyhow::Result<String> {
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

/// The runtime that was the default one, if it calls a program.
fn former(value: &Value) -> Option<&Value> {
    let runtime = value.get("runtimes")?.get(value.get(DEFAULT)?.as_str()?)?;
    let is_runc_s = runtime.get("runtimeType").is_none_or(|it| it == RUNC);
    is_runc_s.then_some(runtime)
}

/// Its settings, such as `runtimeArgs`, with our program.
fn taken_over(former: &Value, program: &str) -> Value {
    let mut runtime = former.clone();
    match runtime.get_mut("options").filter(|_| former.get("path").is_none()) {
        Some(options) => options[BINARY] = json!(program),
        None => {
            let mut plain = serde_json::Map::from_iter([("path".to_owned(), json!(program))]);
            plain.extend(former.get("runtimeArgs").map(|it| ("runtimeArgs".to_owned(), it.clone())));
            runtime = Value::Object(plain);
        }
    }
    runtime
}

fn is_ours(runtime: &Value) -> bool {
    let program = runtime.get("path").or_else(|| runtime.get("options")?.get(BINARY));
    program.and_then(Value::as_str).is_some_and(|it| is_program(it, WRAPPER))
}
