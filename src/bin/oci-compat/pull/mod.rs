//! `pull`: fetches the artifacts of images into the store.

mod images;
mod tally;

use std::ops::ControlFlow;
use std::path::Path;

use oci_compat::policy::trust::Trust;
use oci_compat::store::{ImageManifests, Store, Writer};
use oci_compat::supply::attach::Platform;
use oci_compat::supply::pull::{Anchors, Batch, Patience, Puller, pull_all};
use oci_compat::{outcome::decisions, words::moment};

use crate::args::{CommonArgs, PullArgs};
use crate::output::Output;
use tally::PullTally;

/// Something was refused, or could not be fetched.
const INCOMPLETE: u8 = 1;

pub(crate) fn run(args: &PullArgs, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    if args.images.iter().any(|it| it == "-") {
        args.registry.leave_stdin("the list of images", "name the images on the command line")?;
    }
    let (images, is_complete) = images::collect(args)?;
    let anchors = anchors(&common.config)?;
    let client = args.registry.client(images.images.iter().map(|it| it.image.repository()))?;
    let store = Store::open(&common.store)?;
    let platform = (!args.all_platforms).then(Platform::of_host);
    let wanted = platform.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
    let mut known = store.as_ref().map_or_else(
        || ImageManifests { platform: wanted.clone(), ..ImageManifests::default() },
        |it| it.images(&wanted),
    );
    let before = known.clone();
    let puller = Puller {
        images: &before,
        client: &client,
        store: store.as_ref(),
        anchors: &anchors,
        platform,
        force: args.force,
        patience: Patience::new(args.image_timeout.into(), args.timeout.into()),
        now: now(),
        until: None,
    };
    let mut tally = PullTally::new(images.count(), output);
    tally.count_nameless(images.nameless.len());
    for name in &images.local {
        tally.count_local(name, output)?;
    }
    let mut batch = Batch::new(&common.store);
    let pulled = pull_all(&puller, &images.images, args.jobs, |outcome| {
        let printed = outcome.map_or(Ok(()), |(image, pulled)| {
            known.images.extend(pulled.images.iter().cloned());
            let printed = tally.count(image, &pulled, output);
            batch.take(pulled);
            printed
        });
        match printed.and_then(|()| batch.flush_if_due()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(err) => ControlFlow::Break(err),
        }
    });
    tally.finish();
    pulled.and_then(|()| batch.flush())?;
    if known != before {
        Writer::open(&common.store)?.remember(&known)?;
    }
    output.print(&tally.counts.summary())?;
    Ok(if tally.counts.has_all() && is_complete { 0 } else { INCOMPLETE })
}

/// The rules of trust; nothing is pulled with fewer rules than there are.
pub(crate) fn anchors(config: &Path) -> anyhow::Result<Anchors> {
    let trust = Trust::load(config).and_then(Anchors::new);
    trust.map_err(|it| anyhow::anyhow!("the rules of trust cannot be used: {}", it.join("; ")))
}

/// The time, in whole seconds.
pub(crate) fn now() -> String {
    moment::seconds_text(decisions::now())
}
