//! The inspection as text for people: errors first, then the settings in effect with their sources.

use super::{Inspection, PatternReport, Remark, Setting, TrustReport, WaiverInForce};
use crate::words::text::counted;

/// The most images that are shown for one pattern.
const MAX_SHOWN: usize = 5;

/// As `oci-compat config check` prints it.
pub fn text(inspection: &Inspection) -> String {
    let mut page = String::new();
    let levels = [("error", &inspection.errors), ("warning", &inspection.warnings)];
    for (level, remarks) in levels {
        remarks.iter().for_each(|it| page.push_str(&remark(it, level)));
    }
    page.push_str(&heading(inspection));
    settings(&inspection.settings, &mut page);
    inspection.waivers.iter().for_each(|it| page.push_str(&waiver(it)));
    inspection.trust.iter().for_each(|it| page.push_str(&trust(it)));
    for own in &inspection.requirements {
        page.push_str(&format!("  requirements for {} ({})\n", own.images.join(", "), own.file));
    }
    images(inspection, &mut page);
    page
}

/// Nothing where no engine was asked, or nothing names images.
fn images(inspection: &Inspection, page: &mut String) {
    let Some(count) = inspection.images.filter(|_| !inspection.patterns.is_empty()) else { return };
    inspection
        .silent
        .iter()
        .for_each(|it| page.push_str(&format!("not all images of this host are known: {it}\n")));
    page.push_str(&format!("{} on this host\n", counted(count, "image")));
    if count > 0 {
        inspection.patterns.iter().for_each(|it| page.push_str(&pattern(it)));
    }
}

fn pattern(report: &PatternReport) -> String {
    let PatternReport { pattern, of: _, from, fits } = report;
    let fits = fits.as_deref().unwrap_or_default();
    let mut shown: Vec<_> = fits.iter().take(MAX_SHOWN).map(String::as_str).collect();
    let more = format!("{} more", fits.len().saturating_sub(MAX_SHOWN));
    shown.extend((fits.len() > MAX_SHOWN).then_some(more.as_str()));
    let list =
        if fits.is_empty() { "none".to_owned() } else { format!("{}: {}", fits.len(), shown.join(", ")) };
    format!("  {pattern} fits {list} ({from})\n")
}

fn remark(remark: &Remark, level: &str) -> String {
    let Remark { file, line, column, message } = remark;
    match (line, column) {
        (Some(line), Some(column)) => format!("{file}:{line}:{column}: {level}: {message}\n"),
        _ => format!("{file}: {level}: {message}\n"),
    }
}

fn heading(inspection: &Inspection) -> String {
    let counts = format!(
        "{}: {}, {}",
        counted(inspection.files.len(), "file"),
        counted(inspection.errors.len(), "error"),
        counted(inspection.warnings.len(), "warning")
    );
    let is_audit = inspection.settings.iter().any(|it| it.key == "mode" && it.value == "audit");
    let force = match (inspection.broken, inspection.files.is_empty()) {
        (true, _) if is_audit => "in force, because of the errors: the defaults, in audit mode",
        (true, _) => "in force, because of the errors: the defaults",
        (false, true) => "in force: the defaults",
        (false, false) => "in force",
    };
    format!("{counts}\n{force}\n")
}

fn settings(settings: &[Setting], page: &mut String) {
    let lines: Vec<_> = settings.iter().map(|it| (format!("{} = {}", it.key, it.value), &it.from)).collect();
    let width = lines.iter().filter(|(_, from)| from.is_some()).map(|(line, _)| line.chars().count()).max();
    for (line, from) in &lines {
        match from {
            Some(from) => page.push_str(&format!("  {line:<0$}  {from}\n", width.unwrap_or(0))),
            None => page.push_str(&format!("  {line}\n")),
        }
    }
}

fn waiver(waiver: &WaiverInForce) -> String {
    let WaiverInForce { rule, id, code, image, reason, expires, from } = waiver;
    let rule = rule.as_ref().map(|it| format!("rule {it}"));
    let id = id.as_ref().map(|it| format!("id {it}"));
    let code = code.as_ref().map(|it| format!("code {it}"));
    let what: Vec<_> = rule.into_iter().chain(id).chain(code).collect();
    let until = expires.as_ref().map_or_else(|| "without end".to_owned(), |it| format!("until {it}"));
    format!("  waiver for {} of image {image}, {until}: {reason} ({from})\n", what.join(", "))
}

fn trust(trust: &TrustReport) -> String {
    let TrustReport { repository, require, max_age_days, keys, signed_as, verifier, from } = trust;
    let age = max_age_days.map_or_else(String::new, |it| format!(", at most {it} days old"));
    let keys = if keys.is_empty() { String::new() } else { format!(", keys {}", keys.join(", ")) };
    let signed_as = match signed_as.as_slice() {
        [] => String::new(),
        patterns => format!(", signed as {}", patterns.join(", ")),
    };
    let verifier = verifier.as_ref().map_or_else(String::new, |it| format!(", verifier {}", it.join(" ")));
    format!("  trust in {repository}: {require}{age}{keys}{signed_as}{verifier} ({from})\n")
}
