//! What a container's own program demands, by the header of its file, its interpreter and its C library, all inside the
//! container's root file system. Reads a few thousand bytes and runs nothing. What is not certain is not reported.

mod careful;
mod elf;
mod files;
mod go;
mod image;
mod level;
pub mod machine;
mod script;
pub mod unpacked;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::fcntl::{self, OFlag};
use nix::sys::stat::Mode;
use serde::{Deserialize, Serialize};

use crate::container::input::{Bundle, Process};
use crate::os::file;

use careful::Setup;
use elf::ElfHeader;
use image::RootFolder;
use machine::{ARM64, I386, Machine, X86_64};
use script::Script;

pub use files::{Files, Found, START, Start};
pub use go::{PART as GO_PART, end as go_settings_end, place as go_settings};
pub use machine::MAGIC;

/// The kernel follows at most so many scripts (`exec_binprm`).
const MAX_SCRIPTS: usize = 5;

/// The machine that this program runs on.
pub const OURS: &str = cfg_select! {
    target_arch = "x86_64" => { X86_64 }
    target_arch = "aarch64" => { ARM64 }
    _ => { "" }
};

/// What a container's program demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Where it is in the container.
    pub path: String,
    /// What it demands.
    pub demands: Vec<ProgramDemand>,
}

/// Something that a program demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramDemand {
    /// A kernel that runs programs for a machine.
    Machine {
        /// Which file is one: the program, or the interpreter of a script.
        file: String,
        /// [`Machine::name`].
        machine: String,
    },
    /// An interpreter that the image lacks.
    Interpreter {
        /// Which file asks for it.
        file: String,
        /// Its path.
        missing: String,
        /// Whether `file` is a script, and not an ELF file.
        is_script: bool,
    },
    /// A kernel that follows more scripts, one by one, than any does.
    Scripts {
        /// The first of them, which is the program.
        file: String,
        /// The one that is not followed any more.
        last: String,
        /// Whether one of them comes twice.
        is_loop: bool,
    },
    /// A level of x86-64.
    Level {
        /// The program, or the C library.
        file: String,
        /// From 2 to 4.
        level: u8,
        /// What ends the program if the CPU does not reach it.
        checked_by: Option<Checker>,
    },
    /// A kernel with small enough pages.
    Pages {
        /// The program.
        file: String,
        /// [`Machine::name`].
        machine: String,
        /// The largest size of the kernel's pages, in bytes.
        most: u64,
    },
}

/// What checks the CPU before a program runs. Without a check, the program dies at the first missing instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Checker {
    /// The loader of the GNU C library, since 2.33.
    Loader,
    /// The program itself, which Go built.
    Go,
}

/// What is demanded, and the files that this depends on.
#[derive(Debug, PartialEq, Eq)]
struct ProgramDemands {
    /// The paths that were tried for the program; its own is the last.
    tried: Vec<PathBuf>,
    /// Further files that were read.
    looked_at: Vec<PathBuf>,
    /// Whether the last of all these is there.
    is_there: bool,
    /// Whether the last two of them are a loader of the GNU C library and the library.
    is_of_glibc: bool,
    demands: Vec<ProgramDemand>,
}

/// What the program of the bundle in this folder demands beyond a machine like this one; `None` if that is nothing or not
/// certain. If the root file system may never answer, a separate process looks, until the deadline.
pub fn look(folder: &Path, bundle: &Bundle, until: &dyn Fn() -> Instant) -> Option<Program> {
    // It may be run by something other than the kernel.
    if bundle.process.handler.is_some() || bundle.process.program.is_none() {
        return None;
    }
    let root = folder.join(bundle.root.as_deref().filter(|it| !it.is_empty())?);
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    // After an error nothing is known of the program.
    match file::near(&root, flags).ok()? {
        Some(root) => examine(&RootFolder::new(root), folder, bundle),
        None => {
            let root = std::path::absolute(root).ok()?;
            let look = || {
                let root = fcntl::open(&root, flags, Mode::empty()).ok()?;
                examine(&RootFolder::new(root), folder, bundle)
            };
            file::ask_apart(until(), look).ok()?
        }
    }
}

/// What the program of an image demands before there is a container; nothing if it runs on every kernel for its machine. `None`
/// if that is not certain. `ours` is the machine of the host, which is not reported as a demand.
pub fn look_in<F: Files>(files: &F, process: &Process, ours: Option<&str>) -> Option<Program> {
    let seen = see(files, process, ours)?;
    if seen.is_of_glibc && !level::has_library_beside_loader(files, &seen.looked_at) {
        return None;
    }
    Some(Program { path: shown(seen.tried.last()?), demands: seen.demands })
}

fn examine(image: &RootFolder, folder: &Path, bundle: &Bundle) -> Option<Program> {
    let process = started(&bundle.process);
    let seen = see(image, &process, Some(OURS))?;
    if seen.demands.is_empty() {
        return None;
    }
    // All that follows is done only if something is wrong.
    let setup = Setup::of(&bundle.config)?;
    let paths: Vec<_> = seen.tried.iter().chain(&seen.looked_at).map(PathBuf::as_path).collect();
    if seen.is_of_glibc && !level::has_library_beside_loader(image, &seen.looked_at) {
        return None;
    }
    let is_missing = seen
        .demands
        .iter()
        .any(|it| matches!(it, ProgramDemand::Interpreter { .. } | ProgramDemand::Scripts { .. }));
    if is_missing && careful::may_bring_files(folder) {
        return None;
    }
    if let Some(init) = init(&bundle.process) {
        // It passes over a file in `PATH` that it cannot start.
        if !setup.brings(init) || is_missing && !process.program.as_ref()?.contains('/') {
            return None;
        }
    }
    if setup.has_own_handlers() || !setup.shows_all(image, &seen.tried, &paths, seen.is_there) {
        return None;
    }
    // A file may have changed meanwhile.
    if see(image, &process, Some(OURS))? != seen {
        return None;
    }
    Some(Program { path: shown(seen.tried.last()?), demands: seen.demands })
}

/// The init process that an engine puts before the program with `--init`: Docker's, or Podman's (`ContainerInitPath` in
/// `libpod/define`).
fn init(process: &Process) -> Option<&str> {
    const INITS: [&str; 2] = ["/sbin/docker-init", "/run/podman-init"];
    let program = process.program.as_deref()?;
    (process.behind.is_some() && INITS.contains(&program)).then_some(program)
}

/// The process that counts: with an init process, the one that it starts. It looks for the program as runtimes do (`execvp`).
fn started(process: &Process) -> Cow<'_, Process> {
    match init(process) {
        Some(_) => Cow::Owned(Process { program: process.behind.clone(), ..process.clone() }),
        None => Cow::Borrowed(process),
    }
}

/// What a first look shows; `None` if nothing is known.
fn see<F: Files>(image: &F, process: &Process, ours: Option<&str>) -> Option<ProgramDemands> {
    let (found, tried) = files::program(image, process)?;
    let mut file = image.open(&found)?;
    let mut start = image.start(&file)?;
    let mut path = tried.last()?.clone();
    let mut seen = ProgramDemands {
        tried,
        looked_at: Vec::new(),
        is_there: true,
        is_of_glibc: false,
        demands: Vec::new(),
    };
    for _ in 0..=MAX_SCRIPTS {
        let interpreter = match script::read(&start.bytes, start.is_whole) {
            Script::By(name) => files::absolute(name)?,
            Script::None => {
                seen.add_program(image, ours, &path, (&file, &start));
                return Some(seen);
            }
            Script::Unclear => return None,
        };
        seen.looked_at.push(interpreter.clone());
        match image.find(&interpreter) {
            Found::File(found) => file = image.open(&found)?,
            Found::Missing => {
                seen.add_missing(&path, &interpreter, true);
                return Some(seen);
            }
            Found::Unclear => return None,
        }
        start = image.start(&file)?;
        path = interpreter;
    }
    // The kernel opens the interpreter of one more script, and then gives up.
    seen.add_too_many();
    Some(seen)
}

impl ProgramDemands {
    /// Adds what an ELF file demands; nothing for other files.
    fn add_program<F: Files>(
        &mut self,
        image: &F,
        ours: Option<&str>,
        path: &Path,
        (file, start): (&F::Open, &Start),
    ) {
        let Some(machine) = Machine::of(&start.bytes) else { return };
        if ours != Some(machine.name) {
            let demand = ProgramDemand::Machine { file: shown(path), machine: machine.name.to_owned() };
            self.demands.push(demand);
        }
        let Some(header) = ElfHeader::of(&start.bytes) else { return };
        self.add_pages(path, &header, machine);
        // A program for another machine finds its loader elsewhere.
        if ours.is_some_and(|ours| machine.name != ours && (machine.name, ours) != (I386, X86_64)) {
            return;
        }
        if header.interpreter.is_none() {
            if machine.name == X86_64 {
                self.add_own_level(image, path, &header, (file, start));
            }
            return;
        }
        let Some(interpreter) = interpreter(image, &header, file, start) else { return };
        match image.find(&interpreter) {
            Found::Missing => {
                self.looked_at.push(interpreter.clone());
                self.add_missing(path, &interpreter, false);
            }
            Found::File(loader) if machine.name == X86_64 && level::is_glibc(&interpreter) => {
                let own = level::of_notes(image, &header, file, start);
                self.add_level(image, (path, own), (&interpreter, &loader));
            }
            Found::File(_) if machine.name == X86_64 => {
                self.add_own_level(image, path, &header, (file, start));
            }
            Found::File(_) | Found::Unclear => {}
        }
    }

    /// Adds that a program needs small pages, if machines of its kind may have larger ones.
    fn add_pages(&mut self, path: &Path, header: &ElfHeader, machine: &Machine) {
        let largest = match machine.name {
            X86_64 => 4 << 10,
            ARM64 => 64 << 10,
            _ => return,
        };
        if let Some(most) = header.largest_pages().filter(|it| *it < largest) {
            let machine = machine.name.to_owned();
            self.demands.push(ProgramDemand::Pages { file: shown(path), machine, most });
        }
    }

    /// Notes that scripts follow one another without end, or further than kernels go.
    fn add_too_many(&mut self) {
        let scripts: Vec<_> =
            self.tried.last().into_iter().chain(&self.looked_at).take(MAX_SCRIPTS + 1).collect();
        let (Some(first), Some(last)) = (scripts.first(), scripts.last()) else { return };
        let is_loop = self
            .looked_at
            .iter()
            .enumerate()
            .any(|(at, it)| scripts.iter().take(at + 1).any(|earlier| *earlier == it));
        self.demands.push(ProgramDemand::Scripts { file: shown(first), last: shown(last), is_loop });
    }

    fn add_missing(&mut self, path: &Path, interpreter: &Path, is_script: bool) {
        self.is_there = false;
        let (file, missing) = (shown(path), shown(interpreter));
        self.demands.push(ProgramDemand::Interpreter { file, missing, is_script });
    }
}

/// The path of an ELF file's interpreter; `None` if it has none or is not certain.
fn interpreter<F: Files>(image: &F, header: &ElfHeader, file: &F::Open, start: &Start) -> Option<PathBuf> {
    let part = header.interpreter.filter(elf::FilePart::may_be_path)?;
    let read;
    let bytes = match part.within(&start.bytes) {
        Some(bytes) => bytes,
        None => {
            read = image.part(file, part.offset, usize::try_from(part.size).ok()?)?;
            read.get(..usize::try_from(part.size).ok()?)?
        }
    };
    files::absolute(elf::path(bytes)?)
}

impl Setup {
    /// As [`Setup::shows`]. Paths that were tried in vain only must not be hidden by a mount.
    fn shows_all(&self, image: &RootFolder, tried: &[PathBuf], all: &[&Path], is_there: bool) -> bool {
        let in_vain = tried.len().saturating_sub(1);
        let (in_vain, there) = all.split_at_checked(in_vain).unwrap_or((all, &[]));
        in_vain.iter().all(|it| self.shows(image, &[it], false)) && self.shows(image, there, is_there)
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
