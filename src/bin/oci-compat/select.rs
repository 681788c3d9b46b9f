//! `select`: which image of an index fits a host best.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Context;
use oci_compat::decide::pipeline::{Host, Terms};
use oci_compat::host::{Facts, Root};
use oci_compat::image::Reference;
use oci_compat::policy::{self, Defaults, Policy};
use oci_compat::program::OURS;
use oci_compat::scan::select::{self, Contender, SelectSource};
use oci_compat::store::ImageManifests;
use oci_compat::supply::pull::{Patience, Puller};

use crate::args::{CommonArgs, ReportFormat, Seconds, Select};
use crate::attach::{layout_of, layout_path};
use crate::check::read;
use crate::output::Output;
use crate::pull::{anchors, now};

pub(crate) fn run(args: &Select, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
    if let Some(warning) = complaint {
        log::warn!("{warning}");
    }
    let is_here = args.facts.is_none() && args.root == Path::new("/");
    let source = SelectSource {
        store: &common.store,
        policy: &policy,
        with_gpus: args.gpus,
        with_program: args.program,
        machine: is_here.then_some(OURS),
    };
    let mut candidates: Vec<Contender> = Vec::new();
    let mut remote = Vec::new();
    for image in &args.images {
        match (layout_of(image), index_file(image)) {
            (Some(layout), _) => {
                let (path, tag) = layout_path(layout);
                candidates.extend(select::from_layout(image, Path::new(path), tag, &source)?);
            }
            (None, Some(path)) => candidates.extend(select::from_file(&path, &read(&path)?, &source)?),
            (None, None) => remote.push(image.parse::<Reference>()?),
        }
    }
    candidates.extend(in_registries(&remote, args, common, &source)?);
    let selection = match &args.facts {
        Some(path) => {
            let facts = Facts::from_json(&read(path)?)
                .with_context(|| format!("reading facts from {}", path.display()))?;
            rank(candidates, args, &policy, &Host::Facts(&facts))
        }
        None => rank(candidates, args, &policy, &Host::Root(&Root::at(&args.root)?)),
    };
    match args.format {
        ReportFormat::Json => output.json(&selection)?,
        ReportFormat::Text => {
            // The stream is closed.
            let _unheard = write!(std::io::stderr(), "{}", select::text(&selection));
            if let Some(chosen) = &selection.chosen {
                output.print(&format!("{chosen}\n"))?;
            }
        }
    }
    Ok(selection.verdict.status())
}

fn rank(candidates: Vec<Contender>, args: &Select, policy: &Policy, host: &Host<'_>) -> select::Selection {
    let terms = Terms { tags: &args.tags, waivers: &policy.waivers, ..Terms::default() };
    select::rank(candidates, &policy.preferences, host, &terms)
}

/// A file that holds an index, which no name of an image looks like.
#[expect(clippy::disallowed_methods, reason = "a path that a person named; a wrong guess is an error below")]
fn index_file(name: &str) -> Option<PathBuf> {
    let path = Path::new(name);
    (name == "-" || (path.extension().is_some_and(|it| it == "json") && path.is_file()))
        .then(|| path.to_owned())
}

fn in_registries(
    images: &[Reference],
    args: &Select,
    common: &CommonArgs,
    source: &SelectSource<'_>,
) -> anyhow::Result<Vec<Contender>> {
    if images.is_empty() {
        return Ok(Vec::new());
    }
    let client = args.registry.client(images.iter().map(Reference::repository))?;
    let puller = Puller {
        client: &client,
        store: None,
        images: &ImageManifests::default(),
        anchors: &anchors(&common.config)?,
        platform: None,
        force: false,
        patience: Patience::new(Seconds::IMAGE.into(), Seconds::ALL.into()),
        now: now(),
        until: None,
    };
    let mut candidates = Vec::new();
    for image in images {
        candidates.extend(select::from_registry(&puller, image, source)?);
    }
    Ok(candidates)
}
