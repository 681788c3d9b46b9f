//! `pull`: fetches the artifacts of images into the store.

mod asked;
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
use asked::asked;
use tally::PullTally;

/// Something was refused, or could not be fetched.
const INCOMPLETE: u8 = 1;

pub(crate) fn run(args: &PullArgs, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    if args.images.iter().any(|it| it == "-") {
        args.registry.leave_stdin("the list of images", "name the images on the command line")?;
    }
    let asked = asked(args)?;
    let anchors = anchors(&common.config)?;
    let client = args.registry.client(asked.images.iter().map(|it| it.image.repository()))?;
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
    let total = asked.images.len() + asked.local.len() + asked.nameless.len();
    let mut tally = PullTally::new(total, output);
    tally.count_nameless(asked.nameless.len());
    for name in &asked.local {
        tally.count_local(name, output)?;
    }
    let mut batch = Batch::new(&common.store);
    let taken = pull_all(&puller, &asked.images, args.jobs, |outcome| {
        let told = outcome.map_or(Ok(()), |(image, pulled)| {
            known.images.extend(pulled.images.iter().cloned());
            let told = tally.count(image, &pulled, output);
            batch.take(pulled);
            told
        });
        match told.and_then(|()| batch.flush_if_due()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(err) => ControlFlow::Break(err),
        }
    });
    tally.finish();
    taken.and_then(|()| batch.flush())?;
    if known != before {
        Writer::open(&common.store)?.remember(&known)?;
    }
    output.print(&tally.summary())?;
    Ok(if tally.has_all() && asked.is_complete { 0 } else { INCOMPLETE })
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
