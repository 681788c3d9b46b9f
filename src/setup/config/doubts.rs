//! Probable mistakes in a configuration that are allowed. Looks at files that it names, and never runs one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{AccessFlags, access};

use crate::eval::CODES;
use crate::os::file;
use crate::policy::trust::TrustRule;
use crate::policy::{Survey, Waiver};
use crate::spec::Place;
use crate::words::glob::Glob;

use super::{KnownMachine, Remark};
use crate::words::text::nearest;

/// The hook's time in the hook file as it is delivered. Then the runtime kills it and refuses the container.
const HOOK_TIMEOUT: Duration = Duration::from_secs(100);
/// A public key has some hundred bytes.
const MAX_KEY: usize = 1 << 16;

pub(super) fn of(survey: &Survey, machine: &KnownMachine<'_>) -> Vec<Remark> {
    let mut doubts = Vec::new();
    let told = |key: &str, message: String| {
        let (path, at) = survey.keys.get(key)?;
        Some(Remark::new(path, Some(*at), &message))
    };
    doubts.extend(deadline(survey.policy.deadline).and_then(|it| told("deadline_ms", it)));
    doubts.extend(runtimes(&survey.policy.runtimes, machine).and_then(|it| told("runtimes", it)));
    doubts.extend(
        survey.policy.requirements.as_deref().and_then(absent).and_then(|it| told("requirements", it)),
    );
    for waiver in &survey.policy.waivers {
        let place = |it: String| at(&waiver.from, &it);
        doubts.extend(of_waiver(waiver, machine).into_iter().map(place));
    }
    for rule in &survey.trust.rules {
        doubts.extend(of_trust(rule).iter().map(|it| at(&rule.from, it)));
    }
    doubts
}

/// A remark on `FILE:LINE`.
fn at(from: &str, message: &str) -> Remark {
    let (file, place) = place(from);
    Remark::new(Path::new(file), place, message)
}

/// The parts of `FILE:LINE`.
pub(super) fn place(from: &str) -> (&str, Option<Place>) {
    let (file, line) = from.rsplit_once(':').unwrap_or((from, ""));
    (file, line.parse().ok().map(|line| Place { line, column: 1 }))
}

fn deadline(deadline: Duration) -> Option<String> {
    (deadline >= HOOK_TIMEOUT).then(|| {
        format!(
            "a check may take {} ms, and runtimes end the hook after the timeout of its hook file, 100 s as delivered: \
             raise that, too",
            deadline.as_millis()
        )
    })
}

/// A file that cannot be read is an error, reported elsewhere.
fn absent(folder: &Path) -> Option<String> {
    let is_absent = matches!(file::is_trusted_folder(folder), Ok(false));
    is_absent.then(|| format!("{} is not there, so that nothing is demanded", folder.display()))
}

/// One of them is enough.
fn runtimes(runtimes: &[PathBuf], machine: &KnownMachine<'_>) -> Option<String> {
    let is_program = |path: &Path| access(path, AccessFlags::X_OK).is_ok();
    let is_there = |it: &PathBuf| match it.is_absolute() {
        true => is_program(it),
        false => machine.path.iter().any(|folder| is_program(&folder.join(it))),
    };
    let names = || runtimes.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(", ");
    (!runtimes.iter().any(is_there))
        .then(|| format!("none of the runtimes {} is there, and so the wrapper can become none", names()))
}

fn of_waiver(waiver: &Waiver, machine: &KnownMachine<'_>) -> Vec<String> {
    let mut doubts = Vec::new();
    if waiver.is_over(|| machine.now) {
        doubts.push(format!("the waiver held {}: renew or remove it", waiver.until()));
    }
    let is_for_all = waiver.rule.as_ref().is_none_or(Glob::is_any) && waiver.id.is_none();
    if waiver.code.is_none() && is_for_all && waiver.image.is_any() {
        doubts.push(
            "the waiver is for every rule of every image: mode = \"audit\" says that better".to_owned(),
        );
    }
    if let Some(code) = &waiver.code
        && let known = CODES.iter().filter(|(code, ..)| code.is_of_rules()).map(|(_, name, _)| *name)
        && !known.clone().any(|it| it == code)
    {
        let meant = nearest(code, known);
        let hint =
            meant.map_or_else(|| "see oci-compat explain".to_owned(), |it| format!("did you mean {it}?"));
        doubts.push(format!("the waiver is for nothing: no rule fails with code {code:?}; {hint}"));
    }
    doubts
}

fn of_trust(rule: &TrustRule) -> Vec<String> {
    let key = |path: &PathBuf| match file::read_trusted(path, MAX_KEY) {
        Ok(Some(bytes)) if is_public_key(&bytes) => None,
        Ok(Some(_)) => {
            Some(format!("key {} holds no public key in PEM: -----BEGIN PUBLIC KEY-----", path.display()))
        }
        Ok(None) => Some(format!("key {} is not there", path.display())),
        Err(err) => Some(format!("key {err:#}")),
    };
    let mut doubts: Vec<_> = rule.keys.iter().filter_map(key).collect();
    let program = rule.verifier.as_ref().and_then(|it| it.first());
    let is_missing = |it: &&String| access(Path::new(it), AccessFlags::X_OK).is_err();
    doubts
        .extend(program.filter(is_missing).map(|it| format!("verifier {it} is no program that can be run")));
    doubts
}

fn is_public_key(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains("-----BEGIN PUBLIC KEY-----")
}
