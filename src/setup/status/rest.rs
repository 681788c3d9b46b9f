//! What the gate needs besides engines, the images of the engines, and the last decisions.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use serde::Deserialize;

use crate::container::identity::images::{self, Absent, ImageRecord};
use crate::host::{Root, runtime_records};
use crate::image::{Image, ImagePattern};
use crate::policy::{Mode, Policy, Survey};
use crate::setup::placement::{PodmanUser, podman_users};
use crate::store::{Digest, Store};
use crate::words::text::{printable, printable_path};
use crate::{container::identity, decide::requirements, os::file, outcome::history, words::moment};

use super::{EngineImages, GatePart, ShownDecision, StatusPlaces};
use crate::words::text::counted;

/// Decisions that are shown.
const LAST: usize = 3;
/// The end of a user's file of decisions.
const TAIL: u64 = 256 << 10;
/// Characters of a user's decision; ours have at most 200 bytes.
const MESSAGE: usize = 200;

pub(super) fn configuration(survey: &Survey, path: &Path) -> GatePart {
    let is_there = survey.files.iter().any(|it| it.problems.is_ok());
    let mode = match survey.policy.mode {
        Mode::Enforce => "mode enforce",
        Mode::Audit => "mode audit: nothing is refused",
        Mode::Off => "mode off: nothing is checked",
    };
    let detail = match (survey.is_broken, is_there) {
        (true, _) => "it is broken, so nothing is refused: see `oci-compat config check`".to_owned(),
        (false, true) => mode.to_owned(),
        (false, false) => format!("{mode}, by default"),
    };
    GatePart { path: printable_path(path), usable: !survey.is_broken, detail }
}

pub(super) fn store(path: &Path) -> (GatePart, BTreeSet<Digest>) {
    let part = |usable, detail| GatePart { path: printable_path(path), usable, detail };
    let subjects = match Store::open(path) {
        Ok(None) => {
            return (part(true, "it is not there: no image has demands in it".to_owned()), BTreeSet::new());
        }
        Ok(Some(store)) => store.subjects(),
        Err(err) => Err(err),
    };
    match subjects {
        Ok(subjects) => {
            let images = counted(subjects.len(), "image");
            (part(true, format!("demands for {images}")), subjects.into_iter().collect())
        }
        Err(err) => (part(false, printable(&format!("{err:#}"))), BTreeSet::new()),
    }
}

/// The records of runtimes' features (`runtime.feature`) that may be outdated, and how to renew them.
pub(super) fn runtimes(root: &Root) -> Vec<String> {
    let outdated = runtime_records(root).into_iter().filter(|it| it.is_outdated);
    let said = outdated.filter_map(|it| {
        let (path, program) = (it.path, it.program?);
        let next = match it.is_ours {
            true => "oci-compat install ENGINE, once more".to_owned(),
            false => format!("{program} features > {path}"),
        };
        Some(printable(&format!("{path} is older than {program}, which it tells of: {next}")))
    });
    said.collect()
}

/// Patterns of the images that the administrator demands something of.
pub(super) fn demanded(policy: &Policy) -> Vec<ImagePattern> {
    let files = policy.requirements.as_deref().map(requirements::survey).unwrap_or_default();
    files.into_iter().flat_map(|it| it.images).collect()
}

pub(super) fn images(
    places: &StatusPlaces<'_>,
    subjects: &BTreeSet<Digest>,
    demanded: &[ImagePattern],
) -> EngineImages {
    let below = identity::EnginePlaces { root: places.root.path().to_owned() };
    let mut images = EngineImages::default();
    let all: [(&str, anyhow::Result<Vec<ImageRecord>>); 3] = [
        ("containerd", images::of_containerd(places.socket)),
        ("docker", images::of_docker(None, &below)),
        ("podman", images::of_storage(None, &below)),
    ];
    let mut records = Vec::new();
    for (engine, found) in all {
        match found {
            // Both list the images that Docker keeps in the host's containerd.
            Ok(all) => {
                for record in all {
                    if !records
                        .iter()
                        .any(|it: &ImageRecord| (&it.ids, &it.names) == (&record.ids, &record.names))
                    {
                        records.push(record);
                    }
                }
            }
            Err(err) if err.is::<Absent>() => {}
            Err(err) => images.unread.push(printable(&format!("{engine}: {err:#}"))),
        }
    }
    records.iter().for_each(|it| count(&it.image(), subjects, demanded, &mut images));
    images.demanding.sort_unstable();
    images.demanding.dedup();
    images
}

/// No container is started from an image without a name and an ID.
fn count(image: &Image, subjects: &BTreeSet<Digest>, demanded: &[ImagePattern], images: &mut EngineImages) {
    let Some(name) = image.names.first().cloned().or(image.digests.first().map(Digest::to_string)) else {
        return;
    };
    let demands = image.digests.iter().any(|it| subjects.contains(it));
    if demands || demanded.iter().any(|it| it.matches(image)) {
        images.demanding.push(printable(&name));
    } else {
        images.free += 1;
    }
}

/// The last decisions, root's and those of users who have a Podman of their own, the newest first; what cannot be read comes
/// before them.
pub(super) fn decisions(path: &Path, root: &Root) -> Vec<ShownDecision> {
    let mut last = VecDeque::new();
    let read = history::read(path, |entry| {
        if last.len() == LAST {
            last.pop_back();
        }
        let line = entry.record.message.lines().next().unwrap_or_default();
        last.push_front(ShownDecision {
            time: printable(&entry.record.time),
            user: None,
            message: printable(line),
        });
        Ok(())
    });
    if let Err(err) = read {
        return vec![ShownDecision {
            time: String::new(),
            user: None,
            message: printable(&format!("{err:#}")),
        }];
    }
    let mut all: Vec<_> = last.into();
    for user in podman_users(root) {
        all.extend(of_user(&user, root));
    }
    all.sort_by(|one, other| other.time.cmp(&one.time));
    all.truncate(LAST);
    all
}

/// A user may write into their file whatever they like, and as much: the end of it is read.
fn of_user(user: &PodmanUser, root: &Root) -> Vec<ShownDecision> {
    #[derive(Deserialize)]
    struct DecisionLine {
        time: String,
        message: String,
    }
    let home = root.path().join(user.home.trim_start_matches('/'));
    let path = home.join(".local/state/oci-compat/decisions.jsonl");
    let Ok(Some(bytes)) = file::tail(&path, TAIL) else { return Vec::new() };
    let lines = bytes.split(|it| *it == b'\n').rev();
    let lines = lines.filter_map(|it| serde_json::from_slice::<DecisionLine>(it).ok());
    let lines = lines.filter(|it| moment::moment(&it.time).is_some());
    let decision = |it: DecisionLine| {
        let first: String = it.message.lines().next().unwrap_or_default().chars().take(MESSAGE).collect();
        ShownDecision {
            time: printable(&it.time),
            user: Some(printable(&user.name)),
            message: printable(&first),
        }
    };
    lines.take(LAST).map(decision).collect()
}
