//! Facts about a host, each known, or unknown with a reason. Plain data; reads nothing.

use std::collections::{BTreeMap, BTreeSet};

/// A feature as read on a host (NFD's data model): what holds it, and where that was read.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// We looked, and this is what there is; it may be empty.
    Known(Feature, Source),
    /// We looked, and this host has no such feature: NFD leaves it out of its documents.
    Absent(Source),
    /// We could not look.
    Unknown(Unknown),
}

/// Where something was read: a path, or an instruction such as `CPUID`.
pub type Source = String;

/// Why a fact is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// Where we tried to read it.
    pub read: Source,
    /// What went wrong, without the phrases that container engines treat specially.
    pub reason: String,
}

/// The elements of one feature; a feature may hold elements of several kinds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Feature {
    /// Names that are simply there.
    pub flags: Option<BTreeSet<String>>,
    /// Names with a value.
    pub attributes: Option<BTreeMap<String, String>>,
    /// Things of one sort, such as devices.
    pub instances: Option<Vec<Instance>>,
    /// If some elements could not be read: those listed are there, others may be.
    pub incomplete: Option<Unknown>,
    /// Elements that were looked for and are not there, although others could not be read.
    pub missing: BTreeSet<String>,
    /// Elements whose values are in files that only root may read: rules may use them, and engines' messages do not show
    /// them.
    pub secret: BTreeSet<String>,
    /// Elements that may be there or not, and why only these are unknown.
    pub doubtful: BTreeMap<String, Unknown>,
}

/// One device, mount, or the like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Instance {
    /// What it is like.
    pub attributes: BTreeMap<String, String>,
    /// Where it was read, if that is more exact than the feature's source.
    pub read: Option<Source>,
}

impl Unknown {
    /// Could not be read there, for this reason.
    pub fn new(read: impl Into<Source>, reason: impl Into<String>) -> Self {
        Self { read: read.into(), reason: reason.into() }
    }
}

impl Feature {
    /// A feature that holds flags.
    pub fn flags<T: Into<String>>(names: impl IntoIterator<Item = T>) -> Self {
        Self { flags: Some(names.into_iter().map(Into::into).collect()), ..Self::default() }
    }

    /// A feature that holds attributes.
    pub fn attributes<K: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let pairs = pairs.into_iter().map(|(key, value)| (key.into(), value.into()));
        Self { attributes: Some(pairs.collect()), ..Self::default() }
    }

    /// A feature that holds instances.
    pub fn instances(instances: Vec<Instance>) -> Self {
        Self { instances: Some(instances), ..Self::default() }
    }
}

/// Which elements of a feature the rules name; probes read no more than that where more would cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Elements (of flags and attributes) or attributes (of instances) with these names. Of features whose instances
    /// are read one by one, also which: `KEY=NAME`, and `KEY` by itself if some rule names none, so that all count.
    Names(BTreeSet<String>),
}

impl Wanted {
    /// Whether an element of this name is wanted.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Names(names) => names.contains(name),
        }
    }

    /// Whether the rules name all the instances that they are about (see [`Wanted::keys`]): no other has to be read.
    pub fn is_by_key(&self, key: &str) -> bool {
        match self {
            Self::All => false,
            Self::Names(names) => !names.contains(key),
        }
    }

    /// The instances that rules name by this attribute, such as the `/dev/kvm` of `path: {op: In, value: [/dev/kvm]}`.
    /// Strangers wrote them.
    pub fn keys<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let names = match self {
            Self::All => None,
            Self::Names(names) => Some(names),
        };
        names.into_iter().flatten().filter_map(move |it| it.strip_prefix(key)?.strip_prefix('='))
    }
}

/// What has to be read to judge some rules: features in lower case, and which of their elements.
pub type FeatureDemand = BTreeMap<String, Wanted>;
