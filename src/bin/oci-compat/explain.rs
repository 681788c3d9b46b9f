//! `explain`: what a code or a feature means, and what a spec demands.

use std::path::Path;

use anyhow::{Context, bail};
use oci_compat::author::lint::{LINT_CODES, LintInfo};
use oci_compat::eval::CODES;
use oci_compat::host::{self, ElementKind, FeatureInfo};
use oci_compat::spec::formats;
use oci_compat::supply::show;

use crate::check::read;
use crate::output::Output;
use oci_compat::words::text::{nearest, printable};

/// The hook's exit statuses: all that remains of a refusal where a runtime passes nothing else on.
pub(crate) const STATUSES: [(&str, &str); 4] = [
    ("78", "The hook refused the container: its image demands what this host lacks."),
    ("79", "The hook refused the container: a fact of this host is unknown, and the policy says so."),
    ("80", "The hook refused the container: a spec that belongs to it is malformed."),
    ("81", "The hook refused the container: the check itself could not be made, and the policy says so."),
];
const NEXT: &str = "`oci-compat why` shows the last decision on this host, `oci-compat log` all of them.";

pub(crate) fn run(name: &str, output: &mut Output) -> anyhow::Result<u8> {
    if let Some((status, meaning)) = STATUSES.iter().find(|(status, _)| *status == name) {
        output.print(&format!("{status}\n  {meaning}\n  {NEXT}\n"))?;
        return Ok(0);
    }
    let codes = CODES.iter().map(|(_, code, meaning)| (*code, *meaning));
    if let Some((code, meaning)) = codes.clone().find(|(code, _)| *code == name) {
        output.print(&format!("{code}\n  {meaning}\n"))?;
        return Ok(0);
    }
    if let Some(info) = LINT_CODES.iter().find(|it| it.name == name) {
        output.print(&lint(info))?;
        return Ok(0);
    }
    if let Some(info) = host::feature(&name.to_lowercase()) {
        output.print(&format!("{}{}", feature(info), details(info)))?;
        return Ok(0);
    }
    if is_file(name) {
        return spec(name, output);
    }
    let known: Vec<_> = codes
        .map(|(code, _)| code)
        .chain(LINT_CODES.iter().map(|it| it.name))
        .chain(host::FEATURES.iter().map(|it| it.name))
        .collect();
    match nearest(name, known.iter().copied()) {
        Some(other) => bail!("there is no code and no feature {name:?}; did you mean {other}?"),
        None => bail!("there is no code and no feature {name:?}; there are {}", known.join(", ")),
    }
}

/// No code and no feature looks like a path, and a spec is a file.
#[expect(clippy::disallowed_methods, reason = "a path that a person named; a wrong guess is an error below")]
fn is_file(name: &str) -> bool {
    name == "-" || name.contains('/') || Path::new(name).is_file()
}

/// What a spec demands, in any format.
fn spec(name: &str, output: &mut Output) -> anyhow::Result<u8> {
    let parsed = formats::parse(&read(Path::new(name))?);
    let spec = parsed
        .with_context(|| format!("the spec {name} is malformed; `oci-compat lint` shows all errors"))?;
    let language = spec.language.title();
    output.print(&format!("{}, a spec of {language}\n{}", printable(name), show::words(&spec)))?;
    Ok(0)
}

/// What a code of `lint` means, with an example.
fn lint(info: &LintInfo) -> String {
    let indent = |example: &str| example.trim_end().replace('\n', "\n    ");
    format!(
        "{} ({} of lint)\n  {}\n  for example:\n    {}\n  rather:\n    {}\n",
        info.name,
        info.level.word(),
        info.meaning,
        indent(info.wrong),
        indent(info.right)
    )
}

/// A feature's description on a few lines.
pub(crate) fn feature(info: &FeatureInfo) -> String {
    let kind = |it: &ElementKind| match it {
        ElementKind::Flags => "flags",
        ElementKind::Attributes => "attributes",
        ElementKind::Instances => "instances",
    };
    let kinds = info.kinds.iter().map(kind).collect::<Vec<_>>().join(" and ");
    let mut text = format!("{} ({kinds})\n  {}\n  read from: {}\n", info.name, info.meaning, info.read);
    if let Some(elements) = info.elements {
        text.push_str(&format!("  elements: {}\n", elements.join(", ")));
    }
    let nfd = if info.nfd { "known to" } else { "not known to" };
    text.push_str(&format!("  {nfd} Node Feature Discovery\n"));
    text
}

/// The information for authors of specs.
fn details(info: &FeatureInfo) -> String {
    let mut text = String::new();
    if !info.beyond_nfd.is_empty() {
        text.push_str(&format!("  but for: {}\n", info.beyond_nfd.join(", ")));
    }
    if !info.sensitive.is_empty() {
        text.push_str(&format!("  not shown by engines: {}\n", info.sensitive.join(", ")));
    }
    text.push_str(&format!("  not there: {}\n  since: {}\n  in a spec:\n", info.absent, info.since));
    text.push_str(&format!("    - {}\n", info.example.replace('\n', "\n    ")));
    text
}
