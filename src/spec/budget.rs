//! The limits of what a spec may cost to read and to judge. Costs are counted, not timed, so a spec is too expensive on every
//! host or on none. Never looks at a host.

use super::pattern::Pattern;
use super::{Rule, Term, Test};
use crate::words::text::quoted;

/// Bytes of all patterns of a spec as they are written. Real specs have some hundred.
const MAX_SOURCE: usize = 16 << 10;
/// Bytes of all patterns of a spec when compiled. Real specs have some ten thousand.
const MAX_COMPILED: usize = 1 << 20;
/// Steps of holding a whole spec against a host: one for each state of a pattern and each byte of text, and for each
/// value that an element is compared with. The worst of them takes some 15 ns, so that all take two seconds at most.
pub const MAX_STEPS: u64 = 1 << 27;
/// Elements are short: each is taken for this much text at least.
const LEAST_TEXT: usize = 16;
/// A template takes at most this many steps for each list of terms that it is expanded for (`template::expand`).
const TEMPLATE_STEPS: u64 = 1 << 20;

/// No feature has less of [`most_text`]: what is shorter needs no look at the feature.
pub const LEAST_MOST_TEXT: usize = 64 << 10;

/// How much text of a feature is looked at, in bytes, for its names (`matchName`) or for the elements that a term names.
/// If a host has more, the rest stays unknown: no host may make a spec more expensive.
pub fn most_text(feature: &str, of: Text) -> usize {
    match (feature, of) {
        // A setting for each of thousands of network interfaces.
        ("kernel.sysctl", Text::Names) => 1 << 20,
        // Twelve thousand options.
        ("kernel.config", Text::Names) => 512 << 10,
        // One value each.
        ("kernel.sysctl" | "kernel.config" | "kernel.version" | "kernel.cmdline", Text::Elements) => {
            LEAST_MOST_TEXT
        }
        ("cpu.cpuid" | "cpu.model" | "system.osrelease" | "rule.matched", _) => LEAST_MOST_TEXT,
        // Thousands of mounts, modules or interfaces.
        _ => 256 << 10,
    }
}

/// The part of a feature that a test is applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// The names of all its elements.
    Names,
    /// One element, or one attribute of all instances.
    Elements,
}

/// How much of [`most_text`] an element takes.
pub fn text_of(element: &str) -> usize {
    element.len().max(LEAST_TEXT)
}

/// What the spec that is being read has cost so far.
#[derive(Debug, Default)]
pub(super) struct Budget {
    source: usize,
    compiled: usize,
    steps: u64,
    /// Once it is exceeded, nothing more is compiled, and it is not reported again.
    is_spent: bool,
}

impl Budget {
    /// Compiles a pattern. `None` if the spec already spent too much, which was reported. The error is a sentence.
    pub(super) fn pattern(&mut self, source: &str) -> Option<Result<Pattern, String>> {
        if self.is_spent {
            return None;
        }
        self.source += source.len();
        if MAX_SOURCE < self.source {
            self.is_spent = true;
            let bytes = self.source;
            return Some(Err(format!(
                "the patterns up to this one have {bytes} bytes together; those of a spec have at most {MAX_SOURCE}: use \
                 fewer or shorter ones"
            )));
        }
        let left = MAX_COMPILED.saturating_sub(self.compiled);
        let err = match Pattern::parse_within(source, left) {
            Ok(pattern) => {
                self.compiled += pattern.size().map_or(0, |it| it.bytes);
                return Some(Ok(pattern));
            }
            Err(err) => err,
        };
        // The work is done, and others like it may follow.
        self.is_spent = err.is_too_large();
        let why = match err.is_too_large() && self.compiled > 0 {
            true => format!(
                "the patterns up to {} take more than {MAX_COMPILED} bytes together when compiled, which is the most for \
                 a spec: repeat less often, or use fewer Unicode classes",
                quoted(source)
            ),
            false => {
                let (offset, message) = (err.offset, err.message);
                format!("{} is not a regular expression: at byte {offset}: {message}", quoted(source))
            }
        };
        Some(Err(why))
    }

    /// Adds what it takes to hold a rule against a host, and says so if the spec takes too much.
    pub(super) fn rule(&mut self, rule: &Rule) -> Option<String> {
        let steps: u64 = rule.terms().map(steps).fold(0, u64::saturating_add);
        // What was matched is looked for once more, and each list of terms is a run of its own.
        let runs = u64::from(!rule.match_features.is_empty()) + count(rule.match_any.len());
        let expanding =
            rule.vars_template.as_ref().map_or(0, |_| steps.saturating_add(runs * TEMPLATE_STEPS));
        self.steps = self.steps.saturating_add(steps).saturating_add(expanding);
        if self.is_spent || self.steps <= MAX_STEPS {
            return None;
        }
        self.is_spent = true;
        Some(format!(
            "the rules up to this one take as many as {} steps to hold against a host; those of a spec take at most \
             {MAX_STEPS}: use fewer or smaller patterns, lists and templates",
            self.steps
        ))
    }
}

/// The steps that a term takes at most.
pub fn steps(term: &Term) -> u64 {
    let feature = term.feature.to_lowercase();
    let of = |test: &Test, of: Text| of_test(test, most_text(&feature, of));
    let elements = term.expressions.iter().flatten().map(|(_, it)| of(&it.test, Text::Elements));
    let names = term.name.iter().map(|it| of(&it.test, Text::Names));
    elements.chain(names).fold(0, u64::saturating_add)
}

fn of_test(test: &Test, text: usize) -> u64 {
    let elements = count(text / LEAST_TEXT);
    match test {
        Test::InRegexp(patterns) => {
            let states: usize = patterns.iter().filter_map(Pattern::size).map(|it| it.states).sum();
            count(states).saturating_mul(count(text))
        }
        Test::In(values) | Test::NotIn(values) => elements * count(values.len()),
        Test::Any
        | Test::Exists
        | Test::DoesNotExist
        | Test::Integer(_)
        | Test::Integers(_)
        | Test::Version(_)
        | Test::IsTrue
        | Test::IsFalse
        | Test::Enabled
        | Test::Quantity(_)
        | Test::Release(_)
        | Test::Nvidia(_) => elements,
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::parse;

    /// These rules, each on a line of its own from line 4 on; what is wrong with them all.
    fn check(rules: &[String], expected: &[&str]) {
        let rules: String = rules.iter().map(|it| format!("  - {{name: r, {it}}}\n")).collect();
        let text = format!("version: v1alpha1\ncompatibilities:\n- rules:\n{rules}");
        let found = match parse(text.as_bytes()) {
            Ok(_) => Vec::new(),
            Err(malformed) => malformed.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(found, expected);
    }

    /// A term whose `matchName` has these patterns.
    fn names(feature: &str, patterns: &[&str]) -> String {
        let patterns = patterns.iter().map(|it| format!("'{it}'")).collect::<Vec<_>>().join(", ");
        format!("matchFeatures: [{{feature: {feature}, matchName: {{op: InRegexp, value: [{patterns}]}}}}]")
    }

    #[test]
    fn patterns_have_so_many_bytes_together_at_most() {
        // Long, and of few states.
        let rule = names("cpu.cpuid", &[&format!("(?:{}){{0}}", "a".repeat(40))]);
        check(&vec![rule.clone(); 348], &[]);
        check(
            &vec![rule; 1000],
            &[
                "352:86: the patterns up to this one have 16403 bytes together; those of a spec have at most 16384: use \
                 fewer or shorter ones",
            ],
        );
    }

    #[test]
    fn patterns_are_so_large_together_when_compiled_at_most() {
        check(
            &[names("kernel.config", &[".{0,900}"; 9])],
            &[
                "4:126: the patterns up to \".{0,900}\" take more than 1048576 bytes together when compiled, which is the \
                 most for a spec: repeat less often, or use fewer Unicode classes",
            ],
        );
    }

    #[test]
    fn nothing_more_is_compiled_after_a_pattern_that_is_too_large() {
        check(
            &[names("kernel.config", &[r"\pL{1000}", r"\pN{1000}", "("])],
            &[
                "4:90: \"\\\\pL{1000}\" is not a regular expression: at byte 0: the pattern is too large when compiled: \
                 repeat less often, or use fewer Unicode classes",
            ],
        );
    }

    /// The message on the rule that is one too many.
    fn too_many(line: usize, steps: u64) -> String {
        format!(
            "{line}:5: the rules up to this one take as many as {steps} steps to hold against a host; those of a spec take \
             at most 134217728: use fewer or smaller patterns, lists and templates"
        )
    }

    #[test]
    fn patterns_take_a_step_for_each_state_and_each_byte_of_text() {
        const PATTERN: &str = "a*b*c*d*e*f*g*h*";
        let states = Pattern::parse(PATTERN).ok().and_then(|it| it.size()).map_or(0, |it| it.states);
        let each = u64::try_from(states * (512 << 10)).unwrap();
        let allowed = usize::try_from(MAX_STEPS / each).unwrap();
        assert!(5 < allowed, "{states} states");
        check(&vec![names("kernel.config", &[PATTERN]); allowed], &[]);
        let one_too_many = (u64::try_from(allowed).unwrap() + 1) * each;
        check(
            &vec![names("kernel.config", &[PATTERN]); allowed + 2],
            &[&too_many(4 + allowed, one_too_many)],
        );
    }

    #[test]
    fn lists_take_a_step_for_each_value_and_element() {
        let term = |count: usize| {
            let list = (0..count).map(|it| format!("v{it}")).collect::<Vec<_>>().join(", ");
            format!("matchFeatures: [{{feature: kernel.config, matchName: {{op: In, value: [{list}]}}}}]")
        };
        check(&[term(4096)], &[]);
        check(&[term(4200)], &[&too_many(4, 4200 * (512 << 10) / 16)]);
        let one =
            "matchFeatures: [{feature: pci.device, matchExpressions: {vendor: {op: Exists}}}]".to_owned();
        check(&vec![one; 1300], &[]);
    }

    #[test]
    fn templates_take_their_most_for_each_list_of_terms() {
        let template = "varsTemplate: 'a=b', matchFeatures: [{feature: cpu.cpuid}]".to_owned();
        check(&vec![template.clone(); 128], &[]);
        check(&vec![template; 130], &[&too_many(132, 129 << 20)]);
        let alternatives = vec!["{matchFeatures: [{feature: cpu.cpuid}]}"; 129].join(", ");
        let alternatives = format!("varsTemplate: 'a=b', matchAny: [{alternatives}]");
        check(&[alternatives], &[&too_many(4, 129 << 20)]);
    }
}
