//! Exceptions that the administrator granted: their rules, their images, the reason and the end. Never applies one.

use crate::image::ImagePattern;
use crate::spec::{Place, Problem};
use crate::words::glob::Glob;
use crate::words::moment::{self, Moment};

use super::syntax::{At, ConfigTable, ConfigValue};
use super::value::{KeyValue, ValueResult, missing, unknown};

/// An exception, `[[waiver]]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The names of the rules; every name if there is none.
    pub rule: Option<Glob>,
    /// Whether `rule` fits their ids as well, as in annotations.
    pub or_id: bool,
    /// The ids of the rules; every rule, with an id or without, if there is none.
    pub id: Option<Glob>,
    /// The one code that a rule may fail with; every code if there is none.
    pub code: Option<String>,
    /// The images.
    pub image: ImagePattern,
    /// Why it was granted.
    pub reason: String,
    /// Until when.
    pub expires: Expiry,
    /// Where it was granted: file and line, or the annotation.
    pub from: String,
}

/// What a rule is called.
#[derive(Debug, Clone, Copy)]
pub struct RuleName<'a> {
    /// By people.
    pub name: &'a str,
    /// By its id; empty if it has none.
    pub id: &'a str,
}

/// Until when an exception holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expiry {
    /// Without end, as the administrator wrote explicitly.
    Never,
    /// Until this moment.
    At {
        /// The first moment at which it does not hold any more.
        end: Moment,
        /// As it was written.
        text: String,
    },
}

impl Waiver {
    /// Whether it is for this rule, if the rule fails with nothing but these codes. Whatever the image: see [`Self::image`].
    pub fn concerns<'a>(&self, rule: RuleName<'_>, codes: impl IntoIterator<Item = &'a str>) -> bool {
        let has_id = |it: &Glob| !rule.id.is_empty() && it.matches(rule.id);
        self.rule.as_ref().is_none_or(|it| it.matches(rule.name) || (self.or_id && has_id(it)))
            && self.id.as_ref().is_none_or(has_id)
            && self.code.as_ref().is_none_or(|code| codes.into_iter().all(|it| it == code))
    }

    /// Whether it holds no more.
    pub fn is_over(&self, now: impl FnOnce() -> Moment) -> bool {
        match &self.expires {
            Expiry::Never => false,
            Expiry::At { end, .. } => *end <= now(),
        }
    }

    /// When it ends, in words.
    pub fn until(&self) -> String {
        match &self.expires {
            Expiry::Never => "without end".to_owned(),
            Expiry::At { text, .. } => format!("until {text}"),
        }
    }
}

const KEYS: [&str; 6] = ["rule", "id", "code", "image", "reason", "expires"];

/// Reads the waivers of a file, and all that is wrong with them.
pub(super) fn read(value: At<ConfigValue>, file: &str) -> (Vec<Waiver>, Vec<Problem>) {
    const NEEDED: &str = "a list of tables, each under a line [[waiver]]";
    let (mut waivers, mut problems) = (Vec::new(), Vec::new());
    let ConfigValue::List(list) = value.value else {
        return (waivers, vec![KeyValue { key: "waiver", value }.wrong(NEEDED)]);
    };
    for value in list {
        let at = value.at;
        match (KeyValue { key: "waiver", value }).table(NEEDED) {
            Ok(table) => waivers.extend(one(at, table, file, &mut problems)),
            Err(problem) => problems.push(problem),
        }
    }
    (waivers, problems)
}

/// What a waiver says, as far as it could be read.
#[derive(Default)]
struct Draft {
    rule: Option<Glob>,
    id: Option<Glob>,
    code: Option<String>,
    image: Option<ImagePattern>,
    reason: Option<String>,
    expires: Option<Expiry>,
}

fn one(at: Place, table: ConfigTable, file: &str, problems: &mut Vec<Problem>) -> Option<Waiver> {
    let before = problems.len();
    let lacking = lacks(at, &table);
    let mut draft = Draft::default();
    for (key, value) in table {
        problems.extend(draft.take(&key, value).err());
    }
    problems.extend(lacking);
    if problems.len() > before {
        return None;
    }
    let Draft { rule, id, code, image, reason, expires } = draft;
    let from = format!("{file}:{}", at.line);
    Some(Waiver { rule, or_id: false, id, code, image: image?, reason: reason?, expires: expires?, from })
}

fn lacks(at: Place, table: &ConfigTable) -> Vec<Problem> {
    let lacks = |key: &str| !table.iter().any(|(it, _)| it.value == key);
    let mut problems = Vec::new();
    if lacks("rule") && lacks("id") && lacks("code") {
        let meaning =
            "the name of a rule, * for all; or its id; or code, such as code = \"module-not-loaded\"";
        problems.push(missing(at, "a waiver", "rule", meaning));
    }
    let needed = [
        ("image", "a pattern of images, \"*\" for all"),
        ("reason", "why it was granted, for whoever meets it later"),
        ("expires", "a date such as \"2031-12-31\", or \"never\""),
    ];
    let absent = needed.into_iter().filter(|(key, _)| lacks(key));
    problems.extend(absent.map(|(key, meaning)| missing(at, "a waiver", key, meaning)));
    problems
}

impl Draft {
    fn take(&mut self, key: &At<String>, value: At<ConfigValue>) -> ValueResult<()> {
        let entry = KeyValue { key: &key.value, value };
        match key.value.as_str() {
            "rule" => self.rule = Some(Glob::new(&entry.text()?.value)),
            "id" => self.id = Some(Glob::new(&entry.text()?.value)),
            "code" => self.code = Some(entry.text()?.value),
            "image" => self.image = Some(pattern("image", entry.text()?)?),
            "reason" => self.reason = Some(entry.text()?.value),
            "expires" => self.expires = Some(expiry(entry)?),
            _ => return Err(unknown(key.at, &key.value, &KEYS)),
        }
        Ok(())
    }
}

/// An image pattern at a place.
pub(super) fn pattern(key: &str, text: At<String>) -> ValueResult<ImagePattern> {
    let At { at, value } = text;
    ImagePattern::parse(&value)
        .map_err(|err| Problem { at, message: format!("{key}: the pattern {value:?} {err}") })
}

fn expiry(entry: KeyValue<'_>) -> ValueResult<Expiry> {
    const NEEDED: &str =
        "a date such as \"2031-12-31\", a moment such as \"2031-12-31T12:00:00Z\", or \"never\"";
    let (ConfigValue::Text(text) | ConfigValue::Moment(text)) = &entry.value.value else {
        return Err(entry.wrong(NEEDED));
    };
    if text == "never" {
        return Ok(Expiry::Never);
    }
    match moment::end(text) {
        Some(end) => Ok(Expiry::At { end, text: text.clone() }),
        None => Err(entry.wrong(NEEDED)),
    }
}
