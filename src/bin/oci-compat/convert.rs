//! `convert`: a spec in Node Feature Discovery's language, and what gets lost.

use oci_compat::words::text::{printable, printable_path};
use oci_compat::{author::convert, spec};

use crate::args::{Convert, SpecVersion};
use crate::check::read;
use crate::output::Output;

/// The document is not all that the spec says.
const LOST: u8 = 1;

pub(crate) fn run(args: &Convert, output: &mut Output) -> anyhow::Result<u8> {
    let file = printable_path(&args.file);
    let spec = match spec::parse(&read(&args.file)?) {
        Ok(spec) => spec,
        Err(malformed) => {
            for problem in malformed.iter() {
                log::error!("{file}:{}", printable(&problem.to_string()));
            }
            return Ok(LOST);
        }
    };
    let converted = match args.to {
        SpecVersion::V1alpha1 => convert::to_nfd(&spec),
    };
    for loss in &converted.losses {
        log::warn!("{file}:{}: {}", loss.at, printable(&loss.message));
    }
    output.print(&converted.document)?;
    Ok(if converted.losses.is_empty() { 0 } else { LOST })
}
