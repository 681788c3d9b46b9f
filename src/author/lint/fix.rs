//! Mends what is certain: quotes, names, case and units. Leaves every other byte as it is.

use std::ops::Range;

use saphyr_parser::ScalarStyle;

use super::codes::LintCode::{WrongKind, YamlAmbiguous};
use super::source::{Scalar, SpecText};
use super::{LintRemark, RemarkLevel, check};

/// What is mended may show more.
const PASSES: usize = 8;
/// If all corrections together do not fit, so many are tried one by one.
const SINGLES: usize = 64;

/// A document with corrections.
#[derive(Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The document.
    pub text: String,
    /// How many corrections were made.
    pub count: usize,
}

/// Makes all corrections that are certain, until there are no more.
pub fn fix(text: &str) -> Fixed {
    let mut fixed = Fixed { text: text.to_owned(), count: 0 };
    for _ in 0..PASSES {
        let source = SpecText::new(&fixed.text);
        let (corrections, errors) = corrections(&source);
        let Some((text, count)) = apply(&fixed.text, corrections, errors) else { break };
        fixed = Fixed { text, count: fixed.count + count };
    }
    fixed
}

/// Bytes and what they become.
#[derive(Debug, Clone)]
struct Correction {
    range: Range<usize>,
    text: String,
}

/// What can be corrected, in the order of the document, and how many errors there are.
fn corrections(source: &SpecText<'_>) -> (Vec<Correction>, usize) {
    let remarks = check(source.text().as_bytes(), source);
    let errors = remarks.iter().filter(|it| it.level() == RemarkLevel::Error).count();
    let mut corrections: Vec<_> = remarks.iter().filter_map(|it| correction(it, source)).collect();
    corrections.sort_by_key(|it| (it.range.start, it.range.end));
    // One value may be wrong in two ways: the next pass finds the other.
    corrections.dedup_by(|next, before| next.range.start < before.range.end);
    (corrections, errors)
}

/// Whether quotes or brackets are all that is missing.
pub(super) fn is_of_quotes(remark: &LintRemark) -> bool {
    let message = remark.sentence();
    let is_number = message.ends_with("without quotes") && message.contains(": write ");
    remark.code == YamlAmbiguous
        || (remark.code == WrongKind && (is_number || message.starts_with("`value` is \"")))
}

fn correction(remark: &LintRemark, source: &SpecText<'_>) -> Option<Correction> {
    let scalar = source.about(remark)?;
    let written = source.text().get(scalar.range.clone())?;
    if !is_whole(scalar, written) {
        return None;
    }
    let text = match (&remark.spelling, remark.code) {
        (Some(right), _) => respelled(scalar, right)?,
        (None, YamlAmbiguous) if scalar.style == ScalarStyle::Plain => double_quoted(&scalar.text)?,
        (None, WrongKind) if !is_of_quotes(remark) => return None,
        (None, WrongKind) if remark.message.ends_with("without quotes") => scalar.text.clone(),
        (None, WrongKind) if scalar.style == ScalarStyle::Plain => {
            format!("[{}]", double_quoted(&scalar.text)?)
        }
        (None, WrongKind) => format!("[{written}]"),
        (None, _) => return None,
    };
    Some(Correction { range: scalar.range.clone(), text })
}

/// Whether these bytes are the scalar on one line and nothing else, so that no other byte is lost with them.
fn is_whole(scalar: &Scalar, written: &str) -> bool {
    let is_quoted =
        |quote: char| 2 <= written.len() && written.starts_with(quote) && written.ends_with(quote);
    !written.contains(['\n', '\r'])
        && match scalar.style {
            ScalarStyle::Plain => written == scalar.text,
            ScalarStyle::SingleQuoted => is_quoted('\''),
            ScalarStyle::DoubleQuoted => is_quoted('"'),
            ScalarStyle::Literal | ScalarStyle::Folded => false,
        }
}

/// Another text in the same quotes; with quotes if YAML could take it for something else.
fn respelled(scalar: &Scalar, right: &str) -> Option<String> {
    if scalar.style == ScalarStyle::SingleQuoted && !right.contains('\'') {
        return Some(format!("'{right}'"));
    }
    match scalar.style == ScalarStyle::Plain && is_plain(right) {
        true => Some(right.to_owned()),
        false => double_quoted(right),
    }
}

fn double_quoted(text: &str) -> Option<String> {
    let needs_escape = |it: char| it == '"' || it == '\\' || it.is_control();
    (!text.contains(needs_escape)).then(|| format!("\"{text}\""))
}

/// Whether every reader of YAML takes it for text: fewer than they do, for quotes are always right.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "null", "false"];
    text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '/')
        && text.bytes().all(|it| it.is_ascii_alphanumeric() || b"_./-".contains(&it))
        && !WORDS.iter().any(|it| it.eq_ignore_ascii_case(text))
        && !text.eq_ignore_ascii_case("true")
}

/// The text with as many corrections as leave no more errors than there were; none if none does.
fn apply(text: &str, corrections: Vec<Correction>, errors: usize) -> Option<(String, usize)> {
    if corrections.is_empty() {
        return None;
    }
    let all = replaced(text, &corrections)?;
    if is_better(&all, errors) {
        return Some((all, corrections.len()));
    }
    let (mut kept, mut count) = (Vec::new(), 0);
    for correction in corrections.into_iter().take(SINGLES) {
        kept.push(correction);
        if replaced(text, &kept).is_some_and(|it| is_better(&it, errors)) {
            count += 1;
        } else {
            kept.pop();
        }
    }
    if count == 0 { None } else { Some((replaced(text, &kept)?, count)) }
}

/// The text with corrections in its order; none if they overlap or lie outside of it, for then bytes would be lost.
fn replaced(text: &str, corrections: &[Correction]) -> Option<String> {
    let (mut replaced, mut end) = (String::with_capacity(text.len()), 0);
    for Correction { range, text: right } in corrections {
        replaced.push_str(text.get(end..range.start)?);
        replaced.push_str(right);
        end = range.end;
    }
    replaced.push_str(text.get(end..)?);
    Some(replaced)
}

fn is_better(text: &str, errors: usize) -> bool {
    let source = SpecText::new(text);
    check(text.as_bytes(), &source).iter().filter(|it| it.level() == RemarkLevel::Error).count() <= errors
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spec with this expression, which becomes that one, and stays so.
    fn check(feature: &str, before: &str, after: &str) {
        let spec = |expression: &str| {
            format!(
                "# a comment\r\nversion:   v1alpha1\ncompatibilities:\n- rules:\n  - name:  'r'  # kept\n    matchFeatures:\n    - \
                 feature: {feature}\n      matchExpressions: {{{expression}}}   # too\n\n"
            )
        };
        let fixed = fix(&spec(before));
        assert_eq!(fixed.text, spec(after));
        assert_eq!(fixed.count == 0, before == after);
        assert_eq!(fix(&fixed.text), Fixed { text: fixed.text.clone(), count: 0 }, "a second time");
    }

    #[test]
    fn quotes_names_case_and_units_are_mended_and_nothing_else() {
        check(
            "kernel.version",
            "full: {op: Ge, type: version, value: [6.10]}",
            "full: {op: Ge, type: version, value: [\"6.10\"]}",
        );
        check("kernel.version", "major: {op: Ge, value: 5}", "major: {op: Ge, value: [\"5\"]}");
        check("kernel.version", "full: {op: In, value: 'a b'}", "full: {op: In, value: ['a b']}");
        check("kernel.version", "major: {op: Gte, value: [5]}", "major: {op: Ge, value: [5]}");
        check("kernel.version", "major: {op: exists}", "major: {op: Exists}");
        check("kernel.version", "major: {Op: Exists}", "major: {op: Exists}");
        check("kernel.version", "Major: {op: Exists}", "major: {op: Exists}");
        check("cpu.cpuid", "avx2: {op: Exists}", "AVX2: {op: Exists}");
        check("cpu.cpuid", "'avx2': {op: Exists}", "'AVX2': {op: Exists}");
        check("kernel.config", "CONFIG_TUN: {op: In, value: [yes, m]}", "TUN: {op: In, value: [\"y\", m]}");
        check(
            "pci.device",
            "vendor: {op: In, value: [\"0x10DE\", 8086]}",
            "vendor: {op: In, value: [\"10de\", 8086]}",
        );
        check("pci.device", "class: {op: In, value: ['030200']}", "class: {op: In, value: ['0302']}");
        check(
            "memory.hugepages",
            "hugepages-1GB: {op: Ge, value: [2]}",
            "hugepages-1Gi: {op: Ge, value: [2]}",
        );
        check("kernel.loadedmodule", "vfio-pci: {op: Exists}", "vfio_pci: {op: Exists}");
        check("system.osrelease", "ID: {op: In, value: [Ubuntu]}", "ID: {op: In, value: [ubuntu]}");
    }

    #[test]
    fn what_could_mean_something_else_is_left() {
        let stays = |feature: &str, text: &str| check(feature, text, text);
        // What has to be absent would be another demand.
        stays("cpu.cpuid", "avx2: {op: DoesNotExist}");
        stays("pci.device", "vendor: {op: NotIn, value: [\"0x10DE\"]}, class: {op: Exists}");
        // Two keys would become one.
        stays("cpu.cpuid", "avx2: {op: Exists}, AVX2: {op: Exists}");
        // A guess.
        stays("kernel.version", "mayor: {op: Exists}");
        stays("kernel.version", "major: {op: Exxists}");
        stays("kernel.version", "full: {op: Ge, type: version, value: [\"6.8.0-41\"]}");
    }

    #[test]
    fn fields_are_mended_in_a_whole_document_and_weights_lose_their_quotes() {
        let before = "version: v1alpha1\ncompatibilities:\n- weight: \"10\"\n  rules:\n  - name: r\n    match_features:\n    - feature: cpu.cpuid\n      matchName: {op: In, value: [avx2]}\n";
        let after =
            before.replace("\"10\"", "10").replace("match_features", "matchFeatures").replace("avx2", "AVX2");
        assert_eq!(fix(before), Fixed { text: after, count: 3 });
    }

    #[test]
    fn no_byte_is_lost_where_a_range_is_wrong() {
        let replaced = |ranges: &[(usize, usize)]| {
            let one = |it: &(usize, usize)| Correction { range: it.0..it.1, text: "x".to_owned() };
            super::replaced("a: \u{e9} b", &ranges.iter().map(one).collect::<Vec<_>>())
        };
        assert_eq!(replaced(&[(0, 1), (6, 7)]).as_deref(), Some("x: \u{e9} x"));
        assert_eq!(replaced(&[(6, 7), (0, 1)]), None, "another order");
        assert_eq!(replaced(&[(0, 3), (2, 5)]), None, "both have the same byte");
        assert_eq!(replaced(&[(0, 4)]), None, "within a character");
        assert_eq!(replaced(&[(0, 1), (6, 8)]), None, "behind the end");
    }

    #[test]
    fn what_stands_before_a_name_stays() {
        check(
            "cpu.cpuid",
            "x\u{e9}\u{85}: {op: In, value: ['\u{2028}']}, avx2: {op: Exists}",
            "x\u{e9}\u{85}: {op: In, value: ['\u{2028}']}, AVX2: {op: Exists}",
        );
        let anchored = "&a avx2: &b {op: &c exists}";
        check("cpu.cpuid", anchored, anchored);
    }

    #[test]
    fn a_document_that_cannot_be_read_stays_as_it_is() {
        for text in ["", "a: [", "\u{feff}version: v1alpha1\n", "version: v1alpha1\ncompatibilities: [\tx"] {
            assert_eq!(fix(text), Fixed { text: text.to_owned(), count: 0 }, "{text:?}");
        }
    }
}
