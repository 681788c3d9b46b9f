//! Typed values of a configuration. Never converts a type: a number in quotes is text.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::spec::{Place, Problem};

use super::syntax::{At, ConfigTable, ConfigValue};
use crate::words::text::nearest;

pub(super) type ValueResult<T> = Result<T, Problem>;

/// A key with its value, as messages call it.
pub(super) struct KeyValue<'a> {
    pub(super) key: &'a str,
    pub(super) value: At<ConfigValue>,
}

impl KeyValue<'_> {
    pub(super) fn wrong(&self, needed: &str) -> Problem {
        let message = format!("{} is {}, has to be {needed}", self.key, shown(&self.value.value));
        Problem { at: self.value.at, message }
    }

    pub(super) fn choice<T: Copy>(self, known: &[(&str, T)]) -> ValueResult<T> {
        let ConfigValue::Text(text) = &self.value.value else { return Err(self.wrong(&names(known))) };
        let found = known.iter().find(|(name, _)| name == text).map(|(_, it)| *it);
        found.ok_or_else(|| self.wrong(&names(known)))
    }

    pub(super) fn boolean(self) -> ValueResult<bool> {
        let ConfigValue::Boolean(it) = self.value.value else {
            return Err(self.wrong("true or false, without quotes"));
        };
        Ok(it)
    }

    /// A whole number of some unit.
    pub(super) fn number(self, range: RangeInclusive<u64>, unit: &str) -> ValueResult<u64> {
        let number =
            if let ConfigValue::Integer(Some(it)) = self.value.value { u64::try_from(it).ok() } else { None };
        let needed = || format!("a whole number of {unit} from {} to {}", range.start(), range.end());
        number.filter(|it| range.contains(it)).ok_or_else(|| self.wrong(&needed()))
    }

    pub(super) fn text(self) -> ValueResult<At<String>> {
        let at = self.value.at;
        if let ConfigValue::Text(text) = &self.value.value
            && !text.trim().is_empty()
        {
            return Ok(At { at, value: text.clone() });
        }
        Err(self.wrong("text in quotes"))
    }

    pub(super) fn texts(self) -> ValueResult<Vec<At<String>>> {
        const NEEDED: &str = "a list of texts, such as [\"a\", \"b\"]";
        let ConfigValue::List(list) = self.value.value else { return Err(self.wrong(NEEDED)) };
        let key = format!("an item of {}", self.key);
        list.into_iter().map(|value| KeyValue { key: &key, value }.text()).collect()
    }

    /// Absolute, because the working directory of a hook is not known.
    pub(super) fn path(self) -> ValueResult<PathBuf> {
        if let ConfigValue::Text(text) = &self.value.value
            && text.starts_with('/')
            && !text.contains('\0')
        {
            return Ok(PathBuf::from(text));
        }
        Err(self.wrong("an absolute path in quotes"))
    }

    /// A path, or `false` for none.
    pub(super) fn path_or_none(self) -> ValueResult<Option<PathBuf>> {
        if let ConfigValue::Boolean(false) = self.value.value {
            return Ok(None);
        }
        if let ConfigValue::Text(_) = self.value.value {
            return self.path().map(Some);
        }
        Err(self.wrong("an absolute path in quotes, or false for none"))
    }

    pub(super) fn table(self, needed: &str) -> ValueResult<ConfigTable> {
        if let ConfigValue::Table(table) = self.value.value { Ok(table) } else { Err(self.wrong(needed)) }
    }
}

fn names<T>(known: &[(&str, T)]) -> String {
    let quoted: Vec<_> = known.iter().map(|(it, _)| format!("{it:?}")).collect();
    quoted.join(" or ")
}

fn shown(value: &ConfigValue) -> String {
    match value {
        ConfigValue::Text(text) if text.chars().count() <= 60 => format!("{text:?}"),
        ConfigValue::Text(_) => "a long text".to_owned(),
        ConfigValue::Integer(Some(number)) => number.to_string(),
        ConfigValue::Integer(None) => "a number that is too large".to_owned(),
        ConfigValue::Float => "a fraction".to_owned(),
        ConfigValue::Boolean(it) => it.to_string(),
        ConfigValue::Moment(text) => format!("the moment {text}"),
        ConfigValue::List(_) => "a list".to_owned(),
        ConfigValue::Table(_) => "a table".to_owned(),
    }
}

/// An unknown key: its author expects something of it.
pub(super) fn unknown(at: Place, key: &str, known: &[&str]) -> Problem {
    let last = |it: &str| it.rsplit('.').next().map(str::to_owned);
    // The right name in the wrong table.
    let elsewhere = || known.iter().find(|it| last(it) == last(key)).copied();
    let meant = nearest(key, known.iter().copied()).or_else(elsewhere);
    let hint = match meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("there are {}", known.join(", ")),
    };
    Problem { at, message: format!("there is no key {}; {hint}", key.escape_debug()) }
}

/// A key that has to be there.
pub(super) fn missing(at: Place, what: &str, key: &str, meaning: &str) -> Problem {
    Problem { at, message: format!("{what} needs {key}: {meaning}") }
}
