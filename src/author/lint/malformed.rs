//! The errors of a spec as remarks. The parser's sentences tell the kinds apart: the hook links the parser, and needs no codes.

use super::codes::LintCode::{self, *};
use super::source::SpecText;
use super::{LintFound, LintRemark};
use crate::spec::{Malformed, Problem};

/// What the sentences of each kind have in common. The first that fits counts.
const KINDS: [(&str, LintCode); 40] = [
    ("YAML takes ", YamlAmbiguous),
    ("needs `version: oci-compat/v1`", NeedsOwnLanguage),
    ("versions are compared by their numbers", VersionSuffix),
    ("too large when compiled", TooExpensive),
    ("the patterns up to ", TooExpensive),
    ("the rules up to this one take", TooExpensive),
    ("the document unfolds into", TooExpensive),
    ("; a spec has at most ", TooExpensive),
    ("in the template, at ", BadTemplate),
    ("is not a regular expression", BadPattern),
    ("nothing lies in the interval", EmptyInterval),
    ("no integer lies between", EmptyInterval),
    ("there is no op ", UnknownOperator),
    ("has no field ", UnknownField),
    ("the document is empty", NotASpec),
    (" and no spec", NotASpec),
    ("this is in no format of a spec", NotASpec),
    ("but has to be ", WrongKind),
    ("is not known; write ", WrongKind),
    ("takes no value, but has ", WrongOperands),
    ("needs exactly ", WrongOperands),
    ("needs a `value` list", WrongOperands),
    ("needs a lower and a higher end", WrongOperands),
    ("is not an integer", WrongOperands),
    ("is not a version", WrongOperands),
    ("is not a quantity", WrongOperands),
    ("is not a build of a kernel", WrongOperands),
    ("`count` co", WrongOperands),
    ("it needs at least one group", MissingField),
    ("demands nothing; it needs one of", MissingField),
    (" needs `", MissingField),
    ("this is not valid YAML", YamlSyntax),
    ("this is not valid JSON", YamlSyntax),
    ("the document is not UTF-8", YamlSyntax),
    ("a second document starts here", YamlSyntax),
    ("a spec has no YAML directives", YamlSyntax),
    ("a spec has no tags", YamlSyntax),
    ("values are nested deeper", YamlSyntax),
    ("`<<` merges", YamlSyntax),
    ("this alias is part of", YamlSyntax),
];

/// All errors, with their codes, and the right spelling where that is certain.
pub(super) fn remarks(malformed: &Malformed, source: &SpecText<'_>) -> Vec<LintRemark> {
    malformed.iter().map(|it| remark(it, source)).collect()
}

fn remark(problem: &Problem, source: &SpecText<'_>) -> LintRemark {
    let message = problem.message.as_str();
    let code = KINDS.iter().find(|(part, _)| message.contains(part)).map_or(OtherError, |(_, code)| *code);
    let (message, help) = match message.rsplit_once("; ") {
        Some((message, help)) => (message, Some(help.to_owned())),
        None => (message, None),
    };
    let spelling = spelling(code, problem, source);
    LintFound { help, spelling, ..LintFound::new(code, message) }.at(problem.at)
}

/// How a name is written rightly; for values of another kind see [`super::fix`].
fn spelling(code: LintCode, problem: &Problem, source: &SpecText<'_>) -> Option<String> {
    let meant = || problem.message.split("; did you mean `").nth(1)?.strip_suffix("`?");
    let written = source.scalar(problem.at)?.text.as_str();
    let is_alike = |it: &&str| alike(it) == alike(written);
    let right = match code == UnknownField {
        true => meant().filter(is_alike),
        // The parser knows what other languages call them: only a typing error has to be left to the author.
        false => meant().filter(|it| is_alike(it) || is_other_language(written)),
    };
    right.filter(|_| matches!(code, UnknownField | UnknownOperator)).map(str::to_owned)
}

/// A name without what people write differently: case, hyphens, underscores and a plural.
fn alike(name: &str) -> String {
    let lower: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    lower.to_ascii_lowercase().trim_end_matches('s').to_owned()
}

/// Comparisons as other languages write them, which mean the same.
fn is_other_language(operator: &str) -> bool {
    let lower = operator.to_ascii_lowercase();
    ["gte", "geq", ">=", "lte", "leq", "<=", ">", "<", "=", "==", "eq", "equals", "!=", "ne", "neq"]
        .contains(&lower.as_str())
}
