//! What the administrator wants done with a verdict. Every default is written down here, once.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail};
use serde::Deserialize;

use crate::file;
use crate::verdict::Verdict;

/// The configuration, unless another one is named; `config.toml.d/*.toml` beside it is read after it.
pub const FILE: &str = "/etc/oci-compat/config.toml";
/// Written by hand: a few KiB.
const MAX_FILE: usize = 1 << 20;

/// What a check came to, as far as policy tells cases apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Situation {
    /// The image demands nothing.
    NoRequirements,
    /// There is a verdict.
    Judged(Verdict),
    /// The image's own spec cannot be read: it concerns that image alone, and its author has to hear of it.
    Malformed,
    /// A failure of ours: it must not stop the containers of a node.
    Trouble,
}

/// What is done with a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is created.
    Start,
    /// Its creation is aborted.
    Refuse,
}

/// Whether decisions are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Yes.
    Enforce,
    /// No: they are made and reported, and nothing is ever refused.
    Audit,
    /// Nothing is even checked.
    Off,
}

/// What is wanted, in every situation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whether decisions are carried out.
    pub mode: Mode,
    /// For hosts that lack something.
    pub incompatible: Action,
    /// For hosts that could not be asked.
    pub undecided: Action,
    /// For specs that cannot be read.
    pub malformed: Action,
    /// For failures of ours.
    pub trouble: Action,
    /// Whether the annotation `org.oci-compat.image` may say which image a bundle is.
    pub image_annotation: bool,
    /// Which sets of a spec count; empty for all.
    pub tags: Vec<String>,
    /// How long a whole check may take.
    pub deadline: Duration,
    /// The low-level runtimes that the wrapper may become, the first that is there: names, looked for in `PATH`, or
    /// absolute paths.
    pub runtimes: Vec<PathBuf>,
    /// Whether the hook writes a refusal to the stderr of crun, which throws away what hooks print.
    pub crun_stderr: bool,
}

impl Policy {
    /// What holds without any configuration.
    pub fn default_policy() -> Self {
        Self {
            mode: Mode::Enforce,
            incompatible: Action::Refuse,
            undecided: Action::Start,
            malformed: Action::Refuse,
            trouble: Action::Start,
            image_annotation: false,
            tags: Vec::new(),
            deadline: Duration::from_secs(2),
            runtimes: ["runc", "crun"].map(PathBuf::from).to_vec(),
            crun_stderr: false,
        }
    }

    /// What is done in a situation.
    pub fn action(&self, situation: Situation) -> Action {
        match self.mode {
            Mode::Enforce => self.intention(situation),
            Mode::Audit | Mode::Off => Action::Start,
        }
    }

    /// What would be done in a situation if decisions were carried out.
    pub fn intention(&self, situation: Situation) -> Action {
        match situation {
            Situation::NoRequirements | Situation::Judged(Verdict::Compatible) => Action::Start,
            Situation::Judged(Verdict::Incompatible) => self.incompatible,
            Situation::Judged(Verdict::Undecided) => self.undecided,
            Situation::Malformed => self.malformed,
            Situation::Trouble => self.trouble,
        }
    }

    /// Takes over what a configuration file says; what it does not say stays as it is.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with line and column.
    pub fn overlay(&mut self, text: &str) -> Result<(), String> {
        let file: File = toml::from_str(text).map_err(|err| located(text, &err))?;
        let action = file.action;
        set(&mut self.mode, file.mode);
        set(&mut self.image_annotation, file.image_annotation);
        set(&mut self.tags, file.tags);
        set(&mut self.deadline, file.deadline_ms.map(|it| Duration::from_millis(it.get())));
        set(&mut self.runtimes, file.runtimes);
        set(&mut self.crun_stderr, file.crun_stderr);
        set(&mut self.incompatible, action.incompatible);
        set(&mut self.undecided, action.undecided);
        set(&mut self.malformed, action.malformed);
        set(&mut self.trouble, action.trouble);
        Ok(())
    }
}

/// Reads the configuration and its drop-ins, in the order of their names; later ones win.
///
/// A broken configuration must not stop containers, nor silently let all of them start: then the defaults hold in audit
/// mode, and what is wrong is returned to be said aloud.
pub fn load(path: &Path) -> (Policy, Option<String>) {
    let mut policy = Policy::default_policy();
    match read(&mut policy, path) {
        Ok(()) => (policy, None),
        Err(err) => {
            let complaint =
                format!("the configuration is broken, so that nothing is refused (audit mode): {err:#}");
            (Policy { mode: Mode::Audit, ..Policy::default_policy() }, Some(complaint))
        }
    }
}

fn read(policy: &mut Policy, path: &Path) -> anyhow::Result<()> {
    let mut folder = path.as_os_str().to_owned();
    folder.push(".d");
    for path in std::iter::once(path.to_owned()).chain(drop_ins(Path::new(&folder))?) {
        let Some(bytes) = file::read(&path, MAX_FILE)? else { continue };
        let text = String::from_utf8(bytes).map_err(|_| anyhow!("{} is not UTF-8 text", path.display()))?;
        policy.overlay(&text).map_err(|err| anyhow!("{}:{err}", path.display()))?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the administrator's folder, not the host's under a root")]
fn drop_ins(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(err) if matches!(err.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(err) => bail!("{} {}", folder.display(), file::explain_io(&err)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|err| anyhow!("{} {}", folder.display(), file::explain_io(&err)))?;
        let path = entry.path();
        if path.extension().is_some_and(|it| it == "toml") {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

fn set<T>(field: &mut T, said: Option<T>) {
    if let Some(said) = said {
        *field = said;
    }
}

fn located(text: &str, err: &toml::de::Error) -> String {
    let before = err.span().and_then(|it| text.get(..it.start)).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |it| it.chars().count()) + 1;
    format!("{line}:{column}: {}", err.message().replace('\n', "; "))
}

/// `config.toml` as it is written; see `docs/policy.md`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    mode: Option<Mode>,
    image_annotation: Option<bool>,
    tags: Option<Vec<String>>,
    /// Zero would leave no time to look at anything.
    deadline_ms: Option<NonZeroU64>,
    runtimes: Option<Vec<PathBuf>>,
    crun_stderr: Option<bool>,
    #[serde(default)]
    action: Actions,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Actions {
    incompatible: Option<Action>,
    undecided: Option<Action>,
    malformed: Option<Action>,
    trouble: Option<Action>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, situation: Situation, action: Action) {
        let mut policy = Policy::default_policy();
        policy.overlay(text).expect("a good configuration");
        assert_eq!(policy.action(situation), action, "{text:?}, {situation:?}");
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        check("", Situation::NoRequirements, Action::Start);
        check("", Situation::Judged(Verdict::Compatible), Action::Start);
        check("", Situation::Judged(Verdict::Incompatible), Action::Refuse);
        check("", Situation::Judged(Verdict::Undecided), Action::Start);
        check("", Situation::Malformed, Action::Refuse);
        check("", Situation::Trouble, Action::Start);
    }

    #[test]
    fn a_file_changes_what_it_names() {
        check("action.undecided = \"refuse\"", Situation::Judged(Verdict::Undecided), Action::Refuse);
        check("[action]\ntrouble = \"refuse\"", Situation::Trouble, Action::Refuse);
        check("[action]\nincompatible = \"start\"", Situation::Judged(Verdict::Incompatible), Action::Start);
    }

    #[test]
    fn audit_and_off_never_refuse() {
        for mode in ["audit", "off"] {
            let text = format!("mode = \"{mode}\"\naction.trouble = \"refuse\"");
            check(&text, Situation::Judged(Verdict::Incompatible), Action::Start);
            check(&text, Situation::Malformed, Action::Start);
            check(&text, Situation::Trouble, Action::Start);
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_place() {
        let wrong = |text: &str| Policy::default_policy().overlay(text).expect_err("a bad configuration");
        assert_eq!(
            wrong("mode = \"strict\""),
            "1:8: unknown variant `strict`, expected one of `enforce`, `audit`, `off`"
        );
        assert_eq!(
            wrong("\nmod = \"audit\""),
            "2:1: unknown field `mod`, expected one of `mode`, `image_annotation`, `tags`, `deadline_ms`, `runtimes`, `crun_stderr`, `action`"
        );
        assert_eq!(
            wrong("deadline_ms = \"2s\""),
            "1:15: invalid type: string \"2s\", expected a nonzero u64"
        );
        assert_eq!(wrong("deadline_ms = 0"), "1:15: invalid value: integer `0`, expected a nonzero u64");
        assert_eq!(wrong("mode = "), "1:8: string values must be quoted, expected literal string");
    }

    /// What comes of a configuration and drop-ins, with the folder taken out.
    fn loaded(files: &[(&str, &[u8])]) -> (Policy, Option<String>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("making a folder");
            fs::write(path, text).expect("writing a fixture");
        }
        let (policy, complaint) = load(&folder.path().join("config.toml"));
        (policy, complaint.map(|it| it.replace(&folder.path().display().to_string(), "ETC")))
    }

    #[test]
    fn without_any_file_the_defaults_hold() {
        assert_eq!(loaded(&[]), (Policy::default_policy(), None));
        assert_eq!(loaded(&[("config.toml.d", b"no folder")]), (Policy::default_policy(), None));
    }

    #[test]
    fn drop_ins_come_after_the_file_in_the_order_of_their_names() {
        let (policy, complaint) = loaded(&[
            ("config.toml", b"deadline_ms = 1\ntags = [\"a\"]\nimage_annotation = true"),
            ("config.toml.d/20.toml", b"deadline_ms = 20\n[action]\ntrouble = \"refuse\""),
            ("config.toml.d/10.toml", b"deadline_ms = 10\nmode = \"audit\""),
            ("config.toml.d/30.toml.off", b"deadline_ms = 30"),
        ]);
        let expected = Policy {
            mode: Mode::Audit,
            trouble: Action::Refuse,
            image_annotation: true,
            tags: vec!["a".to_owned()],
            deadline: Duration::from_millis(20),
            ..Policy::default_policy()
        };
        assert_eq!((policy, complaint), (expected, None));
    }

    #[test]
    fn a_broken_file_refuses_nobody_and_is_told() {
        let check = |files: &[(&str, &[u8])], expected: &str| {
            let (policy, complaint) = loaded(files);
            assert_eq!(policy, Policy { mode: Mode::Audit, ..Policy::default_policy() });
            let opening = "the configuration is broken, so that nothing is refused (audit mode): ";
            assert_eq!(complaint, Some(format!("{opening}{expected}")));
        };
        let unknown = "unknown field `a`, expected one of `mode`, `image_annotation`, `tags`, `deadline_ms`, `runtimes`, `crun_stderr`, `action`";
        check(&[("config.toml", b"a = 1")], &format!("ETC/config.toml:1:1: {unknown}"));
        check(
            &[("config.toml", b"action.trouble = \"refuse\""), ("config.toml.d/1.toml", b"\n a = 1")],
            &format!("ETC/config.toml.d/1.toml:2:2: {unknown}"),
        );
        check(&[("config.toml", b"\xff")], "ETC/config.toml is not UTF-8 text");
        check(&[("config.toml/x", b"")], "ETC/config.toml is not a regular file");
        check(
            &[("config.toml", &vec![b' '; MAX_FILE + 1])],
            "reading ETC/config.toml: it is larger than 1048576 bytes",
        );
    }

    #[test]
    fn what_audit_would_do_is_known() {
        let audit = Policy { mode: Mode::Audit, ..Policy::default_policy() };
        assert_eq!(audit.action(Situation::Malformed), Action::Start);
        assert_eq!(audit.intention(Situation::Malformed), Action::Refuse);
    }
}
