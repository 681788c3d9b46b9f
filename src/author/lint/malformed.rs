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
    let code = code(message);
    let (message, help) = match message.rsplit_once("; ") {
        Some((message, help)) => (message, Some(help.to_owned())),
        None => (message, None),
    };
    let spelling = spelling(code, problem, source);
    LintFound { help, spelling, ..LintFound::new(code, message) }.at(problem.at)
}

fn code(message: &str) -> LintCode {
    KINDS.iter().find(|(part, _)| message.contains(part)).map_or(OtherError, |(_, code)| *code)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The parser's own tests: all messages stand there.
    const TESTS: [&str; 3] = [
        include_str!("../../spec/nfd/tests.rs"),
        include_str!("../../spec/nfd/own.rs"),
        include_str!("../../spec/yaml/tests.rs"),
    ];
    /// Errors that have no code of their own.
    const OTHER: [&str; 3] = [" stands here twice, ", "a key has to be text", "; each needs its own"];

    #[test]
    fn every_message_of_the_parser_has_its_code() {
        let mut count = 0;
        for message in TESTS.iter().flat_map(|it| messages(it)) {
            count += 1;
            let is_other = OTHER.iter().any(|it| message.contains(it));
            assert_eq!(code(&message) == OtherError, is_other, "{message}");
        }
        assert!(100 < count, "{count} messages");
    }

    /// The texts in Rust's source that start with a place and are not made of parts.
    fn messages(source: &str) -> Vec<String> {
        let joined = source.replace("\\\n", "\u{0}").replace("\\\"", "\u{1}");
        let texts = joined.split('"').skip(1).step_by(2);
        let whole = texts.filter_map(|it| {
            let (place, message) = it.split_once(": ")?;
            let is_place =
                place.split(':').count() == 2 && place.bytes().all(|it| it.is_ascii_digit() || it == b':');
            (is_place && !message.contains('{')).then_some(message)
        });
        let lines = |it: &str| it.split('\u{0}').map(str::trim_start).collect::<String>();
        whole.map(|it| lines(it).replace('\u{1}', "\"")).collect()
    }
}
