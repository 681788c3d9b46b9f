//! Converts tables that were read to tables for writing, without the layout of their file.

use toml::Value;
use toml_edit::{Array, InlineTable, Item, Table};

/// A table with a header of its own, as all tables in it.
pub(super) fn table(from: &toml::Table) -> Table {
    let mut table = Table::new();
    for (key, it) in from {
        let item = match it.as_table() {
            Some(inner) => Item::Table(self::table(inner)),
            None => Item::Value(value(it)),
        };
        table.insert(key, item);
    }
    table
}

/// On one line.
pub(super) fn value(from: &Value) -> toml_edit::Value {
    match from {
        Value::String(it) => it.as_str().into(),
        Value::Integer(it) => (*it).into(),
        Value::Float(it) => (*it).into(),
        Value::Boolean(it) => (*it).into(),
        // A point in time, which no setting of a runtime is.
        Value::Datetime(it) => it.to_string().into(),
        Value::Array(all) => all.iter().map(value).collect::<Array>().into(),
        Value::Table(all) => {
            all.iter().map(|(key, it)| (key.as_str(), value(it))).collect::<InlineTable>().into()
        }
    }
}
