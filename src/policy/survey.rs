//! Everything in the files of a configuration, right or wrong, for their authors. A check of a container stops at the first
//! error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::spec::{Place, Problem};

use super::trust::Trust;
use super::{Defaults, Policy, load};

/// What a configuration comes to.
#[derive(Debug)]
pub struct Survey {
    /// The files that are there, in the order in which they are read.
    pub files: Vec<Surveyed>,
    /// What holds.
    pub policy: Policy,
    /// What is demanded of artifacts; nothing if an error is in it.
    pub trust: Trust,
    /// Where each key was set that holds, by its name.
    pub keys: BTreeMap<String, (PathBuf, Place)>,
    /// Whether an error breaks the policy, so that the defaults hold, in audit mode unless others can write to a file. One in `[trust]` does not.
    pub is_broken: bool,
    /// Why not all files are known: a folder cannot be listed.
    pub trouble: Option<String>,
}

/// A file of a configuration.
#[derive(Debug)]
pub struct Surveyed {
    /// Where it is.
    pub path: PathBuf,
    /// All that is wrong in it, in its order; or why it cannot be read.
    pub problems: Result<Vec<Problem>, String>,
}

impl Survey {
    /// Reads a configuration and its drop-ins.
    pub fn of(path: &Path) -> Self {
        let listed = load::is_in_a_folder(path).and_then(|is_there| match is_there {
            true => load::drop_ins(path),
            false => Ok(Vec::new()),
        });
        let (drop_ins, trouble) = match listed {
            Ok(paths) => (paths, None),
            Err(err) => (Vec::new(), Some(format!("{err:#}"))),
        };
        let mut survey = Self {
            files: Vec::new(),
            policy: Policy::beside(path, Defaults::Standard),
            trust: Trust::default(),
            keys: BTreeMap::new(),
            is_broken: trouble.is_some(),
            trouble,
        };
        for path in std::iter::once(path.to_owned()).chain(drop_ins) {
            survey.read(path);
        }
        if survey.is_broken {
            // What holds then, the loader decides.
            (survey.policy, _) = load::load(path, Defaults::Standard);
            survey.keys.clear();
        }
        survey
    }

    fn read(&mut self, path: PathBuf) {
        let problems = match load::text(&path) {
            Ok(Some(text)) => Ok(self.overlay(&path, &text)),
            Ok(None) => return,
            Err(err) => {
                self.is_broken = true;
                Err(format!("{err:#}"))
            }
        };
        self.files.push(Surveyed { path, problems });
    }

    /// Errors of syntax are found twice, by checks and by pulls.
    fn overlay(&mut self, path: &Path, text: &str) -> Vec<Problem> {
        let name = path.display().to_string();
        let reading = self.policy.overlay(text, &name);
        self.keys.extend(reading.keys.into_iter().map(|(key, at)| (key, (path.to_owned(), at))));
        let mut problems = reading.problems;
        self.is_broken |= !problems.is_empty();
        let more = self.trust.overlay(text, &name);
        problems.extend(more.into_iter().filter(|it| !problems.contains(it)).collect::<Vec<_>>());
        problems.sort_by_key(|it| it.at);
        problems
    }
}
