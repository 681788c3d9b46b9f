//! The part of an image that a spec is attached to: the index, or the image of one platform or of each.

use std::fmt;
use std::str::FromStr;

use anyhow::{bail, ensure};
use serde::{Deserialize, Deserializer};

use crate::store::{ArtifactSubject, Digest};
use crate::supply::registry::{self, DOCKER_INDEX, IMAGE_INDEX};

/// What of an image a spec is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlatformChoice {
    /// The target of the name: the index, if it is one.
    Whole,
    /// The image of this platform.
    One(Platform),
    /// The image of each platform.
    Each,
}

/// A platform, as Go and the image-spec name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// A text that is no platform, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPlatform(String);

impl Platform {
    /// The one of this program, in Go's words.
    pub fn of_host() -> Self {
        let architecture = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "x86" => "386",
            "aarch64" => "arm64",
            "powerpc64" => "ppc64le",
            "loongarch64" => "loong64",
            same => same,
        };
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
    }
}

impl Platform {
    /// A platform by its parts; `None` if the operating system or the architecture is empty.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Option<Self> {
        let variant = variant.filter(|it| !it.is_empty()).map(str::to_owned);
        let platform = Self { os: os.to_owned(), architecture: architecture.to_owned(), variant };
        (!os.is_empty() && !architecture.is_empty()).then_some(platform)
    }

    /// The operating system, as Go's `GOOS`.
    pub fn os(&self) -> &str {
        &self.os
    }

    /// Of the processor, such as `v8`.
    pub fn variant(&self) -> Option<&str> {
        self.variant.as_deref()
    }

    /// The architecture, as Go's `GOARCH`.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }
}

impl FromStr for Platform {
    type Err = BadPlatform;

    fn from_str(text: &str) -> Result<Self, BadPlatform> {
        let parts: Vec<&str> = text.split('/').collect();
        let (os, architecture, variant) = match parts.as_slice() {
            [os, architecture] => (*os, *architecture, None),
            [os, architecture, variant] => (*os, *architecture, Some((*variant).to_owned())),
            _ => ("", "", None),
        };
        if os.is_empty() || architecture.is_empty() || variant.as_deref() == Some("") {
            return Err(BadPlatform(format!(
                "platform {text:?} is not OS/ARCHITECTURE, such as \"linux/arm64\""
            )));
        }
        Ok(Self { os: os.to_owned(), architecture: architecture.to_owned(), variant })
    }
}

impl fmt::Display for BadPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadPlatform {}

/// An index, as far as it is asked here.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct PlatformIndex {
    /// Programs in Go write an empty list as `null`.
    #[serde(deserialize_with = "null_is_empty")]
    manifests: Vec<IndexEntry>,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IndexEntry>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "an object")]
struct IndexEntry {
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<registry::DescriptorPlatform>,
}

/// The selected subjects, at least one; `document` is the target of the image's name.
///
/// # Errors
///
/// If it has no such platform, or has it more than once.
pub fn choose(
    media_type: &str,
    document: &[u8],
    choice: &PlatformChoice,
) -> anyhow::Result<Vec<ArtifactSubject>> {
    let whole = ArtifactSubject {
        digest: Digest::of(document),
        media_type: media_type.to_owned(),
        size: u64::try_from(document.len())?,
    };
    if *choice == PlatformChoice::Whole {
        return Ok(vec![whole]);
    }
    if ![IMAGE_INDEX, DOCKER_INDEX].contains(&media_type) {
        bail!("{} is the image of one platform, not an index: leave the platform away", whole.digest);
    }
    let index: PlatformIndex = serde_json::from_slice(document)?;
    // BuildKit's attestations are entries for a platform that does not exist.
    let images = index.manifests.into_iter().filter(|it| !it.is_attestation());
    let subjects = match choice {
        PlatformChoice::Whole | PlatformChoice::Each => {
            images.map(IndexEntry::subject).collect::<anyhow::Result<Vec<_>>>()?
        }
        PlatformChoice::One(platform) => one(images.collect(), platform)?,
    };
    ensure!(!subjects.is_empty(), "index {} has no image", whole.digest);
    Ok(subjects)
}

/// The images in an index for this platform, in any variant that it does not exclude; all of them for `None`. None at all
/// is an answer: the index may be for other machines.
///
/// # Errors
///
/// If it is no index, or names an image by what is no SHA-256 digest.
pub fn images(index: &[u8], platform: Option<&Platform>) -> anyhow::Result<Vec<ArtifactSubject>> {
    let index: PlatformIndex = serde_json::from_slice(index)?;
    let images = index.manifests.into_iter().filter(|it| {
        let is_image = !it.is_attestation() && !it.is_index();
        is_image && platform.is_none_or(|wanted| it.fits(wanted))
    });
    images.map(IndexEntry::subject).collect()
}

/// The image of an index that an engine on a host of one platform would take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pick {
    /// Its entry names this platform.
    One(Digest),
    /// No entry names this platform; this one names none, and engines take it.
    Unlabelled(Digest),
    /// Every entry names a platform, and none of them this one. The platforms that they name.
    None(Vec<Platform>),
    /// There is no image, or several that name no platform, or a further index.
    Unclear,
}

/// Picks the image for a platform. Of several variants engines take the one that fits best, which is not known here: the entry
/// without a variant counts, or else the first one. As in containerd, a 64-bit host takes an image of 32 bits where there is no
/// other (`platforms/compare.go`, `platformVector`).
///
/// # Errors
///
/// If it is no index, or names the image by what is no SHA-256 digest.
pub fn pick(index: &[u8], platform: &Platform) -> anyhow::Result<Pick> {
    let index: PlatformIndex = serde_json::from_slice(index)?;
    picked(&index.manifests.into_iter().filter(|it| !it.is_attestation()).collect::<Vec<_>>(), platform)
}

/// As [`pick`], where only some images of an index are at hand. If none of them is for the platform, and there is but one, it is
/// that one: somebody asked for it.
///
/// # Errors
///
/// As [`pick`].
pub fn pick_among(index: &[u8], platform: &Platform, has: &dyn Fn(&Digest) -> bool) -> anyhow::Result<Pick> {
    let index: PlatformIndex = serde_json::from_slice(index)?;
    let mut images: Vec<_> = index.manifests.into_iter().filter(|it| !it.is_attestation()).collect();
    images.retain(|it| it.digest.parse().is_ok_and(|it| has(&it)));
    match (picked(&images, platform)?, images.as_slice()) {
        (Pick::None(_), [only]) => Ok(Pick::One(only.digest.parse()?)),
        (picked, _) => Ok(picked),
    }
}

fn picked(images: &[IndexEntry], platform: &Platform) -> anyhow::Result<Pick> {
    let ranked = images.iter().filter_map(|it| Some((it.rank(platform)?, it)));
    if let Some((_, entry)) = ranked.min_by_key(|(rank, _)| *rank).filter(|(_, it)| !it.is_index()) {
        return Ok(Pick::One(entry.digest.parse()?));
    }
    let unlabelled: Vec<_> = images.iter().filter(|it| it.platform.is_none()).collect();
    Ok(match unlabelled.as_slice() {
        [] if images.is_empty() || images.iter().any(IndexEntry::is_index) => Pick::Unclear,
        [] => Pick::None(images.iter().filter_map(IndexEntry::named).collect()),
        [only] if !only.is_index() => Pick::Unlabelled(only.digest.parse()?),
        _ => Pick::Unclear,
    })
}

/// What an index says of the image with this digest; `None` if it says nothing.
///
/// # Errors
///
/// If it is no index.
pub fn label_of(index: &[u8], digest: &Digest) -> anyhow::Result<Option<ImageLabel>> {
    let index: PlatformIndex = serde_json::from_slice(index)?;
    let is_it = |it: &IndexEntry| it.digest.parse().as_ref() == Ok(digest);
    Ok(index.manifests.iter().find(|it| is_it(it)).and_then(IndexEntry::label))
}

/// What an entry of an index, or an image's configuration, says of the host that an image is for (image-spec 1.1,
/// `image-index.md` and `config.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLabel {
    /// The machine and its operating system.
    pub platform: Platform,
    /// Which version of the operating system; mostly of Windows.
    pub os_version: Option<String>,
    /// What the operating system has to have besides, such as `win32k` of Windows.
    pub os_features: Vec<String>,
    /// Features of the processor, as Go's `golang.org/x/sys/cpu` calls them.
    pub features: Vec<String>,
}

/// An image of an index, and its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledImage {
    /// The digest of its manifest.
    pub digest: Digest,
    /// What the index says of it.
    pub label: ImageLabel,
}

/// The images of an index for a machine like this one, in any variant and for any version of its operating system.
///
/// # Errors
///
/// If it is no index, or names an image by what is no SHA-256 digest.
pub fn labelled(index: &[u8], platform: &Platform) -> anyhow::Result<Vec<LabelledImage>> {
    let index: PlatformIndex = serde_json::from_slice(index)?;
    let images = index.manifests.into_iter().filter(|it| !it.is_attestation() && !it.is_index());
    let mut found = Vec::new();
    for entry in images.filter(|it| it.rank(&Platform { variant: None, ..platform.clone() }).is_some()) {
        let Some(label) = entry.label() else { continue };
        found.push(LabelledImage { digest: entry.digest.parse()?, label });
    }
    Ok(found)
}

impl fmt::Display for ImageLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.platform)?;
        if let Some(version) = &self.os_version {
            write!(f, " {version}")?;
        }
        let features: Vec<_> = self.os_features.iter().chain(&self.features).map(String::as_str).collect();
        if !features.is_empty() {
            write!(f, " with {}", features.join(", "))?;
        }
        Ok(())
    }
}

fn one(images: Vec<IndexEntry>, platform: &Platform) -> anyhow::Result<Vec<ArtifactSubject>> {
    let names: Vec<_> = images.iter().map(IndexEntry::name).collect();
    let mut fitting: Vec<_> = images.into_iter().filter(|it| it.fits(platform)).collect();
    match (fitting.pop(), fitting.len()) {
        (Some(image), 0) => Ok(vec![image.subject()?]),
        (Some(_), more) => {
            bail!("the index has {} images for {platform}: name the one by its digest", more + 1)
        }
        (None, _) => bail!("the index has no image for {platform}, it has {}", names.join(", ")),
    }
}

impl IndexEntry {
    fn subject(self) -> anyhow::Result<ArtifactSubject> {
        Ok(ArtifactSubject { digest: self.digest.parse()?, media_type: self.media_type, size: self.size })
    }

    fn is_index(&self) -> bool {
        [IMAGE_INDEX, DOCKER_INDEX].contains(&self.media_type.as_str())
    }

    /// The platform that it names.
    fn named(&self) -> Option<Platform> {
        self.platform.as_ref().map(|it| Platform {
            os: it.os.clone(),
            architecture: it.architecture.clone(),
            variant: it.variant.clone(),
        })
    }

    /// What it says of the host.
    fn label(&self) -> Option<ImageLabel> {
        let (platform, said) = self.named().zip(self.platform.as_ref())?;
        Some(ImageLabel {
            platform,
            os_version: said.os_version.clone(),
            os_features: said.os_features.clone(),
            features: said.features.clone(),
        })
    }

    fn is_attestation(&self) -> bool {
        self.platform.as_ref().is_some_and(|it| it.os == "unknown" && it.architecture == "unknown")
    }

    fn fits(&self, wanted: &Platform) -> bool {
        self.platform.as_ref().is_some_and(|it| {
            (&it.os, &it.architecture) == (&wanted.os, &wanted.architecture)
                && (wanted.variant.is_none() || it.variant == wanted.variant)
        })
    }

    /// How well engines on a host of this platform like it, the lower the better; `None` if they never take it.
    fn rank(&self, wanted: &Platform) -> Option<u8> {
        let kin = match wanted.architecture.as_str() {
            _ if wanted.variant.is_some() => None,
            "amd64" => Some("386"),
            "arm64" => Some("arm"),
            _ => None,
        };
        let named = self.platform.as_ref()?;
        match self.fits(wanted) {
            true => Some(u8::from(named.variant != wanted.variant)),
            false => (named.os == wanted.os && kin == Some(named.architecture.as_str())).then_some(2),
        }
    }

    fn name(&self) -> String {
        self.named().map_or_else(|| "one without platform".to_owned(), |it| it.to_string())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match &self.variant {
            Some(variant) => write!(f, "/{variant}"),
            None => Ok(()),
        }
    }
}
