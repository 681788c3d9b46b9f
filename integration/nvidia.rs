//! Every constraint that NVIDIA's own evaluator answered, judged by ours read to the letter.

use std::fmt::Write;

use oci_compat::eval::{self, Outcome};
use oci_compat::host::Facts;
use oci_compat::nvidia::{self, Environment, GivenGpus, Strictness};
use serde::Deserialize;

const CASES: &str = include_str!("conformance/nvidia-require.ndjson");

/// A constraint, what the host has (empty: it could not be read), and NVIDIA's answer.
#[derive(Debug, Deserialize)]
struct Case {
    id: usize,
    require: String,
    cuda: String,
    driver: String,
    arch: String,
    brand: String,
    nvidia: String,
}

impl Case {
    fn facts(&self) -> Facts {
        let known = |pairs: [(&str, &String); 2]| {
            let pairs = pairs.into_iter().filter(|(_, it)| !it.is_empty());
            pairs.map(|(name, it)| (name.to_owned(), it.as_str().into())).collect::<serde_json::Map<_, _>>()
        };
        let document = serde_json::json!({
            "attributes": {"gpu.nvidia": {"elements": known([("cuda", &self.cuda), ("driver", &self.driver)])}},
            "instances": {"gpu.nvidia": {"elements": [
                {"attributes": known([("arch", &self.arch), ("brand", &self.brand)])},
            ]}},
        });
        Facts::from_json(document.to_string().as_bytes()).expect("the facts of a case")
    }

    fn has_unknown(&self) -> bool {
        [&self.cuda, &self.driver, &self.arch, &self.brand].into_iter().any(|it| it.is_empty())
    }

    fn judged(&self, reading: Strictness) -> Outcome {
        let variable = format!("NVIDIA_REQUIRE_CUDA={}", self.require);
        let environment = Environment::of([variable.as_str()]);
        let (demands, faults) = nvidia::demands(&environment, GivenGpus::Gpus(None), reading, None);
        assert_eq!(faults, Vec::<String>::new(), "{}", self.id);
        let facts = self.facts();
        Outcome::all(demands.iter().map(|it| eval::evaluate(&it.spec, &[], &facts).outcome))
    }
}

fn cases() -> Vec<Case> {
    CASES.lines().map(|it| serde_json::from_str(it).expect("a case is JSON")).collect()
}

/// What NVIDIA takes for satisfied because it cannot read it is unknown to ours, and so is what NVIDIA calls an invalid
/// expression.
#[test]
fn read_to_the_letter_every_constraint_comes_to_what_nvidia_says() {
    let (mut counts, mut wrong) = ([0; 3], String::new());
    for case in cases() {
        let ours = case.judged(Strictness::Strict);
        let agrees = match (case.nvidia.as_str(), ours) {
            ("met", Outcome::Met) | ("unmet", Outcome::Unmet) | ("error", Outcome::Unknown) => true,
            (_, Outcome::Unknown) => case.has_unknown(),
            _ => false,
        };
        if !agrees {
            writeln!(wrong, "{case:?}, ours: {ours:?}").expect("a string");
        }
        counts[match ours {
            Outcome::Met => 0,
            Outcome::Unmet => 1,
            Outcome::Unknown => 2,
        }] += 1;
    }
    assert_eq!(wrong, "");
    assert_eq!(counts, [277, 188, 235]);
}

/// What ours also lets run never lies below: of what NVIDIA calls met, nothing is unmet.
#[test]
fn read_sensibly_nothing_is_refused_that_nvidia_lets_run() {
    for case in cases() {
        let (strict, sensible) = (case.judged(Strictness::Strict), case.judged(Strictness::Sensible));
        if case.nvidia == "met" {
            assert_ne!(sensible, Outcome::Unmet, "{case:?}");
        }
        if strict == Outcome::Met {
            assert_eq!(sensible, Outcome::Met, "{case:?}");
        }
    }
}
