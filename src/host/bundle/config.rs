//! A bundle's `config.json`, parsed where a rule asks for it. A part that does not conform to runtime-spec is unknown, with its
//! place, and never counts as missing.

use serde_json::Value;

use crate::host::Unknown;

/// How places are named: the bundle's folder differs between starts of a container, and a message must not.
pub(super) const FILE: &str = "config.json";

/// A part of `config.json` that is there.
#[derive(Debug)]
pub(super) struct ConfigPart<'a> {
    value: &'a Value,
    /// Such as `config.json process.rlimits[2]`.
    pub(super) place: String,
}

impl<'a> ConfigPart<'a> {
    /// The whole file.
    pub(super) fn whole(value: &'a Value) -> Self {
        Self { value, place: FILE.to_owned() }
    }

    /// A field, if it is there; `null` counts as not there, as for the programs in Go that write and read these files.
    pub(super) fn field(&self, name: &str) -> Result<Option<Self>, Unknown> {
        let Value::Object(fields) = self.value else {
            return Err(self.instead_of("an object"));
        };
        let separator = if self.place == FILE { ' ' } else { '.' };
        let part = |value| Self { value, place: format!("{}{separator}{name}", self.place) };
        Ok(fields.get(name).filter(|it| !it.is_null()).map(part))
    }

    /// A field of a field, and so on; none if one of them is not there.
    pub(super) fn descend(&self, names: &[&str]) -> Result<Option<Self>, Unknown> {
        let mut part = Self { value: self.value, place: self.place.clone() };
        for name in names {
            match part.field(name)? {
                Some(inner) => part = inner,
                None => return Ok(None),
            }
        }
        Ok(Some(part))
    }

    /// A field that has to be there.
    pub(super) fn required(&self, name: &str) -> Result<Self, Unknown> {
        self.field(name)?.ok_or_else(|| self.unknown(format!("has no {name}, as every one must")))
    }

    /// The items of a list that is a field; none if there is no such field.
    pub(super) fn items(&self, name: &str) -> Result<Vec<Self>, Unknown> {
        self.field(name)?.map_or_else(|| Ok(Vec::new()), |it| it.list())
    }

    pub(super) fn list(&self) -> Result<Vec<Self>, Unknown> {
        let Value::Array(items) = self.value else {
            return Err(self.instead_of("a list"));
        };
        let item = |(index, value)| Self { value, place: format!("{}[{index}]", self.place) };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// The names of an object's fields.
    pub(super) fn names(&self) -> Result<impl Iterator<Item = &'a str> + use<'a>, Unknown> {
        let Value::Object(fields) = self.value else {
            return Err(self.instead_of("an object"));
        };
        Ok(fields.keys().map(String::as_str))
    }

    pub(super) fn text(&self) -> Result<&'a str, Unknown> {
        self.value.as_str().ok_or_else(|| self.instead_of("text"))
    }

    pub(super) fn is_true(&self) -> Result<bool, Unknown> {
        self.value.as_bool().ok_or_else(|| self.instead_of("true or false"))
    }

    /// A whole number; `i128` holds both signed and unsigned ones.
    pub(super) fn integer(&self) -> Result<i128, Unknown> {
        let signed = self.value.as_i64().map(i128::from);
        let unsigned = || self.value.as_u64().map(i128::from);
        signed.or_else(unsigned).ok_or_else(|| self.instead_of("a whole number"))
    }

    /// Why nothing is known, as the rest of a sentence that starts with the place.
    pub(super) fn unknown(&self, reason: impl Into<String>) -> Unknown {
        Unknown::new(&*self.place, reason)
    }

    fn instead_of(&self, expected: &str) -> Unknown {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.unknown(format!("is {found}, expected {expected}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told<T: std::fmt::Debug>(found: Result<T, Unknown>) -> String {
        match found {
            Ok(it) => format!("{it:?}"),
            Err(unknown) => format!("{} {}", unknown.read, unknown.reason),
        }
    }

    #[test]
    fn every_part_says_where_it_stands() {
        let value = json!({"a": {"b": [{"c": 1}, {"c": "x"}]}, "n": null});
        let whole = ConfigPart::whole(&value);
        let items = whole.descend(&["a", "b"]).unwrap().unwrap().list().unwrap();
        let places: Vec<_> = items.iter().map(|it| it.required("c").unwrap().place).collect();
        assert_eq!(places, ["config.json a.b[0].c", "config.json a.b[1].c"]);
        assert!(whole.field("n").unwrap().is_none());
        assert!(whole.descend(&["n", "x"]).unwrap().is_none());
        assert_eq!(whole.items("z").unwrap().len(), 0);
    }

    #[test]
    fn what_is_of_another_kind_is_unknown_and_not_missing() {
        let value = json!({"a": [1.5, "x", true, 18_446_744_073_709_551_615_u64, -1, {}]});
        let whole = ConfigPart::whole(&value);
        let items = whole.items("a").unwrap();
        assert_eq!(told(items[0].integer()), "config.json a[0] is a number, expected a whole number");
        assert_eq!(told(items[1].is_true()), "config.json a[1] is text, expected true or false");
        assert_eq!(told(items[2].text()), "config.json a[2] is a boolean, expected text");
        assert_eq!(told(items[3].integer()), "18446744073709551615");
        assert_eq!(told(items[4].integer()), "-1");
        assert_eq!(told(items[5].list()), "config.json a[5] is an object, expected a list");
        assert_eq!(told(items[5].required("path")), "config.json a[5] has no path, as every one must");
        assert_eq!(told(items[1].field("x")), "config.json a[1] is text, expected an object");
        let a = whole.required("a").unwrap();
        assert_eq!(told(a.names().map(|_| ())), "config.json a is a list, expected an object");
        assert_eq!(told(whole.descend(&["a", "b"])), "config.json a is a list, expected an object");
    }
}
