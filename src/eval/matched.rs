//! `rule.matched`: what earlier rules publish, for later rules to refer to. NFD shares it among the sets of a spec.

use std::collections::BTreeMap;

use crate::host::{Fact, Facts, Feature, Instance, Unknown};
use crate::spec::{Expression, Matched, Rule, Template, Term, Test};

use super::element::TestedElement;
use super::{Outcome, spelling, term};

/// The feature's name.
pub(super) const FEATURE: &str = "rule.matched";

/// Where that feature is read.
const READ: &str = "rules before this one";

/// The variables that are published so far.
#[derive(Debug)]
pub(super) struct RuleMatched {
    fact: Fact,
}

/// What a template made.
#[derive(Default)]
struct Made {
    vars: BTreeMap<String, String>,
    /// Whether it may have made other variables, or others of these, had everything been known.
    in_doubt: bool,
}

impl RuleMatched {
    /// Before the first rule the feature does not exist, unless the facts have it.
    pub(super) fn new(facts: &Facts) -> Self {
        let fact = match facts.get(FEATURE) {
            Fact::Known(feature, _) => Fact::Known(feature.clone(), READ.to_owned()),
            Fact::Absent(_) | Fact::Unknown(_) => Fact::Absent(READ.to_owned()),
        };
        Self { fact }
    }

    pub(super) fn fact(&self) -> &Fact {
        &self.fact
    }

    /// Takes in what a rule that was judged publishes. Returns what is wrong with its template, if anything is.
    pub(super) fn publish(
        &mut self,
        rule: &Rule,
        outcome: Outcome,
        alternatives: &[Outcome],
        facts: &Facts,
    ) -> Result<(), String> {
        let publishes = !rule.vars.is_empty() || rule.vars_template.is_some();
        if !publishes && matches!(&self.fact, Fact::Known(feature, _) if feature.attributes.is_some()) {
            return Ok(());
        }
        let made = match (outcome, &rule.vars_template) {
            (Outcome::Met, Some(template)) => self.expand(template, rule, alternatives, facts),
            (Outcome::Met | Outcome::Unmet | Outcome::Unknown, _) => Ok(Made::default()),
        };
        let mut feature = self.take();
        let attributes = feature.attributes.get_or_insert_default();
        let (is_in_doubt, error) = match (outcome, made) {
            (Outcome::Unmet, _) => (false, None),
            (Outcome::Met, Ok(made)) => {
                if made.in_doubt {
                    attributes.clear();
                }
                attributes.extend(made.vars);
                attributes.extend(rule.vars.clone());
                (made.in_doubt, None)
            }
            (Outcome::Met | Outcome::Unknown, made) => {
                // It may have published anything that its template makes.
                attributes.retain(|it, _| rule.vars_template.is_none() && !rule.vars.contains_key(it));
                (rule.vars_template.is_some() || !rule.vars.is_empty(), made.err())
            }
        };
        if is_in_doubt {
            feature.incomplete = Some(undecided(rule));
        }
        self.fact = Fact::Known(feature, READ.to_owned());
        error.map_or(Ok(()), Err)
    }

    /// Once a rule has been judged the feature exists, even if nothing was published.
    fn take(&mut self) -> Feature {
        match std::mem::replace(&mut self.fact, Fact::Absent(String::new())) {
            Fact::Known(feature, _) => feature,
            Fact::Absent(_) | Fact::Unknown(_) => Feature::default(),
        }
    }

    /// The template runs for each alternative that is met, then for `matchFeatures`; each run sees its own matches, and a
    /// later one wins. A run that depends on something unknown may have made any variable.
    fn expand(
        &self,
        template: &Template,
        rule: &Rule,
        alternatives: &[Outcome],
        facts: &Facts,
    ) -> Result<Made, String> {
        let any = rule.match_any.iter().zip(alternatives.iter().copied());
        let all = (!rule.match_features.is_empty()).then_some((&rule.match_features, Outcome::Met));
        let mut made = Made::default();
        for (terms, outcome) in any.chain(all).filter(|(_, it)| *it != Outcome::Unmet) {
            if outcome == Outcome::Unknown || terms.iter().any(|it| self.is_partial(it, facts)) {
                made = Made { vars: BTreeMap::new(), in_doubt: true };
            } else {
                made.vars.extend(template.expand(&self.matches(terms, facts))?);
            }
        }
        Ok(made)
    }

    /// Whether a term that is met may match more than could be read: other instances, or other names.
    fn is_partial(&self, term: &Term, facts: &Facts) -> bool {
        let may_match_more = |it: &Feature| {
            let may_have_more = term.name.is_some() || (term.expressions.is_some() && it.instances.is_some());
            (it.incomplete.is_some() && may_have_more)
                || (!it.doubtful.is_empty() && term.name.is_some())
                || term::is_too_much(term, it)
        };
        self.feature(term, facts).is_some_and(may_match_more)
    }

    fn matches(&self, terms: &[Term], facts: &Facts) -> Matched {
        let mut matches = Matched::new();
        for term in terms {
            let (domain, name) = match term.feature.split_once('.') {
                Some((domain, name)) => (domain.to_owned(), name),
                None => (term.feature.to_lowercase(), ""),
            };
            // A term that names no element matches none: a template may name it, and runs over nothing.
            let elements = matches.entry(domain).or_default().entry(name.to_owned()).or_default();
            elements.extend(self.feature(term, facts).into_iter().flat_map(|it| matched_elements(term, it)));
        }
        matches
    }

    fn feature<'f>(&'f self, term: &Term, facts: &'f Facts) -> Option<&'f Feature> {
        match super::progress::fact_of(term, facts, self) {
            Fact::Known(feature, _) => Some(feature),
            Fact::Absent(_) | Fact::Unknown(_) => None,
        }
    }
}

fn undecided(rule: &Rule) -> Unknown {
    let reason = "depends on facts that are not known".to_owned();
    Unknown { read: format!("what rule {:?} publishes", rule.name), reason }
}

/// What a template sees of an element.
type ElementAttributes = BTreeMap<String, String>;

/// First what `matchExpressions` matched, by name, then instances, then what `matchName` matched.
fn matched_elements(term: &Term, feature: &Feature) -> Vec<ElementAttributes> {
    let mut elements = Vec::new();
    if let Some(expressions) = &term.expressions {
        let mut named: Vec<_> =
            expressions.iter().flat_map(|(name, it)| named(term, feature, name, &it.test)).collect();
        named.sort_by(|left, right| left.get("Name").cmp(&right.get("Name")));
        elements.extend(named);
        let fits = |it: &&Instance| {
            let value = |name: &str| {
                it.attributes.get(name).map_or(TestedElement::Missing, |it| TestedElement::Value(it))
            };
            let judge = |(name, it): &(String, Expression)| {
                spelling::judge(&term.feature, name, &it.test, value(name)) == Outcome::Met
            };
            expressions.iter().all(judge)
        };
        elements.extend(feature.instances.iter().flatten().filter(fits).map(|it| it.attributes.clone()));
    }
    if let Some(name) = &term.name {
        elements.extend(matched_names(term, feature, &name.test));
    }
    elements
}

/// An element that has to be absent has to be so among flags and attributes; it then stands in both.
fn named(term: &Term, feature: &Feature, name: &str, test: &Test) -> Vec<ElementAttributes> {
    let spelt = spelling::name(&term.feature, feature, name);
    let flag = feature.flags.as_ref().map(|_| term::flag(feature, spelt));
    let attribute = feature.attributes.as_ref().map(|_| term::attribute(feature, name));
    let met = |it: &Option<TestedElement<'_>>| {
        it.is_some_and(|it| spelling::judge(&term.feature, name, test, it) == Outcome::Met)
    };
    let value = match attribute {
        Some(TestedElement::Value(value)) => value,
        _ => "",
    };
    let flag = met(&flag).then(|| pair(name, None));
    let attribute = met(&attribute).then(|| pair(name, Some(value)));
    flag.into_iter().chain(attribute).collect()
}

fn matched_names(term: &Term, feature: &Feature, test: &Test) -> Vec<ElementAttributes> {
    let fits =
        |name: &str| spelling::judge(&term.feature, "", test, TestedElement::Value(name)) == Outcome::Met;
    let flags = feature.flags.iter().flatten().filter(|it| fits(it)).map(|it| pair(it, None));
    let attributes = feature.attributes.iter().flatten().filter(|(it, _)| fits(it));
    let attributes = attributes.map(|(name, value)| pair(name, Some(value)));
    let instances = feature.instances.iter().flatten().filter(|it| it.attributes.keys().any(|it| fits(it)));
    flags.chain(attributes).chain(instances.map(|it| it.attributes.clone())).collect()
}

fn pair(name: &str, value: Option<&str>) -> ElementAttributes {
    let value = value.map(|it| ("Value".to_owned(), it.to_owned()));
    [("Name".to_owned(), name.to_owned())].into_iter().chain(value).collect()
}
