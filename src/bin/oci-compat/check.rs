//! `check`: reports on hosts, for an image, a bundle or a spec.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use oci_compat::container::identity::meant::Meant;
use oci_compat::decide::check::Requirement;
use oci_compat::decide::pipeline::{self, Host, Terms};
use oci_compat::decide::requirements::{self, Collected};
use oci_compat::host::{Facts, Root};
use oci_compat::image::Image;
use oci_compat::outcome::report::{self, Origin, Report};
use oci_compat::policy::{self, Defaults};
use oci_compat::store::{Digest, Store};
use oci_compat::{os::file, spec};

use crate::args::{Check, Common, ReportFormat};
use crate::engines;
use crate::output::Output;

/// More than any spec, and than the facts of the largest host.
const MAX_FILE: usize = 32 << 20;

pub(crate) fn run(args: &Check, common: &Common, output: &mut Output) -> anyhow::Result<u8> {
    let mut collected = collect(args, common)?;
    if collected.is_empty() {
        collected.notes.push(format!(
            "nothing is demanded: there is no spec for it, in {} or elsewhere",
            common.store.display()
        ));
    }
    let waivers = collected.policy.take().map(|it| it.waivers).unwrap_or_default();
    let terms = Terms { tags: &args.tags, waivers: &waivers, ..Terms::default() };
    let assessment = match &args.facts {
        Some(path) => {
            let facts = Facts::from_json(&read(path)?)
                .with_context(|| format!("reading facts from {}", path.display()))?;
            pipeline::assess(collected, &Host::Facts(&facts), &terms)
        }
        None => pipeline::assess(collected, &Host::Root(&Root::at(&args.root)?), &terms),
    };
    show(&assessment.report, args.format, output)?;
    Ok(assessment.status())
}

fn collect(args: &Check, common: &Common) -> anyhow::Result<Collected> {
    if let Some(image) = &args.image {
        let (digests, called) = image_of(image, &args.root, &common.store)?;
        let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
        let mut collected = requirements::of_image(&digests, called, &common.store, &policy);
        collected.notes.extend(complaint);
        collected.policy.get_or_insert(policy);
        return Ok(collected);
    }
    let mut collected = match &args.bundle {
        Some(folder) => {
            let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
            let until = Instant::now() + policy.deadline;
            let mut collected =
                requirements::of_bundle(folder, &common.store, &policy, &|| until, &|_, _| None);
            collected.add_brought(&|| until);
            collected.notes.extend(complaint);
            collected.policy.get_or_insert(policy);
            collected
        }
        None => Collected::default(),
    };
    for path in &args.spec {
        let origin = Origin::File(path.display().to_string());
        collected.requirements.push(Requirement { origin, spec: spec::parse(&read(path)?) });
    }
    Ok(collected)
}

/// Under which digests the store may have something for an image, and what it is called: as an engine keeps it, by the digest
/// that is written, or as it was pulled last.
fn image_of(image: &str, host: &Path, store: &Path) -> anyhow::Result<(Vec<Digest>, Image)> {
    let silent = match engines::meant(image, host)? {
        Ok(Meant { mut image, digests, name, .. }) => {
            // It is called so in what follows.
            image.names.sort_by_key(|it| Some(it) != name.as_ref());
            return Ok((digests, image));
        }
        Err(silent) => silent,
    };
    let names = (!image.starts_with("sha256:")).then(|| image.to_owned()).into_iter().collect();
    if image.starts_with("sha256:") || image.contains('@') {
        let digest = image.rsplit('@').next().unwrap_or(image);
        let digests = vec![digest.parse().with_context(|| format!("the image {image:?}"))?];
        return Ok((digests.clone(), Image { names, digests }));
    }
    let digests = match Store::open(store)? {
        Some(store) => crate::store::list::current(&store, image)?,
        None => Vec::new(),
    };
    if digests.is_empty() {
        let asked = silent.iter().map(|it| format!("; {it}")).collect::<String>();
        bail!(
            "no engine here has an image {image:?}, and the store {} has nothing for one of that name: oci-compat pull {image}, or \
             write its digest, such as NAME@sha256:...{asked}",
            store.display()
        );
    }
    Ok((digests.clone(), Image { names, digests }))
}

/// Reads a file, or stdin for `-`.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path == Path::new("-") {
        return file::read_all(std::io::stdin().take(u64::MAX), MAX_FILE).context("reading stdin");
    }
    match file::read(path, MAX_FILE)? {
        Some(bytes) => Ok(bytes),
        None => bail!("{} is not there", path.display()),
    }
}

pub(crate) fn show(report: &Report, format: ReportFormat, output: &mut Output) -> anyhow::Result<()> {
    match format {
        ReportFormat::Text => {
            let style = output.style;
            report::text(report, style, output.writer())?;
            Ok(output.writer().flush()?)
        }
        ReportFormat::Json => output.json(report),
    }
}
