//! `show`: what is attached to an image, its author, and its demands in words.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use oci_compat::eval::{demands, group_demands};
use oci_compat::image::Reference;
use oci_compat::spec::{self, Set, Severity, Spec, Term};
use oci_compat::store::{
    Addition, ArtifactSource, Digest, ImageManifests, MAX_MANIFEST, MAX_SPEC, Store, StoredArtifact, layout,
};
use oci_compat::supply::pull::{Patience, Pulled, Puller};
use oci_compat::words::text::printable;
use serde::{Deserialize, Serialize};

use crate::args::{CommonArgs, ReportFormat, Seconds, Show};
use crate::attach::layout_of;
use crate::output::Output;
use crate::pull::anchors;
use crate::store::list::subjects;

/// What `show --format json` prints. Fields are only ever added.
#[derive(Debug, Serialize)]
struct ShowDocument {
    schema: &'static str,
    images: Vec<ShownImage>,
}

#[derive(Debug, Serialize)]
struct ShownImage {
    digest: String,
    artifacts: Vec<ShownArtifact>,
}

#[derive(Debug, Serialize)]
struct ShownArtifact {
    digest: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched: Option<String>,
    #[serde(flatten)]
    source: ArtifactSource,
    annotations: BTreeMap<String, String>,
    /// Why the spec cannot be read, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<String>,
    sets: Vec<Demands>,
}

/// One alternative: all of its rules must hold.
#[derive(Debug, Serialize)]
struct Demands {
    tag: String,
    weight: i64,
    description: String,
    rules: Vec<ShownRule>,
}

#[derive(Debug, Serialize)]
struct ShownRule {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    /// Absent for what is required.
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    /// Where the rule counts; absent if everywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    when: Option<String>,
    /// All of them.
    demands: Vec<String>,
    /// And all of one of these, if there are any.
    alternatives: Vec<Vec<String>>,
}

/// Who made an artifact, as the image-spec's annotations say (`annotations.md`).
const MAKERS: [(&str, &str); 4] = [
    ("org.opencontainers.image.authors", "by"),
    ("org.opencontainers.image.vendor", "vendor"),
    ("org.opencontainers.image.source", "source"),
    ("org.opencontainers.image.documentation", "see"),
];

/// Something of the image could not be fetched, or is refused by the rules of trust.
const INCOMPLETE: u8 = 1;

pub(crate) fn run(args: &Show, common: &CommonArgs, output: &mut Output) -> anyhow::Result<u8> {
    let (images, problems) = match layout_of(&args.image) {
        Some(layout) => (in_layout(layout)?, Vec::new()),
        None if args.remote => in_registry(args, common)?,
        None => (in_store(&args.image, &common.store)?, Vec::new()),
    };
    for problem in &problems {
        log::error!("{problem}");
    }
    match args.format {
        ReportFormat::Json => output.json(&ShowDocument { schema: "oci-compat.show/v1", images })?,
        ReportFormat::Text => images.iter().try_for_each(|it| output.print(&text(it)))?,
    }
    Ok(if problems.is_empty() { 0 } else { INCOMPLETE })
}

/// What a pull would store, with the problems that it would report; nothing is stored.
fn in_registry(args: &Show, common: &CommonArgs) -> anyhow::Result<(Vec<ShownImage>, Vec<String>)> {
    let image: Reference = args.image.parse()?;
    let puller = Puller {
        client: &args.registry.client([image.repository()])?,
        store: None,
        images: &ImageManifests::default(),
        anchors: &anchors(&common.config)?,
        platform: None,
        force: false,
        patience: Patience::new(Seconds::IMAGE.into(), Seconds::ALL.into()),
        now: String::new(),
        until: None,
    };
    let Pulled { additions, problems, .. } = puller.pull(&image.clone().into());
    let mut images: BTreeMap<Digest, Vec<ShownArtifact>> = BTreeMap::new();
    for Addition { subject, package, origin, .. } in additions {
        let artifact = package.artifact(&subject)?;
        let described = described(&artifact, &package.manifest, &package.spec)?;
        let source = ArtifactSource::from(&StoredArtifact { artifact, origin });
        images.entry(subject).or_default().push(ShownArtifact { source, ..described });
    }
    if images.is_empty() && problems.is_empty() {
        log::warn!("nothing is attached to {image}");
    }
    Ok((by_image(images), problems))
}

fn by_image(images: BTreeMap<Digest, Vec<ShownArtifact>>) -> Vec<ShownImage> {
    images.into_iter().map(|(it, artifacts)| ShownImage { digest: it.to_string(), artifacts }).collect()
}

fn in_store(image: &str, folder: &Path) -> anyhow::Result<Vec<ShownImage>> {
    let store = Store::open(folder)?;
    let found = match &store {
        Some(store) => subjects(store, image)?,
        None => Vec::new(),
    };
    let Some(store) = store.filter(|_| !found.is_empty()) else {
        bail!(
            "the store {} has no artifact for image {image:?}: fetch what is attached to it with oci-compat pull",
            folder.display()
        );
    };
    let image = |subject: &Digest| {
        let artifacts = store.kept(subject)?.into_iter().map(|it| kept(&store, it));
        Ok(ShownImage { digest: subject.to_string(), artifacts: artifacts.collect::<anyhow::Result<_>>()? })
    };
    found.iter().map(image).collect()
}

fn kept(store: &Store, kept: StoredArtifact) -> anyhow::Result<ShownArtifact> {
    let source = ArtifactSource::from(&kept);
    let StoredArtifact { artifact, origin } = kept;
    let manifest = store.blob(&artifact.manifest, MAX_MANIFEST)?;
    let spec = store.blob(&artifact.spec.digest, MAX_SPEC)?;
    let fetched = origin.and_then(|it| it.fetched);
    Ok(ShownArtifact { fetched, source, ..described(&artifact, &manifest, &spec)? })
}

/// All that a layout has, by the image that it is about.
fn in_layout(layout: &str) -> anyhow::Result<Vec<ShownImage>> {
    let mut images: BTreeMap<Digest, Vec<ShownArtifact>> = BTreeMap::new();
    for found in layout::find(layout.as_ref(), None)? {
        let artifact = described(&found.artifact, &found.package.manifest, &found.package.spec)?;
        images.entry(found.subject).or_default().push(artifact);
    }
    Ok(by_image(images))
}

fn described(
    artifact: &oci_compat::store::Artifact,
    manifest: &[u8],
    bytes: &[u8],
) -> anyhow::Result<ShownArtifact> {
    #[derive(Deserialize)]
    struct Annotated {
        #[serde(default)]
        annotations: Option<BTreeMap<String, String>>,
    }
    let annotated: Annotated = serde_json::from_slice(manifest)
        .with_context(|| format!("reading manifest {}", artifact.manifest))?;
    let (sets, malformed) = match spec::parse(bytes) {
        Ok(spec) => (in_words(&spec), None),
        Err(err) => (Vec::new(), Some(err.to_string())),
    };
    Ok(ShownArtifact {
        digest: artifact.manifest.to_string(),
        kind: artifact.artifact_type.clone(),
        created: artifact.created.clone(),
        fetched: None,
        source: ArtifactSource::default(),
        annotations: annotated.annotations.unwrap_or_default(),
        malformed,
        sets,
    })
}

fn in_words(spec: &Spec) -> Vec<Demands> {
    let lines = |terms: &[Term]| terms.iter().flat_map(demands).collect::<Vec<_>>();
    let rule = |it: &spec::Rule| ShownRule {
        name: it.name.clone(),
        id: it.id.clone(),
        severity: match it.severity {
            Severity::Required => None,
            Severity::Recommended => Some("recommended"),
            Severity::Info => Some("info"),
        },
        when: it.when.as_ref().map(group_demands),
        demands: lines(&it.match_features).into_iter().chain(it.groups.iter().map(group_demands)).collect(),
        alternatives: it.match_any.iter().map(|it| lines(it)).collect(),
    };
    let set = |it: &Set| Demands {
        tag: it.tag.clone(),
        weight: it.weight,
        description: it.description.clone(),
        rules: it.rules.iter().map(rule).collect(),
    };
    spec.sets.iter().map(set).collect()
}

fn text(image: &ShownImage) -> String {
    let mut lines = vec![image.digest.clone()];
    for artifact in &image.artifacts {
        lines.push(format!("  artifact {}", artifact.digest));
        lines.extend(artifact.origin().map(|(what, it)| format!("    {what:<8} {}", printable(&it))));
        if let Some(reason) = &artifact.malformed {
            lines.push(format!("    its spec is malformed: {}", printable(reason)));
        }
        let several = artifact.sets.len() > 1;
        if several {
            lines.push("    one of these has to fit:".to_owned());
        }
        lines.extend(artifact.sets.iter().flat_map(|it| it.lines(several)));
    }
    lines.push(String::new());
    lines.join("\n")
}

impl ShownArtifact {
    fn origin(&self) -> impl Iterator<Item = (&'static str, String)> {
        let signed = self.source.signed();
        let from = self.source.place().map(|it| ("from", it));
        let made = self.created.clone().unwrap_or_else(|| "at an unknown time".to_owned());
        let makers =
            MAKERS.iter().filter_map(|(key, what)| Some((*what, self.annotations.get(*key)?.clone())));
        let fetched = self.fetched.clone().map(|it| ("fetched", it));
        [("made", made)].into_iter().chain(makers).chain(from).chain(fetched).chain([("signed", signed)])
    }
}

impl Demands {
    fn lines(&self, several: bool) -> Vec<String> {
        let mut lines = Vec::new();
        if several || !self.tag.is_empty() || !self.description.is_empty() {
            let tag = if self.tag.is_empty() { String::new() } else { format!(" {}", printable(&self.tag)) };
            let about = match self.description.trim() {
                "" => String::new(),
                text => format!(": {}", printable(text)),
            };
            lines.push(format!("    set{tag} (weight {}){about}", self.weight));
        }
        for rule in &self.rules {
            let name = if rule.name.is_empty() { &rule.id } else { &rule.name };
            let severity = rule.severity.map_or_else(String::new, |it| format!(" ({it})"));
            let when = rule.when.as_ref().map_or_else(String::new, |it| format!(", where {it}"));
            lines.push(printable(&format!("      rule {name}{severity}{when}")));
            lines.extend(rule.demands.iter().map(|it| format!("        {}", printable(it))));
            let several = rule.alternatives.len() > 1;
            for (at, alternative) in rule.alternatives.iter().enumerate() {
                let word = if several && at == 0 { "either" } else { "or" };
                lines.push(format!(
                    "        {} {}",
                    if several { word } else { "and" },
                    printable(&alternative.join(", and "))
                ));
            }
        }
        lines
    }
}
