//! `check --remote` and `check --from-engine`: images where nothing starts yet.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use oci_compat::container::identity::EnginePlaces;
use oci_compat::container::identity::engines::Answers;
use oci_compat::decide::pipeline::{Host, Terms};
use oci_compat::decide::requirements::Collected;
use oci_compat::host::{Facts, Root};
use oci_compat::image::Reference;
use oci_compat::policy::{self, Defaults};
use oci_compat::program::OURS;
use oci_compat::scan::engines as scanned;
use oci_compat::scan::own;
use oci_compat::scan::remote::Inquiry;
use oci_compat::scan::table::{self, ImageTable};
use oci_compat::store::{ImageManifests, Store};
use oci_compat::supply::attach::Platform;
use oci_compat::supply::pull::{Patience, Puller};

use crate::args::{Check, CheckFormat, CommonArgs, Seconds};
use crate::check::read;
use crate::engines;
use crate::output::Output;
use crate::pull::{anchors, now};

/// How long reading the layers of one image may take.
const LAYERS: Duration = Duration::from_secs(600);

/// The machine of the host that is judged, where that is known to be this one.
fn machine(args: &Check) -> Option<&'static str> {
    (args.facts.is_none() && args.root == Path::new("/")).then_some(OURS)
}

/// What a registry says that an image demands.
pub(crate) fn remote(
    name: &str,
    args: &Check,
    common: &CommonArgs,
    host: &Host<'_>,
) -> anyhow::Result<Collected> {
    let image: Reference = name.parse()?;
    let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
    let store = if args.keep { Store::open(&common.store)? } else { None };
    let puller = Puller {
        client: &args.registry.client([image.repository()])?,
        store: store.as_ref(),
        images: &ImageManifests::default(),
        anchors: &anchors(&common.config)?,
        platform: None,
        force: false,
        patience: Patience::new(Seconds::IMAGE.into(), Seconds::ALL.into()),
        now: now(),
        until: None,
    };
    let platform = args.platform.clone().unwrap_or_else(Platform::of_host);
    let inquiry = Inquiry::new(&puller, &image, &platform, host, machine(args).is_some())?;
    let mut collected = match args.keep {
        true => {
            inquiry.pulled.keep(&common.store)?;
            inquiry.stored(&common.store, &policy)
        }
        false => inquiry.offered(&policy),
    };
    inquiry.add_better(&mut collected, &policy, host);
    if let Some(configuration) = inquiry.configuration() {
        own::add_environment(&mut collected, &configuration, &policy, args.gpus);
        if args.program {
            let layers = inquiry.layers(puller.client, LAYERS);
            own::add_program(&mut collected, &configuration, &layers, &policy, machine(args));
        }
    } else if args.program {
        collected
            .notes
            .push(format!("nothing is known of the program of {image}: it has no configuration for {platform} that can be read"));
    }
    if collected.is_empty() {
        collected.notes.push(format!("nothing is demanded: nothing is attached to {image}"));
    }
    collected.notes.extend(complaint);
    collected.policy.get_or_insert(policy);
    Ok(collected)
}

/// Every image of this host; the exit status of all.
pub(crate) fn every(args: &Check, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    let Answers { records, has_any, mut silent, absent } =
        engines::ask(&args.from_engine, args.engine_root.as_deref(), &args.engine_socket, &args.root);
    if !has_any {
        silent.extend(absent);
    }
    if records.is_empty() && !silent.is_empty() {
        bail!("asking which images there are: {}", silent.join("; "));
    }
    let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
    if let Some(warning) = complaint {
        log::warn!("{warning}");
    }
    let terms = Terms { tags: &args.tags, waivers: &policy.waivers, ..Terms::default() };
    let places = EnginePlaces { root: args.root.clone() };
    let judge =
        |host: &Host<'_>| scanned::judge(&records, &silent, &common.store, &policy, &places, host, &terms);
    let table = match &args.facts {
        Some(path) => {
            let facts = Facts::from_json(&read(path)?)
                .with_context(|| format!("reading facts from {}", path.display()))?;
            judge(&Host::Facts(&facts))
        }
        None => judge(&Host::Root(&Root::at(&args.root)?)),
    };
    for why in &table.unread {
        log::error!("asking which images there are: {why}");
    }
    show(&table, args.format, output)?;
    Ok(table.status())
}

/// Prints a table.
pub(crate) fn show(table: &ImageTable, format: CheckFormat, output: &mut Output) -> anyhow::Result<()> {
    match format {
        CheckFormat::Text => output.print(&table::text(table)),
        CheckFormat::Json => output.json(table),
        CheckFormat::Junit => output.print(&table::junit(table)),
        CheckFormat::Sarif => output.json(&table::sarif(table)),
    }
}
