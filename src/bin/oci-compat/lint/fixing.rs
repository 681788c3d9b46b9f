//! Writes a corrected spec in the place of the old one. A write that fails leaves the old one as it was.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use oci_compat::os::file;

pub(super) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if path == Path::new("-") {
        bail!("--fix cannot write to stdin: name a file");
    }
    let context = || format!("writing the corrected {}", path.display());
    // A link stays a link.
    let target = fs::canonicalize(path).with_context(context)?;
    let mut name = target.as_os_str().to_owned();
    name.push(".lint-fix");
    let new = PathBuf::from(name);
    // What is there already belongs to somebody else, and stays.
    let created = OpenOptions::new().write(true).create_new(true).open(&new);
    let file = created.with_context(|| format!("creating {}", new.display())).with_context(context)?;
    let written = replace(&target, &new, file, text).with_context(context);
    if written.is_err() {
        // That it cannot be removed matters less than why it was not written.
        let _left = fs::remove_file(&new);
    }
    written
}

fn replace(target: &Path, new: &Path, mut file: File, text: &str) -> anyhow::Result<()> {
    let Some(old) = file::stream(target)? else { bail!("{} is gone", target.display()) };
    file.set_permissions(old.metadata()?.permissions())?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(new, target)?;
    Ok(())
}
