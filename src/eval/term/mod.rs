//! One term against one feature: NFD's `MatchMulti` and `MatchNamesMulti`, three-valued, with the evidence.

#[cfg(test)]
mod tests;

use crate::host::{self, Fact, Feature, Instance, Unknown};
use crate::spec::{Bound, Expression, LEAST_MOST_TEXT, Place, Term, Test, Text, most_text, text_of};

use super::element::TestedElement;
use super::{Context, Evidence, Finding, Outcome, nvidia, range, spelling};

/// The number of elements that are judged between two looks at the clock.
const AT_ONCE: usize = 64;

/// One finding for each expression and for `matchName`; for a term with neither, one on the feature itself.
/// Conditions of `NVIDIA_REQUIRE_*` are held against the GPU of this number.
pub(super) fn judge<'a>(term: &'a Term, fact: &Fact, gpu: usize, context: &Context<'_>) -> Vec<Finding<'a>> {
    if (context.is_over)() {
        return all(term, Outcome::Unknown, &Evidence::Unknown(too_late()));
    }
    let mut findings = match fact {
        Fact::Known(feature, read) if nvidia::is_condition(term) => {
            let judge = |named: NamedTest<'a>| {
                let (outcome, evidence) = nvidia::judge(named.1, feature, gpu, read);
                finding(term, as_element(named), outcome, evidence)
            };
            named(term).map(judge).collect()
        }
        Fact::Known(feature, read) => judge_known(term, feature, read, context),
        Fact::Absent(read) => all(term, Outcome::Unmet, &Evidence::NoFeature { read: read.clone() }),
        Fact::Unknown(unknown) => all(term, Outcome::Unknown, &Evidence::Unknown(unknown.clone())),
    };
    if let Fact::Known(feature, _) = fact {
        findings.iter_mut().for_each(|it| it.secret = feature.secret.contains(it.element));
    }
    findings
}

/// The findings of a term that the spec may not ask for.
pub(super) fn withheld(term: &Term) -> Vec<Finding<'_>> {
    let reason = "only verified specs may ask for it (sensitive)";
    all(term, Outcome::Unknown, &Evidence::Unknown(Unknown::new("", reason)))
}

/// The names of the elements that a term tests by themselves.
pub(super) fn elements(term: &Term) -> impl Iterator<Item = &str> {
    named(term).map(|(name, ..)| name)
}

fn too_late() -> Unknown {
    Unknown::new("", "was not judged: the deadline has passed")
}

/// A host that has more than this of a feature would make the spec more expensive than its reader allowed.
fn too_much(read: &str, bytes: usize) -> Unknown {
    Unknown::new(read, format!("has more than the {bytes} bytes that a spec may look at"))
}

/// The same finding for every expression of a term.
fn all<'a>(term: &'a Term, outcome: Outcome, evidence: &Evidence) -> Vec<Finding<'a>> {
    if let Some(count) = &term.count {
        return vec![finding(term, ("", Some(&count.test), count.at), outcome, evidence.clone())];
    }
    expressions(term).map(|it| finding(term, it, outcome, evidence.clone())).collect()
}

/// Element (empty for `matchName` and bare terms), test (none for bare terms) and place.
type TermElement<'a> = (&'a str, Option<&'a Test>, Place);

fn expressions(term: &Term) -> impl Iterator<Item = TermElement<'_>> {
    let name = term.name.iter().map(|it| ("", Some(&it.test), it.at));
    let is_bare = term.expressions.as_ref().is_none_or(Vec::is_empty) && term.name.is_none();
    named(term).map(as_element).chain(name).chain(is_bare.then_some(("", None, term.at)))
}

/// An element's name, its test and where it stands.
type NamedTest<'a> = (&'a str, &'a Test, Place);

fn named(term: &Term) -> impl Iterator<Item = NamedTest<'_>> {
    let expressions = term.expressions.as_deref().unwrap_or_default();
    expressions.iter().map(|(name, it)| (name.as_str(), &it.test, it.at))
}

fn finding<'a>(
    term: &'a Term,
    (element, test, at): TermElement<'a>,
    outcome: Outcome,
    evidence: Evidence,
) -> Finding<'a> {
    Finding { feature: &term.feature, element, test, at, outcome, evidence, secret: false, clue: None }
}

fn judge_known<'a>(term: &'a Term, feature: &Feature, read: &str, context: &Context<'_>) -> Vec<Finding<'a>> {
    if let Some(count) = &term.count {
        return vec![judge_count(term, count, feature, read, context)];
    }
    let mut findings = match &term.expressions {
        Some(expressions) if expressions.is_empty() => vec![judge_no_expressions(term, feature, read)],
        Some(_) => judge_expressions(term, feature, read, context),
        None if term.name.is_none() => {
            let evidence = Evidence::Feature { read: read.to_owned() };
            vec![finding(term, ("", None, term.at), Outcome::Met, evidence)]
        }
        None => Vec::new(),
    };
    if let Some(name) = &term.name {
        findings.push(judge_names(term, name, feature, read, context));
    }
    findings
}

/// The number of instances that meet all expressions. Instances with an unknown outcome, and instances that could not be
/// read, may count or not.
fn judge_count<'a>(
    term: &'a Term,
    count: &'a Expression,
    feature: &Feature,
    read: &str,
    context: &Context<'_>,
) -> Finding<'a> {
    let asked = ("", Some(&count.test), count.at);
    let unknown = |why| finding(term, asked, Outcome::Unknown, Evidence::Unknown(why));
    let (Test::Integer(bound), Some(instances)) = (&count.test, &feature.instances) else {
        return unknown(Unknown::new(read, "has no instances that could be counted"));
    };
    let most = most_text(&super::lower(&term.feature), Text::Elements);
    let (mut fitting, mut doubtful, mut text) = (0_i128, 0_i128, 0);
    for (index, instance) in instances.iter().enumerate() {
        if index % AT_ONCE == AT_ONCE - 1 && (context.is_over)() {
            return unknown(too_late());
        }
        let judge = |(name, test, _): NamedTest<'_>| {
            let value = instance.attributes.get(name);
            text += value.map_or(0, |it| text_of(it));
            let element = value.map_or_else(|| missing(feature, name), |it| TestedElement::Value(it));
            spelling::judge(&term.feature, name, test, element)
        };
        match Outcome::all(named(term).map(judge)) {
            Outcome::Met => fitting += 1,
            Outcome::Unknown => doubtful += 1,
            Outcome::Unmet => {}
        }
        if most.saturating_mul(named(term).count()) < text {
            return unknown(too_much(read, most));
        }
    }
    let highest = if feature.incomplete.is_some() { i128::MAX } else { fitting + doubtful };
    let outcome = counted(bound, fitting, highest);
    let why = feature.incomplete.clone();
    let evidence = match outcome {
        Outcome::Unknown => Evidence::Unknown(
            why.unwrap_or_else(|| Unknown::new(read, format!("{doubtful} of them cannot be told"))),
        ),
        Outcome::Met | Outcome::Unmet => {
            Evidence::Count { fitting, all: instances.len(), read: read.to_owned() }
        }
    };
    finding(term, asked, outcome, evidence)
}

/// Whether a bound holds for all numbers from the lowest to the highest, for none, or for some.
fn counted(bound: &Bound<i128>, lowest: i128, highest: i128) -> Outcome {
    // A bound changes its mind next to its ends only.
    let ends = match bound {
        Bound::Gt(it) | Bound::Ge(it) | Bound::Lt(it) | Bound::Le(it) => [*it, *it],
        Bound::GtLt(low, high) | Bound::GeLe(low, high) | Bound::Outside(low, high) => [*low, *high],
    };
    let near = ends.iter().flat_map(|it| [it.saturating_sub(1), *it, it.saturating_add(1)]);
    let mut tried =
        near.filter(|it| lowest <= *it && *it <= highest).chain([lowest, highest]).map(|it| bound.holds(&it));
    match (tried.clone().all(|it| it), tried.any(|it| it)) {
        (true, _) => Outcome::Met,
        (false, true) => Outcome::Unknown,
        (false, false) => Outcome::Unmet,
    }
}

/// `matchExpressions: {}` holds for flags and attributes, even if there are none, and for at least one instance.
fn judge_no_expressions<'a>(term: &'a Term, feature: &Feature, read: &str) -> Finding<'a> {
    let asked = ("", None, term.at);
    let instances = feature.instances.as_deref().unwrap_or(&[]);
    if feature.flags.is_some() || feature.attributes.is_some() || !instances.is_empty() {
        return finding(term, asked, Outcome::Met, Evidence::Feature { read: read.to_owned() });
    }
    match &feature.incomplete {
        Some(unknown) => finding(term, asked, Outcome::Unknown, Evidence::Unknown(unknown.clone())),
        None => finding(term, asked, Outcome::Unmet, Evidence::NoInstance { read: read.to_owned() }),
    }
}

/// Either all expressions hold on the flags and attributes together, or all hold on one instance.
fn judge_expressions<'a>(
    term: &'a Term,
    feature: &Feature,
    read: &str,
    context: &Context<'_>,
) -> Vec<Finding<'a>> {
    let elements = (feature.flags.is_some() || feature.attributes.is_some())
        .then(|| named(term).map(|it| judge_element(term, it, feature, read)).collect::<Vec<_>>());
    match (elements, &feature.instances) {
        (Some(elements), None) => elements,
        (None, _) => nearest_instance(term, feature, read, context),
        (Some(elements), Some(_)) => {
            let nearest = nearest_instance(term, feature, read, context);
            let (by_name, by_instance) = (Rank::of(&elements), Rank::of(&nearest));
            // What is not known of a GPU casts no doubt on its driver.
            let is_about_driver = asks_driver(term) && by_instance.all < Rank::NOTHING_ASKED.all;
            if by_name <= by_instance && !is_about_driver { nearest } else { elements }
        }
    }
}

/// Whether a term is about a driver itself, which the features of GPUs also describe, and not about a GPU.
fn asks_driver(term: &Term) -> bool {
    named(term).any(|(name, ..)| name == "driver" || name == "cuda" || name.starts_with("library"))
}

/// The findings on the instance that comes nearest, the first among equals.
fn nearest_instance<'a>(
    term: &'a Term,
    feature: &Feature,
    read: &str,
    context: &Context<'_>,
) -> Vec<Finding<'a>> {
    let candidates = candidates(term, feature);
    let nearest = match nearest(term, &candidates, feature, context) {
        Ok(nearest) => nearest,
        Err(unknown) => {
            let unknown = Unknown { read: read.to_owned(), ..unknown };
            let evidence = Evidence::Unknown(unknown);
            let judge = |it| finding(term, as_element(it), Outcome::Unknown, evidence.clone());
            return named(term).map(judge).collect();
        }
    };
    let judge = |named: NamedTest<'a>| match nearest {
        Some(it) => judge_instance(term, named, it, feature, (read, candidates.len())),
        None => {
            finding(term, as_element(named), Outcome::Unmet, Evidence::NoInstance { read: read.to_owned() })
        }
    };
    let mut findings: Vec<_> = named(term).map(judge).collect();
    if let Some(unknown) = feature.incomplete.as_ref().filter(|_| may_have_more(term, feature)) {
        doubt(&mut findings, unknown);
    }
    findings
}

/// None if there is no instance; an error if there are more, or if it takes longer, than a check may take.
fn nearest<'f>(
    term: &Term,
    candidates: &[&'f Instance],
    feature: &Feature,
    context: &Context<'_>,
) -> Result<Option<&'f Instance>, Unknown> {
    let most = most_text(&super::lower(&term.feature), Text::Elements);
    let (mut best, mut text) = (None, 0);
    for (index, instance) in candidates.iter().enumerate() {
        if index % AT_ONCE == AT_ONCE - 1 && (context.is_over)() {
            return Err(too_late());
        }
        let mut rank = Rank::NOTHING_ASKED;
        for (name, test, _) in named(term) {
            let value = instance.attributes.get(name);
            text += value.map_or(0, |it| text_of(it));
            let element = value.map_or_else(|| missing(feature, name), |it| TestedElement::Value(it));
            rank = rank.and(spelling::judge(&term.feature, name, test, element));
        }
        if most.saturating_mul(named(term).count()) < text {
            return Err(too_much("", most));
        }
        if best.is_none_or(|(highest, _)| highest < rank) {
            best = Some((rank, *instance));
        }
    }
    Ok(best.map(|(_, it)| it))
}

/// Whether an instance that could not be read may fit. A feature notes as missing, in the form `state=loaded`, which
/// values of attributes none of those has.
fn may_have_more(term: &Term, feature: &Feature) -> bool {
    !named(term).any(|(name, test, _)| {
        let is_missing = |it: &String| feature.missing.contains(&format!("{name}={it}"));
        matches!(test, Test::In(values) if values.iter().all(is_missing))
    })
}

/// Where a term says which instances it is about, no other comes near: `overlay` is not nearly `sctp`.
fn candidates<'f>(term: &Term, feature: &'f Feature) -> Vec<&'f Instance> {
    let key = host::probe(&super::lower(&term.feature)).and_then(|it| it.key);
    let said = named(term).find(|(name, test, _)| Some(*name) == key && matches!(test, Test::In(_)));
    let is_meant = |it: &&Instance| {
        said.is_none_or(|(key, test, _)| {
            let element =
                it.attributes.get(key).map_or_else(|| missing(feature, key), |it| TestedElement::Value(it));
            spelling::judge(&term.feature, key, test, element) != Outcome::Unmet
        })
    };
    feature.instances.iter().flatten().filter(is_meant).collect()
}

fn as_element<'a>((name, test, at): NamedTest<'a>) -> TermElement<'a> {
    (name, Some(test), at)
}

/// No instance fits, but not all of them could be read: what is unmet may be met by another one.
fn doubt(findings: &mut [Finding<'_>], unknown: &Unknown) {
    for finding in findings.iter_mut().filter(|it| it.outcome == Outcome::Unmet) {
        finding.outcome = Outcome::Unknown;
        finding.evidence = Evidence::Unknown(unknown.clone());
    }
}

/// How near findings come to what is demanded: the outcome of all, then how many are met.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Rank {
    /// The worst: 0 unmet, 1 unknown, 2 met.
    all: u8,
    met: usize,
}

impl Rank {
    const NOTHING_ASKED: Self = Self { all: 2, met: 0 };

    fn of(findings: &[Finding<'_>]) -> Self {
        findings.iter().fold(Self::NOTHING_ASKED, |rank, it| rank.and(it.outcome))
    }

    fn and(self, outcome: Outcome) -> Self {
        let level = match outcome {
            Outcome::Met => 2,
            Outcome::Unknown => 1,
            Outcome::Unmet => 0,
        };
        Self { all: self.all.min(level), met: self.met + usize::from(outcome == Outcome::Met) }
    }
}

/// A feature may hold flags and attributes: one of both has to fit, or both if the element has to be absent.
fn judge_element<'a>(term: &'a Term, named: NamedTest<'a>, feature: &Feature, read: &str) -> Finding<'a> {
    let (name, test, _) = named;
    let spelt = spelling::name(&term.feature, feature, name);
    let flag = feature.flags.as_ref().map(|_| flag(feature, spelt));
    let attribute = feature.attributes.as_ref().map(|_| attribute(feature, name));
    if let Some(TestedElement::Value(value)) = attribute
        && LEAST_MOST_TEXT < value.len()
    {
        let most = most_text(&super::lower(&term.feature), Text::Elements);
        if most < value.len() {
            return finding(
                term,
                as_element(named),
                Outcome::Unknown,
                Evidence::Unknown(too_much(read, most)),
            );
        }
    }
    // A flag has no value, so that one which could not be read takes nothing from what is known of the attribute.
    let judged_flag = flag.filter(|_| attribute.is_none() || !asks_for_value(test));
    let outcomes = [judged_flag, attribute].into_iter().flatten();
    let outcomes = outcomes.map(|it| spelling::judge(&term.feature, name, test, it));
    let outcome =
        if matches!(test, Test::DoesNotExist) { Outcome::all(outcomes) } else { Outcome::any(outcomes) };
    let doubt = doubt_about(feature, spelt);
    if attribute == Some(TestedElement::Unknown)
        && let Some((outcome, evidence)) = range::judge(test, feature, name, read)
    {
        return finding(term, as_element(named), outcome, evidence);
    }
    finding(term, as_element(named), outcome, evidence(flag, attribute, outcome, doubt, read))
}

fn asks_for_value(test: &Test) -> bool {
    !matches!(test, Test::Any | Test::Exists | Test::DoesNotExist)
}

pub(super) fn flag<'a>(feature: &'a Feature, name: &str) -> TestedElement<'a> {
    match feature.flags.as_ref().is_some_and(|it| it.contains(name)) {
        true => TestedElement::Flag,
        false => missing(feature, name),
    }
}

pub(super) fn attribute<'a>(feature: &'a Feature, name: &str) -> TestedElement<'a> {
    match feature.attributes.as_ref().and_then(|it| it.get(name)) {
        Some(value) => TestedElement::Value(value),
        None => missing(feature, name),
    }
}

/// Why it is unknown whether a feature has this element, if it is.
fn doubt_about<'a>(feature: &'a Feature, name: &str) -> Option<&'a Unknown> {
    let others = || feature.incomplete.as_ref().filter(|_| !feature.missing.contains(name));
    feature.doubtful.get(name).or_else(others)
}

pub(super) fn missing<'a>(feature: &'a Feature, name: &str) -> TestedElement<'a> {
    if doubt_about(feature, name).is_some() { TestedElement::Unknown } else { TestedElement::Missing }
}

fn evidence(
    flag: Option<TestedElement<'_>>,
    attribute: Option<TestedElement<'_>>,
    outcome: Outcome,
    doubt: Option<&Unknown>,
    read: &str,
) -> Evidence {
    let read = read.to_owned();
    match (flag, attribute, doubt) {
        (_, Some(TestedElement::Value(value)), _) if outcome == Outcome::Unknown => unfit(value, read),
        (_, Some(TestedElement::Value(value)), _) => Evidence::Value { value: Some(value.to_owned()), read },
        (Some(TestedElement::Flag), ..) => Evidence::Flag { present: true, read },
        (_, _, Some(unknown)) => Evidence::Unknown(unknown.clone()),
        (Some(_), ..) => Evidence::Flag { present: false, read },
        (None, ..) => Evidence::Value { value: None, read },
    }
}

/// A value that a test cannot be applied to. An empty value has nothing to compare.
fn unfit(value: &str, read: String) -> Evidence {
    match value {
        "" => Evidence::Unknown(Unknown::new(read, "has it without a value")),
        value => Evidence::Unfit { value: value.to_owned(), read },
    }
}

fn judge_instance<'a>(
    term: &'a Term,
    named: NamedTest<'a>,
    instance: &Instance,
    feature: &Feature,
    (read, count): (&str, usize),
) -> Finding<'a> {
    let (name, test, _) = named;
    let value = instance.attributes.get(name);
    // It may be this very attribute that could not be read.
    let element = value.map_or_else(|| missing(feature, name), |it| TestedElement::Value(it));
    let outcome = spelling::judge(&term.feature, name, test, element);
    let read = instance.read.clone().unwrap_or_else(|| read.to_owned());
    let evidence = match (outcome, value, doubt_about(feature, name)) {
        (Outcome::Unknown, Some(value), _) => unfit(value, read),
        (Outcome::Unknown, None, Some(unknown)) => Evidence::Unknown(unknown.clone()),
        _ => Evidence::Nearest { value: value.cloned(), read, count },
    };
    finding(term, as_element(named), outcome, evidence)
}

/// At least one name of an element, or of an instance's attributes, has to pass the test.
fn judge_names<'a>(
    term: &'a Term,
    name: &'a Expression,
    feature: &Feature,
    read: &str,
    context: &Context<'_>,
) -> Finding<'a> {
    let asked = ("", Some(&name.test), name.at);
    let most = most_text(&super::lower(&term.feature), Text::Names);
    let (mut count, mut text, mut fitting, mut unfit) = (0, 0, None, None);
    for it in names(feature) {
        if count % AT_ONCE == AT_ONCE - 1 && (context.is_over)() {
            return finding(term, asked, Outcome::Unknown, Evidence::Unknown(too_late()));
        }
        text += text_of(it);
        if most < text {
            return finding(term, asked, Outcome::Unknown, Evidence::Unknown(too_much(read, most)));
        }
        match spelling::judge(&term.feature, "", &name.test, TestedElement::Value(it)) {
            Outcome::Met => fitting = fitting.or(Some(it)),
            Outcome::Unknown => unfit = unfit.or(Some(it)),
            Outcome::Unmet => {}
        }
        count += 1;
    }
    let read = read.to_owned();
    let mut doubtful = feature.doubtful.iter();
    let may_fit =
        |it: &str| spelling::judge(&term.feature, "", &name.test, TestedElement::Value(it)) != Outcome::Unmet;
    let doubt = doubtful.find(|(it, _)| may_fit(it));
    let doubt = doubt.map(|(_, unknown)| unknown).or(feature.incomplete.as_ref());
    let (outcome, evidence) = match (fitting, unfit, doubt) {
        (Some(it), ..) => (Outcome::Met, Evidence::Names { count, fitting: Some(it.to_owned()), read }),
        (None, _, Some(unknown)) => (Outcome::Unknown, Evidence::Unknown(unknown.clone())),
        (None, Some(it), None) => (Outcome::Unknown, Evidence::Unfit { value: it.to_owned(), read }),
        (None, None, None) => (Outcome::Unmet, Evidence::Names { count, fitting: None, read }),
    };
    finding(term, asked, outcome, evidence)
}

/// Whether a host has more instances than a spec may look at. More names leave their own term unknown.
pub(super) fn is_too_much(term: &Term, feature: &Feature) -> bool {
    let most = most_text(&super::lower(&term.feature), Text::Elements);
    let instances = || feature.instances.iter().flatten();
    let of_instances = |name: &str| {
        instances().filter_map(|it| it.attributes.get(name)).map(|it| text_of(it)).sum::<usize>()
    };
    named(term).any(|(name, ..)| most < of_instances(name))
}

fn names(feature: &Feature) -> impl Iterator<Item = &str> {
    let flags = feature.flags.iter().flatten();
    let attributes = feature.attributes.iter().flat_map(|it| it.keys());
    let instances = feature.instances.iter().flatten().flat_map(|it| it.attributes.keys());
    flags.chain(attributes).chain(instances).map(String::as_str)
}
