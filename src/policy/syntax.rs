//! TOML as a tree of values, each with its place: the only file that uses the parser. Never interprets a value.

use toml::de::{DeTable, DeValue};

use crate::spec::{Place, Problem};

/// A value, or a key, and where it stands.
#[derive(Debug)]
pub(super) struct At<T> {
    pub(super) at: Place,
    pub(super) value: T,
}

/// What is written in a configuration.
#[derive(Debug)]
pub(super) enum ConfigValue {
    Text(String),
    /// None beyond what fits.
    Integer(Option<i64>),
    Boolean(bool),
    List(Vec<At<ConfigValue>>),
    Table(ConfigTable),
    /// A date, or a date and a time, as it is written without quotes.
    Moment(String),
    Float,
}

/// Keys and values, in the order of the keys' names.
pub(super) type ConfigTable = Vec<(At<String>, At<ConfigValue>)>;

/// Reads a document as far as it goes, and all that is wrong with its syntax.
pub(super) fn parse(text: &str) -> (ConfigTable, Vec<Problem>) {
    let places = LineStarts::of(text);
    let (table, errors) = DeTable::parse_recoverable(text);
    let problem = |err: toml::de::Error| Problem {
        at: places.at(err.span().map_or(0, |it| it.start)),
        message: err.message().replace('\n', "; "),
    };
    (self::table(table.into_inner(), &places), errors.into_iter().map(problem).collect())
}

fn table(table: DeTable<'_>, places: &LineStarts<'_>) -> ConfigTable {
    let entry = |(key, value): (toml::Spanned<_>, toml::Spanned<_>)| {
        let at = places.at(key.span().start);
        (At { at, value: std::borrow::Cow::into_owned(key.into_inner()) }, self::value(value, places))
    };
    table.into_iter().map(entry).collect()
}

fn value(value: toml::Spanned<DeValue<'_>>, places: &LineStarts<'_>) -> At<ConfigValue> {
    let at = places.at(value.span().start);
    let value = match value.into_inner() {
        DeValue::String(text) => ConfigValue::Text(text.into_owned()),
        DeValue::Integer(number) => {
            ConfigValue::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok())
        }
        DeValue::Float(_) => ConfigValue::Float,
        DeValue::Boolean(it) => ConfigValue::Boolean(it),
        DeValue::Datetime(it) => ConfigValue::Moment(it.to_string()),
        DeValue::Array(list) => {
            ConfigValue::List(list.into_iter().map(|it| self::value(it, places)).collect())
        }
        DeValue::Table(it) => ConfigValue::Table(table(it, places)),
    };
    At { at, value }
}

/// Where lines start: a file of many waivers has many places.
struct LineStarts<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> LineStarts<'a> {
    fn of(text: &'a str) -> Self {
        let feeds = text.bytes().enumerate().filter(|(_, it)| *it == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(feeds).collect() }
    }

    fn at(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|it| *it <= offset);
        let start = self.starts.get(line.wrapping_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..offset).unwrap_or("");
        Place { line, column: before.chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each key and value with its place, one a line.
    fn told(text: &str) -> Vec<String> {
        let (table, problems) = parse(text);
        let mut lines = Vec::new();
        tell(&table, &mut lines);
        lines.extend(problems.iter().map(ToString::to_string));
        lines
    }

    fn tell(table: &ConfigTable, lines: &mut Vec<String>) {
        for (key, value) in table {
            let shown = if let ConfigValue::Table(_) = &value.value {
                "table".to_owned()
            } else if let ConfigValue::List(list) = &value.value {
                format!("{} items", list.len())
            } else {
                format!("{:?}", value.value)
            };
            lines.push(format!("{} {} = {} {shown}", key.at, key.value, value.at));
            if let ConfigValue::Table(inner) = &value.value {
                tell(inner, lines);
            }
        }
    }

    #[test]
    fn every_key_and_value_has_its_place() {
        assert_eq!(told(""), Vec::<String>::new());
        assert_eq!(
            told("a = 1\n \"é\".\"b c\" = [1, 2]\n[t]\nx = 2026-12-31\ny = true\nz = 0.5\n"),
            [
                "1:1 a = 1:5 Integer(Some(1))",
                "3:2 t = 3:1 table",
                "4:1 x = 4:5 Moment(\"2026-12-31\")",
                "5:1 y = 5:5 Boolean(true)",
                "6:1 z = 6:5 Float",
                "2:2 é = 2:2 table",
                "2:6 b c = 2:14 2 items",
            ]
        );
        assert_eq!(told("a = 9223372036854775808"), ["1:1 a = 1:5 Integer(None)"]);
    }

    #[test]
    fn all_errors_of_syntax_are_reported() {
        let quotes = "string values must be quoted, expected literal string";
        assert_eq!(
            told("a = \nb = x\nb = 1\n"),
            [
                "1:1 a = 1:5 Text(\"\")".to_owned(),
                "2:1 b = 2:5 Text(\"x\")".to_owned(),
                format!("1:5: {quotes}"),
                format!("2:5: {quotes}"),
                "3:1: duplicate key".to_owned(),
            ]
        );
    }
}
