//! The expressions of a term: an operator with the number and kind of values that it needs. Never keeps an expression that
//! could not be judged.

use super::super::problem::Place;
use super::super::reader::{NEEDS_OURS, SpecReader, did_you_mean};
use super::super::yaml::YamlNode;
use super::super::{Bound, INTEGERS, Language, Pattern, Quantity, Release, Test};
use crate::words::text::quoted;
use crate::words::version::Version;

const OPERATORS: [&str; 13] = [
    "In",
    "NotIn",
    "InRegexp",
    "Exists",
    "DoesNotExist",
    "Gt",
    "Ge",
    "Lt",
    "Le",
    "GtLt",
    "GeLe",
    "IsTrue",
    "IsFalse",
];
/// The additions of our own language.
const OWN_OPERATORS: [&str; 2] = ["NotInRange", "Enabled"];
const EXPRESSION: [&str; 3] = ["op", "value", "type"];

/// Reads an expression; `what` opens the sentences about it, such as "`matchName`".
pub(super) fn test(reader: &mut SpecReader, node: &YamlNode, what: &str) -> Option<Test> {
    let fields = reader.fields(node, what, &EXPRESSION)?;
    let operator = match fields.get("op") {
        Some(node) => reader.text(node, "`op` is").map(|it| (it, node.at)),
        None => {
            reader.problem(node.at, format!("{what} needs `op`, one of {}", OPERATORS.join(", ")));
            None
        }
    };
    let values = match fields.get("value") {
        Some(node) => values(reader, node),
        None => Some(Values { at: fields.at, items: Vec::new() }),
    };
    let kind = fields.get("type").map_or(Some(ComparedKind::Integer), |it| kind(reader, it));
    let (operator, at) = operator?;
    operands(reader, &operator, at, &values?, kind?)
}

/// The operands of an expression, each with its place; `at` is that of the list.
struct Values {
    at: Place,
    items: Vec<(String, Place)>,
}

fn values(reader: &mut SpecReader, node: &YamlNode) -> Option<Values> {
    let items = reader.list(node, "`value` is", "a list, such as [\"5.10\"]")?;
    let count = items.len();
    let items: Vec<_> = items.iter().filter_map(|it| Some((reader.text(it, "a value is")?, it.at))).collect();
    (items.len() == count).then_some(Values { at: node.at, items })
}

/// What the six comparisons compare.
#[derive(Clone, Copy)]
enum ComparedKind {
    Integer,
    Version,
    Quantity,
    Release,
}

fn kind(reader: &mut SpecReader, node: &YamlNode) -> Option<ComparedKind> {
    let text = reader.text(node, "`type` is")?;
    let is_ours = reader.language == Language::Own;
    match text.as_str() {
        "version" => return Some(ComparedKind::Version),
        "" => return Some(ComparedKind::Integer),
        "quantity" if is_ours => return Some(ComparedKind::Quantity),
        "release" if is_ours => return Some(ComparedKind::Release),
        "quantity" | "release" => reader.problem(node.at, format!("`type: {text}` {NEEDS_OURS}")),
        other => {
            let known = if is_ours { "version, quantity or release" } else { "\"version\"" };
            let message =
                format!("`type` is {}, but has to be {known}, or absent for integers", quoted(other));
            reader.problem(node.at, message);
        }
    }
    None
}

fn operands(
    reader: &mut SpecReader,
    operator: &str,
    at: Place,
    values: &Values,
    kind: ComparedKind,
) -> Option<Test> {
    let is_ours = reader.language == Language::Own;
    match operator {
        "" => none(reader, "the empty op", values, Test::Any),
        "Exists" | "DoesNotExist" | "IsTrue" | "IsFalse" => {
            let test = match operator {
                "Exists" => Test::Exists,
                "DoesNotExist" => Test::DoesNotExist,
                "IsTrue" => Test::IsTrue,
                _ => Test::IsFalse,
            };
            none(reader, operator, values, test)
        }
        "Enabled" if is_ours => none(reader, operator, values, Test::Enabled),
        "In" => some(reader, operator, values).map(Test::In),
        "NotIn" => some(reader, operator, values).map(Test::NotIn),
        "InRegexp" => patterns(reader, values).map(Test::InRegexp),
        "Gt" | "Ge" | "Lt" | "Le" | "GtLt" | "GeLe" => compared(reader, operator, values, kind),
        "NotInRange" if is_ours => compared(reader, operator, values, kind),
        "NotInRange" | "Enabled" => {
            reader.problem(at, format!("`op: {operator}` {NEEDS_OURS}"));
            None
        }
        other => {
            let all = [&OPERATORS[..], &OWN_OPERATORS].concat();
            let known = if is_ours { &all[..] } else { &OPERATORS };
            let hint = match spelt_otherwise(other) {
                Some(right) => format!("; did you mean `{right}`?"),
                None => did_you_mean(other, known.iter().copied()),
            };
            let known = if hint.is_empty() { format!("; it is one of {}", known.join(", ")) } else { hint };
            reader.problem(at, format!("there is no op {}{known}", quoted(other)));
            None
        }
    }
}

/// What other languages call the comparisons: the nearest name would mean something else.
fn spelt_otherwise(operator: &str) -> Option<&'static str> {
    match operator.to_ascii_lowercase().as_str() {
        "gte" | "geq" | ">=" | "min" | "atleast" => Some("Ge"),
        "lte" | "leq" | "<=" | "max" | "atmost" => Some("Le"),
        ">" => Some("Gt"),
        "<" => Some("Lt"),
        "=" | "==" | "eq" | "equals" => Some("In"),
        "!=" | "ne" | "neq" => Some("NotIn"),
        "=~" | "regexp" | "regex" | "matches" => Some("InRegexp"),
        "between" | "inrange" => Some("GeLe"),
        _ => None,
    }
}

fn compared(reader: &mut SpecReader, operator: &str, values: &Values, kind: ComparedKind) -> Option<Test> {
    match kind {
        ComparedKind::Version => bound(reader, operator, values, version).map(Test::Version),
        ComparedKind::Quantity => bound(reader, operator, values, quantity).map(Test::Quantity),
        ComparedKind::Release => bound(reader, operator, values, release).map(Test::Release),
        ComparedKind::Integer if has_several(values) && matches!(operator, "Gt" | "Ge" | "Lt" | "Le") => {
            integers(reader, operator, values)
        }
        ComparedKind::Integer => {
            let bound = bound(reader, operator, values, integer)?;
            check_ends(reader, &bound, values);
            Some(Test::Integer(bound))
        }
    }
}

fn none(reader: &mut SpecReader, operator: &str, values: &Values, test: Test) -> Option<Test> {
    if values.items.is_empty() {
        return Some(test);
    }
    reader.problem(values.at, format!("{operator} takes no value, but has {}", values.items.len()));
    None
}

fn some(reader: &mut SpecReader, operator: &str, values: &Values) -> Option<Vec<String>> {
    if values.items.is_empty() {
        reader.problem(values.at, format!("{operator} needs a `value` list with at least one value"));
        return None;
    }
    Some(values.items.iter().map(|(text, _)| text.clone()).collect())
}

fn patterns(reader: &mut SpecReader, values: &Values) -> Option<Vec<Pattern>> {
    let sources = some(reader, "InRegexp", values)?;
    let count = sources.len();
    let parsed: Vec<_> =
        values.items.iter().filter_map(|(source, at)| pattern(reader, source, *at)).collect();
    (parsed.len() == count).then_some(parsed)
}

fn pattern(reader: &mut SpecReader, source: &str, at: Place) -> Option<Pattern> {
    match reader.budget.pattern(source)? {
        Ok(pattern) => Some(pattern),
        Err(message) => {
            reader.problem(at, message);
            None
        }
    }
}

type OperandReader<T> = fn(&mut SpecReader, &str, Place) -> Option<T>;

fn bound<T: PartialOrd>(
    reader: &mut SpecReader,
    op: &str,
    values: &Values,
    operand: OperandReader<T>,
) -> Option<Bound<T>> {
    let needed = if matches!(op, "GtLt" | "GeLe" | "NotInRange") { 2 } else { 1 };
    if values.items.len() != needed {
        let found = values.items.len();
        reader
            .problem(values.at, format!("{op} needs exactly {needed} in the `value` list, but has {found}"));
        return None;
    }
    let mut parsed = Vec::with_capacity(needed);
    for (text, at) in &values.items {
        parsed.extend(operand(reader, text, *at));
    }
    let mut parsed = parsed.into_iter();
    match (op, parsed.next()?, parsed.next()) {
        ("Gt", low, None) => Some(Bound::Gt(low)),
        ("Ge", low, None) => Some(Bound::Ge(low)),
        ("Lt", high, None) => Some(Bound::Lt(high)),
        ("Le", high, None) => Some(Bound::Le(high)),
        ("GtLt", low, Some(high)) if low < high => Some(Bound::GtLt(low, high)),
        ("GeLe", low, Some(high)) if low <= high => Some(Bound::GeLe(low, high)),
        ("NotInRange", low, Some(high)) if low <= high => Some(Bound::Outside(low, high)),
        (_, _, Some(_)) => {
            reader.problem(values.at, empty_interval(values));
            None
        }
        (_, _, None) => None,
    }
}

fn empty_interval(values: &Values) -> String {
    let ends = values.items.iter().map(|(text, _)| quoted(text)).collect::<Vec<_>>().join(", ");
    format!("nothing lies in the interval [{ends}]; the lower end comes first")
}

/// NFD refuses integers with equal ends, though not versions. No integer lies between neighbours.
fn check_ends(reader: &mut SpecReader, bound: &Bound<i128>, values: &Values) {
    match bound {
        Bound::GeLe(low, high) if low == high => reader.problem(
            values.at,
            format!("GeLe needs a lower and a higher end; for one value write `op: In, value: [\"{low}\"]`"),
        ),
        Bound::GtLt(low, high) if low.checked_add(1) == Some(*high) => reader
            .problem(values.at, format!("no integer lies between {low} and {high}; GeLe includes the ends")),
        Bound::Gt(_)
        | Bound::Ge(_)
        | Bound::Lt(_)
        | Bound::Le(_)
        | Bound::GtLt(..)
        | Bound::GeLe(..)
        | Bound::Outside(..) => {}
    }
}

/// Whether the one value is a list of numbers, as settings such as kernel.sem have them.
fn has_several(values: &Values) -> bool {
    matches!(values.items.as_slice(), [(text, _)] if text.trim().contains(' '))
}

fn integers(reader: &mut SpecReader, operator: &str, values: &Values) -> Option<Test> {
    let numbers =
        values.items.iter().flat_map(|(text, at)| text.split_ascii_whitespace().map(|it| (it, *at)));
    let numbers: Vec<_> = numbers.collect();
    let count = numbers.len();
    let numbers: Vec<_> = numbers.into_iter().filter_map(|(it, at)| integer(reader, it, at)).collect();
    let bound = match operator {
        "Gt" => Bound::Gt,
        "Ge" => Bound::Ge,
        "Lt" => Bound::Lt,
        _ => Bound::Le,
    };
    (numbers.len() == count).then(|| Test::Integers(numbers.into_iter().map(bound).collect()))
}

/// As Go's `strconv.Atoi`, a sign and ASCII digits; and, which that has not, 64 bits without a sign.
fn integer(reader: &mut SpecReader, text: &str, at: Place) -> Option<i128> {
    let parsed = text.parse().ok().filter(|it| INTEGERS.contains(it));
    if parsed.is_none() {
        let hint = if Version::parse(text).is_some() { "; for versions add `type: version`" } else { "" };
        reader.problem(at, format!("{} is not an integer{hint}", quoted(text)));
    }
    parsed
}

/// A suffix would be ignored, so that a host that is too old would pass.
fn version(reader: &mut SpecReader, text: &str, at: Place) -> Option<Version> {
    let Some(parsed) = Version::parse(text) else {
        reader.problem(at, format!("{} is not a version, such as \"5.14\"", quoted(text)));
        return None;
    };
    let number = parsed.number();
    if number.len() < text.len() {
        let suffix = quoted(text.get(number.len()..).unwrap_or_default());
        let way = match reader.language {
            Language::Own => "builds of a distribution are compared by `type: release`",
            Language::Nfd | Language::B | Language::D | Language::F | Language::H => {
                "`version: oci-compat/v1` compares builds of a distribution by `type: release`"
            }
        };
        reader.problem(
            at,
            format!("versions are compared by their numbers, so that {suffix} would be ignored: write \"{number}\"; {way}"),
        );
        return None;
    }
    Some(parsed)
}

fn quantity(reader: &mut SpecReader, text: &str, at: Place) -> Option<Quantity> {
    let parsed = Quantity::parse(text);
    if parsed.is_none() {
        reader
            .problem(at, format!("{} is not a quantity, such as \"8Gi\", \"2M\" or \"500ms\"", quoted(text)));
    }
    parsed
}

fn release(reader: &mut SpecReader, text: &str, at: Place) -> Option<Release> {
    let parsed = Release::parse(text);
    if parsed.is_none() {
        let message = format!(
            "{} is not a build of a kernel, such as \"4.18.0-553.el8_10\" or \"6.8.0-41-generic\"",
            quoted(text)
        );
        reader.problem(at, message);
    }
    parsed
}
