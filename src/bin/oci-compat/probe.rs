//! `probe`: facts of a host.

use std::mem::ManuallyDrop;

use anyhow::bail;
use oci_compat::container::input::Bundle;
use oci_compat::host::{self, DocumentForm, FeatureDemand, FeatureInfo, Root, Wanted};

use crate::args::{FactsFormat, ProbeArgs};
use crate::output::Output;
use crate::pull::now;
use crate::{explain, facts};

pub(crate) fn run(args: &ProbeArgs, output: &mut Output) -> anyhow::Result<u8> {
    if args.list {
        let text: String = host::FEATURES.iter().map(explain::feature).collect();
        output.print(&text)?;
        return Ok(0);
    }
    let root = Root::at(&args.root)?;
    let demand = demand(args)?;
    let mut facts = host::gather(&root, &demand);
    if let Some(folder) = &args.bundle {
        host::add_bundle(&mut facts, &host::BundleConfig::new(Bundle::read(folder)?.config), &demand);
    }
    facts.origin = Some(host::FactsOrigin::of(&root, now()));
    // The process ends: to free some ten thousand names first would only take time.
    let facts = ManuallyDrop::new(facts);
    match args.format {
        FactsFormat::Text => {
            let doubts = if args.features.is_empty() { facts::doubts(&facts) } else { String::new() };
            output.print(&(facts::text(&facts) + &doubts))?;
        }
        FactsFormat::Json => output.print(&line(facts.to_json(DocumentForm::Full)?))?,
        FactsFormat::Nfd => output.print(&line(facts.to_json(DocumentForm::Nfd)?))?,
    }
    Ok(0)
}

fn line(mut text: String) -> String {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn demand(args: &ProbeArgs) -> anyhow::Result<FeatureDemand> {
    if args.features.is_empty() {
        // People know that they gave no bundle; a document says of every feature why it is unknown.
        let is_short = args.format == FactsFormat::Text && args.bundle.is_none();
        // What NFD does not know is not printed in its shape, and need not be read.
        let is_nfd = args.format == FactsFormat::Nfd;
        let features = host::FEATURES.iter().filter(|it| it.nfd || !is_nfd);
        let features = features.filter(|it| !is_short || !it.name.starts_with("bundle."));
        let wanted = |it: &FeatureInfo| if is_nfd { known_to_nfd(it) } else { Wanted::All };
        return Ok(features.map(|it| (it.name.to_owned(), wanted(it))).collect());
    }
    let mut demand = FeatureDemand::new();
    for feature in &args.features {
        let name = feature.to_lowercase();
        if host::feature(&name).is_none() {
            bail!("there is no feature {feature:?}{}", hint(&name));
        }
        demand.insert(name, Wanted::All);
    }
    Ok(demand)
}

/// Of a feature whose elements are a closed list, those that NFD has: the others are as many files again of each device.
fn known_to_nfd(feature: &FeatureInfo) -> Wanted {
    match feature.elements {
        Some(elements) if feature.key.is_none() && !feature.beyond_nfd.is_empty() => {
            let names = elements.iter().filter(|it| !feature.is_beyond_nfd(it));
            Wanted::Names(names.map(|it| (*it).to_owned()).collect())
        }
        Some(_) | None => Wanted::All,
    }
}

fn hint(name: &str) -> String {
    match host::nearest(name) {
        Some(other) => format!("; did you mean {other}?"),
        None => "; `oci-compat probe --list` shows all".to_owned(),
    }
}
