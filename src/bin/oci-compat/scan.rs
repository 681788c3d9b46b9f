//! Images where nothing starts yet: `check` of one in an engine, in a layout, and in a registry, and `check --from-engine`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use oci_compat::container::identity::EnginePlaces;
use oci_compat::container::identity::engines::Answers;
use oci_compat::container::identity::named::FoundImage;
use oci_compat::decide::pipeline::{Host, Terms};
use oci_compat::decide::requirements::Collected;
use oci_compat::host::{Facts, Root};
use oci_compat::image::Reference;
use oci_compat::policy::{self, Defaults, Policy};
use oci_compat::program::OURS;
use oci_compat::scan::engines::{ImagesHere, add_own};
use oci_compat::scan::local::{ImageScope, LocalImage};
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

/// How long reading layers may take.
const LAYERS: Duration = Duration::from_secs(600);

/// The machine of the host that is judged, where that is known to be this one.
fn machine(args: &Check) -> Option<&'static str> {
    (args.facts.is_none() && args.root == Path::new("/")).then_some(OURS)
}

/// What is looked for in images that are on this host.
fn scope(args: &Check) -> ImageScope {
    ImageScope {
        program: !args.no_program,
        gpus: args.gpus,
        platform: args.platform.clone().unwrap_or_else(Platform::of_host),
        machine: machine(args),
        patience: LAYERS,
        began: Instant::now(),
    }
}

/// What an image in a layout demands.
pub(crate) fn layout(
    layout: &str,
    args: &Check,
    common: &CommonArgs,
    host: &Host<'_>,
) -> anyhow::Result<Collected> {
    let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
    let scope = scope(args);
    let (image, mut collected) = LocalImage::of_layout(layout, &scope, &policy, host)?;
    image.add_to(&mut collected, &scope, &policy, host);
    collected.notes.extend(complaint);
    collected.policy.get_or_insert(policy);
    Ok(collected)
}

/// Adds what an image demands by itself that an engine of this host has.
pub(crate) fn own(
    collected: &mut Collected,
    found: &FoundImage,
    args: &Check,
    policy: &Policy,
    host: &Host<'_>,
) {
    let places = EnginePlaces { root: args.root.clone() };
    let folders = engines::folders(&places, None, &args.engine_socket);
    add_own(collected, found, &folders, policy, &scope(args), host);
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
    let folders = engines::folders(&places, args.engine_root.as_deref(), &args.engine_socket);
    let images = ImagesHere { records: &records, unread: &silent, places: &places, folders };
    let scope = scope(args);
    let judge = |host: &Host<'_>| images.judge(&common.store, &policy, &scope, host, &terms);
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
