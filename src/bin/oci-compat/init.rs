//! `init`: a first spec, from a menu of kinds.

use std::fs::OpenOptions;
use std::io::Write;

use anyhow::{Context, anyhow, bail};
use oci_compat::author::draft::{DRAFTS, DraftKind, draft};
use oci_compat::words::text::nearest;

use crate::args::Init;
use crate::output::Output;

pub(crate) fn run(args: &Init, output: &mut Output) -> anyhow::Result<u8> {
    let Some(name) = &args.kind else {
        output.print(&menu())?;
        return Ok(0);
    };
    let Some(kind) = DRAFTS.iter().find(|it| it.name == name) else {
        let names: Vec<_> = DRAFTS.iter().map(|it| it.name).collect();
        match nearest(name, names.iter().copied()) {
            Some(other) => bail!("there is no kind {name:?}; did you mean {other}?"),
            None => bail!("there is no kind {name:?}; there are {}", names.join(", ")),
        }
    };
    let text = draft(kind, args.value.as_deref()).map_err(|err| anyhow!(err))?;
    let Some(path) = &args.output else {
        output.print(&text)?;
        return Ok(0);
    };
    // What an author wrote is never overwritten.
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = opened.with_context(|| format!("writing {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    Ok(0)
}

fn menu() -> String {
    let line = |it: &DraftKind| {
        let call = match it.value {
            Some((what, usual)) => format!("{} [{what}]  {} (or {usual})", it.name, it.about),
            None => format!("{}  {}", it.name, it.about),
        };
        let (call, about) = call.split_once("  ").unwrap_or((&call, ""));
        format!("  {call:<26} {about}\n")
    };
    let lines: String = DRAFTS.iter().map(line).collect();
    format!("oci-compat init KIND [VALUE], where KIND is one of\n{lines}")
}
