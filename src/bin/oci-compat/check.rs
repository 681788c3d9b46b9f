//! `check`: reports on hosts, for an image, a bundle or a spec.

use std::io::Read;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use oci_compat::decide::check::Requirement;
use oci_compat::decide::named;
use oci_compat::decide::pipeline::{self, Host, Terms};
use oci_compat::decide::requirements::{self, Collected};
use oci_compat::host::{Facts, Root};
use oci_compat::os::file;
use oci_compat::outcome::report::{self, Report, SpecOrigin};
use oci_compat::policy::{self, Defaults};
use oci_compat::scan::table::{ImageRow, ImageTable};
use oci_compat::spec::formats;

use crate::args::{Check, CheckFormat, CommonArgs, ReportFormat};
use crate::attach::layout_of;
use crate::engines;
use crate::output::Output;
use crate::scan;

/// More than any spec, and than the facts of the largest host.
pub(crate) const MAX_FILE: usize = 32 << 20;

pub(crate) fn run(args: &Check, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    if !args.from_engine.is_empty() {
        return scan::every(args, common, output);
    }
    let root = Root::at(&args.root)?;
    let facts = match &args.facts {
        Some(path) => {
            let facts = Facts::from_json(&read(path)?);
            Some(facts.with_context(|| format!("reading facts from {}", path.display()))?)
        }
        None => None,
    };
    let host = facts.as_ref().map_or(Host::Root(&root), Host::Facts);
    let mut collected = collect(args, common, &host)?;
    if collected.is_empty() && !args.remote {
        collected.notes.push(format!(
            "nothing is demanded: there is no spec for it, in {} or elsewhere",
            common.store.display()
        ));
    }
    let waivers = collected.policy.take().map(|it| it.waivers).unwrap_or_default();
    let terms = Terms { tags: &args.tags, waivers: &waivers, ..Terms::default() };
    let demands = !collected.is_empty();
    let assessment = pipeline::assess(collected, &host, &terms);
    let status = assessment.status();
    match args.format {
        CheckFormat::Text => show(&assessment.report, ReportFormat::Text, output)?,
        CheckFormat::Json => show(&assessment.report, ReportFormat::Json, output)?,
        CheckFormat::Junit | CheckFormat::Sarif => {
            let (what, names) = subject(args);
            let digest = assessment.report.subject.digest.clone();
            let row = ImageRow::new(what, &names, digest, demands, assessment);
            scan::show(&ImageTable::new(vec![row], &[]), args.format, output)?;
        }
    }
    Ok(status)
}

/// What is checked, and what it is called, where it is one of many.
fn subject(args: &Check) -> (&'static str, Vec<String>) {
    let path = |it: &Path| it.display().to_string();
    match (&args.image, &args.bundle) {
        (Some(image), _) => ("image", vec![image.clone()]),
        (None, Some(bundle)) => ("bundle", vec![path(bundle)]),
        (None, None) => ("spec", args.spec.iter().map(|it| path(it)).collect()),
    }
}

fn collect(args: &Check, common: &CommonArgs, host: &Host<'_>) -> anyhow::Result<Collected> {
    if let Some(image) = args.image.as_ref().filter(|_| args.remote) {
        return scan::remote(image, args, common, host);
    }
    if let Some(layout) = args.image.as_deref().and_then(layout_of) {
        return scan::layout(layout, args, common, host);
    }
    if let Some(image) = &args.image {
        let found = engines::find(image, &args.root)?;
        let (digests, called) = named::image(image, found.clone(), &common.store)?;
        let (policy, complaint) = policy::load(&common.config, Defaults::Standard);
        let mut collected = requirements::of_image(&digests, called, &common.store, &policy);
        if let Ok(found) = &found {
            scan::own(&mut collected, found, args, &policy, host);
        }
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
        let origin = SpecOrigin::File(path.display().to_string());
        collected.requirements.push(Requirement { origin, spec: formats::parse(&read(path)?) });
    }
    Ok(collected)
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
