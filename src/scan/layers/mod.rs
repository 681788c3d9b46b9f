//! The files of an image that is not unpacked, read from its layers: from the last one backwards, and no further than a file that
//! is looked for needs it. Nothing is written, and of files only the starts are kept.

mod contents;
mod folders;
mod members;
mod unpack;
mod walk;
#[cfg(test)]
mod tests;

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::OsString;
use std::fmt;
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use crate::image::digest::{Digest, Hasher};
use crate::program::{Files, Found, START, Start};
use crate::words::text::counted;

use contents::{Contents, Entry, Room};
use walk::{Node, TimeLimit, walk};

pub use contents::File;
pub use folders::Folders;

/// A file that is the same as another one, which is the same as another one.
const MAX_SAME: usize = 8;
/// All layers of an image that are read, packed: the largest images for machine learning have more.
const MAX_PACKED: u64 = 8 << 30;
/// All that they unpack to.
const MAX_UNPACKED: u64 = 32 << 30;

/// The files of an image, and what came of reading them.
pub trait ImageFiles: Files {
    /// Why not all could be read that was looked for: a sentence.
    fn trouble(&self) -> Option<String>;

    /// How they were read, in a few words.
    fn read(&self) -> String;
}

/// How a layer is opened.
type OpenLayer<'a> = Box<dyn Fn() -> Result<Box<dyn Read + 'a>, String> + 'a>;

/// A layer.
pub struct Layer<'a> {
    /// The digest of its bytes as they are transferred.
    digest: Digest,
    /// Their number.
    size: u64,
    open: OpenLayer<'a>,
    contents: OnceCell<Option<Contents>>,
}

impl<'a> Layer<'a> {
    /// A layer of so many packed bytes with this digest.
    pub fn new(
        digest: Digest,
        size: u64,
        open: impl Fn() -> Result<Box<dyn Read + 'a>, String> + 'a,
    ) -> Self {
        Self { digest, size, open: Box::new(open), contents: OnceCell::new() }
    }
}

impl fmt::Debug for Layer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer")
            .field("digest", &self.digest)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// The layers of an image, as one tree of files.
#[derive(Debug)]
pub struct Layers<'a> {
    /// The uppermost first.
    layers: Vec<Layer<'a>>,
    limit: TimeLimit,
    room: RefCell<Room>,
    left: RefCell<Left>,
    trouble: RefCell<Option<String>>,
    read: Cell<usize>,
}

/// What may still be read.
#[derive(Debug)]
struct Left {
    packed: u64,
    unpacked: u64,
}

impl<'a> Layers<'a> {
    /// The layers in the order of the image's manifest, the lowest first. Reading them takes no longer than this.
    pub fn new(mut layers: Vec<Layer<'a>>, patience: Duration) -> Self {
        layers.reverse();
        Self {
            layers,
            limit: TimeLimit::new(patience),
            room: RefCell::default(),
            left: RefCell::new(Left { packed: MAX_PACKED, unpacked: MAX_UNPACKED }),
            trouble: RefCell::default(),
            read: Cell::new(0),
        }
    }

    /// What a layer has; `None` if it cannot be read.
    fn contents<'b>(&'b self, layer: &'b Layer<'a>) -> Option<&'b Contents> {
        let read = || {
            if self.trouble.borrow().is_some() {
                return None;
            }
            self.read.set(self.read.get() + 1);
            match self.load(layer) {
                Ok(contents) => Some(contents),
                Err(why) => {
                    *self.trouble.borrow_mut() = Some(format!("layer {}: {why}", layer.digest));
                    None
                }
            }
        };
        layer.contents.get_or_init(read).as_ref()
    }

    fn load(&self, layer: &Layer<'a>) -> Result<Contents, String> {
        let mut left = self.left.borrow_mut();
        left.packed = left.packed.checked_sub(layer.size).ok_or_else(|| {
            format!("the layers that would have to be read have more than {} GiB", MAX_PACKED >> 30)
        })?;
        let (source, limit) = ((layer.open)()?, self.limit);
        let mut packed = Packed { source, left: layer.size, hasher: Hasher::default(), limit };
        let contents = {
            let unpacked = unpack::unpacked(BufReader::new(&mut packed)).map_err(|err| err.to_string())?;
            let bounded = Unpacked { unpacked, left: &mut left.unpacked, limit };
            Contents::read(bounded, &mut self.room.borrow_mut())?
        };
        // What is not what the manifest names does not count, whatever it says.
        packed.finish(layer)?;
        Ok(contents)
    }

    /// What stands at a path that leads through no link.
    fn node(&self, path: &[u8], from: usize, same: usize) -> Node<Rc<File>> {
        if let Err(why) = self.limit.check() {
            self.trouble.borrow_mut().get_or_insert(why);
            return Node::Unclear;
        }
        let mut is_implied = false;
        for (index, layer) in self.layers.iter().enumerate().skip(from) {
            let Some(contents) = self.contents(layer) else { return Node::Unclear };
            let found = match contents.at(path) {
                Some(Entry::Implied) => {
                    is_implied = true;
                    None
                }
                Some(Entry::Folder { mode }) => Some(Node::Folder { mode: *mode }),
                Some(Entry::File(file)) => Some(Node::File(file.is_program().then(|| Rc::clone(file)))),
                Some(Entry::Link(target)) => Some(Node::Link(target.clone())),
                Some(Entry::Same(target)) if same < MAX_SAME && target != path => {
                    Some(match self.node(target, index, same + 1) {
                        Node::Missing => Node::Unclear,
                        found @ (Node::Folder { .. } | Node::File(_) | Node::Link(_) | Node::Unclear) => {
                            found
                        }
                    })
                }
                Some(Entry::Same(_) | Entry::Other) => Some(Node::Unclear),
                None => None,
            };
            match found {
                // What is in the folder of a link has gone where the link leads.
                Some(Node::File(_) | Node::Link(_)) if is_implied => return Node::Unclear,
                Some(found) => return found,
                None if contents.hides(path) => break,
                None => {}
            }
        }
        if is_implied { Node::Folder { mode: 0o755 } } else { Node::Missing }
    }

    /// Follows a path with its links: what is there, and where.
    fn walk(&self, path: &Path) -> (Found<Rc<File>>, Vec<u8>) {
        walk(path.as_os_str().as_bytes(), |it| self.node(it, 0, 0))
    }
}

impl Files for Layers<'_> {
    type FoundFile = Rc<File>;
    type Open = Rc<File>;

    fn find(&self, path: &Path) -> Found<Rc<File>> {
        self.walk(path).0
    }

    fn open(&self, found: &Rc<File>) -> Option<Rc<File>> {
        Some(Rc::clone(found))
    }

    fn start(&self, file: &Rc<File>) -> Option<Start> {
        let bytes = file.start.get(..START).unwrap_or(&file.start).to_vec();
        let is_whole = file.size <= bytes.len() as u64;
        Some(Start { bytes, is_whole })
    }

    fn part(&self, file: &Rc<File>, offset: u64, size: usize) -> Option<Vec<u8>> {
        let end = offset.checked_add(u64::try_from(size).ok()?)?.min(file.size).max(offset);
        let kept = |(at, bytes): (u64, &Vec<u8>)| {
            let from = usize::try_from(offset.checked_sub(at)?).ok()?;
            let to = usize::try_from(end.checked_sub(at)?).ok()?;
            bytes.get(from..to).map(<[u8]>::to_vec)
        };
        let parts = file.parts.iter().map(|(at, bytes)| (*at, bytes));
        [(0, &file.start)].into_iter().chain(parts).find_map(kept)
    }

    fn end(&self, path: &Path) -> Option<PathBuf> {
        let (_, end) = self.walk(path);
        Some(Path::new("/").join(OsString::from_vec(end)))
    }
}

impl ImageFiles for Layers<'_> {
    fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    fn read(&self) -> String {
        format!("{} read", counted(self.read.get(), "layer"))
    }
}

/// The packed bytes of a layer, counted and hashed as they come, and no more of them than its manifest says.
struct Packed<'a> {
    source: Box<dyn Read + 'a>,
    left: u64,
    hasher: Hasher,
    limit: TimeLimit,
}

impl Read for Packed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.limit.check().map_err(io::Error::other)?;
        let most = usize::try_from(self.left).map_or(buffer.len(), |it| it.min(buffer.len()));
        let room = buffer.get_mut(..most).unwrap_or_default();
        let count = self.source.read(room)?;
        self.hasher.update(room.get(..count).unwrap_or_default());
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

impl Packed<'_> {
    /// Compares all of it with what the manifest says.
    fn finish(mut self, layer: &Layer<'_>) -> Result<(), String> {
        io::copy(&mut self, &mut io::sink()).map_err(|err| err.to_string())?;
        if self.left > 0 {
            return Err(format!("it has {} bytes less than its manifest says", self.left));
        }
        if self.source.read(&mut [0]).map_err(|err| err.to_string())? > 0 {
            return Err("it is larger than its manifest says".to_owned());
        }
        match self.hasher.finish() {
            found if found == layer.digest => Ok(()),
            found => Err(format!("what came has digest {found}")),
        }
    }
}

/// The unpacked bytes of a layer, as many as may be read and as long.
struct Unpacked<'a, 'b> {
    unpacked: Box<dyn Read + 'b>,
    left: &'a mut u64,
    limit: TimeLimit,
}

impl Read for Unpacked<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.limit.check().map_err(io::Error::other)?;
        let count = self.unpacked.read(buffer)?;
        *self.left = u64::try_from(count).ok().and_then(|it| self.left.checked_sub(it)).ok_or_else(|| {
            io::Error::other(format!("the layers unpack to more than {} GiB", MAX_UNPACKED >> 30))
        })?;
        Ok(count)
    }
}
