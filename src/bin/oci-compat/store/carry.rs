//! `store export` and `store import`: a whole store in one file.

use std::fs::{self, File};
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use oci_compat::os::file;
use oci_compat::store::{Addition, Archive, Digest, Incoming, Store, Writer};
use oci_compat::supply::pull::Anchors;

use super::addition;
use crate::args::CommonArgs;
use crate::output::Output;
use oci_compat::words::text::counted;

/// The number of artifacts that are synced together.
const BATCH: usize = 500;

/// Writes a tar file, or to stdout.
pub(super) fn export(target: &Path, store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let Some(opened) = Store::open(store)? else {
        bail!("there is no store at {}: nothing to export", store.display())
    };
    if target == Path::new("-") {
        if std::io::stdout().is_terminal() {
            bail!("an archive is nothing for a terminal: name a file, or redirect stdout");
        }
        opened.export(output.writer())?;
        return Ok(0);
    }
    let count = replace(target, |file| opened.export(file))?;
    output.print(&format!("exported {} to {}\n", counted(count, "artifact"), target.display()))?;
    Ok(0)
}

/// Writes beside the file and renames, so that a reader never sees half an archive.
fn replace<T>(target: &Path, write: impl FnOnce(&mut dyn Write) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut name = target.as_os_str().to_owned();
    name.push(format!(".tmp-{}", std::process::id()));
    let temporary = PathBuf::from(name);
    let wrong = |err: std::io::Error| anyhow!("{} {}", target.display(), file::explain_io(&err));
    let file = File::create_new(&temporary).map_err(wrong)?;
    let mut buffered = BufWriter::new(file);
    let written = write(&mut buffered).and_then(|it| {
        let file = buffered.into_inner().map_err(|err| wrong(err.into_error()))?;
        file.sync_all().and_then(|()| fs::rename(&temporary, target)).map_err(wrong)?;
        Ok(it)
    });
    if written.is_err() {
        // The failed write is the error to report.
        let _left_behind = fs::remove_file(&temporary);
    }
    written
}

/// Stores what an archive brings, all of it or, if anything in it is wrong, nothing.
pub(super) fn import(source: &Path, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    let anchors = crate::pull::anchors(&common.config)?;
    let accept = |it| accept(it, &anchors);
    let archive = Archive::open(source)?;
    let subjects = archive.subjects()?;
    // Once to see that all is well, and once more to store it: the archive may be larger than memory.
    for subject in &subjects {
        archive.artifacts(subject)?.into_iter().try_for_each(|it| accept(it).map(drop))?;
    }
    let mut writer = Writer::open(&common.store)?;
    let (mut count, mut known, mut batch) = (0, 0, Vec::new());
    for subject in &subjects {
        for incoming in archive.artifacts(subject)? {
            batch.push(accept(incoming)?);
        }
        if batch.len() >= BATCH {
            flush(&mut writer, &mut batch, &mut count, &mut known)?;
        }
    }
    flush(&mut writer, &mut batch, &mut count, &mut known)?;
    let images = counted(subjects.len(), "image");
    output.print(&format!(
        "imported {} of {images}, {known} of which {} there already\n",
        counted(count, "artifact"),
        if known == 1 { "was" } else { "were" }
    ))?;
    Ok(0)
}

fn flush(
    writer: &mut Writer,
    batch: &mut Vec<Addition>,
    count: &mut usize,
    known: &mut usize,
) -> anyhow::Result<()> {
    let added = writer.add_all(batch).context("storing what the archive brings")?;
    *count += added.len();
    *known += added.iter().filter(|it| !it.changed).count();
    batch.clear();
    Ok(())
}

/// What is demanded when an artifact is pulled is demanded of one that is carried here, too.
fn accept(incoming: Incoming, anchors: &Anchors) -> anyhow::Result<Addition> {
    let Incoming { subject, package, origin, evidence } = incoming;
    let manifest = Digest::of(&package.manifest);
    anchors
        .admit(&manifest, origin.as_ref(), evidence.as_deref())
        .map_err(|it| anyhow!("artifact {manifest} for image {subject} {it}: nothing was imported"))?;
    let name = format!("the artifact for image {subject}");
    Ok(Addition { origin, evidence, ..addition(subject, package, &name)? })
}
