//! Writes facts as a JSON document. Decides nothing: what is unknown is written as unknown.

use std::collections::BTreeMap;

use anyhow::Context;
use serde::Serialize;

use super::{Form, Host};
use crate::host::{Fact, Facts, Feature, Instance, feature};

#[derive(Debug, Default, Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Host>,
    flags: ByFeature<'a, BTreeMap<&'a str, Nothing>>,
    attributes: ByFeature<'a, &'a BTreeMap<String, String>>,
    instances: ByFeature<'a, Vec<Element<'a>>>,
    /// What NFD's shape cannot say.
    #[serde(flatten)]
    ours: Option<Ours<'a>>,
}

type ByFeature<'a, T> = BTreeMap<&'a str, Elements<T>>;

#[derive(Debug, Serialize)]
struct Elements<T> {
    elements: T,
}

/// A flag has no value: `{}`.
#[derive(Debug, Serialize)]
struct Nothing {}

#[derive(Debug, Serialize)]
struct Element<'a> {
    attributes: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<&'a str>,
}

#[derive(Debug, Default, Serialize)]
struct Ours<'a> {
    absent: BTreeMap<&'a str, Place<'a>>,
    unknown: BTreeMap<&'a str, Place<'a>>,
    read: BTreeMap<&'a str, &'a str>,
}

#[derive(Debug, Serialize)]
struct Place<'a> {
    read: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl Facts {
    /// The facts as indented JSON, names in order.
    ///
    /// NFD's form has no place for doubt: of a feature that is incomplete it holds what is known.
    ///
    /// # Errors
    ///
    /// None that facts could bring about: only such as the JSON library itself may report.
    pub fn to_json(&self, form: Form) -> anyhow::Result<String> {
        let document = match form {
            Form::Full => self.full(),
            Form::Nfd => self.nfd(),
        };
        serde_json::to_string_pretty(&document).context("writing facts document")
    }

    fn full(&self) -> Document<'_> {
        let mut document = Document { host: self.origin.clone().map(Host::from), ..Document::default() };
        let mut ours = Ours::default();
        for (name, fact) in self.iter() {
            let unknown = match fact {
                Fact::Known(feature, read) => {
                    document.add(name, feature, Form::Full);
                    ours.read.insert(name, read);
                    feature.incomplete.as_ref()
                }
                Fact::Absent(read) => {
                    ours.absent.insert(name, Place { read, reason: None });
                    None
                }
                Fact::Unknown(unknown) => Some(unknown),
            };
            if let Some(unknown) = unknown {
                ours.unknown.insert(name, Place { read: &unknown.read, reason: Some(&unknown.reason) });
            }
        }
        document.ours = Some(ours);
        document
    }

    fn nfd(&self) -> Document<'_> {
        let mut document = Document::default();
        for (name, fact) in self.iter() {
            match fact {
                Fact::Known(known, _) if feature(name).is_some_and(|it| it.nfd) => {
                    document.add(name, known, Form::Nfd);
                }
                Fact::Known(..) | Fact::Absent(_) | Fact::Unknown(_) => {}
            }
        }
        document
    }
}

impl<'a> Document<'a> {
    fn add(&mut self, name: &'a str, feature: &'a Feature, form: Form) {
        if let Some(flags) = &feature.flags {
            let elements = flags.iter().map(|it| (it.as_str(), Nothing {})).collect();
            self.flags.insert(name, Elements { elements });
        }
        if let Some(elements) = &feature.attributes {
            self.attributes.insert(name, Elements { elements });
        }
        if let Some(instances) = &feature.instances {
            let elements = instances.iter().map(|it| element(it, form)).collect();
            self.instances.insert(name, Elements { elements });
        }
    }
}

fn element(instance: &Instance, form: Form) -> Element<'_> {
    let read = match form {
        Form::Full => instance.read.as_deref(),
        Form::Nfd => None,
    };
    Element { attributes: &instance.attributes, read }
}
