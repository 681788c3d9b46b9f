//! Writes facts as a JSON document. Decides nothing: what is unknown is written as unknown.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde::{Serialize, Serializer};

use super::{DocumentForm, DocumentHost};
use crate::host::kernel::version;
use crate::host::{Fact, Facts, Feature, FeatureInfo, Instance, Unknown, feature};

#[derive(Debug, Default, Serialize)]
struct WrittenDocument<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<DocumentHost>,
    flags: WrittenByFeature<'a, WrittenFlags<'a>>,
    attributes: WrittenByFeature<'a, WrittenAttributes<'a>>,
    instances: WrittenByFeature<'a, Vec<WrittenElement<'a>>>,
    /// What NFD's shape cannot say.
    #[serde(flatten)]
    ours: Option<Ours<'a>>,
}

type WrittenByFeature<'a, T> = BTreeMap<&'a str, WrittenElements<T>>;

#[derive(Debug, Serialize)]
struct WrittenElements<T> {
    elements: T,
}

/// Written one by one: a kernel has some thousand options, and a second map of them would cost as much as reading them.
#[derive(Debug)]
struct WrittenFlags<'a>(&'a BTreeSet<String>, WrittenPart);

impl Serialize for WrittenFlags<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|it| self.1.has(it)).map(|it| (it, Nothing {})))
    }
}

/// A flag has no value: `{}`.
#[derive(Debug, Serialize)]
struct Nothing {}

#[derive(Debug)]
struct WrittenAttributes<'a>(&'a BTreeMap<String, String>, WrittenPart);

impl Serialize for WrittenAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(name, _)| self.1.has(name)))
    }
}

#[derive(Debug, Serialize)]
struct WrittenElement<'a> {
    attributes: WrittenAttributes<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
struct Ours<'a> {
    absent: BTreeMap<&'a str, WrittenPlace<'a>>,
    unknown: BTreeMap<&'a str, WrittenPlace<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    missing: BTreeMap<&'a str, Vec<&'a str>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    doubtful: BTreeMap<&'a str, BTreeMap<&'a str, WrittenPlace<'a>>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secret: BTreeMap<&'a str, &'a BTreeSet<String>>,
    read: BTreeMap<&'a str, &'a str>,
}

#[derive(Debug, Serialize)]
struct WrittenPlace<'a> {
    read: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> WrittenPlace<'a> {
    fn of(unknown: &'a Unknown) -> Self {
        Self { read: &unknown.read, reason: Some(&unknown.reason) }
    }
}

impl Facts {
    /// The facts as indented JSON, names in order.
    ///
    /// NFD's form has no place for doubt: of a feature that is incomplete it holds what is known.
    ///
    /// # Errors
    ///
    /// None that facts could bring about: only such as the JSON library itself may report.
    pub fn to_json(&self, form: DocumentForm) -> anyhow::Result<String> {
        let version = match self.get(version::FEATURE.name) {
            Fact::Known(feature, _) => version::as_nfd(feature),
            Fact::Absent(_) | Fact::Unknown(_) => Feature::default(),
        };
        let document = match form {
            DocumentForm::Full => self.full(),
            DocumentForm::Nfd => self.nfd(&version),
        };
        serde_json::to_string_pretty(&document).context("writing facts document")
    }

    fn full(&self) -> WrittenDocument<'_> {
        let mut document = WrittenDocument {
            host: self.origin.clone().map(DocumentHost::from),
            ..WrittenDocument::default()
        };
        let mut ours = Ours::default();
        for (name, fact) in self.iter() {
            let unknown = match fact {
                Fact::Known(feature, read) => {
                    document.add(name, feature, WrittenPart::All);
                    ours.read.insert(name, read);
                    // Of what could be read as a whole, that goes without saying.
                    if feature.incomplete.is_some() && !feature.missing.is_empty() {
                        ours.missing.insert(name, feature.missing.iter().map(String::as_str).collect());
                    }
                    let doubtful =
                        feature.doubtful.iter().map(|(name, it)| (name.as_str(), WrittenPlace::of(it)));
                    if !feature.doubtful.is_empty() {
                        ours.doubtful.insert(name, doubtful.collect());
                    }
                    if !feature.secret.is_empty() {
                        ours.secret.insert(name, &feature.secret);
                    }
                    feature.incomplete.as_ref()
                }
                Fact::Absent(read) => {
                    ours.absent.insert(name, WrittenPlace { read, reason: None });
                    None
                }
                Fact::Unknown(unknown) => Some(unknown),
            };
            if let Some(unknown) = unknown {
                ours.unknown.insert(name, WrittenPlace::of(unknown));
            }
        }
        document.ours = Some(ours);
        document
    }

    fn nfd<'a>(&'a self, version: &'a Feature) -> WrittenDocument<'a> {
        let mut document = WrittenDocument::default();
        for (name, fact) in self.iter() {
            let info = feature(name).filter(|it| it.nfd);
            if let (Fact::Known(known, _), Some(info)) = (fact, info) {
                let known = if name == version::FEATURE.name { version } else { known };
                document.add(name, known, WrittenPart::Nfd(info));
            }
        }
        document
    }
}

/// What of a feature is written.
#[derive(Debug, Clone, Copy)]
enum WrittenPart {
    All,
    /// What NFD has too.
    Nfd(&'static FeatureInfo),
}

impl WrittenPart {
    fn is_whole(self) -> bool {
        matches!(self, Self::All)
    }

    fn has(self, element: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nfd(info) => !info.is_beyond_nfd(element),
        }
    }

    fn element<'a>(self, instance: &'a Instance) -> WrittenElement<'a> {
        let read = match self {
            Self::All => instance.read.as_deref(),
            Self::Nfd(_) => None,
        };
        WrittenElement { attributes: WrittenAttributes(&instance.attributes, self), read }
    }
}

impl<'a> WrittenDocument<'a> {
    fn add(&mut self, name: &'a str, feature: &'a Feature, part: WrittenPart) {
        // Where nothing is known of a feature but which elements it lacks, NFD has no such feature.
        let is_nothing = |it: &BTreeSet<String>| it.is_empty() && feature.incomplete.is_some();
        if let Some(flags) = feature.flags.as_ref().filter(|it| part.is_whole() || !is_nothing(it)) {
            self.flags.insert(name, WrittenElements { elements: WrittenFlags(flags, part) });
        }
        if let Some(attributes) = &feature.attributes {
            self.attributes.insert(name, WrittenElements { elements: WrittenAttributes(attributes, part) });
        }
        if let Some(instances) = &feature.instances {
            let elements = instances.iter().map(|it| part.element(it)).collect();
            self.instances.insert(name, WrittenElements { elements });
        }
    }
}
