//! A bundle's `config.json` (runtime specification, POSIX-platform Hooks): the hook as the last of its stage.

use anyhow::Context;
use serde_json::{Value, json};

use super::{EngineEntry, HOOK, STRICT, is_program, json};

/// After the namespaces are there, before anything of the image runs.
const STAGE: [&str; 2] = ["hooks", "createRuntime"];

pub(super) fn added(current: Option<&str>, entry: &EngineEntry) -> anyhow::Result<String> {
    let current = current.context("there is no config.json: `umoci unpack` or `runc spec` makes one")?;
    json::parse(current)?;
    let text = cut(current)?;
    // Without `env`, runc and crun pass on their caller's. The timeout is in seconds; our own deadline comes first.
    let args = if entry.strict { vec![HOOK, STRICT] } else { vec![HOOK] };
    let hook = json!({
        "path": entry.program, "args": args, "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], "timeout": 100,
    });
    if let Some(there) = ours(current)?
        && there == hook
    {
        return Ok(current.to_owned());
    }
    json::push(&text, &STAGE, &hook)
}

pub(super) fn cut(current: &str) -> anyhow::Result<String> {
    json::parse(current)?;
    json::pull(current, &STAGE, is_ours)
}

fn ours(current: &str) -> anyhow::Result<Option<Value>> {
    let value = json::parse(current)?;
    let hooks = value.pointer("/hooks/createRuntime").and_then(Value::as_array);
    Ok(hooks.and_then(|it| it.iter().find(|it| is_ours(it)).cloned()))
}

fn is_ours(hook: &Value) -> bool {
    hook.get("path").and_then(Value::as_str).is_some_and(|it| is_program(it, HOOK))
}
