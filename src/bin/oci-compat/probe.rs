//! `probe`: facts of a host.

use std::time::SystemTime;

use anyhow::bail;
use oci_compat::host::{self, Demand, Fact, Facts, Feature, Form, Root, Wanted};
use oci_compat::input::Bundle;
use oci_compat::report::printable;

use crate::args::{FactsFormat, Probe};
use crate::explain;
use crate::output::Output;

pub(crate) fn run(args: &Probe, output: &mut Output) -> anyhow::Result<u8> {
    if args.list {
        let text: String = host::FEATURES.iter().map(explain::feature).collect();
        output.print(&text)?;
        return Ok(0);
    }
    let root = Root::at(&args.root)?;
    let demand = demand(&args.features)?;
    let mut facts = host::gather(&root, &demand);
    if let Some(folder) = &args.bundle {
        host::add_bundle(&mut facts, &host::Bundle::new(Bundle::read(folder)?.config), &demand);
    }
    facts.origin = Some(host::Origin::of(&root, now()));
    match args.format {
        FactsFormat::Text => output.print(&text(&facts))?,
        FactsFormat::Json => output.print(&line(facts.to_json(Form::Full)?))?,
        FactsFormat::Nfd => output.print(&line(facts.to_json(Form::Nfd)?))?,
    }
    Ok(0)
}

fn line(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn demand(features: &[String]) -> anyhow::Result<Demand> {
    if features.is_empty() {
        return Ok(host::FEATURES.iter().map(|it| (it.name.to_owned(), Wanted::All)).collect());
    }
    let mut demand = Demand::new();
    for feature in features {
        let name = feature.to_lowercase();
        if host::feature(&name).is_none() {
            let hint = host::nearest(&name).map_or_else(
                || "; `oci-compat probe --list` shows all".to_owned(),
                |it| format!("; did you mean {it}?"),
            );
            bail!("there is no feature {feature:?}{hint}");
        }
        demand.insert(name, Wanted::All);
    }
    Ok(demand)
}

/// RFC 3339, in UTC.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |it| it.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// Days since 1970 to a date of the Gregorian calendar (H. Hinnant, `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

fn text(facts: &Facts) -> String {
    let mut text = String::new();
    for (name, fact) in facts.iter() {
        match fact {
            Fact::Known(feature, read) => {
                text.push_str(&format!("{name} ({})\n", printable(read)));
                elements(feature, &mut text);
            }
            Fact::Absent(read) => text.push_str(&format!("{name}: not on this host ({})\n", printable(read))),
            Fact::Unknown(unknown) => {
                let line = format!("{name}: unknown: {} {}\n", unknown.read, unknown.reason);
                text.push_str(&printable(line.trim_end()));
                text.push('\n');
            }
        }
    }
    text
}

fn elements(feature: &Feature, text: &mut String) {
    if let Some(flags) = &feature.flags {
        wrapped(flags.iter().map(String::as_str), text);
    }
    if let Some(attributes) = &feature.attributes {
        let width = attributes.keys().map(|it| it.chars().count()).max().unwrap_or(0);
        for (name, value) in attributes {
            text.push_str(&format!("  {:width$}  {}\n", printable(name), printable(value)));
        }
    }
    for instance in feature.instances.iter().flatten() {
        let read = instance.read.as_deref().map_or("", |it| it.rsplit('/').next().unwrap_or(it));
        let attributes: Vec<_> =
            instance.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        text.push_str(&printable(&format!("  {read} {}", attributes.join(" "))));
        text.push('\n');
    }
    let is_empty = |it: Option<bool>| it.unwrap_or(true);
    if is_empty(feature.flags.as_ref().map(|it| it.is_empty()))
        && is_empty(feature.attributes.as_ref().map(|it| it.is_empty()))
        && is_empty(feature.instances.as_ref().map(Vec::is_empty))
    {
        text.push_str("  (none)\n");
    }
    for (name, unknown) in &feature.doubtful {
        text.push_str(&printable(&format!("  perhaps {name}: {} {}", unknown.read, unknown.reason)));
        text.push('\n');
    }
    if let Some(unknown) = &feature.incomplete {
        text.push_str(&printable(&format!("  and perhaps more: {} {}", unknown.read, unknown.reason)));
        text.push('\n');
    }
}

/// Names side by side, on lines of at most a terminal's width.
fn wrapped<'a>(names: impl Iterator<Item = &'a str>, text: &mut String) {
    const WIDTH: usize = 100;
    let mut line = String::new();
    for name in names.map(printable) {
        if !line.is_empty() && line.len() + name.len() + 3 > WIDTH {
            text.push_str(&format!(" {line}\n"));
            line.clear();
        }
        line.push(' ');
        line.push_str(&name);
    }
    if !line.is_empty() {
        text.push_str(&format!(" {line}\n"));
    }
}
