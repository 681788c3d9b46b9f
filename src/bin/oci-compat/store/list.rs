//! `list` and `remove`: the images in the store, and their artifacts.

use std::path::Path;

use anyhow::{Context, bail};
use oci_compat::image::Reference;
use oci_compat::store::{
    ARTIFACT_TYPES, ArtifactSource, ArtifactStanding, CREATED, Digest, Store, StoredArtifact, Writer,
};
use oci_compat::supply::attach;
use oci_compat::supply::registry::Descriptor;
use oci_compat::words::text::printable;
use serde::Serialize;

use crate::args::{ListArgs, Remove, ReportFormat};
use crate::engines;
use crate::output::Output;

/// What `list --format json` prints; docs/store.md describes it. Fields are only ever added.
#[derive(Debug, Serialize)]
struct ListDocument {
    schema: &'static str,
    images: Vec<ListedImage>,
}

#[derive(Debug, Serialize)]
struct ListedImage {
    digest: String,
    names: Vec<String>,
    artifacts: Vec<ListedArtifact>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
struct ListedArtifact {
    digest: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched: Option<String>,
    #[serde(flatten)]
    source: ArtifactSource,
    /// Whether a look-up takes it.
    counts: bool,
    /// Whether it does not, as nothing was verified of it, and another one was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unverified_beside_verified: bool,
}

/// Prints what the store has, for all images or for one, or what a registry has for one.
pub(crate) fn list(command: &ListArgs, store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let images = match (&command.image, Store::open(store)?) {
        (Some(image), _) if command.remote => in_registry(image, command)?,
        (_, None) => Vec::new(),
        (image, Some(store)) => images(&store, image.as_deref())?,
    };
    if command.format == ReportFormat::Json {
        output.json(&ListDocument { schema: "oci-compat.list/v1", images })?;
        return Ok(0);
    }
    for image in &images {
        output.print(&text(image))?;
    }
    if images.is_empty() && !command.remote {
        let whose = command.image.as_ref().map_or("any image".to_owned(), |it| format!("image {it:?}"));
        log::warn!("the store {} has no artifact for {whose}", store.display());
    }
    Ok(0)
}

/// Takes the artifacts of an image out of the store, and the files that nothing needs then.
pub(crate) fn remove(command: &Remove, store: &Path, output: &mut Output) -> anyhow::Result<u8> {
    let only = command
        .artifact
        .as_deref()
        .map(|it| it.parse::<Digest>().with_context(|| format!("--artifact {it:?}")))
        .transpose()?;
    let subjects = match Store::open(store)? {
        None => Vec::new(),
        Some(store) => subjects(&store, &command.image)?,
    };
    let mut count = 0;
    if !subjects.is_empty() {
        let mut writer = Writer::open(store)?;
        for subject in &subjects {
            let is_meant = |it: &StoredArtifact| only.is_none_or(|only| only == it.artifact.manifest);
            for gone in writer.remove(subject, is_meant)? {
                count += 1;
                output.print(&format!("removed artifact {} of image {subject}\n", gone.artifact.manifest))?;
            }
        }
        writer.sweep(false)?;
    }
    if count == 0 {
        let which = only.map_or("no artifact".to_owned(), |it| format!("no artifact {it}"));
        bail!(
            "the store {} has {which} for image {:?}: oci-compat list shows what there is",
            store.display(),
            command.image
        );
    }
    Ok(0)
}

/// The images that a person means: by digest, or all that were fetched under a name; else the one that an engine calls so.
pub(crate) fn subjects(store: &Store, image: &str) -> anyhow::Result<Vec<Digest>> {
    let named = match image.parse::<Digest>() {
        Ok(subject) => vec![subject],
        Err(_) => store.fetched_as(image)?.into_iter().map(|it| it.digest).collect(),
    };
    let found = with_artifacts(store, named)?;
    if !found.is_empty() {
        return Ok(found);
    }
    match engines::meant(image, Path::new("/"))? {
        Ok(meant) => with_artifacts(store, meant.digests),
        Err(_) => Ok(Vec::new()),
    }
}

fn with_artifacts(store: &Store, images: Vec<Digest>) -> anyhow::Result<Vec<Digest>> {
    let mut found = Vec::new();
    for image in images {
        if !store.kept(&image)?.is_empty() {
            found.push(image);
        }
    }
    Ok(found)
}

fn images(store: &Store, only: Option<&str>) -> anyhow::Result<Vec<ListedImage>> {
    let wanted = match only {
        Some(image) => subjects(store, image)?,
        None => store.subjects()?,
    };
    wanted.iter().map(|it| image(store, it)).collect()
}

fn image(store: &Store, subject: &Digest) -> anyhow::Result<ListedImage> {
    let kept = store.kept(subject)?;
    let (standing, _) = store.standing(&[*subject]);
    let names = names(&kept);
    let artifacts = kept.into_iter().map(|it| artifact(it, &standing)).collect();
    Ok(ListedImage { digest: subject.to_string(), names, artifacts })
}

/// All that is attached to an image and to the images of its index, as the registry lists it: nothing is fetched but lists.
fn in_registry(image: &str, command: &ListArgs) -> anyhow::Result<Vec<ListedImage>> {
    let reference: Reference = image.parse()?;
    let client = command.registry.client([reference.repository()])?;
    let found = client.resolve(&reference)?;
    let mut subjects = vec![found.digest];
    if found.is_index() {
        subjects.extend(attach::images(&found.bytes, None)?.into_iter().map(|it| it.digest));
    }
    let mut images = Vec::new();
    for subject in subjects {
        let mut artifacts = Vec::new();
        for kind in ARTIFACT_TYPES {
            let referrers = client.referrers(reference.repository(), &subject, Some(kind))?;
            artifacts.extend(referrers.descriptors.into_iter().map(|it| listed(it, kind)));
        }
        if !artifacts.is_empty() {
            images.push(ListedImage {
                digest: subject.to_string(),
                names: vec![reference.to_string()],
                artifacts,
            });
        }
    }
    Ok(images)
}

fn listed(descriptor: Descriptor, kind: &str) -> ListedArtifact {
    ListedArtifact {
        digest: descriptor.digest.to_string(),
        kind: kind.to_owned(),
        created: descriptor.annotations.and_then(|mut it| it.remove(CREATED)),
        fetched: None,
        source: ArtifactSource::default(),
        counts: true,
        unverified_beside_verified: false,
    }
}

fn artifact(kept: StoredArtifact, standing: &ArtifactStanding) -> ListedArtifact {
    let source = ArtifactSource::from(&kept);
    let is_among =
        |all: &[StoredArtifact]| all.iter().any(|it| it.artifact.manifest == kept.artifact.manifest);
    let (counts, is_aside) = (is_among(&standing.counting), is_among(&standing.aside));
    let StoredArtifact { artifact, origin } = kept;
    ListedArtifact {
        digest: artifact.manifest.to_string(),
        kind: artifact.artifact_type,
        created: artifact.created,
        fetched: origin.and_then(|it| it.fetched),
        source,
        counts,
        unverified_beside_verified: is_aside,
    }
}

fn names(kept: &[StoredArtifact]) -> Vec<String> {
    let origins = kept.iter().filter_map(|it| it.origin.as_ref());
    let mut names: Vec<_> = origins.flat_map(|it| it.names().map(str::to_owned)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn text(image: &ListedImage) -> String {
    let names: String = image.names.iter().map(|it| format!(" {}", printable(it))).collect();
    let mut text = format!("{}{names}\n", image.digest);
    for it in &image.artifacts {
        let created = it.created.as_deref().map_or("no date".into(), printable);
        let from = it.source.place().map_or_else(String::new, |it| format!("  from {it}"));
        let passed_over = match (it.counts, it.unverified_beside_verified) {
            (true, _) => "",
            (false, true) => ", does not count beside a verified one",
            (false, false) => ", superseded",
        };
        text.push_str(&format!("  {}  {created}  {}{from}{passed_over}\n", it.digest, it.source.verified()));
    }
    text
}
