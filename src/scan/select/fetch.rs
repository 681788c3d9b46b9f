//! Finds the entries of an image, and what is demanded of each: in a registry, in a layout or an archive, or in an index's file.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::decide::check::Requirement;
use crate::decide::requirements::{self, Collected};
use crate::image::{Image, Reference};
use crate::outcome::report::{Attached, SpecOrigin};
use crate::policy::Policy;
use crate::spec::formats;
use crate::store::layout::{self, LayoutSource};
use crate::store::{Addition, Digest};
use crate::supply::attach::{ImageLabel, Platform, layout_image};
use crate::supply::pull::{Puller, WantedImage};
use crate::supply::registry::Descriptor;

use super::super::layers::{Layer, Layers};
use super::super::own::{self, Configuration};
use super::{Contender, IndexedImage, entries};

/// The configuration of an image is a few KiB.
const MAX_CONFIG: u64 = 4 << 20;
/// No manifest and no index is larger (distribution-spec 1.1, "Pushing Manifests").
const MAX_MANIFEST: u64 = 4 << 20;
/// How long reading the layers of one image may take.
const LAYERS: Duration = Duration::from_mins(10);
/// Indexes in indexes.
const MAX_DEPTH: usize = 4;
/// Entries of all indexes of one image.
const MAX_ENTRIES: usize = 512;

/// What counts for all entries.
#[derive(Debug, Clone, Copy)]
pub struct SelectSource<'a> {
    /// The store of this host, whose artifacts count for images that are not in a registry.
    pub store: &'a Path,
    /// The administrator's own requirements, and what becomes of demands in images.
    pub policy: &'a Policy,
    /// Whether what images say of NVIDIA's driver counts.
    pub with_gpus: bool,
    /// Whether the headers of images' programs are read.
    pub with_program: bool,
    /// The machine of the host, where the host is this one.
    pub machine: Option<&'a str>,
}

/// Of a file that holds an index: what the store has for its entries counts, and what the administrator demands.
///
/// # Errors
///
/// If it holds no index.
pub fn from_file(path: &Path, bytes: &[u8], source: &SelectSource<'_>) -> anyhow::Result<Vec<Contender>> {
    let name = path.display().to_string();
    let found = entries(bytes).with_context(|| format!("reading {name}"))?;
    let index = Digest::of(bytes);
    let candidates = found.into_iter().map(|entry| {
        let mut collected = stored(&[index, entry.digest], source);
        collected.requirements.extend(entry.demands());
        Contender { image: name.clone(), entry, collected }
    });
    Ok(candidates.collect())
}

/// Of an image in an OCI layout or archive: what is attached to it there counts as well, and what its configurations say.
///
/// # Errors
///
/// If the layout cannot be read, or has no such image.
pub fn from_layout(
    name: &str,
    path: &Path,
    tag: Option<&str>,
    source: &SelectSource<'_>,
) -> anyhow::Result<Vec<Contender>> {
    let read = || -> anyhow::Result<Vec<Contender>> {
        let files = LayoutSource::open(path)?;
        let (media_type, document) = layout_image(&files, tag)?;
        let blob = |digest: &Digest, most: u64| -> anyhow::Result<Vec<u8>> {
            let at = blob_path(digest);
            let bytes =
                files.read(&at, most)?.with_context(|| format!("{at} is not there: copy the image anew"))?;
            ensure!(Digest::of(&bytes) == *digest, "{at} is damaged: copy the image anew");
            Ok(bytes)
        };
        let attached = layout::find_all(path)?;
        let root = Digest::of(&document);
        let top = IndexedImage::alone(root, &media_type, u64::try_from(document.len())?);
        let found = expanded(top, &|entry| blob(&entry.digest, MAX_MANIFEST))?;
        let mut candidates = Vec::with_capacity(found.len());
        for (mut entry, above) in found {
            let digests: Vec<_> = above.iter().copied().chain([entry.digest]).collect();
            let mut collected = stored(&digests, source);
            for it in attached.iter().filter(|it| digests.contains(&it.subject)) {
                let digest = it.artifact.manifest.to_string();
                let origin =
                    SpecOrigin::Attached(Attached { artifact: digest, repository: None, verified: None });
                let spec = formats::parse_layer(&it.artifact.spec.media_type, &it.package.spec);
                collected.requirements.push(Requirement { origin, spec });
            }
            let parts =
                blob(&entry.digest, MAX_MANIFEST).and_then(|it| parts_of(&it)).unwrap_or_else(|err| {
                    collected.troubles.push(format!("{err:#}"));
                    None
                });
            let mut configuration = None;
            if let Some(SelectedManifest { config, .. }) = &parts {
                match blob(&config.digest, MAX_CONFIG) {
                    Ok(bytes) => {
                        configuration = add_configuration(&bytes, &mut entry, &mut collected, source)
                    }
                    Err(err) => collected.troubles.push(format!("{err:#}")),
                }
            }
            collected.requirements.extend(entry.demands());
            let layers = parts.iter().flat_map(|it| &it.layers).map(|it| {
                let files = &files;
                Layer::new(it.digest, it.size, move || {
                    let at = blob_path(&it.digest);
                    let stream = files.stream(&at).map_err(|err| format!("{err:#}"))?;
                    stream.ok_or_else(|| format!("{at} is not there: copy the image anew"))
                })
            });
            add_program(layers.collect(), configuration.as_ref(), &mut collected, source);
            candidates.push(Contender { image: name.to_owned(), entry, collected });
        }
        Ok(candidates)
    };
    read().with_context(|| format!("reading layout {}", path.display()))
}

/// Of an image in a registry: what is attached to it there counts, by the rules of trust, and what its configurations say.
///
/// # Errors
///
/// If what its name stands for cannot be read.
pub fn from_registry(
    puller: &Puller<'_>,
    image: &Reference,
    source: &SelectSource<'_>,
) -> anyhow::Result<Vec<Contender>> {
    let client = puller.client;
    let resolved = client.resolve(image)?;
    let repository = image.repository();
    let size = u64::try_from(resolved.bytes.len())?;
    let top = IndexedImage::alone(resolved.digest, &resolved.media_type, size);
    let document = |entry: &IndexedImage| -> anyhow::Result<Vec<u8>> {
        match entry.digest == resolved.digest {
            true => Ok(resolved.bytes.clone()),
            false => Ok(client.resolve(&repository.at(entry.digest))?.bytes),
        }
    };
    let found = expanded(top, &document)?;
    let wanted = WantedImage { image: repository.at(resolved.digest), ..WantedImage::from(image.clone()) };
    let pulled = puller.pull(&wanted);
    let mut candidates = Vec::with_capacity(found.len());
    for (mut entry, above) in found {
        let digests: Vec<_> = above.iter().copied().chain([entry.digest]).collect();
        let offered = pulled.additions.iter().filter(|it: &&Addition| digests.contains(&it.subject));
        let mut collected =
            requirements::of_offered(&digests, called(&digests, Some(image)), offered, source.policy);
        collected.troubles.extend(pulled.problems.iter().cloned());
        collected.notes.extend(pulled.notes.iter().cloned());
        let parts = document(&entry).and_then(|it| parts_of(&it)).unwrap_or_else(|err| {
            collected.troubles.push(format!("{err:#}"));
            None
        });
        let mut configuration = None;
        if let Some(SelectedManifest { config, .. }) = &parts {
            match client.blob(repository, config, MAX_CONFIG) {
                Ok(bytes) => configuration = add_configuration(&bytes, &mut entry, &mut collected, source),
                Err(err) => collected.troubles.push(err.to_string()),
            }
        }
        collected.requirements.extend(entry.demands());
        let reader = client.until(Instant::now() + LAYERS, "reading layers", LAYERS);
        let layers = parts.iter().flat_map(|it| &it.layers).map(|it| {
            let reader = &reader;
            Layer::new(it.digest, it.size, move || match reader.stream(repository, it) {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn Read>),
                Err(err) => Err(err.to_string()),
            })
        });
        add_program(layers.collect(), configuration.as_ref(), &mut collected, source);
        candidates.push(Contender { image: image.to_string(), entry, collected });
    }
    Ok(candidates)
}

/// An image, with the digests of the indexes above it.
type FoundEntry = (IndexedImage, Vec<Digest>);
/// Reads the index that an entry is.
type ReadIndex<'a> = &'a dyn Fn(&IndexedImage) -> anyhow::Result<Vec<u8>>;

fn blob_path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// The images below an entry that may be an index.
fn expanded(top: IndexedImage, document: ReadIndex<'_>) -> anyhow::Result<Vec<FoundEntry>> {
    let (mut found, mut seen) = (Vec::new(), 0);
    expand(top, &[], document, &mut found, &mut seen)?;
    Ok(found)
}

/// `seen` counts indexes too: those without images would otherwise be read without end.
fn expand(
    entry: IndexedImage,
    above: &[Digest],
    document: ReadIndex<'_>,
    found: &mut Vec<FoundEntry>,
    seen: &mut usize,
) -> anyhow::Result<()> {
    ensure!(
        *seen <= MAX_ENTRIES,
        "its indexes have more than {MAX_ENTRIES} entries, which are too many to judge"
    );
    *seen += 1;
    if !entry.is_index() {
        found.push((entry, above.to_vec()));
        return Ok(());
    }
    if above.len() == MAX_DEPTH {
        bail!("index {} lies within {MAX_DEPTH} others, and no more are read", entry.digest);
    }
    let indexes: Vec<_> = above.iter().copied().chain([entry.digest]).collect();
    for inner in entries(&document(&entry)?)? {
        expand(inner, &indexes, document, found, seen)?;
    }
    Ok(())
}

/// What a manifest names.
#[derive(Deserialize)]
struct SelectedManifest {
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// The parts of an image; none for what is no image.
fn parts_of(manifest: &[u8]) -> anyhow::Result<Option<SelectedManifest>> {
    let is_image =
        ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
    let parts: SelectedManifest = serde_json::from_slice(manifest).context("it is no image manifest")?;
    Ok(Some(parts).filter(|it| is_image.contains(&it.config.media_type.as_str())))
}

/// Adds what the image's program demands, if that is asked for.
fn add_program(
    layers: Vec<Layer<'_>>,
    configuration: Option<&Configuration>,
    collected: &mut Collected,
    source: &SelectSource<'_>,
) {
    if let Some(configuration) = configuration.filter(|_| source.with_program) {
        let layers = Layers::new(layers, LAYERS);
        own::add_program(collected, configuration, &layers, source.policy, source.machine);
    }
}

/// Adds what an image's configuration says: its environment, and its platform where the index does not name it.
fn add_configuration(
    bytes: &[u8],
    entry: &mut IndexedImage,
    collected: &mut Collected,
    source: &SelectSource<'_>,
) -> Option<Configuration> {
    /// As image-spec 1.1 has it (`config.md`).
    #[derive(Deserialize)]
    struct ConfiguredPlatform {
        #[serde(default)]
        os: String,
        #[serde(default)]
        architecture: String,
        variant: Option<String>,
        #[serde(rename = "os.version")]
        os_version: Option<String>,
    }
    let Some(configuration) = Configuration::parse(bytes) else {
        collected.notes.push("its configuration cannot be read".to_owned());
        return None;
    };
    if entry.label.is_none()
        && let Ok(ConfiguredPlatform { os, architecture, variant, os_version }) =
            serde_json::from_slice(bytes)
    {
        let platform = Platform::new(&os, &architecture, variant.as_deref());
        entry.label = platform.map(|platform| ImageLabel {
            platform,
            os_version,
            os_features: Vec::new(),
            features: Vec::new(),
        });
    }
    own::add_environment(collected, &configuration, source.policy, source.with_gpus);
    Some(configuration)
}

/// What the store and the administrator demand.
fn stored(digests: &[Digest], source: &SelectSource<'_>) -> Collected {
    requirements::of_image(digests, called(digests, None), source.store, source.policy)
}

fn called(digests: &[Digest], name: Option<&Reference>) -> Image {
    Image { names: name.map(Reference::stored).into_iter().collect(), digests: digests.to_vec() }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;
    use crate::supply::registry::IMAGE_INDEX;

    fn index(name: &str) -> IndexedImage {
        IndexedImage::alone(Digest::of(name.as_bytes()), IMAGE_INDEX, 7)
    }

    /// What comes of an index whose indexes each have so many entries of a type, and how many indexes were read.
    fn check(count: usize, media_type: &str, expected: Result<usize, &str>, indexes: usize) {
        let read = Cell::new(0);
        let document = |_: &IndexedImage| {
            read.set(read.get() + 1);
            let entry = json!({"mediaType": media_type, "digest": Digest::of(b"inner").to_string()});
            Ok(json!({"manifests": vec![entry; count]}).to_string().into_bytes())
        };
        let found = expanded(index("top"), &document).map(|it| it.len()).map_err(|err| err.to_string());
        assert_eq!((found, read.get()), (expected.map_err(str::to_owned), indexes));
    }

    #[test]
    fn indexes_in_indexes_are_read_up_to_a_number_and_a_depth() {
        let inner = Digest::of(b"inner");
        check(512, "an/image", Ok(512), 1);
        check(0, IMAGE_INDEX, Ok(0), 1);
        check(1, IMAGE_INDEX, Err(&format!("index {inner} lies within 4 others, and no more are read")), 4);
        // Each index has the next one so many times, and the last ones have nothing.
        let read = Cell::new(0);
        let document = |entry: &IndexedImage| {
            read.set(read.get() + 1);
            let next = [("top", "a"), ("a", "b")].iter().find(|(it, _)| index(it).digest == entry.digest);
            let entries: Vec<_> = next
                .iter()
                .flat_map(|(_, it)| {
                    vec![json!({"mediaType": IMAGE_INDEX, "digest": index(it).digest.to_string()}); 500]
                })
                .collect();
            Ok(json!({"manifests": entries}).to_string().into_bytes())
        };
        let found = expanded(index("top"), &document).map(drop).map_err(|err| err.to_string());
        let message = "its indexes have more than 512 entries, which are too many to judge";
        assert_eq!((found, read.get()), (Err(message.to_owned()), 513));
    }
}
