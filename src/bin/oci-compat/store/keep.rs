//! `store gc` and `store verify`.

use std::path::Path;

use oci_compat::spec::compiled;
use oci_compat::store::{Store, VerifiedStore, Writer};
use oci_compat::words::text::printable;

use crate::output::Output;
use oci_compat::words::text::counted;

/// The store has something that is damaged or does not belong there.
const FLAWED: u8 = 1;

/// Takes out what nothing needs.
pub(super) fn gc(is_superseded_too: bool, store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    if Store::open(store)?.is_none() {
        return nothing_there(store, output);
    }
    let swept = Writer::open(store)?.sweep(is_superseded_too)?;
    let superseded = match swept.artifacts {
        0 => String::new(),
        count => format!("{} superseded, ", counted(count, "artifact")),
    };
    output.print(&format!(
        "{superseded}{} removed, {}\n",
        counted(swept.files, "file"),
        size(swept.bytes)
    ))?;
    Ok(0)
}

/// Tells of every file that is damaged, missing, foreign, or open to others.
pub(super) fn verify(store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let Some(opened) = Store::open(store)? else { return nothing_there(store, output) };
    let VerifiedStore { subjects, artifacts, needless, leftovers, flaws } = opened.verify(compiled::FORMAT);
    for flaw in &flaws {
        output.print(&format!("{}\n", printable(flaw)))?;
    }
    let held = format!("{} of {}", counted(artifacts, "artifact"), counted(subjects, "image"));
    output.print(&format!("{}: {held}, {}\n", store.display(), counted(flaws.len(), "flaw")))?;
    for leftover in &leftovers {
        log::warn!("{leftover}");
    }
    if needless > 0 {
        log::warn!("{} belong to no image: oci-compat store gc removes them", counted(needless, "blob"));
    }
    Ok(if flaws.is_empty() { 0 } else { FLAWED })
}

/// That is no error: there is nothing for any image.
fn nothing_there(store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    output.print(&format!("{} is not there: no image has an artifact\n", store.display()))?;
    Ok(0)
}

/// As `du -h` writes it.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut whole, mut unit) = (bytes, "bytes");
    for next in UNITS {
        if whole < 10 << 10 {
            break;
        }
        (whole, unit) = (whole >> 10, next);
    }
    format!("{whole} {unit}")
}
