//! The message that engines show: one write, at most 1 KiB, its first line complete in itself.

use std::collections::BTreeSet;

use super::{Reason, Report, Subject};
use crate::words::phrases;

/// The first line must survive engines that show only one line (`docs/hooks.md`).
const MAX_LINE: usize = 200;
/// Bytes that the names of a pod's container may take of it; the reason has to have its place.
const MAX_NAMES: usize = 72;
/// Kubernetes cuts notes of events here.
const MAX_MESSAGE: usize = 1024;
/// What a hook or a wrapper prints on a decision; the same text each time for the same container.
pub fn message(report: &Report, opening: &str) -> String {
    let told = distinct(&report.reasons);
    let nameless = |it: &Reason| report.subject.nameless(discreet(it));
    let others = told.iter().skip(1).map(|it| line(&format!("  {} [{}]", nameless(it), it.code)));
    let waived = report.waivers.iter().map(|it| line(&format!("  {}", it.sentence())));
    // Nothing else is in the first line where all is met but what is recommended.
    let is_first = report.reasons.is_empty() && report.waivers.is_empty();
    let missed = distinct(&report.recommendations);
    let missed_lines = missed.iter().skip(usize::from(is_first));
    let missed_lines = missed_lines.map(|it| line(&format!("  recommended: {} [{}]", discreet(it), it.code)));
    let advice = advice(told.iter().chain(&missed).copied());
    let lines = std::iter::once(first_line(report, opening)).chain(others).chain(waived);
    whole(lines.chain(missed_lines).chain(advice))
}

/// What the authors of rules say about mending them, each once.
fn advice<'a>(reasons: impl Iterator<Item = &'a Reason>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let all = reasons.flat_map(|it| [("remedy", &it.remedy), ("see", &it.docs)]);
    let said = all.filter_map(|(what, text)| Some((what, text.as_ref()?)));
    said.filter(|it| seen.insert(*it)).map(|(what, text)| line(&format!("  {what}: {text}"))).collect()
}

/// A line that is not about the decision.
pub fn warning(text: &str) -> String {
    line(&format!("oci-compat: warning: {text}"))
}

/// A refusal that is not about what a container demands.
pub fn refusal(text: &str) -> String {
    line(&format!("oci-compat: refused: {text}"))
}

/// As many lines as an engine shows, each with its line feed; the rest is left out.
pub fn whole(lines: impl IntoIterator<Item = String>) -> String {
    let mut message = String::new();
    for line in lines {
        if message.len() + line.len() + 1 > MAX_MESSAGE {
            break;
        }
        message.push_str(&line);
        message.push('\n');
    }
    message
}

fn first_line(report: &Report, opening: &str) -> String {
    let (text, code, count) = match (report.reasons.as_slice(), report.waivers.as_slice()) {
        ([first, ..], _) => (discreet(first), first.code.as_str(), distinct(&report.reasons).len()),
        ([], [first, ..]) => (first.shown(), first.code.as_str(), report.waivers.len()),
        ([], []) => match report.recommendations.as_slice() {
            [first, ..] => (discreet(first), first.code.as_str(), distinct(&report.recommendations).len()),
            [] => ("", "", 0),
        },
    };
    let more = if count > 1 { format!(", +{} more", count - 1) } else { String::new() };
    let text = report.subject.nameless(text);
    let why = name_for_why(&report.subject).map_or_else(String::new, |it| format!("; oci-compat why {it}"));
    let closing = format!(" [{code}{more}{why}]");
    let opening = format!("oci-compat: {opening}: ");
    let space = MAX_LINE.saturating_sub(opening.len() + closing.len());
    line(&format!("{opening}{}{closing}", cut(&ascii(&text, MAX_LINE), space)))
}

/// What `oci-compat why` finds the container by. The name of a pod's stays the same when it is tried again.
fn name_for_why(subject: &Subject) -> Option<String> {
    let Some(pod) = &subject.pod else { return subject.container.as_deref().map(|id| short(id).to_owned()) };
    let names = [pod.path(), format!("{}/{}", pod.name, pod.container)];
    let fitting = names.into_iter().find(|it| it.len() <= MAX_NAMES);
    Some(fitting.unwrap_or_else(|| "NAMESPACE/POD/CONTAINER".to_owned()))
}

/// Each sentence once: the same spec may be attached to an index and to an image of it.
fn distinct(reasons: &[Reason]) -> Vec<&Reason> {
    let mut seen = BTreeSet::new();
    reasons.iter().filter(|it| seen.insert((&it.message, &it.code))).collect()
}

/// The text that any user may see: engines show it to the user who asked for the container.
fn discreet(reason: &Reason) -> &str {
    reason.discreet.as_ref().unwrap_or(&reason.message)
}

/// Engines name containers by 64 hex digits; twelve of them are as good.
fn short(id: &str) -> &str {
    let is_plain = id.bytes().all(|it| it.is_ascii_alphanumeric() || b"_+-.:@".contains(&it));
    match id.len() {
        64 if id.bytes().all(|it| it.is_ascii_hexdigit()) => id.get(..12).unwrap_or(id),
        1..=48 if is_plain => id,
        _ => "CONTAINER-ID",
    }
}

/// One line as engines can bear it, at most [`MAX_LINE`] bytes.
fn line(text: &str) -> String {
    let mut line = cut(&ascii(text, MAX_LINE), MAX_LINE);
    phrases::defuse(&mut line);
    line
}

fn cut(text: &str, length: usize) -> String {
    match text.get(..length) {
        Some(start) if text.len() > length => {
            format!("{}...", start.get(..length.saturating_sub(3)).unwrap_or(""))
        }
        _ => text.to_owned(),
    }
}

/// ASCII without control characters. Strangers write long texts: not much more than `length` bytes of it are looked at.
fn ascii(text: &str, length: usize) -> String {
    let mut safe = String::new();
    for it in text.chars() {
        match it {
            ' '..='~' => safe.push(it),
            _ => safe.extend(it.escape_unicode()),
        }
        if safe.len() > length {
            break;
        }
    }
    safe
}
