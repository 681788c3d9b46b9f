//! Annotations of an index's entries that a host prefers. Only `oci-compat select` heeds them.

use crate::spec::{Place, Problem};

use super::syntax::{At, ConfigTable, ConfigValue};
use super::value::{KeyValue, ValueResult, missing, unknown};

/// An annotation and what it counts for, `[[prefer]]` in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preference {
    /// The key of the annotation.
    pub annotation: String,
    /// The value that it must have.
    pub value: String,
    /// What an entry with it gets more than others.
    pub weight: u32,
}

const KEYS: [&str; 3] = ["annotation", "value", "weight"];
/// The weights of one entry are added up.
const MAX_WEIGHT: u64 = 1_000_000;

/// Reads the preferences of a file, and all that is wrong with them.
pub(super) fn read(value: At<ConfigValue>) -> (Vec<Preference>, Vec<Problem>) {
    const NEEDED: &str = "a list of tables, each under a line [[prefer]]";
    let (mut preferences, mut problems) = (Vec::new(), Vec::new());
    let ConfigValue::List(list) = value.value else {
        return (preferences, vec![KeyValue { key: "prefer", value }.wrong(NEEDED)]);
    };
    for value in list {
        let at = value.at;
        match (KeyValue { key: "prefer", value }).table(NEEDED) {
            Ok(table) => preferences.extend(one(at, table, &mut problems)),
            Err(problem) => problems.push(problem),
        }
    }
    (preferences, problems)
}

fn one(at: Place, table: ConfigTable, problems: &mut Vec<Problem>) -> Option<Preference> {
    const MEANINGS: [(&str, &str); 3] = [
        ("annotation", "the key of an annotation of an index's entry"),
        ("value", "the value of that annotation"),
        ("weight", "what it counts for, such as 10"),
    ];
    let absent: Vec<_> =
        MEANINGS.iter().filter(|(key, _)| !table.iter().any(|(it, _)| it.value == *key)).collect();
    let (mut annotation, mut text, mut weight) = (None, None, None);
    for (key, value) in table {
        let entry = KeyValue { key: &key.value, value };
        let read: ValueResult<()> = match key.value.as_str() {
            "annotation" => entry.text().map(|it| annotation = Some(it.value)),
            "value" => entry.text().map(|it| text = Some(it.value)),
            "weight" => entry.number(1..=MAX_WEIGHT, "points").map(|it| weight = u32::try_from(it).ok()),
            _ => Err(unknown(key.at, &key.value, &KEYS)),
        };
        problems.extend(read.err());
    }
    problems.extend(absent.iter().map(|(key, meaning)| missing(at, "a preference", key, meaning)));
    Some(Preference { annotation: annotation?, value: text?, weight: weight? })
}

#[cfg(test)]
mod tests {
    use crate::policy::Policy;

    fn check(text: &str, expected: &[&str]) {
        let mut policy = Policy::default_policy();
        let problems = policy.overlay(text, "config.toml").problems;
        let found: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn preferences_of_all_files_count() {
        let mut policy = Policy::default_policy();
        for value in ["a", "b"] {
            let text =
                format!("[[prefer]]\nannotation = \"com.example.gpu\"\nvalue = \"{value}\"\nweight = 7\n");
            assert_eq!(policy.overlay(&text, "config.toml").problems, []);
        }
        let found: Vec<_> =
            policy.preferences.iter().map(|it| (&*it.annotation, &*it.value, it.weight)).collect();
        assert_eq!(found, [("com.example.gpu", "a", 7), ("com.example.gpu", "b", 7)]);
    }

    #[test]
    fn what_is_wrong_with_a_preference_is_reported() {
        check("prefer = 1", &["1:10: prefer is 1, has to be a list of tables, each under a line [[prefer]]"]);
        check(
            "[[prefer]]\nannotation = \"a\"\nweigth = 1\n",
            &[
                "1:1: a preference needs value: the value of that annotation",
                "1:1: a preference needs weight: what it counts for, such as 10",
                "3:1: there is no key weigth; did you mean weight?",
            ],
        );
        check(
            "[[prefer]]\nannotation = \"a\"\nvalue = \"b\"\nweight = 0\n",
            &["4:10: weight is 0, has to be a whole number of points from 1 to 1000000"],
        );
    }
}
