//! Turns the bytes of a compatibility specification into rules that cannot be wrong. Never looks at a host.

mod problem;
mod yaml;
mod budget;
mod quantity;
mod release;
mod condition;
mod reader;
mod shape;
mod nfd;
pub mod formats;
pub mod compiled;
mod pattern;
mod template;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::words::version::Version;

pub use budget::{LEAST_MOST_TEXT, MAX_STEPS, Text, most_text, steps, text_of};
pub use condition::{Comparator, Comparison, Condition, Property};
pub use pattern::{Pattern, PatternError};
pub use problem::{Malformed, Place, Problem};
pub use quantity::Quantity;
pub use release::Release;
pub use template::{Matched, Template, TemplateError};

/// Reads a spec in NFD's language or our own. [`formats::parse`] reads all formats.
///
/// # Errors
///
/// All that is wrong with it, each with line and column; what a host would never reach is wrong all the same.
pub fn parse(bytes: &[u8]) -> Result<Spec, Malformed> {
    nfd::read(&yaml::parse(bytes)?)
}

/// As [`parse`], and what could be read of a spec with errors: what is left of it demands less than its author meant.
pub fn parse_partly(bytes: &[u8]) -> (Option<Spec>, Option<Malformed>) {
    match yaml::parse(bytes) {
        Ok(document) => nfd::read_partly(&document),
        Err(malformed) => (None, Some(malformed)),
    }
}

/// The format of a document that [`parse`] does not read and [`formats::parse`] does; none for any other document.
pub fn proposed(bytes: &[u8]) -> Option<Language> {
    shape::proposed(&yaml::parse(bytes).ok()?)
}

/// What an image demands: alternatives; one must fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Whose language it is written in.
    #[serde(default, skip_serializing_if = "is_default")]
    pub language: Language,
    /// The alternatives, in the order of the document.
    pub sets: Vec<Set>,
}

/// Whose language a spec is written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    /// Node Feature Discovery's, `version: v1alpha1`.
    #[default]
    Nfd,
    /// NFD's with what it cannot say, `version: oci-compat/v1`.
    Own,
    /// Proposal B of the OCI image-compatibility working group: compatibilities and graphs.
    B,
    /// Proposal D: groups of names and values, in a list.
    D,
    /// Proposal F: groups of names and values, by name.
    F,
    /// Proposal H: flat sets with intervals and a score.
    H,
}

impl Language {
    /// Whether it is one of the OCI working group's, which only [`formats`] reads.
    pub fn is_proposed(self) -> bool {
        match self {
            Self::Nfd | Self::Own => false,
            Self::B | Self::D | Self::F | Self::H => true,
        }
    }

    /// As messages call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Nfd => "v1alpha1",
            Self::Own => "oci-compat/v1",
            Self::B => "proposal B of the OCI working group",
            Self::D => "proposal D of the OCI working group",
            Self::F => "proposal F of the OCI working group",
            Self::H => "proposal H of the OCI working group",
        }
    }
}

fn is_default<T: Default + PartialEq>(it: &T) -> bool {
    *it == T::default()
}

/// One alternative (NFD: a compatibility set): fits if all its rules hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Set {
    /// A name by which callers select sets; often empty.
    pub tag: String,
    /// Preference among sets that fit: the heavier is preferred.
    pub weight: i64,
    /// What the author says about it.
    pub description: String,
    /// All of them must hold.
    pub rules: Vec<Rule>,
    /// Where the set starts.
    pub at: Place,
}

/// A named group of terms (NFD: `GroupRule`): `matchFeatures` hold, at least one of `matchAny` if there are any, and the
/// groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// For reports only: may be empty, need not be unique.
    pub name: String,
    /// What becomes of an image whose rule does not hold. Ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub severity: Severity,
    /// By which waivers name it: unique in its set, or empty. Ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub id: String,
    /// What would mend it, in the author's words; may be empty. Ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remedy: String,
    /// Where to read more; may be empty. Ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub docs: String,
    /// The rule counts only where this holds. Ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub when: Option<Group>,
    /// All of them must hold. Ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub groups: Vec<Group>,
    /// Published as attributes of `rule.matched` when the rule holds.
    pub vars: BTreeMap<String, String>,
    /// Makes further such attributes out of what the terms matched.
    pub vars_template: Option<Template>,
    /// All of them must hold.
    pub match_features: Vec<Term>,
    /// Alternatives, each a list of terms that must all hold.
    pub match_any: Vec<Vec<Term>>,
    /// Where the rule starts.
    pub at: Place,
}

/// What becomes of an image one of whose rules does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// It does not fit.
    #[default]
    Required,
    /// It fits, and that is reported.
    Recommended,
    /// It fits; only the report says so.
    Info,
}

/// Conditions within each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Group {
    /// All terms hold.
    Terms(Vec<Term>),
    /// All hold.
    All(Vec<Group>),
    /// At least one holds.
    Any(Vec<Group>),
    /// It does not hold.
    Not(Box<Group>),
    /// It holds. Its author has a name for it, which reports show. Only proposal B has such names.
    Named {
        /// The name.
        name: String,
        /// What has to hold.
        group: Box<Group>,
    },
    /// It holds for each GPU by itself. No document says so: it is for conditions of `NVIDIA_REQUIRE_*`.
    EachGpu {
        /// What has to hold.
        group: Box<Group>,
        /// How many of the host's GPUs it is about, if not all of them: which ones, is not known.
        some: Option<usize>,
    },
}

impl Group {
    /// All terms within, in the order of the document.
    pub fn terms(&self) -> Vec<&Term> {
        match self {
            Self::Terms(terms) => terms.iter().collect(),
            Self::All(groups) | Self::Any(groups) => groups.iter().flat_map(Self::terms).collect(),
            Self::Not(group) | Self::Named { group, .. } | Self::EachGpu { group, .. } => group.terms(),
        }
    }
}

impl Rule {
    /// What to call it: its name, else its id; empty if it has neither.
    pub fn title(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }

    /// All terms, wherever they stand.
    pub fn terms(&self) -> impl Iterator<Item = &Term> {
        let groups = self.when.iter().chain(&self.groups).flat_map(Group::terms);
        self.match_features.iter().chain(self.match_any.iter().flatten()).chain(groups)
    }
}

/// What is demanded of one feature (NFD: `FeatureMatcherTerm`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Term {
    /// As the author wrote it; looked up in lower case, as NFD does.
    pub feature: String,
    /// Demands on named elements. `Some` and empty is not `None`: see NFD's `MatchMulti`.
    pub expressions: Option<Vec<(String, Expression)>>,
    /// A demand on the names of elements: at least one name has to meet it.
    pub name: Option<Expression>,
    /// A demand on how many instances there are that meet `expressions`. Ours.
    #[serde(default, skip_serializing_if = "is_default")]
    pub count: Option<Expression>,
    /// Where the term starts.
    pub at: Place,
}

/// One test, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Expression {
    /// What is tested.
    pub test: Test,
    /// Where: the element's name for `matchExpressions`, the operator's mapping for `matchName`.
    pub at: Place,
}

/// An operator with operands that fit it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Test {
    /// The empty operator: always true.
    Any,
    /// The element is there.
    Exists,
    /// The element is not there.
    DoesNotExist,
    /// The value is one of these, to the byte.
    In(Vec<String>),
    /// The value is none of these. False for an element that is not there.
    NotIn(Vec<String>),
    /// One of these patterns occurs in the value.
    InRegexp(Vec<Pattern>),
    /// The value as an integer lies within the bound.
    Integer(Bound<i128>),
    /// The value has as many integers, separated by spaces, and each lies within its bound.
    Integers(Vec<Bound<i128>>),
    /// The value as a version lies within the bound.
    Version(Bound<Version>),
    /// The value is `true`.
    IsTrue,
    /// The value is `false`.
    IsFalse,
    /// The value is `y` or `m`, as of a kernel option. Ours.
    Enabled,
    /// The value as a size or a time lies within the bound. Ours.
    Quantity(Bound<Quantity>),
    /// The value as a build of a distribution lies within the bound. Ours.
    Release(Bound<Release>),
    /// A condition of `NVIDIA_REQUIRE_*` holds. No document says so.
    Nvidia(Condition),
}

/// All integers of 64 bits, with a sign or without.
pub const INTEGERS: std::ops::RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;

/// A bound on an ordered value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Bound<T> {
    /// Greater.
    Gt(T),
    /// Greater or equal.
    Ge(T),
    /// Less.
    Lt(T),
    /// Less or equal.
    Le(T),
    /// Between, without the ends.
    GtLt(T, T),
    /// Between, the ends included.
    GeLe(T, T),
    /// Less than the first or greater than the second. Ours.
    Outside(T, T),
}

impl<T: PartialOrd> Bound<T> {
    /// Whether the value lies within.
    pub fn holds(&self, value: &T) -> bool {
        match self {
            Self::Gt(low) => value > low,
            Self::Ge(low) => value >= low,
            Self::Lt(high) => value < high,
            Self::Le(high) => value <= high,
            Self::GtLt(low, high) => low < value && value < high,
            Self::GeLe(low, high) => low <= value && value <= high,
            Self::Outside(low, high) => value < low || high < value,
        }
    }

    /// As [`Self::holds`], for values that cannot always be compared: none if so.
    pub fn holds_for(&self, compare: impl Fn(&T) -> Option<Ordering>) -> Option<bool> {
        Some(match self {
            Self::Gt(low) => compare(low)?.is_gt(),
            Self::Ge(low) => compare(low)?.is_ge(),
            Self::Lt(high) => compare(high)?.is_lt(),
            Self::Le(high) => compare(high)?.is_le(),
            Self::GtLt(low, high) => compare(low)?.is_gt() && compare(high)?.is_lt(),
            Self::GeLe(low, high) => compare(low)?.is_ge() && compare(high)?.is_le(),
            Self::Outside(low, high) => compare(low)?.is_lt() || compare(high)?.is_gt(),
        })
    }
}
