//! A constraint: alternatives with blanks between them, each of conditions with commas between them, read as NVIDIA's own
//! evaluator does (libnvidia-container, `dsl_evaluate` in `src/cli/dsl.c`).

use crate::spec::Condition;

/// The variables of NVIDIA's images have some 4 KiB.
const MAX_TEXT: usize = 32 << 10;
/// They have some 150 conditions.
const MAX_CONDITIONS: usize = 1024;

/// A condition, and at which byte it starts.
pub(super) type PlacedCondition = (Condition, usize);

/// Alternatives: one has to hold. Empty if there is no condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Constraint {
    pub(super) alternatives: Vec<Vec<PlacedCondition>>,
}

/// Reads a constraint; what is wrong with it is the end of a sentence.
///
/// NVIDIA stops at an alternative of nothing but commas, with what came of the condition before: at the first one that is
/// nothing, so that all is met, and at a later one that did not hold, so that no further alternative counts.
pub(super) fn parse(text: &str) -> Result<Constraint, String> {
    if MAX_TEXT < text.len() {
        let length = text.len();
        return Err(format!("has {length} bytes; no more than {MAX_TEXT} are read, and it does not count"));
    }
    let (mut constraint, mut count) = (Constraint::default(), 0);
    for (start, alternative) in parts(text, 0, ' ') {
        let conditions: Vec<_> =
            parts(alternative, start, ',').map(|(at, it)| (Condition::parse(it), at)).collect();
        if conditions.is_empty() {
            break;
        }
        count += conditions.len();
        if MAX_CONDITIONS < count {
            return Err(format!("has more than {MAX_CONDITIONS} conditions, and does not count"));
        }
        constraint.alternatives.push(conditions);
    }
    Ok(constraint)
}

/// The parts of a text that are not empty, and where they start.
fn parts(text: &str, start: usize, between: char) -> impl Iterator<Item = (usize, &str)> {
    let mut at = start;
    let placed = text.split(between).map(move |it| {
        let here = at;
        at += it.len() + 1;
        (here, it)
    });
    placed.filter(|(_, it)| !it.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = parse(text).map(|it| {
            let alternative = |it: &Vec<PlacedCondition>| {
                it.iter().map(|(it, at)| format!("{at}:{}", it.text)).collect::<Vec<_>>().join(" & ")
            };
            it.alternatives.iter().map(alternative).collect::<Vec<_>>().join(" | ")
        });
        assert_eq!(shown.as_deref(), Ok(expected), "{text:?}");
    }

    #[test]
    fn blanks_stand_between_alternatives_and_commas_between_conditions() {
        check(
            "cuda>=12.4 brand=tesla,driver>=470,driver<471",
            "0:cuda>=12.4 | 11:brand=tesla & 23:driver>=470 & 35:driver<471",
        );
        check("  cuda>=12,,driver>=5, ", "2:cuda>=12 & 12:driver>=5");
        check("brand=a\tbrand=b", "0:brand=a\tbrand=b");
        check("", "");
        check("   ", "");
    }

    #[test]
    fn an_alternative_of_commas_ends_it() {
        check(",", "");
        check(", cuda>=12", "");
        check("cuda>=12 ,, cuda>=11", "0:cuda>=12");
    }

    #[test]
    fn a_constraint_is_bounded() {
        let long = "x".repeat(MAX_TEXT + 1);
        let fault = "has 32769 bytes; no more than 32768 are read, and it does not count";
        assert_eq!(parse(&long), Err(fault.to_owned()));
        assert_eq!(
            parse(&"a,".repeat(MAX_CONDITIONS + 1)),
            Err("has more than 1024 conditions, and does not count".to_owned())
        );
        assert!(parse(&"a,".repeat(MAX_CONDITIONS)).is_ok());
    }
}
