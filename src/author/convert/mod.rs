//! From any format to Node Feature Discovery's language or to our own: keeps what that can say, and names what it cannot. Never
//! makes a spec stricter: a part that would refuse a fitting host is left out.

mod image;
mod write;
#[cfg(test)]
mod tests;

use crate::spec::{
    Bound, Expression, Group, Language, Place, Quantity, Rule, Set, Severity, Spec, Term, Test,
};

pub use image::understand;

/// A spec in another language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The document, YAML.
    pub document: String,
    /// What it does not say any more, in the order of the spec.
    pub losses: Vec<Loss>,
}

/// Something that the other language cannot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Where it stood.
    pub at: Place,
    /// What was left out, and what that means.
    pub message: String,
}

/// The spec as `v1alpha1`.
pub fn to_nfd(spec: &Spec) -> Converted {
    let mut losses = Vec::new();
    // Ids of other formats are names that their authors gave to something else.
    let has_ids = !spec.language.is_proposed();
    let set = |it: &Set| Set {
        rules: it.rules.iter().filter_map(|it| rule(it, has_ids, &mut losses)).collect(),
        ..it.clone()
    };
    let sets = spec.sets.iter().map(set).collect();
    finished(Spec { language: Language::Nfd, sets }, losses)
}

/// The spec as `oci-compat/v1`.
pub fn to_own(spec: &Spec) -> Converted {
    let rules = spec.sets.iter().flat_map(|it| &it.rules);
    let named = rules.filter(|it| it.groups.iter().any(has_names)).map(|it| Loss {
        at: it.at,
        message: format!("rule {:?}: the ids of the compatibilities in its graphs are left out", name(it)),
    });
    finished(Spec { language: Language::Own, sets: spec.sets.clone() }, named.collect())
}

fn has_names(group: &Group) -> bool {
    match group {
        Group::Named { .. } => true,
        Group::Terms(_) => false,
        Group::All(groups) | Group::Any(groups) => groups.iter().any(has_names),
        Group::Not(group) | Group::EachGpu { group, .. } => has_names(group),
    }
}

fn finished(mut spec: Spec, mut losses: Vec<Loss>) -> Converted {
    for rule in spec.sets.iter_mut().flat_map(|it| &mut it.rules) {
        rule.match_features = apart(std::mem::take(&mut rule.match_features));
        rule.match_any = std::mem::take(&mut rule.match_any).into_iter().map(apart).collect();
        rule.when.iter_mut().chain(&mut rule.groups).for_each(apart_in);
    }
    losses.sort_by_key(|it: &Loss| it.at);
    Converted { document: write::document(&spec), losses }
}

fn apart_in(group: &mut Group) {
    match group {
        Group::Terms(terms) => *terms = apart(std::mem::take(terms)),
        Group::All(groups) | Group::Any(groups) => groups.iter_mut().for_each(apart_in),
        Group::Not(group) | Group::Named { group, .. } | Group::EachGpu { group, .. } => apart_in(group),
    }
}

/// A mapping has each name once: a second expression on an element becomes a term of its own. Formats that have several have
/// them of attributes only.
fn apart(terms: Vec<Term>) -> Vec<Term> {
    let mut found = Vec::with_capacity(terms.len());
    for mut term in terms {
        let mut more = Vec::new();
        if let Some(expressions) = &mut term.expressions {
            let mut seen = std::collections::BTreeSet::new();
            expressions.retain(|it| {
                let is_first = seen.insert(it.0.clone());
                if !is_first {
                    more.push(it.clone());
                }
                is_first
            });
        }
        let (feature, at) = (term.feature.clone(), term.at);
        found.push(term);
        found.extend(more.into_iter().map(|it| Term {
            feature: feature.clone(),
            expressions: Some(vec![it]),
            name: None,
            count: None,
            at,
        }));
    }
    found
}

fn rule(rule: &Rule, has_ids: bool, losses: &mut Vec<Loss>) -> Option<Rule> {
    let mut lose =
        |what: &str| losses.push(Loss { at: rule.at, message: format!("rule {:?}: {what}", name(rule)) });
    if rule.severity != Severity::Required {
        lose("it is left out, because it would be required");
        return None;
    }
    if rule.when.is_some() {
        lose("it is left out, because it would count everywhere and not only under its condition");
        return None;
    }
    if [&rule.id, &rule.remedy, &rule.docs].into_iter().any(|it| has_ids && !it.is_empty()) {
        lose("`id`, `remedy` and `docs` are left out");
    }
    let (mut features, mut any) = (rule.match_features.clone(), rule.match_any.clone());
    for group in &rule.groups {
        match group {
            Group::Any(groups) if any.is_empty() => match groups.iter().map(together).collect() {
                Some(alternatives) => any = alternatives,
                None => lose("`any` is left out, because its groups hold `any` or `not`"),
            },
            Group::Any(_) => lose("`any` is left out, because there can be only one"),
            Group::Not(_) => lose("`not` is left out"),
            Group::EachGpu { .. } => lose("what is asked of each GPU is left out"),
            Group::Terms(_) | Group::All(_) | Group::Named { .. } => match together(group) {
                Some(terms) => features.extend(terms),
                None => lose("`all` is left out, because its groups hold `any` or `not`"),
            },
        }
    }
    let mut keep = |terms: Vec<Term>| terms.into_iter().filter_map(|it| term(it, losses)).collect::<Vec<_>>();
    Some(Rule {
        name: name(rule).to_owned(),
        id: String::new(),
        remedy: String::new(),
        docs: String::new(),
        groups: Vec::new(),
        match_features: keep(features),
        match_any: any.into_iter().map(keep).collect(),
        ..rule.clone()
    })
}

/// A rule with only an id is named by it.
fn name(rule: &Rule) -> &str {
    if rule.name.is_empty() { &rule.id } else { &rule.name }
}

/// The terms of a group that must all hold; none if the group has other parts.
fn together(group: &Group) -> Option<Vec<Term>> {
    match group {
        Group::Terms(terms) => Some(terms.clone()),
        Group::All(groups) => Some(groups.iter().map(together).collect::<Option<Vec<_>>>()?.concat()),
        Group::Named { group, .. } => together(group),
        Group::Any(_) | Group::Not(_) | Group::EachGpu { .. } => None,
    }
}

fn term(mut term: Term, losses: &mut Vec<Loss>) -> Option<Term> {
    let feature = term.feature.clone();
    let mut lose = |at: Place, what: String| losses.push(Loss { at, message: format!("{feature}: {what}") });
    if let Some(Expression { test, at }) = term.count.take() {
        let least = if let Test::Integer(Bound::Ge(least)) = test {
            least
        } else if let Test::Integer(Bound::Gt(least)) = test {
            least.saturating_add(1)
        } else {
            0
        };
        if least < 1 {
            lose(at, "the term is left out, because `count` would ask for at least one".to_owned());
            return None;
        }
        if 1 < least {
            lose(at, "`count` is left out, so that one is enough".to_owned());
        }
    }
    if let Some(expressions) = term.expressions.take() {
        let kept = expressions.into_iter().filter_map(|(name, it)| {
            let at = it.at;
            match test(&name, it.test) {
                Ok(test) => Some((name, Expression { test, at })),
                Err(why) => {
                    lose(at, format!("the expression on {name:?} is left out, because {why}"));
                    None
                }
            }
        });
        term.expressions = Some(kept.collect::<Vec<_>>()).filter(|it| !it.is_empty());
    }
    if let Some(Expression { test: name, at }) = term.name.take() {
        match test("", name) {
            Ok(test) => term.name = Some(Expression { test, at }),
            Err(why) => lose(at, format!("`matchName` is left out, because {why}")),
        }
    }
    Some(term)
}

/// The same test in NFD's words, or why there is none.
fn test(name: &str, test: Test) -> Result<Test, &'static str> {
    match test {
        Test::Enabled => Ok(Test::In(vec!["y".to_owned(), "m".to_owned()])),
        Test::Quantity(bound) => quantity(name, &bound).ok_or("quantities with units cannot be said"),
        Test::Release(_) => Err("builds of a distribution cannot be compared"),
        Test::Nvidia(_) => Err("conditions of NVIDIA's images cannot be said"),
        Test::Integer(Bound::Outside(..)) | Test::Version(Bound::Outside(..)) => {
            Err("`NotInRange` cannot be said")
        }
        Test::Any
        | Test::Exists
        | Test::DoesNotExist
        | Test::In(_)
        | Test::NotIn(_)
        | Test::InRegexp(_)
        | Test::Integer(_)
        | Test::Integers(_)
        | Test::Version(_)
        | Test::IsTrue
        | Test::IsFalse => Ok(test),
    }
}

/// Bytes, where the host's value is in bytes.
fn quantity(name: &str, bound: &Bound<Quantity>) -> Option<Test> {
    let bytes = |it: &Quantity| i128::try_from(it.bytes_of(name)?).ok();
    let bound = match bound {
        Bound::Gt(it) => Bound::Gt(bytes(it)?),
        Bound::Ge(it) => Bound::Ge(bytes(it)?),
        Bound::Lt(it) => Bound::Lt(bytes(it)?),
        Bound::Le(it) => Bound::Le(bytes(it)?),
        Bound::GtLt(low, high) => Bound::GtLt(bytes(low)?, bytes(high)?),
        Bound::GeLe(low, high) => Bound::GeLe(bytes(low)?, bytes(high)?),
        Bound::Outside(..) => return None,
    };
    Some(Test::Integer(bound))
}
