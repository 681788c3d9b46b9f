//! `check`: reports on hosts, for an image, a bundle or a spec.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use oci_compat::container::identity::meant::Meant;
use oci_compat::decide::check::{self, Requirement};
use oci_compat::decide::requirements::{self, Collected};
use oci_compat::eval::verdict::Verdict;
use oci_compat::host::{self, Bundle, Facts, Root};
use oci_compat::image::Image;
use oci_compat::outcome::report::{self, Origin, Report};
use oci_compat::policy::{self, Defaults};
use oci_compat::store::{Digest, Store};
use oci_compat::{decide::waive, os::file, outcome::decisions, spec};

use crate::TROUBLE;
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
    let Collected {
        subject,
        image,
        policy,
        requirements,
        bundle,
        mut faults,
        troubles,
        mut notes,
        missing,
        ..
    } = collected;
    let bundle = bundle.as_ref();
    let facts = match &args.facts {
        Some(path) => {
            let mut facts = Facts::from_json(&read(path)?)
                .with_context(|| format!("reading facts from {}", path.display()))?;
            check::complete(&mut facts, &requirements, &args.tags, bundle);
            facts
        }
        None => check::gather(&requirements, &args.tags, &Root::at(&args.root)?, bundle),
    };
    faults.extend(bundle.filter(|_| host::asks_bundle(&facts)).and_then(Bundle::fault));
    let mut checked = check::judge(&requirements, &args.tags, &facts);
    notes.extend(check::notes(&checked, &facts));
    let waivers = policy.map(|it| it.waivers).unwrap_or_default();
    let waived = waive::waive(&mut checked, &waivers, &image, &decisions::now);
    notes.extend(waived.notes);
    let is_malformed = checked.iter().any(|it| it.result.is_err());
    let verdict = Verdict::of(checked.iter().filter_map(|it| it.result.as_ref().ok()).map(|it| it.outcome));
    let report = Report::new(subject, &checked)
        .missing_spec(missing.as_deref())
        .with(&faults, &troubles, &notes)
        .waiving(waived.uses);
    show(&report, args.format, output)?;
    match verdict {
        Verdict::Incompatible => Ok(verdict.status()),
        Verdict::Compatible if missing.is_some() => Ok(Verdict::Undecided.status()),
        Verdict::Compatible | Verdict::Undecided
            if is_malformed || !faults.is_empty() || !troubles.is_empty() =>
        {
            Ok(TROUBLE)
        }
        Verdict::Compatible | Verdict::Undecided => Ok(verdict.status()),
    }
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
