//! What an image demands by itself, before a container is made of it: by its configuration (image-spec 1.1, `config.md`), and by
//! the program that its containers start with.

use serde::Deserialize;

use crate::container::input::Process;
use crate::decide::check::Requirement;
use crate::decide::requirements::Collected;
use crate::nvidia::{self, Environment, GivenGpus, Strictness};
use crate::outcome::report::SpecOrigin;
use crate::policy::{Implied, Nvidia, Policy};
use crate::program::{self, Files};
use crate::spec::{Severity, Spec};

use super::layers::ImageFiles;

/// The note on a demand that counts only for containers with GPUs.
const WITH_GPUS: &str = "only containers that are given GPUs need it (check --gpus judges one)";
/// What engines take where an image sets no `PATH` (containerd, `pkg/oci`; moby, `oci/caps`).
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The configuration of an image, as far as its containers are made by it.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Configuration {
    #[serde(default)]
    config: Option<Execution>,
}

#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Execution {
    #[serde(default)]
    entrypoint: Option<Vec<String>>,
    #[serde(default)]
    cmd: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    working_dir: Option<String>,
}

impl Configuration {
    /// Of these bytes; `None` if they are none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn environment(&self) -> impl Iterator<Item = &String> {
        self.config.iter().filter_map(|it| it.env.as_ref()).flatten()
    }

    /// The command and the variables of its containers, unless they are overridden.
    fn process(&self) -> Process {
        let Some(config) = &self.config else { return Process::default() };
        let mut words = config.entrypoint.iter().chain(&config.cmd).flatten();
        let folder = config.working_dir.clone().filter(|it| !it.is_empty());
        let mut env: Vec<_> = self.environment().cloned().collect();
        if !env.iter().any(|it| it.starts_with("PATH=")) {
            env.push(PATH.to_owned());
        }
        let program = words.next().cloned();
        let is_behind = words.next().is_some_and(|it| it == "--");
        Process {
            program,
            behind: words.next().cloned().filter(|_| is_behind),
            cwd: folder.or_else(|| Some("/".to_owned())),
            env: Some(env),
            handler: None,
        }
    }
}

/// Adds what the environment says of NVIDIA's driver. It counts for containers that are given GPUs: the others start anywhere, so
/// that without `with_gpus` it is a recommendation.
pub fn add_environment(
    collected: &mut Collected,
    configuration: &Configuration,
    policy: &Policy,
    with_gpus: bool,
) {
    let reading = match policy.nvidia {
        Nvidia::Sensible => Strictness::Sensible,
        Nvidia::Strict => Strictness::Strict,
        Nvidia::Off => return,
    };
    let environment = Environment::of(configuration.environment().map(String::as_str));
    if !environment.demands() {
        return;
    }
    // Which libraries the image brings is not looked at: it may have those of any driver.
    let compat = (reading == Strictness::Sensible).then_some(nvidia::ANY_DRIVER);
    let (demands, faults) = nvidia::demands(&environment, GivenGpus::Gpus(None), reading, compat);
    match with_gpus {
        true => collected.faults.extend(faults),
        false => collected.notes.extend(faults.iter().map(|it| format!("with GPUs: {it}"))),
    }
    for nvidia::NvidiaDemand { variable, mut spec } in demands {
        if !with_gpus {
            for set in &mut spec.sets {
                set.rules.retain(|it| it.severity == Severity::Required);
                set.rules.iter_mut().for_each(|it| WITH_GPUS.clone_into(&mut it.remedy));
            }
            soften(&mut spec);
        }
        let origin = SpecOrigin::Environment(variable);
        collected.requirements.push(Requirement { origin, spec: Ok(spec) });
    }
}

/// Makes recommendations of what a spec demands.
fn soften(spec: &mut Spec) {
    for rule in spec.sets.iter_mut().flat_map(|it| &mut it.rules) {
        if rule.severity == Severity::Required {
            rule.severity = Severity::Recommended;
        }
    }
}

/// Adds what the image's program demands; `ours` is the machine of the host, where the host is this one.
///
/// The header of the program goes before what a label says: where it could be read, a label is a recommendation.
pub fn add_program<F: ImageFiles>(
    collected: &mut Collected,
    configuration: &Configuration,
    files: &F,
    policy: &Policy,
    ours: Option<&str>,
) {
    let Some((process, name)) = program_of(collected, configuration, policy) else { return };
    let found = program::look_in(files, &process, ours);
    if let Some(trouble) = files.trouble() {
        collected.troubles.push(format!("the image's program {name:?} is not known: {trouble}"));
        return;
    }
    let Some(found) = found else {
        let why = match is_there(files, &name) {
            true => "what it demands is not certain",
            false => "it is not in the image",
        };
        collected.add_unknown_program(&name, why);
        return;
    };
    let labels = collected.requirements.iter_mut().filter(|it| it.origin == SpecOrigin::Platform);
    for label in labels.filter_map(|it| it.spec.as_mut().ok()) {
        soften(label);
    }
    match found.demands.is_empty() {
        true => {
            let read = files.read();
            collected.notes.push(format!("the image's program {} demands nothing ({read})", found.path));
        }
        false => collected.add_program_of(&found, policy.program),
    }
}

/// Says why nothing is known of the image's program, if it has one that would be judged.
pub fn add_unread_program(
    collected: &mut Collected,
    configuration: &Configuration,
    policy: &Policy,
    why: &str,
) {
    if let Some((_, name)) = program_of(collected, configuration, policy) {
        collected.add_unknown_program(&name, why);
    }
}

/// What the image's containers start with, and its name; `None`, with a note, if there is nothing to be judged.
fn program_of(
    collected: &mut Collected,
    configuration: &Configuration,
    policy: &Policy,
) -> Option<(Process, String)> {
    if policy.program == Implied::Off {
        collected.notes.push("the image's program is not looked at: implicit.program is \"off\"".to_owned());
        return None;
    }
    let process = configuration.process();
    let name = process.program.clone();
    if name.is_none() {
        collected.notes.push("the image names no program that its containers start with".to_owned());
    }
    Some((process, name?))
}

impl Collected {
    fn add_unknown_program(&mut self, name: &str, why: &str) {
        self.notes.push(format!("nothing is known of the image's program {name:?}: {why}"));
    }
}

/// Whether an absolute path leads to anything, or it is not known.
fn is_there<F: Files>(files: &F, name: &str) -> bool {
    !name.starts_with('/') || !matches!(files.find(name.as_ref()), program::Found::Missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(config: &str) -> Process {
        Configuration::parse(config.as_bytes()).expect("a configuration").process()
    }

    #[test]
    fn containers_start_with_the_entrypoint_or_else_the_command() {
        let check = |config: &str, program: Option<&str>, cwd: &str, path: &str| {
            let found = process(config);
            assert_eq!((found.program.as_deref(), found.cwd.as_deref()), (program, Some(cwd)), "{config}");
            assert_eq!(found.variable("PATH").ok().flatten(), Some(path), "{config}");
        };
        let default = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let both =
            r#"{"config": {"Entrypoint": ["/a"], "Cmd": ["b"], "WorkingDir": "/srv", "Env": ["PATH=/x"]}}"#;
        check(both, Some("/a"), "/srv", "/x");
        check(r#"{"config": {"Entrypoint": null, "Cmd": ["b", "c"]}}"#, Some("b"), "/", default);
        check(
            r#"{"config": {"Entrypoint": [], "Cmd": ["b"], "WorkingDir": "", "Env": null}}"#,
            Some("b"),
            "/",
            default,
        );
        check(r#"{"config": {"Env": ["A=1"]}}"#, None, "/", default);
        assert_eq!(process("{}"), Process::default());
        assert_eq!(process(r#"{"config": null}"#), Process::default());
        assert_eq!(Configuration::parse(br#"{"config": {"Cmd": "sh"}}"#), None);
        assert_eq!(Configuration::parse(b"x"), None);
    }
}
