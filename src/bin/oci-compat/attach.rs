//! `attach`: a spec beside an image, in a registry, a layout or an archive.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use oci_compat::author::lint::{self, RemarkLevel};
use oci_compat::image::Reference;
use oci_compat::spec::{Language, Spec, formats};
use oci_compat::store::{ArtifactSubject, CREATED, Digest, Package, SpecKind, pack_annotated};
use oci_compat::supply::attach::{Platform, PlatformChoice, attach_to_layout, choose, push, replace};
use oci_compat::supply::registry::ReferrersPlace;
use oci_compat::words::moment;

use crate::args::Attach;
use crate::check::read;
use crate::output::Output;

/// The name of an image in a folder or in a tar file.
const LAYOUTS: [&str; 2] = ["oci:", "oci-archive:"];

pub(crate) fn run(args: &Attach, output: &mut Output) -> anyhow::Result<u8> {
    if args.spec == Path::new("-") {
        args.registry.leave_stdin("the spec", "write the spec into a file")?;
    }
    let (spec, kind) = checked(&args.spec)?;
    let annotations = annotations(args)?;
    let pack = |subject: &ArtifactSubject| pack_annotated(&spec, kind, subject, &annotations);
    let choice = choice(args)?;
    match layout_of(&args.image) {
        Some(layout) => to_layout(args, layout, &choice, pack, output),
        None => to_registry(args, &choice, pack, output),
    }?;
    Ok(0)
}

/// What follows `oci:` or `oci-archive:`; `None` for an image in a registry.
pub(crate) fn layout_of(image: &str) -> Option<&str> {
    LAYOUTS.iter().find_map(|it| image.strip_prefix(it))
}

/// A spec that cannot be read would refuse every start of its image: it is not attached.
fn checked(path: &Path) -> anyhow::Result<(Vec<u8>, SpecKind)> {
    let bytes = read(path)?;
    let parsed = formats::parse(&bytes).with_context(|| {
        format!("the spec {} is malformed; `oci-compat lint` shows all errors", path.display())
    })?;
    for remark in lint::lint(&parsed).iter().filter(|it| it.level() == RemarkLevel::Warning) {
        log::warn!("{}:{}:{}: {}", path.display(), remark.at.line, remark.at.column, remark.sentence());
    }
    Ok((bytes, kind_of(&parsed)))
}

/// How an artifact has to call such a spec.
pub(crate) fn kind_of(spec: &Spec) -> SpecKind {
    match spec.language {
        Language::Nfd => SpecKind::Nfd,
        Language::Own => SpecKind::Own,
        Language::B | Language::D | Language::F | Language::H => SpecKind::Proposed,
    }
}

/// Those that were given, and when the artifact was made: readers take the newest.
fn annotations(args: &Attach) -> anyhow::Result<BTreeMap<String, String>> {
    let mut annotations = BTreeMap::new();
    for text in &args.annotation {
        let Some((key, value)) = text.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            bail!("--annotation {text:?} is not KEY=VALUE");
        };
        annotations.insert(key.to_owned(), value.to_owned());
    }
    let created = match &args.created {
        Some(created) => created.clone(),
        // Whole seconds, as is usual.
        None => moment::text((epoch()?, 0)).replace(".000000Z", "Z"),
    };
    annotations.entry(CREATED.to_owned()).or_insert(created);
    Ok(annotations)
}

/// Now, unless the build's own time is given (reproducible-builds.org, "SOURCE_DATE_EPOCH"), in seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "an entry point reads the environment and the clock")]
fn epoch() -> anyhow::Result<i64> {
    if let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") {
        let seconds = text.to_str().and_then(|it| it.parse().ok());
        return seconds
            .with_context(|| format!("SOURCE_DATE_EPOCH is {text:?}, has to be seconds since 1970"));
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(i64::try_from(now.as_secs())?)
}

fn choice(args: &Attach) -> anyhow::Result<PlatformChoice> {
    match (&args.platform, args.all_platforms) {
        (Some(text), _) => Ok(PlatformChoice::One(text.parse::<Platform>()?)),
        (None, true) => Ok(PlatformChoice::Each),
        (None, false) => Ok(PlatformChoice::Whole),
    }
}

/// The path and the tag of `PATH[:TAG]`; what is there as a whole has no tag.
#[expect(clippy::disallowed_methods, reason = "a path that a person named; a wrong guess is an error below")]
pub(crate) fn layout_path(layout: &str) -> (&str, Option<&str>) {
    match layout.rsplit_once(':') {
        Some((path, tag)) if !Path::new(layout).exists() => (path, Some(tag)),
        Some(_) | None => (layout, None),
    }
}

fn to_layout(
    args: &Attach,
    layout: &str,
    choice: &PlatformChoice,
    pack: impl Fn(&ArtifactSubject) -> anyhow::Result<Package>,
    output: &mut Output,
) -> anyhow::Result<()> {
    if args.replace {
        bail!(
            "--replace is for registries: in a layout the newest artifact counts, and the older ones are left"
        );
    }
    let (path, tag) = layout_path(layout);
    for (subject, package) in attach_to_layout(Path::new(path), tag, choice, args.dry_run, pack)? {
        tell(args, &subject, &package, "", output)?;
    }
    Ok(())
}

fn to_registry(
    args: &Attach,
    choice: &PlatformChoice,
    pack: impl Fn(&ArtifactSubject) -> anyhow::Result<Package>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let image: Reference = args.image.parse()?;
    let client = args.registry.client([image.repository()])?;
    let repository = image.repository();
    let found = client.resolve(&image)?;
    for subject in choose(&found.media_type, &found.bytes, choice)? {
        let package = pack(&subject)?;
        let how = if args.dry_run {
            ""
        } else {
            match push(&client, repository, &subject, &package)?.found {
                ReferrersPlace::Api => "",
                ReferrersPlace::Fallback => ", listed under a tag: the registry has no referrers API",
            }
        };
        tell(args, &subject, &package, how, output)?;
        if args.replace && !args.dry_run {
            for gone in replace(&client, repository, &subject.digest, &package)? {
                output.print(&format!("removed artifact {gone}\n"))?;
            }
        }
    }
    Ok(())
}

/// One line, or for a dry run what would be pushed.
fn tell(
    args: &Attach,
    subject: &ArtifactSubject,
    package: &Package,
    how: &str,
    output: &mut Output,
) -> anyhow::Result<()> {
    let digest = Digest::of(&package.manifest);
    if !args.dry_run {
        return output.print(&format!("attached artifact {digest} to {}{how}\n", subject.digest));
    }
    let manifest: serde_json::Value = serde_json::from_slice(&package.manifest)?;
    output.print(&format!("would attach artifact {digest} to {}:\n", subject.digest))?;
    output.json(&manifest)
}
