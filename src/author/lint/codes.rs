//! The codes of what `lint` finds: what each means, with an example. A name never changes its meaning.

/// How much a remark matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemarkLevel {
    /// The spec is malformed.
    Error,
    /// Probably not meant.
    Warning,
    /// Meant well, but other tools will not understand it, or people could be told more.
    Note,
}

impl RemarkLevel {
    /// The word before a message.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// What kind of mistake a remark is about. The names are interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LintCode {
    /// The document cannot be read as YAML.
    YamlSyntax,
    /// YAML reads text as something else.
    YamlAmbiguous,
    /// The document is no spec.
    NotASpec,
    /// A field does not exist here.
    UnknownField,
    /// A field is missing.
    MissingField,
    /// A value is of the wrong kind.
    WrongKind,
    /// An operator does not exist.
    UnknownOperator,
    /// An operator has the wrong values.
    WrongOperands,
    /// A pattern is none.
    BadPattern,
    /// A template is none.
    BadTemplate,
    /// Nothing lies in an interval.
    EmptyInterval,
    /// The end of a version would be ignored.
    VersionSuffix,
    /// Only our own language has this.
    NeedsOwnLanguage,
    /// The spec takes too much to read or to judge.
    TooExpensive,
    /// Any other error.
    OtherError,
    /// Something demands nothing.
    DemandsNothing,
    /// A demand holds on every host.
    AlwaysHolds,
    /// A demand holds on no host.
    NeverHolds,
    /// Demands exclude each other.
    Contradiction,
    /// A set never becomes the best one.
    SetNeverWins,
    /// Something is demanded twice.
    DuplicateRule,
    /// A stricter demand says it already.
    ShadowedRule,
    /// No probe knows the feature.
    UnknownFeature,
    /// The feature never has the element.
    UnknownElement,
    /// Hosts spell the name otherwise.
    MisspelledName,
    /// Hosts never have the value.
    ImpossibleValue,
    /// The test does not fit what it is applied to.
    WrongTest,
    /// The numbers of a version are compared one by one.
    VersionParts,
    /// `NotIn` over several things does not mean none.
    NegativeInstances,
    /// No earlier rule publishes the variable.
    DanglingReference,
    /// A template that is never expanded.
    UnusedTemplate,
    /// A pattern costs more than it has to.
    ExpensivePattern,
    /// Something of another document cannot be said by a spec.
    LeftOut,
    /// Node Feature Discovery does not know it.
    NotInNfd,
    /// A version is asked where a feature is meant.
    VersionForFeature,
    /// People are not told what this is about.
    MissingDescription,
}

/// A code, described.
#[derive(Debug, Clone, Copy)]
pub struct LintInfo {
    /// The code.
    pub code: LintCode,
    /// Its name.
    pub name: &'static str,
    /// How much it matters.
    pub level: RemarkLevel,
    /// What it means, and what to do.
    pub meaning: &'static str,
    /// Rules of a set that get it, as YAML; a whole document if it starts with `version:`.
    pub wrong: &'static str,
    /// The same without it.
    pub right: &'static str,
}

impl LintCode {
    /// Its description.
    pub fn info(self) -> &'static LintInfo {
        // Each has its line: a test says so.
        super::LINT_CODES.iter().find(|it| it.code == self).unwrap_or(&super::table::OTHER)
    }
}
