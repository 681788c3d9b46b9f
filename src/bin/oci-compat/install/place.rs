//! An engine's configuration file, read and replaced as a whole. Never leaves half a file, and never follows a link to a place
//! that the administrator does not expect.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use oci_compat::os::file::{self, explain_io};
use oci_compat::setup::install::Way;

/// Configurations are written by people; a bundle's `config.json` is the largest.
const MAX_FILE: usize = 4 << 20;
/// What stood in a file before our entry did.
const BEFORE: &str = "before-oci-compat";
/// In folders that were made for our file, so that they can go with it.
const MADE: &str = ".made-by-oci-compat";

/// A file, as it is now and as it was.
#[derive(Debug)]
pub(super) struct EditedFile {
    pub(super) file: PathBuf,
    pub(super) current: Option<String>,
    pub(super) before: Option<String>,
}

impl EditedFile {
    pub(super) fn at(path: &Path, root: &Path) -> anyhow::Result<Self> {
        must_stay_below(path, root)?;
        if path.symlink_metadata().is_ok_and(|it| it.is_symlink()) {
            bail!("{} is a symbolic link: name the file itself with --file", path.display());
        }
        Ok(Self { file: path.to_owned(), current: read(path)?, before: read(&beside(path))? })
    }

    /// Keeps what is there now beside the file, and says where.
    pub(super) fn keep(&self) -> anyhow::Result<PathBuf> {
        let kept = beside(&self.file);
        replace(&kept, self.current.as_deref().unwrap_or_default(), &self.file)?;
        Ok(kept)
    }

    pub(super) fn write(&self, text: &str) -> anyhow::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        make_folders(folder)?;
        replace(&self.file, text, &self.file)
    }

    /// Makes it as it was, without what was kept and made for it; `None` removes the file.
    pub(super) fn restore(&self, text: Option<&str>) -> anyhow::Result<()> {
        match text {
            Some(text) => replace(&self.file, text, &self.file)?,
            None => remove(&self.file)?,
        }
        remove(&beside(&self.file))?;
        self.file.ancestors().skip(1).try_for_each(remove_made)
    }

    /// Removes the file and what was kept beside it; the folders that were made for it stay.
    pub(super) fn discard(&self) -> anyhow::Result<()> {
        remove(&self.file)?;
        remove(&beside(&self.file))
    }
}

/// This program.
pub(super) fn this() -> anyhow::Result<PathBuf> {
    std::env::current_exe().map_err(|err| anyhow!("this program's own path {}", explain_io(&err)))
}

/// Makes a program in a folder where nothing else may ever lie, not even for a moment: it is written beside the folder.
pub(super) fn program(path: &Path, text: &str) -> anyhow::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(|err| unwritable(folder, &err))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.with_file_name(format!(".{name}.{}", std::process::id()));
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o755).open(&temporary).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.set_permissions(Permissions::from_mode(0o755))?;
            file.sync_all()
        });
    if let Err(err) = written.and_then(|()| fs::rename(&temporary, path)) {
        // It may not even be there; what went wrong is the error to tell.
        let _swept = fs::remove_file(&temporary);
        return Err(unwritable(path, &err));
    }
    Ok(())
}

/// Where `make install` has placed the programs: beside this one, or below the same prefix.
pub(super) fn installed(way: Way) -> anyhow::Result<PathBuf> {
    let this = this()?;
    let folder = this.parent().context("this program is in no folder")?;
    Ok(match way {
        Way::Wrapper => folder.join("oci-compat-runtime"),
        Way::Hook => folder.parent().unwrap_or(folder).join("libexec/oci/hooks.d/oci-compat-hook"),
    })
}

/// Makes a link, unless it is there and leads there.
pub(super) fn link(link: &Path, to: &str) -> anyhow::Result<()> {
    let folder = link.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder).map_err(|err| unwritable(folder, &err))?;
    match std::os::unix::fs::symlink(to, link) {
        Err(err) if err.kind() == ErrorKind::AlreadyExists => {
            let there = file::target(link);
            ensure!(
                there.as_deref() == Some(Path::new(to)),
                "{} is there already, and does not lead to {to}: remove it, or choose another --program",
                link.display()
            );
            Ok(())
        }
        made => made.map_err(|err| unwritable(link, &err)),
    }
}

pub(super) fn must_run(program: &Path) -> anyhow::Result<()> {
    let found = program.symlink_metadata().map_err(|err| {
        anyhow!("{} {}: say where it is with --program", program.display(), explain_io(&err))
    })?;
    ensure!(
        found.is_symlink() || found.is_file() && found.mode() & 0o111 != 0,
        "{} is not a program: say where it is with --program",
        program.display()
    );
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Option<String>> {
    let Some(bytes) = file::read(path, MAX_FILE)? else { return Ok(None) };
    let text = String::from_utf8(bytes);
    text.map(Some).map_err(|_| anyhow!("{} is not text in UTF-8", path.display()))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(BEFORE);
    path.with_file_name(name)
}

/// A link in another system leads to where it would lead there, which is elsewhere here.
fn must_stay_below(path: &Path, root: &Path) -> anyhow::Result<()> {
    let Some(folder) = path.ancestors().skip(1).find_map(|it| it.canonicalize().ok()) else { return Ok(()) };
    let root = root.canonicalize().map_err(|err| anyhow!("{} {}", root.display(), explain_io(&err)))?;
    ensure!(
        folder.starts_with(&root),
        "{} is in {}, outside of {}, because a folder above it is a symbolic link: name the file itself with --file",
        path.display(),
        folder.display(),
        root.display()
    );
    Ok(())
}

/// Puts a whole text in the place of a file, with owner and mode of `model` if that is there.
fn replace(path: &Path, text: &str, model: &Path) -> anyhow::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}", std::process::id()));
    let temporary = path.with_file_name(name);
    let written =
        OpenOptions::new().write(true).create_new(true).mode(0o644).open(&temporary).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            if let Ok(model) = model.symlink_metadata() {
                file.set_permissions(Permissions::from_mode(model.mode() & 0o7777))?;
                chown(&temporary, Some(model.uid()), Some(model.gid()))?;
            }
            file.sync_all()
        });
    let placed = written.and_then(|()| fs::rename(&temporary, path));
    if let Err(err) = placed {
        // It may not even exist; the first error is the one to report.
        let _swept = fs::remove_file(&temporary);
        return Err(unwritable(path, &err));
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(err) if err.kind() != ErrorKind::NotFound => Err(unwritable(path, &err)),
        _ => Ok(()),
    }
}

/// Systems with a read-only `/etc` or `/usr` get their files in another way, for which `--print` is there.
fn unwritable(path: &Path, err: &std::io::Error) -> anyhow::Error {
    let sealed = err.kind() == ErrorKind::ReadOnlyFilesystem;
    let next = if sealed { ": --print shows what would change in it" } else { "" };
    anyhow!("{} {}{next}", path.display(), explain_io(err))
}

/// Makes a folder and those above it, each with a mark.
fn make_folders(folder: &Path) -> anyhow::Result<()> {
    let missing = |it: &&Path| it.symlink_metadata().is_err() && !it.as_os_str().is_empty();
    let mut above: Vec<_> = folder.ancestors().take_while(missing).collect();
    while let Some(next) = above.pop() {
        let made = fs::create_dir(next).and_then(|()| fs::write(next.join(MADE), ""));
        made.map_err(|err| unwritable(next, &err))?;
    }
    let there = folder.as_os_str().is_empty() || folder.metadata().is_ok_and(|it| it.is_dir());
    ensure!(there, "{} is not a folder", folder.display());
    Ok(())
}

/// Removes a folder that was made for our file, unless something else is in it by now.
fn remove_made(folder: &Path) -> anyhow::Result<()> {
    let mark = folder.join(MADE);
    if mark.symlink_metadata().is_err() {
        return Ok(());
    }
    remove(&mark)?;
    match fs::remove_dir(folder) {
        // Only we use the mark: a folder that others use stays.
        Err(err) if err.kind() != ErrorKind::DirectoryNotEmpty => Err(unwritable(folder, &err)),
        _ => Ok(()),
    }
}
