//! The input of a check: the OCI state and the bundle. Reads only the fields that are needed, so a newer runtime-spec never
//! breaks it.

mod skim;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use serde::Deserialize;

use crate::os::file;
use skim::{Keep, SkimmedObject};

/// Of the OCI state on stdin (runtime-spec, `runtime.md`, State).
const STATE: Keep = Keep::Keys(&["id", "bundle", "pid"], "");
/// Runtimes copy the annotations into the state, and runc writes `<` in six bytes.
const ESCAPED: usize = 6;
/// Of a bundle's `config.json`: what a check looks at, and what rules may ask of it.
const CONFIG: Keep = Keep::Fields(&[
    // By those of CDI, NVIDIA's container runtime adds devices.
    ("annotations", Keep::Keys(&ANNOTATIONS, "cdi.k8s.io/")),
    ("hooks", Keep::Mentions(&["nvidia", "nvidia-container-cli"])),
    ("root", Keep::Whole),
    (
        "process",
        Keep::But(&[
            // The program; where an engine starts an init process, what that starts stands behind `--`.
            ("args", Keep::First(3)),
            ("commandLine", Keep::Nothing),
            ("cwd", Keep::Whole),
            // All others may hold secrets.
            ("env", Keep::Starting(&["PATH=", "NVIDIA_", "CUDA_"])),
        ]),
    ),
    ("hostname", Keep::Whole),
    ("domainname", Keep::Whole),
    ("mounts", Keep::Whole),
    ("linux", Keep::Whole),
]);

/// Why something that a container comes with could not be read, and whose fault that is.
#[derive(Debug)]
pub enum Fault {
    /// The container's own input cannot be read: it concerns only that container.
    Container(anyhow::Error),
    /// The host's: it may concern all containers.
    Host(anyhow::Error),
}

impl Fault {
    /// Says what was being done.
    #[must_use]
    fn context(self, doing: impl FnOnce() -> String) -> Self {
        match self {
            Self::Container(err) => Self::Container(err.context(doing())),
            Self::Host(err) => Self::Host(err.context(doing())),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Container(err) | Self::Host(err)) = self;
        write!(f, "{err:#}")
    }
}

impl std::error::Error for Fault {}

/// A container that is about to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The container's id.
    pub id: String,
    /// The folder of its bundle.
    pub bundle: PathBuf,
    /// The process that becomes the container's, where the runtime has made one and says so.
    pub process: Option<u32>,
}

impl State {
    /// Reads the state that a runtime writes to a hook's stdin.
    ///
    /// # Errors
    ///
    /// If it is no OCI state. What no runtime writes, whatever the container, is the host's fault.
    pub fn read(mut stdin: impl std::io::Read) -> Result<Self, Fault> {
        let reading = || "reading the OCI state from stdin".to_owned();
        let kept = skim::object(&mut stdin, STATE, ESCAPED).map_err(|it| it.context(reading));
        // To the end, whatever there is: crun takes a pipe that is closed on it for a failure of its own, and leaves the
        // container's state and cgroups behind.
        let drained = file::drain(stdin).map_err(|err| Fault::Host(err).context(reading));
        let kept = match kept {
            Err(fault) => return Err(fault),
            Ok(kept) => drained.map(|()| kept)?,
        };
        let none =
            || anyhow!("stdin holds no JSON object; an OCI runtime writes the container's state there");
        kept.ok_or_else(none).and_then(|it| Self::parse(&it.json)).map_err(Fault::Host)
    }

    fn parse(kept: &[u8]) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        struct StateDocument {
            #[serde(default)]
            id: String,
            #[serde(default)]
            bundle: String,
            // A check does not need this field.
            #[serde(default)]
            pid: serde_json::Value,
        }
        let StateDocument { id, bundle, pid } =
            parse("it is", kept).context("reading the OCI state from stdin")?;
        if !bundle.starts_with('/') {
            bail!("the OCI state on stdin has bundle {bundle:?}, which is not an absolute path");
        }
        let process = pid.as_u64().and_then(|it| u32::try_from(it).ok()).filter(|it| *it != 0);
        Ok(Self { id, bundle: PathBuf::from(bundle), process })
    }
}

/// What we need of a bundle's `config.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    /// `org.oci-compat.spec`: a spec, YAML or JSON.
    pub inline: Option<String>,
    /// `org.oci-compat.artifact`: the digest of an artifact's manifest in the store.
    pub artifact: Option<String>,
    /// `org.oci-compat.image`: the digest of the image's manifest or index, as the caller of the engine says.
    pub image: Option<String>,
    /// What rules may ask of the `config.json`, as JSON.
    pub config: Vec<u8>,
    /// The sandbox that the container says it is: the pause container of a pod, which holds nothing but namespaces.
    pub sandbox: Option<String>,
    /// `root.path`: where the container's root file system is; relative to the bundle, or absolute.
    pub root: Option<String>,
    /// `io.kubernetes.cri.image-name`: the image's name, from containerd's CRI plugin.
    pub cri_image: Option<String>,
    /// `io.kubernetes.cri-o.Image`: the image's name as the pod says it, from CRI-O.
    pub crio_image: Option<String>,
    /// `io.kubernetes.cri-o.ImageName`: the image's name as CRI-O knows it.
    pub crio_image_name: Option<String>,
    /// `io.kubernetes.cri-o.ImageRepoDigests`: names with digests, with commas between them. A CRI-O that does not know
    /// this annotation hands on a pod's own.
    pub crio_digests: Option<String>,
    /// The container's names in Kubernetes: namespace, pod and container, from annotations of the engine. A bundle that was
    /// written by hand may contain any text.
    pub pod: Option<[String; 3]>,
    /// What the container wishes of the check.
    pub wishes: Wishes,
    /// What its process starts with.
    pub process: Process,
}

/// What a container's process starts with, as far as a check looks at it; `None` of what cannot be told, because it is not of
/// the kind that runtimes take, too large, or because they read it differently.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// `args[0]`: the path or the name of its program.
    pub program: Option<String>,
    /// `args[2]` behind `--`: what a program starts that only starts another one.
    pub behind: Option<String>,
    /// Its working directory.
    pub cwd: Option<String>,
    /// Its variables `PATH`, `NVIDIA_*` and `CUDA_*`, as `NAME=VALUE`, in the order in which they stand there.
    pub env: Option<Vec<String>>,
    /// What crun's annotation `run.oci.handler`, or that of a WebAssembly module, says: then something else than the kernel may run
    /// the program.
    pub handler: Option<String>,
}

impl Process {
    fn of(kept: &SkimmedObject) -> Self {
        // A value of another type is unknown.
        let args: Option<Vec<Option<String>>> =
            kept.one("args").and_then(|it| serde_json::from_slice(it).ok());
        let mut args = args.into_iter().flatten();
        let program = args.next().flatten();
        let is_behind = args.next().flatten().is_some_and(|it| it == "--");
        let cwd: Option<Option<String>> = kept.one("cwd").and_then(|it| serde_json::from_slice(it).ok());
        let env: Option<Option<Vec<Option<String>>>> =
            kept.one("env").and_then(|it| serde_json::from_slice(it).ok());
        Self {
            program,
            behind: args.next().flatten().filter(|_| is_behind),
            cwd: cwd.flatten(),
            env: env.and_then(|it| it.unwrap_or_default().into_iter().collect()),
            handler: None,
        }
    }

    /// The value of a variable: `Ok(None)` if it is not set.
    ///
    /// # Errors
    ///
    /// If that is unknown, or it is set to several values.
    pub fn variable(&self, name: &str) -> Result<Option<&str>, Untold> {
        let env = self.env.as_ref().ok_or(Untold)?;
        let mut values = env.iter().filter_map(|it| it.strip_prefix(name)?.strip_prefix('='));
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Untold),
        }
    }
}

/// Something is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untold;

/// What a container wishes of its check, as its annotations say: `org.oci-compat.mode`, and so on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wishes {
    /// `enforce` or `audit`.
    pub mode: Option<String>,
    /// `refuse` or `start`, for hosts that lack something.
    pub incompatible: Option<String>,
    /// For hosts that could not be asked.
    pub undecided: Option<String>,
    /// For specs that cannot be read.
    pub malformed: Option<String>,
    /// For failures of ours.
    pub trouble: Option<String>,
    /// Names of rules that are not to count, with commas between them.
    pub waive: Option<String>,
}

impl Bundle {
    /// Reads the bundle in this folder.
    ///
    /// # Errors
    ///
    /// If there is no `config.json`, it cannot be read, or runtimes disagree on its meaning.
    pub fn read(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join("config.json");
        let file = match file::stream(&path) {
            Ok(Some(file)) => file,
            Ok(None) => {
                let path = path.display();
                return Err(Fault::Container(anyhow!(
                    "{path} is not there; a bundle is a folder with a config.json"
                )));
            }
            Err(err) if err.is::<file::Irregular>() => return Err(Fault::Container(err)),
            Err(err) => return Err(Fault::Host(err)),
        };
        let none = || Fault::Container(anyhow!("it is not a JSON object"));
        let kept = skim::object(file, CONFIG, 1).and_then(|it| it.ok_or_else(none));
        let bundle = kept.and_then(|it| Self::parse(it).map_err(Fault::Container));
        bundle.map_err(|it| it.context(|| format!("reading {}", path.display())))
    }

    fn parse(kept: SkimmedObject) -> anyhow::Result<Self> {
        #[derive(Deserialize)]
        #[serde(expecting = "an object")]
        struct RootPath {
            #[serde(default)]
            path: Option<String>,
        }
        let annotations: Option<Annotations> = parse("its annotations are", kept.field("annotations"))?;
        let annotations = annotations.unwrap_or_default();
        let root: Option<RootPath> = parse("its root is", kept.field("root"))?;
        let sandbox = annotations.sandbox().cloned();
        let pod = annotations.pod();
        let handler = annotations.crun_handler.or(annotations.wasm_variant);
        Ok(Self {
            process: Process { handler, ..Process::of(&kept) },
            inline: annotations.inline,
            artifact: annotations.artifact,
            image: annotations.image,
            root: root.and_then(|it| it.path),
            cri_image: annotations.cri_image,
            crio_image: annotations.crio_image,
            crio_image_name: annotations.crio_image_name,
            crio_digests: annotations.crio_digests,
            sandbox,
            pod,
            config: kept.json,
            wishes: Wishes {
                mode: annotations.mode,
                incompatible: annotations.incompatible,
                undecided: annotations.undecided,
                malformed: annotations.malformed,
                trouble: annotations.trouble,
                waive: annotations.waive,
            },
        })
    }

    /// Whether it is a sandbox for sure. Anybody may write annotations, but its id, by which containerd and CRI-O name its
    /// folder too, is not known before the engine has made it up.
    pub fn is_sandbox(&self, folder: &Path) -> bool {
        let sandbox = self.sandbox.as_ref().filter(|it| is_made_up(it));
        sandbox.is_some_and(|id| folder.iter().any(|it| it == id.as_str()))
    }
}

/// Whether an engine has made an id up, which no other container of this host will have: 64 hexadecimal digits, as with
/// Docker, Podman, CRI-O, containerd's CRI plugin and nerdctl.
pub fn is_made_up(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|it| it.is_ascii_hexdigit())
}

/// What was kept of a text. An error leaves out the position, which is that in what was kept.
fn parse<'a, T: Deserialize<'a>>(part: &str, kept: &'a [u8]) -> anyhow::Result<T> {
    serde_json::from_slice(kept).map_err(|err| {
        let told = err.to_string();
        let what = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
        anyhow!("{part} not as in the runtime specification: {what}")
    })
}

/// A JSON object: serde would also take an array for a structure, and an empty one for an object without fields.
///
/// # Errors
///
/// If the text is something else.
pub fn object<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> anyhow::Result<T> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        bail!("it is not a JSON object");
    }
    Ok(serde_json::from_slice(bytes)?)
}

/// The annotations that a check looks at: those of [`Annotations`].
const ANNOTATIONS: [&str; 25] = [
    "org.oci-compat.spec",
    "org.oci-compat.artifact",
    "org.oci-compat.image",
    "io.kubernetes.cri.container-type",
    "io.kubernetes.cri.sandbox-id",
    "io.kubernetes.cri-o.ContainerType",
    "io.kubernetes.cri-o.SandboxID",
    "io.kubernetes.cri.image-name",
    "io.kubernetes.cri-o.Image",
    "io.kubernetes.cri-o.ImageName",
    "io.kubernetes.cri-o.ImageRepoDigests",
    "io.kubernetes.cri.sandbox-namespace",
    "io.kubernetes.cri.sandbox-name",
    "io.kubernetes.cri.container-name",
    "io.kubernetes.pod.namespace",
    "io.kubernetes.pod.name",
    "io.kubernetes.container.name",
    "org.oci-compat.mode",
    "org.oci-compat.incompatible",
    "org.oci-compat.undecided",
    "org.oci-compat.malformed",
    "org.oci-compat.trouble",
    "org.oci-compat.waive",
    "run.oci.handler",
    "module.wasm.image/variant",
];

#[derive(Default, Deserialize)]
#[serde(expecting = "an object")]
struct Annotations {
    #[serde(rename = "org.oci-compat.spec")]
    inline: Option<String>,
    #[serde(rename = "org.oci-compat.artifact")]
    artifact: Option<String>,
    #[serde(rename = "org.oci-compat.image")]
    image: Option<String>,
    #[serde(rename = "io.kubernetes.cri.container-type")]
    cri_type: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-id")]
    cri_sandbox: Option<String>,
    #[serde(rename = "io.kubernetes.cri-o.ContainerType")]
    crio_type: Option<String>,
    #[serde(rename = "io.kubernetes.cri-o.SandboxID")]
    crio_sandbox: Option<String>,
    #[serde(rename = "io.kubernetes.cri.image-name")]
    cri_image: Option<String>,
    #[serde(rename = "io.kubernetes.cri-o.Image")]
    crio_image: Option<String>,
    #[serde(rename = "io.kubernetes.cri-o.ImageName")]
    crio_image_name: Option<String>,
    #[serde(rename = "io.kubernetes.cri-o.ImageRepoDigests")]
    crio_digests: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-namespace")]
    cri_namespace: Option<String>,
    #[serde(rename = "io.kubernetes.cri.sandbox-name")]
    cri_pod: Option<String>,
    #[serde(rename = "io.kubernetes.cri.container-name")]
    cri_name: Option<String>,
    #[serde(rename = "io.kubernetes.pod.namespace")]
    kube_namespace: Option<String>,
    #[serde(rename = "io.kubernetes.pod.name")]
    kube_pod: Option<String>,
    #[serde(rename = "io.kubernetes.container.name")]
    kube_name: Option<String>,
    #[serde(rename = "org.oci-compat.mode")]
    mode: Option<String>,
    #[serde(rename = "org.oci-compat.incompatible")]
    incompatible: Option<String>,
    #[serde(rename = "org.oci-compat.undecided")]
    undecided: Option<String>,
    #[serde(rename = "org.oci-compat.malformed")]
    malformed: Option<String>,
    #[serde(rename = "org.oci-compat.trouble")]
    trouble: Option<String>,
    #[serde(rename = "org.oci-compat.waive")]
    waive: Option<String>,
    #[serde(rename = "run.oci.handler")]
    crun_handler: Option<String>,
    #[serde(rename = "module.wasm.image/variant")]
    wasm_variant: Option<String>,
}

impl Annotations {
    /// containerd `pkg/cri/annotations`, CRI-O `pkg/annotations`; CRI-O's containers have containerd's annotations as well.
    fn sandbox(&self) -> Option<&String> {
        let is = |it: &Option<String>| it.as_deref() == Some("sandbox");
        let crio = self.crio_sandbox.as_ref().filter(|_| is(&self.crio_type));
        crio.or(self.cri_sandbox.as_ref().filter(|_| is(&self.cri_type)))
    }

    /// containerd `pkg/cri/annotations`; CRI-O makes annotations of the kubelet's labels (`k8s.io/kubelet/pkg/types`).
    fn pod(&self) -> Option<[String; 3]> {
        let all = |names: [&Option<String>; 3]| {
            let [Some(namespace), Some(pod), Some(name)] = names else { return None };
            Some([namespace.clone(), pod.clone(), name.clone()])
        };
        all([&self.cri_namespace, &self.cri_pod, &self.cri_name])
            .or_else(|| all([&self.kube_namespace, &self.kube_pod, &self.kube_name]))
    }
}
