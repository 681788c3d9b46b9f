//! `show`: what is attached to an image, its author, and its demands in words.

use oci_compat::image::Reference;
use oci_compat::store::ImageManifests;
use oci_compat::supply::pull::{Patience, Pulled, Puller};
use oci_compat::supply::show::{self, ShowDocument, ShownImage};

use crate::args::{CommonArgs, ReportFormat, Seconds, Show};
use crate::attach::layout_of;
use crate::engines;
use crate::output::Output;
use crate::pull::anchors;

/// Something of the image could not be fetched, or is refused by the rules of trust.
const INCOMPLETE: u8 = 1;

pub(crate) fn run(args: &Show, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    let (images, problems) = match layout_of(&args.image) {
        Some(layout) => (show::in_layout(layout.as_ref())?, Vec::new()),
        None if args.remote => in_registry(args, common)?,
        None => (show::in_store(&common.store, &args.image, || engines::digests(&args.image))?, Vec::new()),
    };
    for problem in &problems {
        log::error!("{problem}");
    }
    match args.format {
        ReportFormat::Json => output.json(&ShowDocument::from(images))?,
        ReportFormat::Text => images.iter().try_for_each(|it| output.print(&it.text()))?,
    }
    Ok(if problems.is_empty() { 0 } else { INCOMPLETE })
}

/// What a pull would store, with the problems that it would report; nothing is stored.
fn in_registry(args: &Show, common: &CommonArgs) -> anyhow::Result<(Vec<ShownImage>, Vec<String>)> {
    let image: Reference = args.image.parse()?;
    let puller = Puller {
        client: &args.registry.client([image.repository()])?,
        store: None,
        images: &ImageManifests::default(),
        anchors: &anchors(&common.config)?,
        platform: None,
        force: false,
        patience: Patience::new(Seconds::IMAGE.into(), Seconds::ALL.into()),
        now: String::new(),
        until: None,
    };
    let Pulled { additions, problems, .. } = puller.pull(&image.clone().into());
    let images = show::of_additions(additions)?;
    if images.is_empty() && problems.is_empty() {
        log::warn!("nothing is attached to {image}");
    }
    Ok((images, problems))
}
