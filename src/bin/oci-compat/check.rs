//! `check` and `why`: reports on hosts and on containers.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use oci_compat::artifact::{Digest, Store};
use oci_compat::check::{self, Requirement};
use oci_compat::host::{self, Bundle, Facts, Root};
use oci_compat::policy::{self, Defaults};
use oci_compat::report::{self, Origin, Report};
use oci_compat::requirements::{self, Collected};
use oci_compat::verdict::Verdict;
use oci_compat::{file, history, records, reports, spec, waive};

use crate::TROUBLE;
use crate::args::{Check, Common, ReportFormat};
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
    let waivers = policy.map(|it| it.waivers).unwrap_or_default();
    let waived = waive::waive(&mut checked, &waivers, &image, &records::now);
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
        let digests = digests(image, &common.store)?;
        let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
        let name = Some(image.as_str()).filter(|it| !it.starts_with("sha256:"));
        let mut collected = requirements::of_image(&digests, name, &common.store, &policy);
        collected.notes.extend(complaint);
        collected.policy.get_or_insert(policy);
        return Ok(collected);
    }
    let mut collected = match &args.bundle {
        Some(folder) => {
            let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
            let until = Instant::now() + policy.deadline;
            let mut collected = requirements::of_bundle(folder, &common.store, &policy, &|| until);
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

/// Under which digests the store may have something for an image: the one that is written, or those of the last pull.
fn digests(image: &str, store: &Path) -> anyhow::Result<Vec<Digest>> {
    if image.starts_with("sha256:") || image.contains('@') {
        let digest = image.rsplit('@').next().unwrap_or(image);
        return Ok(vec![digest.parse().with_context(|| format!("the image {image:?}"))?]);
    }
    let digests = match Store::open(store)? {
        Some(store) => crate::store::list::current(&store, image)?,
        None => Vec::new(),
    };
    if digests.is_empty() {
        bail!(
            "the store {} has nothing for an image of the name {image:?}: oci-compat pull {image}, or write its digest, \
             such as NAME@sha256:...",
            store.display()
        );
    }
    Ok(digests)
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

/// The report, or what the log of decisions knows once that is gone.
pub(crate) fn why(
    container: Option<&str>,
    folders: &[PathBuf],
    decisions: &[PathBuf],
    format: ReportFormat,
    output: &mut Output,
) -> anyhow::Result<u8> {
    // Of several places, the last one is the system's, which a user may not be allowed to see.
    let is_last = |at: usize, of: usize| of > 1 && at + 1 == of;
    let report = |folder: &PathBuf| match container {
        Some(prefix) => reports::read(folder, prefix),
        None => reports::latest(folder),
    };
    let reports = folders.iter().enumerate().map(|(at, it)| (is_last(at, folders.len()), report(it)));
    let records = decisions
        .iter()
        .enumerate()
        .map(|(at, it)| (is_last(at, decisions.len()), history::last(it, container)));
    let mut failed = None;
    for (is_the_system_s, found) in reports.chain(records) {
        match found {
            Ok(Some(report)) => {
                show(&report, format, output)?;
                return Ok(0);
            }
            Ok(None) => {}
            Err(err) if is_the_system_s => failed = failed.or(Some(err)),
            Err(err) => return Err(err),
        }
    }
    let named =
        |paths: &[PathBuf]| paths.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(", ");
    Err(failed.unwrap_or_else(|| {
        let about = container.map(|it| format!(" on a container {it:?}")).unwrap_or_default();
        anyhow!(
            "there is no report{about} in {}, and no decision in {}; only containers that were \
             refused, or started with a doubt, leave any",
            named(folders),
            named(decisions)
        )
    }))
}

fn show(report: &Report, format: ReportFormat, output: &mut Output) -> anyhow::Result<()> {
    match format {
        ReportFormat::Text => {
            let style = output.style;
            report::text(report, style, output.writer())?;
            Ok(output.writer().flush()?)
        }
        ReportFormat::Json => output.json(report),
    }
}
