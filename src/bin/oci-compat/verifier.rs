//! `verifier`: containerd's image verifier. Says no by status 1 and a reason on stdout; everything else lets the image through.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use oci_compat::decide::pipeline::{Host, Terms};
use oci_compat::host::Root;
use oci_compat::outcome::decisions::{self, Decided, JOURNAL, Record, SYSLOG, Targets};
use oci_compat::outcome::report::{self, Report};
use oci_compat::policy::{self, Action, Defaults, Mode, Policy, Sensitive, Situation};
use oci_compat::scan::verifier::{self, VerifierCall};
use oci_compat::setup::engines::Effective;
use oci_compat::setup::install::verifier::{hosts_folders, sandboxes};
use oci_compat::setup::placement::System;
use oci_compat::store::{ImageManifests, Store};
use oci_compat::supply::pull::{Anchors, Patience, Puller};
use oci_compat::supply::registry::hosts;
use oci_compat::supply::registry::{Client, RegistryEnvironment, RegistryLimits, Settings};
use oci_compat::words::moment;

use crate::args::{CommonArgs, VerifierArgs};
use crate::output::Output;
use crate::pull::{anchors, now};

/// containerd gives a verifier ten seconds (`per_verifier_timeout`), and blocks the pull then.
const ALL: Duration = Duration::from_secs(6);
/// For the registry, so that there is time for the rest.
const REGISTRY: Duration = Duration::from_millis(4500);
const LIMITS: RegistryLimits = RegistryLimits {
    connect: Duration::from_secs(2),
    idle: Duration::from_secs(3),
    total: REGISTRY,
    tries: 2,
    first_pause: Duration::from_millis(100),
    longest_pause: Duration::from_millis(500),
};
const REFUSED: u8 = 1;

/// The answer about an image.
struct Answer {
    is_refused: bool,
    message: String,
}

/// What was found out so far about a policy that refuses what is not found out in time.
static IS_STRICT: OnceLock<bool> = OnceLock::new();

#[expect(clippy::disallowed_methods, reason = "nothing that never answers may keep containerd waiting")]
pub(crate) fn run(args: &VerifierArgs, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    let (send, answer) = sync_channel(1);
    let (words, store, config) = (args.words.clone(), common.store.clone(), common.config.clone());
    thread::spawn(move || send.send(answered(&words, &store, &config)));
    let Answer { is_refused, message } = answer.recv_timeout(ALL).unwrap_or_else(|_| late());
    if is_refused {
        output.print(&message)?;
        return Ok(REFUSED);
    }
    // containerd writes it to its log at level debug.
    let _unheard = std::io::stderr().write_all(message.as_bytes());
    Ok(0)
}

fn late() -> Answer {
    let text = format!("whether the image fits was not found out within {} s [trouble]", ALL.as_secs());
    let is_refused = IS_STRICT.get().copied().unwrap_or(false);
    let message = if is_refused { report::refusal(&text) } else { report::warning(&text) };
    Answer { is_refused, message: format!("{message}\n") }
}

fn through(message: &str) -> Answer {
    let message = if message.is_empty() { String::new() } else { format!("{}\n", report::warning(message)) };
    Answer { is_refused: false, message }
}

fn answered(words: &[OsString], store: &Path, config: &Path) -> Answer {
    let call = match VerifierCall::parse(words) {
        Ok(call) => call,
        Err(err) => return through(&err.to_string()),
    };
    let (policy, complaint) = policy::load(config, Defaults::Standard);
    if policy.mode == Mode::Off {
        return through("");
    }
    // Set once in a process.
    let _set = IS_STRICT.set(policy.mode == Mode::Enforce && policy.trouble == Action::Refuse);
    let root = Root::live();
    let engines = match engines(&root) {
        Ok(engines) => engines,
        // A wrong no for the sandbox's image would stop every pod.
        Err(err) => {
            return through(&format!(
                "{err:#}: so the image of pods' sandboxes is not known, and nothing is refused [trouble]"
            ));
        }
    };
    let sandboxes: Vec<_> = engines.iter().flat_map(sandboxes).collect();
    if call.is_sandbox(&sandboxes) {
        return through("");
    }
    let until = Instant::now() + ALL;
    let terms = Terms {
        tags: &policy.tags,
        waivers: &policy.waivers,
        withholds: policy.sensitive == Sensitive::Verified,
        until: &|| until,
        lists_compatible: false,
        ..Terms::default()
    };
    let supplies = supplies(store, config, &call, rewrites(&root, &engines, &call));
    let images = ImageManifests::default();
    let puller = supplies.as_ref().map(|it| it.puller(&images)).map_err(Clone::clone);
    let assessed = verifier::examine(&call, puller, store, &policy, &Host::Root(&root), &terms);
    if assessed.is_plain() {
        return through(complaint.as_deref().unwrap_or_default());
    }
    let ruling = assessed.under(&policy);
    let report = if policy.disclose { assessed.report.clone().disclosed() } else { assessed.report.clone() };
    // Nothing starts yet.
    let message = report::message(&report, &ruling.opening.replace("started", "pulled"));
    if ruling.intention == Action::Refuse {
        record(report, &policy, assessed.gravest(), ruling.action(), &message);
    }
    Answer { is_refused: ruling.refused.is_some(), message }
}

/// The configuration of every containerd of this host.
fn engines(root: &Root) -> anyhow::Result<Vec<Effective>> {
    let mains = System::ALL.into_iter().filter(|it| it.main().is_some());
    mains.filter_map(|it| it.effective(root).transpose()).collect()
}

/// What `hosts.toml` says of the registry, in the first folder that has one.
fn rewrites(root: &Root, engines: &[Effective], call: &VerifierCall) -> Option<String> {
    let registry = call.image.repository().registry();
    let mut folders: Vec<_> = engines.iter().flat_map(hosts_folders).collect();
    if folders.is_empty() {
        folders = hosts_folders(&Effective::default());
    }
    let files = folders
        .iter()
        .flat_map(|folder| hosts::paths(registry).into_iter().map(move |it| format!("{folder}/{it}")));
    let text = files.filter_map(|it| root.read_text(&it).ok()).next()?;
    // What is no such file leaves the registry itself.
    hosts::rewrites(registry, &text).ok()
}

/// What it takes to ask a registry.
struct Supplies {
    client: Client,
    store: Option<Store>,
    anchors: Anchors,
}

fn supplies(
    store: &Path,
    config: &Path,
    call: &VerifierCall,
    rewrites: Option<String>,
) -> Result<Supplies, String> {
    let told = |err: anyhow::Error| format!("{err:#}");
    // containerd's service has no HOME, and there are root's logins.
    let mut variables: Vec<_> = std::env::vars_os().collect();
    if !variables.iter().any(|(name, _)| name == "HOME") {
        variables.push(("HOME".into(), "/root".into()));
    }
    let settings = Settings {
        plain_http: call.is_local(),
        rewrites,
        environment: RegistryEnvironment::new(variables, geteuid().as_raw()),
        limits: LIMITS,
        ..Settings::default()
    };
    Ok(Supplies {
        client: Client::new(settings).map_err(|err| err.to_string())?,
        store: Store::open(store).map_err(|err| err.to_string())?,
        anchors: anchors(config).map_err(told)?,
    })
}

impl Supplies {
    fn puller<'a>(&'a self, images: &'a ImageManifests) -> Puller<'a> {
        Puller {
            client: &self.client,
            store: self.store.as_ref(),
            images,
            anchors: &self.anchors,
            platform: None,
            force: false,
            patience: Patience::new(REGISTRY, REGISTRY),
            now: now(),
            until: None,
        }
    }
}

/// Leaves a record of a refusal. What goes wrong with that changes nothing.
fn record(mut report: Report, policy: &Policy, situation: Situation, action: Action, message: &str) {
    let at = decisions::now();
    report.action = Some(action);
    report.time = Some(moment::text(at));
    let targets = Targets::new(&policy.log, None, Path::new(JOURNAL), Path::new(SYSLOG));
    let decided =
        Decided { at, program: "verifier", mode: policy.mode, situation, intention: Action::Refuse, message };
    for warning in decisions::write(&targets, &Record::new(&report, &decided)) {
        log::warn!("{warning}");
    }
}
