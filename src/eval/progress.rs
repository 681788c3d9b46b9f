//! The terms of a rule, judged one after the other.

use super::matched::{self, RuleMatched};
use super::{Access, Context, JudgedTerm, Outcome, discreet, lower, term};
use crate::host::{Fact, Facts};
use crate::spec::Term;

/// What has been judged of a rule so far.
pub(super) struct RuleProgress<'a, 'j> {
    pub(super) context: &'j Context<'j>,
    pub(super) matched: &'j RuleMatched,
    /// Whether the rule makes variables of what its terms match.
    pub(super) has_template: bool,
    /// Which GPU conditions of `NVIDIA_REQUIRE_*` are about.
    pub(super) gpu: usize,
    pub(super) terms: Vec<JudgedTerm<'a>>,
}

impl<'a> RuleProgress<'a, '_> {
    /// Judges further terms, of this alternative: what comes of them together.
    pub(super) fn terms(&mut self, terms: &'a [Term], alternative: Option<usize>) -> Outcome {
        let judge = |term: &'a Term| {
            let fact = fact_of(term, self.context.facts, self.matched);
            let is_withheld = self.context.access == Access::Public
                && discreet::shows_what_is_sensitive(term, fact, self.has_template);
            let findings = match is_withheld {
                true => term::withheld(term),
                false => term::judge(term, fact, self.gpu, self.context),
            };
            let outcome = Outcome::all(findings.iter().map(|it| it.outcome));
            JudgedTerm { term, alternative, group: String::new(), negated: false, outcome, findings }
        };
        let first = self.terms.len();
        self.terms.extend(terms.iter().map(judge));
        Outcome::all(self.terms.iter().skip(first).map(|it| it.outcome))
    }
}

/// Features are looked up in lower case, as NFD does.
pub(super) fn fact_of<'f>(term: &Term, facts: &'f Facts, matched: &'f RuleMatched) -> &'f Fact {
    let name = lower(&term.feature);
    if name == matched::FEATURE { matched.fact() } else { facts.get(&name) }
}
