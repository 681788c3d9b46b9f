//! `convert`: a spec in Node Feature Discovery's language or in our own, and what gets lost.

use oci_compat::author::convert;
use oci_compat::spec::formats::Understood;
use oci_compat::words::text::{printable, printable_path};

use crate::args::{Convert, SpecVersion};
use crate::check::read;
use crate::output::Output;

/// The document is not all that the spec says.
const LOST: u8 = 1;

pub(crate) fn run(args: &Convert, output: &mut Output) -> anyhow::Result<u8> {
    let file = printable_path(&args.file);
    let Understood { spec, malformed, losses } = convert::understand(&read(&args.file)?);
    for problem in malformed.iter().flat_map(|it| it.iter()) {
        log::error!("{file}:{}", printable(&problem.to_string()));
    }
    let Some(spec) = spec.filter(|_| malformed.is_none()) else { return Ok(LOST) };
    let converted = match args.to {
        SpecVersion::V1alpha1 => convert::to_nfd(&spec),
        SpecVersion::Own => convert::to_own(&spec),
    };
    for loss in &losses {
        log::warn!("{file}:{}: {}", loss.at, printable(&loss.message));
    }
    for loss in &converted.losses {
        log::warn!("{file}:{}: {}", loss.at, printable(&loss.message));
    }
    output.print(&converted.document)?;
    Ok(if losses.is_empty() && converted.losses.is_empty() { 0 } else { LOST })
}
