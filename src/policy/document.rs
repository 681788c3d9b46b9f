//! The text of `config.toml` (`docs/policy.md`): the one place that knows every key. Reads on after an error, so that all
//! errors are reported.

use std::path::PathBuf;
use std::time::Duration;

use crate::image::ImagePattern;
use crate::spec::{Place, Problem};

use super::syntax::{self, At, ConfigTable, ConfigValue};
use super::value::{KeyValue, ValueResult, unknown};
use super::{Action, Builds, Implied, Mode, Nvidia, Policy, Sensitive, preference, waiver};

/// Every key outside of lists; those of waivers and of trust are in their own modules.
pub const KEYS: [&str; 27] = [
    "mode",
    "action.incompatible",
    "action.undecided",
    "action.malformed",
    "action.container_trouble",
    "action.trouble",
    "image_annotation",
    "may_waive.images",
    "tags",
    "deadline_ms",
    "disclose",
    "sensitive",
    "crun_stderr",
    "runtimes",
    "requirements",
    "builds",
    "implicit.program",
    "implicit.index",
    "implicit.nvidia",
    "log.decisions",
    "log.max_bytes",
    "log.keep",
    "log.journal",
    "log.syslog",
    "waiver",
    "prefer",
    "trust",
];

/// Those of [`KEYS`] that are tables.
const TABLES: [&str; 4] = ["action", "may_waive", "implicit", "log"];
const MODES: [(&str, Mode); 3] = [("enforce", Mode::Enforce), ("audit", Mode::Audit), ("off", Mode::Off)];
const ACTIONS: [(&str, Action); 2] = [("refuse", Action::Refuse), ("start", Action::Start)];
const SENSITIVE: [(&str, Sensitive); 2] = [("any", Sensitive::Any), ("verified", Sensitive::Verified)];
const BUILDS: [(&str, Builds); 2] = [("check", Builds::Check), ("skip", Builds::Skip)];
const PROGRAM: [(&str, Implied); 3] =
    [("refuse", Implied::Refuse), ("warn", Implied::Warn), ("off", Implied::Off)];
const NVIDIA: [(&str, Nvidia); 3] =
    [("sensible", Nvidia::Sensible), ("strict", Nvidia::Strict), ("off", Nvidia::Off)];
/// No engine that gives up waits longer for a runtime (Podman and CRI-O).
const MAX_DEADLINE_MS: u64 = 240_000;
/// A record of one decision has a few KiB at most; a smaller file would be rotated at once.
const LOG_BYTES: std::ops::RangeInclusive<u64> = 65_536..=1_099_511_627_776;

/// Files whose names end with two digits.
const MAX_KEPT: u64 = 99;

/// What came of reading a file.
#[derive(Debug, Default)]
pub struct ReadPolicy {
    /// All that is wrong with it, in the order of the file.
    pub problems: Vec<Problem>,
    /// The keys that it sets, and where.
    pub keys: Vec<(String, Place)>,
}

/// Takes over what a configuration file says; what it does not say, or says wrongly, stays as it is.
pub(super) fn overlay(policy: &mut Policy, text: &str, file: &str) -> ReadPolicy {
    let (table, errors) = syntax::parse(text);
    let mut reading = ReadPolicy::default();
    reading.take_table(policy, "", table, file);
    // What the parser made of a line that it could not read is not worth a word.
    reading.problems.retain(|it| errors.iter().all(|error| error.at.line != it.at.line));
    reading.problems.extend(errors);
    reading.problems.sort_by_key(|it| it.at);
    reading
}

impl ReadPolicy {
    fn take_table(&mut self, policy: &mut Policy, above: &str, table: ConfigTable, file: &str) {
        for (key, value) in table {
            let name = format!("{above}{}", key.value);
            match value {
                At { value: ConfigValue::Table(table), .. } if TABLES.contains(&name.as_str()) => {
                    self.take_table(policy, &format!("{name}."), table, file);
                }
                value => self.take(policy, At { at: key.at, value: name }, value, file),
            }
        }
    }

    fn take(&mut self, policy: &mut Policy, key: At<String>, value: At<ConfigValue>, file: &str) {
        let At { at, value: key } = key;
        let read = match key.as_str() {
            // `pull` reads the rest, see `trust`.
            "trust" => {
                policy.spec_demands.overlay(value);
                Ok(())
            }
            "waiver" => {
                let (waivers, problems) = waiver::read(value, file);
                policy.waivers.extend(waivers);
                self.problems.extend(problems);
                Ok(())
            }
            "prefer" => {
                let (preferences, problems) = preference::read(value);
                policy.preferences.extend(preferences);
                self.problems.extend(problems);
                Ok(())
            }
            name if TABLES.contains(&name) => Err(KeyValue { key: name, value }.wrong("a table")),
            name => set(policy, at, KeyValue { key: name, value }),
        };
        match read {
            Ok(()) => self.keys.push((key, at)),
            Err(problem) => self.problems.push(problem),
        }
    }
}

fn set(policy: &mut Policy, at: Place, entry: KeyValue<'_>) -> ValueResult<()> {
    match entry.key {
        "mode" => policy.mode = entry.choice(&MODES)?,
        "action.incompatible" => policy.incompatible = entry.choice(&ACTIONS)?,
        "action.undecided" => policy.undecided = entry.choice(&ACTIONS)?,
        "action.malformed" => policy.malformed = entry.choice(&ACTIONS)?,
        "action.container_trouble" => policy.container_trouble = entry.choice(&ACTIONS)?,
        "action.trouble" => policy.trouble = entry.choice(&ACTIONS)?,
        "image_annotation" => policy.image_annotation = entry.boolean()?,
        "may_waive.images" => policy.may_waive = patterns(entry)?,
        "tags" => policy.tags = entry.texts()?.into_iter().map(|it| it.value).collect(),
        "deadline_ms" => {
            policy.deadline = Duration::from_millis(entry.number(1..=MAX_DEADLINE_MS, "milliseconds")?);
        }
        "disclose" => policy.disclose = entry.boolean()?,
        "sensitive" => policy.sensitive = entry.choice(&SENSITIVE)?,
        "crun_stderr" => policy.crun_stderr = entry.boolean()?,
        "runtimes" => policy.runtimes = runtimes(entry)?,
        "requirements" => policy.requirements = entry.path_or_none()?,
        "builds" => policy.builds = entry.choice(&BUILDS)?,
        "implicit.program" => policy.program = entry.choice(&PROGRAM)?,
        "implicit.index" => policy.index = entry.choice(&PROGRAM)?,
        "implicit.nvidia" => policy.nvidia = entry.choice(&NVIDIA)?,
        "log.decisions" => policy.log.decisions = entry.path_or_none()?,
        "log.max_bytes" => policy.log.max_bytes = entry.number(LOG_BYTES, "bytes")?,
        "log.keep" => {
            policy.log.keep = u32::try_from(entry.number(0..=MAX_KEPT, "files")?).unwrap_or(u32::MAX)
        }
        "log.journal" => policy.log.journal = entry.boolean()?,
        "log.syslog" => policy.log.syslog = entry.boolean()?,
        key => return Err(unknown(at, key, &KEYS)),
    }
    Ok(())
}

fn patterns(entry: KeyValue<'_>) -> ValueResult<Vec<ImagePattern>> {
    let key = entry.key;
    entry.texts()?.into_iter().map(|it| waiver::pattern(key, it)).collect()
}

/// Names are looked for in `PATH`, so a relative path would depend on the folder.
fn runtimes(entry: KeyValue<'_>) -> ValueResult<Vec<PathBuf>> {
    let at = entry.value.at;
    let wrong = |message: String| Problem { at, message };
    let texts = entry.texts()?;
    if texts.is_empty() {
        return Err(wrong(
            "runtimes is an empty list, has to name a low-level runtime, such as \"runc\"".to_owned(),
        ));
    }
    let runtime = |it: At<String>| match it.value.contains('/') && !it.value.starts_with('/') {
        false => Ok(PathBuf::from(it.value)),
        true => Err(Problem {
            at: it.at,
            message: format!("an item of runtimes is {:?}, has to be a name or an absolute path", it.value),
        }),
    };
    texts.into_iter().map(runtime).collect()
}
