//! The table as SARIF 2.1.0 (OASIS), which code hosts show as findings: a result for each reason.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::eval::verdict::Verdict;

use super::{ImageRow, ImageTable};

/// Where the meaning of a code is described.
const HELP: &str = "oci-compat explain";

/// The document.
pub fn sarif(table: &ImageTable) -> Value {
    let reasons = || table.images.iter().flat_map(|row| row.reasons.iter().map(move |it| (row, it)));
    let codes: BTreeSet<_> = reasons().map(|(_, it)| it.code.as_str()).collect();
    let rule = |code: &&str| json!({"id": code, "help": {"text": format!("{HELP} {code}")}});
    let result = |(row, reason): (&ImageRow, &crate::outcome::report::Reason)| {
        json!({
            "ruleId": reason.code,
            "level": if row.verdict == Verdict::Incompatible { "error" } else { "warning" },
            "message": {"text": format!("{}: {}", row.title(), reason.message)},
            "locations": [{"logicalLocations": [{
                "name": row.title(), "fullyQualifiedName": format!("{}/{}", row.engine, row.title()), "kind": "resource",
            }]}],
        })
    };
    let unread = table
        .unread
        .iter()
        .map(|it| json!({"level": "warning", "message": {"text": it}, "descriptor": {"id": "trouble"}}));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "oci-compat",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": codes.iter().map(rule).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": table.unread.is_empty(),
                "toolExecutionNotifications": unread.collect::<Vec<_>>(),
            }],
            "results": reasons().map(result).collect::<Vec<_>>(),
        }],
    })
}
