//! A selection as text: a line for each entry, the best first.

use super::{RankedEntry, Selection};
use crate::eval::verdict::Verdict;

/// The table, for people.
pub fn text(selection: &Selection) -> String {
    let mut lines: Vec<String> = selection.entries.iter().map(line).collect();
    if let (Some(chosen), Some(first)) = (&selection.chosen, lines.first_mut()) {
        debug_assert!(first.contains(chosen.as_str()));
        first.replace_range(..1, "*");
    }
    if selection.chosen.is_none() {
        lines.push("no entry fits this host".to_owned());
    }
    lines.push(String::new());
    lines.join("\n")
}

fn line(entry: &RankedEntry) -> String {
    let verdict = match entry.verdict {
        Verdict::Compatible => "compatible",
        Verdict::Undecided => "undecided",
        Verdict::Incompatible => "incompatible",
    };
    let platform = if entry.platform.is_empty() { "no platform" } else { &entry.platform };
    let score = if entry.score == 0 { String::new() } else { format!(", score {}", entry.score) };
    let mut line = format!("  {verdict:<12}  {}  {platform}{score}", entry.digest);
    if let Some(reason) = entry.reasons.first() {
        let more = match entry.reasons.len() {
            1 => String::new(),
            count => format!(", +{} more", count - 1),
        };
        line.push_str(&format!(": {} [{}{more}]", reason.message, reason.code));
    }
    line
}
