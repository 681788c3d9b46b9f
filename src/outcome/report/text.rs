//! The report for people: what is missing first, everything else after it. Readable without colour.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::eval::Outcome;
use crate::eval::verdict::Verdict;
use crate::policy::Action;

use super::{
    FindingReport, Report, RuleReport, SetReport, SpecReport, Subject, VerifiedReport, WaiverReport,
};

const GREEN: &str = "32";
const RED: &str = "1;31";
const YELLOW: &str = "33";

/// Whether to use colour: on a terminal only, and never with `NO_COLOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Words only.
    Plain,
    /// ANSI colours beside the words.
    Colour,
}

impl Style {
    fn verdict(self, verdict: Verdict) -> String {
        let colour = match verdict {
            Verdict::Compatible => GREEN,
            Verdict::Incompatible => RED,
            Verdict::Undecided => YELLOW,
        };
        self.paint(verdict.name(), colour)
    }

    /// An outcome, with spaces up to a width.
    pub(super) fn outcome(self, outcome: Outcome, width: usize) -> String {
        let colour = match outcome {
            Outcome::Met => GREEN,
            Outcome::Unmet => RED,
            Outcome::Unknown => YELLOW,
        };
        self.paint(&format!("{:<width$}", outcome.name()), colour)
    }

    fn paint(self, word: &str, colour: &str) -> String {
        match self {
            Self::Plain => word.to_owned(),
            Self::Colour => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
        }
    }
}

/// Writes the report.
///
/// # Errors
///
/// Only those of writing.
pub fn text(report: &Report, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let mut page = String::new();
    let (verdict, action) = (style.verdict(report.verdict), action(report));
    page.push_str(&format!("{verdict}{action}{}\n", subject(&report.subject)));
    if let Some(time) = &report.time {
        page.push_str(&format!("  decided at {time}\n"));
    }
    for (label, reasons) in [("", &report.reasons), ("recommended: ", &report.recommendations)] {
        for (index, reason) in reasons.iter().enumerate() {
            page.push_str(&format!("  {label}{} [{}]\n", reason.message, reason.code));
            // Of several lacks of one rule, once.
            let is_repeated = reasons.get(index + 1).is_some_and(|it| {
                (&it.rule, &it.remedy, &it.docs) == (&reason.rule, &reason.remedy, &reason.docs)
            });
            if !is_repeated {
                advice("    ", &reason.remedy, &reason.docs, &mut page);
            }
        }
    }
    for waiver in &report.waivers {
        page.push_str(&waiver_line(waiver));
    }
    for note in &report.notes {
        page.push_str(&format!("  note: {note}\n"));
    }
    for spec in &report.specs {
        spec_page(spec, style, &mut page);
    }
    out.write_all(page.as_bytes())
}

/// The remedy of a rule's author.
fn advice(indent: &str, remedy: &Option<String>, docs: &Option<String>, page: &mut String) {
    for (what, text) in [("remedy", remedy), ("see", docs)] {
        if let Some(text) = text {
            page.push_str(&format!("{indent}{what}: {text}\n"));
        }
    }
}

fn waiver_line(waiver: &WaiverReport) -> String {
    let WaiverReport { rule, code, message, reason, from, .. } = waiver;
    format!("  waived {}: {message} (rule {rule}) [{code}]\n    {reason} ({from})\n", waiver.until())
}

fn action(report: &Report) -> &'static str {
    match report.action {
        Some(Action::Refuse) => ", refused",
        Some(Action::Start) => ", started",
        None => "",
    }
}

fn subject(subject: &Subject) -> String {
    let mut words = Vec::new();
    words.extend(subject.image.as_ref().map(|it| format!("image {it}")));
    words.extend(subject.digest.clone());
    words.extend(
        subject.pod.as_ref().map(|it| format!("pod {}/{}, its {}", it.namespace, it.name, it.container)),
    );
    words.extend(subject.container.as_ref().map(|it| format!("container {it}")));
    words.extend(subject.bundle.as_ref().map(|it| format!("bundle {it}")));
    if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
}

fn spec_page(spec: &SpecReport, style: Style, page: &mut String) {
    let name = spec.file.as_ref().or(spec.artifact.as_ref()).or(spec.variable.as_ref());
    let name = name.map_or_else(String::new, |it| format!(" {it}"));
    page.push_str(&format!("\nspec {}{name}: {}\n", spec.source, style.outcome(spec.outcome, 0)));
    if let Some(repository) = &spec.repository {
        let verified = match &spec.verified {
            None => "nothing was verified".to_owned(),
            Some(VerifiedReport { by, key, .. }) if by == "key" => format!("signed with key {key}"),
            Some(VerifiedReport { key, .. }) => format!("accepted by verifier {key}"),
        };
        page.push_str(&format!("  from {repository}, {verified}\n"));
    }
    for problem in &spec.problems {
        page.push_str(&format!("  {}:{}: {}\n", problem.line, problem.column, problem.message));
    }
    for set in &spec.sets {
        set_page(set, style, page);
    }
}

fn set_page(set: &SetReport, style: Style, page: &mut String) {
    let tag = if set.tag.is_empty() { String::new() } else { format!(" {}", set.tag) };
    page.push_str(&format!("  set{tag} (weight {}): {}\n", set.weight, style.outcome(set.outcome, 0)));
    if !set.description.is_empty() {
        page.push_str(&format!("    {}\n", set.description));
    }
    for rule in &set.rules {
        rule_page(rule, style, page);
    }
}

fn rule_page(rule: &RuleReport, style: Style, page: &mut String) {
    let waived = if rule.waived { ", waived" } else { "" };
    let severity = rule.severity.as_ref().map_or_else(String::new, |it| format!(" ({it})"));
    let counts = match rule.when {
        Some(Outcome::Unmet) => ", does not count here",
        Some(_) => ", may not count here",
        None => "",
    };
    let outcome = style.outcome(rule.outcome, 0);
    let title = if rule.name.is_empty() { rule.id.as_deref().unwrap_or_default() } else { &rule.name };
    page.push_str(&format!("    rule {title}{severity}: {outcome}{waived}{counts}\n"));
    let name = |it: &FindingReport| format!("{} {}", it.feature, it.name).trim_end().to_owned();
    let width = rule.findings.iter().map(|it| name(it).chars().count()).max().unwrap_or(0);
    let mut part = None;
    for finding in &rule.findings {
        let alternative = finding.alternative.map(|it| format!("alternative {}", it + 1));
        let own = alternative.or_else(|| finding.group.clone());
        if own != part {
            let heading = own.as_ref().map(|it| format!("      {it}\n"));
            page.push_str(heading.as_deref().unwrap_or_default());
            part = own;
        }
        let indent = if part.is_some() { "        " } else { "      " };
        let outcome = style.outcome(finding.outcome, 8);
        page.push_str(&format!("{indent}{outcome}{:<width$}  ", name(finding)));
        details(finding, &format!("{indent}          {:width$}", ""), page);
    }
}

/// A met rule has one line; an unmet or unknown rule is shown in full.
fn details(finding: &FindingReport, indent: &str, page: &mut String) {
    let FindingReport { needed, found, read, line, column, code, .. } = finding;
    let read = if read.is_empty() { String::new() } else { format!(" ({read})") };
    // Writing to a string cannot fail, and there is nothing to do about it if it did.
    let written = match finding.outcome {
        Outcome::Met if needed == found => writeln!(page, "{found}{read}"),
        Outcome::Met => writeln!(page, "{found}{read}, needs {needed}"),
        Outcome::Unmet | Outcome::Unknown => {
            // What the image's program demands stands in no document.
            let at = if *line == 0 { String::new() } else { format!("at {line}:{column} ") };
            writeln!(page, "needs {needed}\n{indent}found {found}{read}\n{indent}{at}[{code}]")
        }
    };
    if let (Ok(()), Some(hint)) = (written, &finding.hint) {
        page.push_str(&format!("{indent}hint: {hint}\n"));
    }
}
