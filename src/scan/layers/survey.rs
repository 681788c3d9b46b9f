//! A look at every file of an image, each once: what it is as a program, and what it holds if that matters. Of layers as they come,
//! and of folders to which an engine has unpacked them. Runs nothing, follows no link, and opens regular files only.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, ResolveFlag};
use nix::sys::stat::{self, SFlag};
use rustix::fs::getxattr;

use super::contents::{File, FileMember, Room};
use super::folders::{Folders, InOneLayer, own};
use super::{Layer, Layers};
use crate::os::file;
use crate::program::binary::{Binary, ReadPart};
use crate::program::machine::MAGIC;
use crate::program::survey::{Interest, MAX_TEXT, SurveyScope, SurveyedFile};
use crate::program::unpacked;

/// So many bytes of the start of a file of a layer can be read in any order; what is behind them only forwards.
const KEPT: u64 = 16 << 20;
/// No attribute `security.capability` is larger (`vfs_ns_cap_data`), in bytes.
const CAPABILITY: usize = 24;
const CAPABILITY_NAME: &str = "security.capability";
/// Files and folders of one image in folders.
const MAX_FILES: usize = 1 << 20;
/// The kernel takes no longer path, in bytes (`PATH_MAX`).
const MAX_PATH: usize = 4096;
/// What a file that matters takes in memory, beyond its path and what it holds, in bytes.
const COST: usize = 256;

/// Takes a file.
type Take<'a> = dyn FnMut(SurveyedFile) + 'a;

impl<'a> Layers<'a> {
    /// Looks at all files that the image has, the uppermost layer first. To be called before any path is followed.
    ///
    /// # Errors
    ///
    /// If a layer cannot be read: a sentence.
    pub fn survey(&self, scope: SurveyScope, take: &mut Take<'_>) -> Result<(), String> {
        for (index, layer) in self.layers.iter().enumerate() {
            self.survey_layer((index, layer), scope, take)
                .map_err(|why| format!("layer {}: {why}", layer.digest))?;
        }
        Ok(())
    }

    fn survey_layer(
        &self,
        (index, layer): (usize, &Layer<'a>),
        scope: SurveyScope,
        take: &mut Take<'_>,
    ) -> Result<(), String> {
        let mut found = BTreeMap::new();
        let mut keep = |member: FileMember<'_>, content: &mut dyn Read, room: &mut Room| {
            let FileMember { size, mode, .. } = member;
            let path = member.path.to_vec();
            let file = look_at(member, content, scope);
            // The later one of two counts.
            found.remove(&path);
            if let Some(file) = file {
                room.starts =
                    room.starts.checked_sub(cost(&file)).ok_or("it has more programs than are looked at")?;
                found.insert(path, file);
            }
            Ok(File { mode, size, start: Vec::new(), parts: Vec::new() })
        };
        let contents = self.load(layer, &mut keep)?;
        self.read.set(self.read.get() + 1);
        let upper = || self.layers.iter().take(index).filter_map(|it| it.contents.get()?.as_ref());
        let is_hidden = |path: &[u8]| upper().any(|it| it.at(path).is_some() || it.hides(path));
        found.retain(|path, _| contents.is_file(path));
        // What is hidden may have another name that is not.
        let named = |(path, target): (&Vec<u8>, &Vec<u8>)| {
            let is_other = is_hidden(target) && !is_hidden(path);
            found.get(target).filter(|_| is_other).map(|it| SurveyedFile { path: path.clone(), ..it.clone() })
        };
        let mut others: Vec<_> = contents.same().filter_map(named).collect();
        others.sort_by(|one, other| one.path.cmp(&other.path));
        found.into_values().filter(|it| !is_hidden(&it.path)).chain(others).for_each(take);
        // What it has is known now, and is not read again.
        let _first = layer.contents.set(Some(contents));
        Ok(())
    }
}

fn cost(file: &SurveyedFile) -> usize {
    let names = file.binary.iter().flat_map(|it| it.libraries.iter().chain(&it.modules));
    let names: usize = names.map(|it| it.len() + size_of::<String>()).sum();
    COST + file.path.len() + file.text.as_ref().map_or(0, Vec::len) + names
}

/// What matters of a file; `None` if nothing does.
fn look_at(member: FileMember<'_>, content: &mut dyn Read, scope: SurveyScope) -> Option<SurveyedFile> {
    let FileMember { path, name, mode, capability, size } = member;
    let interest = (scope.interest)(path);
    if interest == Interest::Skip {
        return None;
    }
    let mut content = StreamedFile { content, kept: Vec::new(), at: 0 };
    let mut part = |offset: u64, length: usize| {
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        content.part(offset, length.min(left))
    };
    let file = SurveyedFile {
        path: path.to_vec(),
        mode,
        capability,
        binary: binary(&mut part, name, scope),
        text: text(&mut part, (size, interest)),
    };
    file.matters(interest).then_some(file)
}

fn binary(part: &mut ReadPart<'_>, name: &[u8], scope: SurveyScope) -> Option<Binary> {
    part(0, MAGIC.len()).filter(|it| it == MAGIC)?;
    Binary::read(part, name, scope.imports)
}

fn text(part: &mut ReadPart<'_>, (size, interest): (u64, Interest)) -> Option<Vec<u8>> {
    let size = usize::try_from(size).ok().filter(|_| size <= MAX_TEXT && interest == Interest::Text)?;
    part(0, size)
}

/// The content of a file that comes once.
struct StreamedFile<'a> {
    content: &'a mut dyn Read,
    /// Its start, as much as was needed.
    kept: Vec<u8>,
    /// How much of it has come.
    at: u64,
}

impl StreamedFile<'_> {
    /// A part of it; `None` after an error, or if it has gone by.
    fn part(&mut self, offset: u64, size: usize) -> Option<Vec<u8>> {
        let end = offset.checked_add(u64::try_from(size).ok()?)?;
        self.keep(end.min(KEPT))?;
        if end <= KEPT {
            let from = usize::try_from(offset).ok()?.min(self.kept.len());
            let to = usize::try_from(end).ok()?.min(self.kept.len());
            return self.kept.get(from..to).map(<[u8]>::to_vec);
        }
        let ahead = offset.checked_sub(self.at)?;
        // After an error nothing is known of it.
        self.at += io::copy(&mut self.content.take(ahead), &mut io::sink()).ok()?;
        let mut bytes = Vec::new();
        let count = self.content.take(u64::try_from(size).ok()?).read_to_end(&mut bytes).ok()?;
        self.at += u64::try_from(count).ok()?;
        Some(bytes)
    }

    fn keep(&mut self, end: u64) -> Option<()> {
        let more = end.saturating_sub(u64::try_from(self.kept.len()).ok()?);
        if more > 0 {
            let count = self.content.take(more).read_to_end(&mut self.kept).ok()?;
            self.at += u64::try_from(count).ok()?;
        }
        Some(())
    }
}

impl Folders {
    /// Looks at all files that the image has, the uppermost layer first; how many folders could not be read. File systems that
    /// are mounted in the folders are no part of the image.
    ///
    /// # Errors
    ///
    /// If that takes too long, or there are too many files: a sentence.
    pub fn survey(&self, scope: SurveyScope, take: &mut Take<'_>) -> Result<usize, String> {
        let (mut unread, mut left) = (0, MAX_FILES);
        for (index, layer) in self.folders.iter().enumerate() {
            let upper = self.folders.get(..index).unwrap_or_default();
            let is_hidden =
                |path: &[u8]| upper.iter().any(|it| !matches!(own(it, path), (InOneLayer::Nothing, false)));
            let mut folders = vec![Vec::new()];
            while let Some(folder) = folders.pop() {
                self.limit.check()?;
                let Ok(members) = list(layer, &folder, &mut left) else {
                    unread += 1;
                    continue;
                };
                if left == 0 {
                    return Err(format!("it has more than {MAX_FILES} files"));
                }
                for (path, kind) in members {
                    match kind {
                        FolderMember::Folder => folders.push(path),
                        FolderMember::File => {
                            if let Some(file) = look_into(layer, path, scope)
                                && !is_hidden(&file.path)
                            {
                                take(file);
                            }
                        }
                    }
                }
            }
        }
        Ok(unread)
    }
}

enum FolderMember {
    Folder,
    File,
}

/// The folders and regular files in a folder of a layer, in the order of their names, folders backwards.
fn list(layer: &OwnedFd, folder: &[u8], left: &mut usize) -> Result<Vec<(Vec<u8>, FolderMember)>, Errno> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    let resolve = ResolveFlag::RESOLVE_BENEATH
        | ResolveFlag::RESOLVE_NO_SYMLINKS
        | ResolveFlag::RESOLVE_NO_MAGICLINKS
        | ResolveFlag::RESOLVE_NO_XDEV;
    let path = if folder.is_empty() { b"." } else { folder };
    let opened = match file::open_below(layer, OsStr::from_bytes(path), flags, resolve) {
        Ok(opened) => opened,
        // Something is mounted there.
        Err(Errno::EXDEV) => return Ok(Vec::new()),
        Err(err) => return Err(err),
    };
    let mut members = Vec::new();
    file::for_each_name(&opened, |name| {
        *left = left.saturating_sub(1);
        // What has gone meanwhile is no part of it.
        let kind = stat::fstatat(&opened, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|it| it.st_mode);
        let kind = kind.map_or(SFlag::empty(), |it| SFlag::from_bits_truncate(it) & SFlag::S_IFMT);
        let path = match folder.is_empty() {
            true => name.to_bytes().to_vec(),
            false => [folder, b"/", name.to_bytes()].concat(),
        };
        if path.len() < MAX_PATH {
            match kind {
                SFlag::S_IFDIR => members.push((path, FolderMember::Folder)),
                SFlag::S_IFREG => members.push((path, FolderMember::File)),
                _ => {}
            }
        }
        if *left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    members.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(members)
}

/// What matters of a file in a layer; `None` if nothing does, or it cannot be read.
fn look_into(layer: &OwnedFd, path: Vec<u8>, scope: SurveyScope) -> Option<SurveyedFile> {
    let interest = (scope.interest)(&path);
    if interest == Interest::Skip {
        return None;
    }
    let found = super::folders::look(layer, &path).ok()??;
    if !found.is_file() {
        return None;
    }
    let opened = unpacked::open(&found.file)?;
    let name = path.rsplit(|it| *it == b'/').next().unwrap_or_default();
    let size = u64::try_from(found.stat.st_size).unwrap_or_default();
    let mut part = |offset: u64, length: usize| {
        let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        unpacked::part(&opened, offset, length.min(left))
    };
    let binary = binary(&mut part, name, scope);
    let text = text(&mut part, (size, interest));
    let capability = binary.as_ref().and_then(|_| capability(&found.file));
    let file = SurveyedFile { path, mode: found.stat.st_mode & 0o7777, capability, binary, text };
    (file.matters(interest) && found.is_itself()).then_some(file)
}

/// The attribute `security.capability` of a file; `None` also if it cannot be read.
fn capability(file: &OwnedFd) -> Option<Vec<u8>> {
    let mut value = vec![0; CAPABILITY];
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let length = getxattr(path, CAPABILITY_NAME, &mut value).ok()?;
    value.truncate(length);
    Some(value)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use tar::{Builder, EntryType, Header};

    use super::*;
    use crate::image::digest::Digest;
    use crate::testing::{FakeHost, MadeElf};

    const PATIENT: Duration = Duration::from_secs(60);
    const WANTED: SurveyScope = SurveyScope { imports: &["io_uring_setup"], interest };
    /// As `setcap cap_net_raw+ep` writes it.
    const NET_RAW: &[u8] = &[1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    fn interest(path: &[u8]) -> Interest {
        match path {
            _ if path.ends_with(b".conf") => Interest::Text,
            _ if path.ends_with(b".ko") => Interest::Name,
            _ if path.starts_with(b"skip/") => Interest::Skip,
            _ => Interest::None,
        }
    }

    fn program() -> Vec<u8> {
        let symbols = &[("io_uring_setup", true)];
        MadeElf { is_program: true, libraries: &["libc.so.6"], symbols, ..MadeElf::default() }.bytes()
    }

    fn header(kind: EntryType, mode: u32, size: usize) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size as u64);
        header
    }

    /// A layer; content that begins with `=` makes a hard link.
    fn layer<'a>(all: &[(&str, u32, &[u8])]) -> Layer<'a> {
        let mut tar = Builder::new(Vec::new());
        for (path, mode, content) in all {
            match content.strip_prefix(b"=") {
                Some(target) => {
                    let target = std::str::from_utf8(target).expect("a path");
                    let mut header = header(EntryType::Link, *mode, 0);
                    tar.append_link(&mut header, path, target).expect("a member");
                }
                None => {
                    let mut header = header(EntryType::Regular, *mode, content.len());
                    tar.append_data(&mut header, path, *content).expect("a member");
                }
            }
        }
        made(tar.into_inner().expect("a layer"))
    }

    fn made<'a>(bytes: Vec<u8>) -> Layer<'a> {
        let open = move |bytes: &Vec<u8>| Box::new(io::Cursor::new(bytes.clone())) as Box<dyn Read>;
        Layer::new(Digest::of(&bytes), bytes.len() as u64, move || Ok(open(&bytes)))
    }

    fn survey(layers: Vec<Layer<'_>>) -> Result<Vec<String>, String> {
        let mut found = Vec::new();
        Layers::new(layers, PATIENT).survey(WANTED, &mut |it| found.push(shown(&it)))?;
        Ok(found)
    }

    fn shown(file: &SurveyedFile) -> String {
        let SurveyedFile { path, mode, capability, binary, text } = file;
        let mut shown = format!("{} {mode:o}", String::from_utf8_lossy(path));
        if let Some(it) = capability {
            assert_eq!(it, NET_RAW);
            shown += " capability";
        }
        if let Some(it) = binary {
            shown += &format!(" {} {:?} {:?}", it.machine, it.libraries, it.imports);
        }
        if let Some(it) = text {
            shown += &format!(" {:?}", String::from_utf8_lossy(it));
        }
        shown
    }

    const PROGRAM: &str = "x86-64 [\"libc.so.6\"] {\"io_uring_setup\"}";

    #[test]
    fn every_file_that_matters_comes_once_and_as_the_image_has_it() {
        let elf = program();
        let base = layer(&[
            ("bin/a", 0o755, &elf),
            ("bin/b", 0o755, &elf),
            ("bin/c", 0o755, b"=bin/b"),
            ("bin/su", 0o4755, b"#!/bin/sh"),
            ("etc/a.conf", 0o644, b"x = 1"),
            ("etc/none", 0o644, b"x"),
            ("gone/d", 0o755, &elf),
            ("lib/m.ko", 0o644, b"x"),
            ("skip/e", 0o755, &elf),
            ("twice", 0o644, &elf),
            ("twice", 0o755, b"#!"),
        ]);
        let upper = layer(&[
            ("bin/.wh.b", 0o644, b""),
            ("gone/.wh..wh..opq", 0o644, b""),
            ("bin/a", 0o755, b"#!"),
            ("etc/a.conf", 0o600, b"x = 2"),
        ]);
        let expected = [
            "etc/a.conf 600 \"x = 2\"".to_owned(),
            "bin/su 4755".to_owned(),
            "lib/m.ko 644".to_owned(),
            format!("bin/c 755 {PROGRAM}"),
        ];
        assert_eq!(survey(vec![base, upper]), Ok(expected.to_vec()));
    }

    #[test]
    fn capabilities_of_files_are_read_from_layers() {
        let mut tar = Builder::new(Vec::new());
        let records = [("SCHILY.xattr.security.capability", NET_RAW), ("mtime", b"1")];
        tar.append_pax_extensions(records).expect("an extended header");
        let mut member = header(EntryType::Regular, 0o755, 2);
        tar.append_data(&mut member, "ping", &b"#!"[..]).expect("a member");
        let found = survey(vec![made(tar.into_inner().expect("a layer"))]);
        assert_eq!(found, Ok(vec!["ping 755 capability".to_owned()]));
    }

    #[test]
    fn a_layer_that_cannot_be_read_is_an_error() {
        let bytes = b"no header".to_vec();
        let why = "it is no whole tar archive (failed to read entire block)";
        let why = format!("layer {}: {why}", Digest::of(&bytes));
        assert_eq!(survey(vec![made(bytes)]), Err(why));
        let layers = Layers::new(vec![layer(&[("a", 0o755, b"#!")])], Duration::ZERO);
        let late = layers.survey(WANTED, &mut |_| ()).expect_err("no time");
        assert!(late.ends_with(": reading layers takes longer than 0 s"), "{late}");
    }

    /// What stands further behind than is kept can be read only once, and in order.
    #[test]
    fn of_a_large_file_the_start_is_kept() {
        let size = usize::try_from(KEPT).expect("a size") + 5000;
        let bytes: Vec<_> = (0..=250_u8).cycle().flat_map(|it| [it; 1000]).take(size).collect();
        let mut content = &bytes[..];
        let mut file = StreamedFile { content: &mut content, kept: Vec::new(), at: 0 };
        assert_eq!(file.part(0, 4).as_deref(), Some(&bytes[..4]));
        assert_eq!(file.part(size as u64 - 2000, 10).as_deref(), Some(&bytes[size - 2000..][..10]));
        assert_eq!(file.part(7000, 1500).as_deref(), Some(&bytes[7000..8500]));
        assert_eq!(file.part(size as u64 - 2005, 10), None);
        assert_eq!(file.part(size as u64 - 1000, 2000).as_deref(), Some(&bytes[size - 1000..]));
        assert_eq!(file.part(u64::MAX, 10), None);
    }

    #[test]
    fn folders_are_looked_through_without_following_links() {
        let host = FakeHost::new();
        for (path, mode, content) in [
            ("a/bin/x", 0o755, &program()[..]),
            ("a/bin/y", 0o4755, b"#!"),
            ("a/bin/z", 0o755, &program()),
            ("a/etc/a.conf", 0o644, b"x = 1"),
            ("b/bin/.wh.z", 0o644, b""),
            ("b/etc/a.conf", 0o644, b"x = 2"),
            ("outside/o", 0o755, &program()),
        ] {
            let path = host.place(path);
            fs::write(&path, content).expect("a file");
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("a mode");
        }
        symlink("../outside", host.place("a/out")).expect("a link");
        symlink("../../outside/o", host.place("a/bin/o")).expect("a link");
        nix::unistd::mkfifo(&host.place("a/fifo.conf"), stat::Mode::from_bits_truncate(0o666))
            .expect("a FIFO");
        let folders = Folders::open(&[host.place("b"), host.place("a")], PATIENT).expect("the layers");
        let mut found = Vec::new();
        assert_eq!(folders.survey(WANTED, &mut |it| found.push(shown(&it))), Ok(0));
        let expected =
            ["etc/a.conf 644 \"x = 2\"".to_owned(), format!("bin/x 755 {PROGRAM}"), "bin/y 4755".to_owned()];
        assert_eq!(found, expected);
        let late = Folders::open(&[host.place("a")], Duration::ZERO).expect("the layer");
        let told = "reading layers takes longer than 0 s".to_owned();
        assert_eq!(late.survey(WANTED, &mut |_| ()), Err(told));
    }
}
