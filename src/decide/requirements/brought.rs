//! What a container brings itself: its annotations, its environment, and the program that is about to start. It is looked at
//! after what others demand was judged, and can only add to that.

use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::stat::lstat;

use crate::container::identity::CheckDeadline;
use crate::container::input::Bundle;
use crate::decide::check::Requirement;
use crate::host::{self, Root};
use crate::nvidia::{self, Environment, GivenGpus, Strictness};
use crate::os::file;
use crate::outcome::report::SpecOrigin;
use crate::policy::{Implied, Nvidia, Policy};
use crate::program::Program;
use crate::spec;

use super::{Collected, Shelf, digest, leaving_time, program};

/// Requirements of a container's own that were not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Brought {
    inline: Option<String>,
    artifact: Option<String>,
    /// Where such an artifact is looked for.
    shelf: Option<Shelf>,
    /// The environment of a CUDA image, if the container is given GPUs.
    nvidia: Option<Cuda>,
    /// The program that is about to start.
    program: Option<ProgramStart>,
}

/// What leads to the program of a container.
#[derive(Debug)]
struct ProgramStart {
    folder: PathBuf,
    bundle: Bundle,
    implied: Implied,
}

/// The environment of a CUDA image, and how it is read.
#[derive(Debug)]
struct Cuda {
    environment: Environment,
    given: GivenGpus,
    reading: Strictness,
    /// The container's root file system, if it matters.
    rootfs: Option<PathBuf>,
}

impl Brought {
    pub(super) fn new(folder: &Path, bundle: &Bundle, shelf: Shelf, policy: &Policy) -> Self {
        Self {
            inline: bundle.inline.clone(),
            artifact: bundle.artifact.clone(),
            shelf: Some(shelf),
            nvidia: Cuda::new(folder, bundle, policy),
            program: None,
        }
    }

    /// Remembers what leads to the program.
    pub(super) fn look_later(&mut self, folder: &Path, bundle: &Bundle, implied: Implied) {
        self.program = Some(ProgramStart { folder: folder.to_owned(), bundle: bundle.clone(), implied });
    }
}

impl Cuda {
    /// Of a container that is given GPUs. The text of its variables is not read yet.
    fn new(folder: &Path, bundle: &Bundle, policy: &Policy) -> Option<Self> {
        let reading = match policy.nvidia {
            Nvidia::Sensible => Strictness::Sensible,
            Nvidia::Strict => Strictness::Strict,
            Nvidia::Off => return None,
        };
        let environment = Environment::of(bundle.process.env.iter().flatten().map(String::as_str));
        if !environment.demands() {
            return None;
        }
        let runtime = policy.runtimes.first().and_then(|it| it.file_name());
        let has_runtime = runtime.is_some_and(|it| it.to_string_lossy().starts_with("nvidia-"));
        let given = environment.given(&bundle.config, has_runtime)?;
        let rootfs = bundle.root.as_ref().filter(|_| reading == Strictness::Sensible);
        Some(Self { environment, given, reading, rootfs: rootfs.map(|it| folder.join(it)) })
    }

    fn demands(&self, until: CheckDeadline<'_>) -> (Vec<nvidia::NvidiaDemand>, Vec<String>) {
        let compat = self.rootfs.as_ref().and_then(|it| compat(it, until));
        nvidia::demands(&self.environment, self.given, self.reading, compat.as_deref())
    }
}

/// The newest driver whose libraries an image has. An image that cannot be read may have those of any.
fn compat(rootfs: &Path, until: CheckDeadline<'_>) -> Option<String> {
    let any = || Some(nvidia::ANY_DRIVER.to_owned());
    let look = || match Root::at(rootfs) {
        Ok(root) => {
            root.set_deadline(leaving_time(until));
            nvidia::compat(&root)
        }
        // Without a root file system there are none. Whether a container can do without, its runtime says.
        Err(_) if lstat(rootfs) == Err(Errno::ENOENT) => None,
        Err(_) => any(),
    };
    match file::is_near(rootfs) {
        true => look(),
        false => file::ask_apart(leaving_time(until), look).unwrap_or_else(|_| any()),
    }
}

impl Collected {
    /// Whether the container's annotations, its environment or its program have requirements that were not looked at yet.
    pub fn brings(&self) -> bool {
        let Brought { inline, artifact, nvidia, program, .. } = &self.brought;
        inline.is_some() || artifact.is_some() || nvidia.is_some() || program.is_some()
    }

    /// Whether the container's own program has requirements, or was not looked at yet.
    pub fn has_program(&self) -> bool {
        self.brought.program.is_some() || self.requirements.iter().any(|it| it.origin == SpecOrigin::Program)
    }

    /// Drops them: it is not known what runs the program.
    pub fn forget_program(&mut self) {
        self.brought.program = None;
        self.requirements.retain(|it| it.origin != SpecOrigin::Program);
    }

    /// Adds the requirements of the program of an image that no container was made of yet.
    pub fn add_program_of(&mut self, program: &Program, implied: Implied) {
        self.requirements.push(program::requirement(program, implied));
        self.bundle = Some(host::BundleConfig::of_program(program::known(program)));
    }

    /// Adds the requirements of the container's own program.
    pub(super) fn add_program(
        &mut self,
        folder: &Path,
        bundle: &Bundle,
        implied: Implied,
        until: CheckDeadline<'_>,
    ) {
        let Some(program) = program::look(folder, bundle, until) else { return };
        self.requirements.push(program::requirement(&program, implied));
        let given = self.bundle.take().unwrap_or_else(|| host::BundleConfig::new(bundle.config.clone()));
        self.bundle = Some(given.with_program(program::known(&program)));
    }

    /// Adds the requirements of the container's program, environment and annotations, and of the artifact in the store that an
    /// annotation names.
    pub fn add_brought(&mut self, until: CheckDeadline<'_>) {
        let Brought { inline, artifact, shelf, nvidia, program } = std::mem::take(&mut self.brought);
        if let Some(ProgramStart { folder, bundle, implied }) = program {
            self.add_program(&folder, &bundle, implied, until);
        }
        if let Some(nvidia) = nvidia {
            let (demands, faults) = nvidia.demands(until);
            self.faults.extend(faults);
            for nvidia::NvidiaDemand { variable, spec } in demands {
                self.requirements
                    .push(Requirement { origin: SpecOrigin::Environment(variable), spec: Ok(spec) });
            }
        }
        if let Some(text) = inline {
            let spec = spec::parse(text.as_bytes());
            match spec.as_ref().err().and_then(|_| spec::proposed(text.as_bytes())) {
                Some(language) => self.troubles.push(format!(
                    "{} is one of {}, which is not read here: attach it to the image instead",
                    SpecOrigin::Inline.title(),
                    language.title()
                )),
                None => self.requirements.push(Requirement { origin: SpecOrigin::Inline, spec }),
            }
        }
        if let Some((text, mut shelf)) = artifact.zip(shelf) {
            match digest("annotation org.oci-compat.artifact", &text) {
                Ok(digest) => {
                    let added = shelf.referenced(&digest, until, self);
                    self.note_trouble(added);
                }
                Err(fault) => self.faults.push(fault),
            }
        }
    }
}
