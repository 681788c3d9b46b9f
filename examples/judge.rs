//! Judges a spec against the facts of a host, as a tool of yours would: two files in, a verdict and the reasons out.
//!
//! ```sh
//! oci-compat probe --format json > facts.json
//! cargo run --example judge -- spec.yaml facts.json
//! ```

use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, anyhow};
use oci_compat::eval;
use oci_compat::eval::verdict::Verdict;
use oci_compat::host::Facts;
use oci_compat::spec;

#[allow(clippy::print_stdout, reason = "a small program says what it found")]
fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = env::args().skip(1);
    let (Some(spec), Some(facts)) = (arguments.next(), arguments.next()) else {
        return Err(anyhow!("usage: judge SPEC FACTS"));
    };
    let spec = spec::parse(&read(&spec)?).map_err(|malformed| anyhow!("{spec}:{malformed}"))?;
    let facts = Facts::from_json(&read(&facts)?).with_context(|| format!("reading {facts}"))?;
    // No tags: every set of the spec counts.
    let judged = eval::evaluate(&spec, &[], &facts);
    let verdict = Verdict::of([judged.outcome]);
    println!("{}", verdict.name());
    Ok(ExitCode::from(verdict.status()))
}

#[allow(clippy::disallowed_methods, reason = "the user named the file")]
fn read(path: &str) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("reading {path}"))
}
