//! What the environment of NVIDIA's images demands of the driver and the GPUs: `NVIDIA_REQUIRE_*`, and `CUDA_VERSION` of
//! old images. Makes rules of it, and judges none.

mod compat;
mod constraint;
mod environment;
mod given;
mod rules;

use crate::spec::Spec;

pub use compat::{ANY_DRIVER, compat};
pub use environment::Environment;

/// NVIDIA's own program takes no more variables (`nvidia-container-cli configure --require`).
const MAX_VARIABLES: usize = 32;

/// How the conditions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// As NVIDIA's own evaluator reads them.
    Strict,
    /// A program also runs on an older driver where CUDA's minor version compatibility or forward compatibility holds.
    Sensible,
}

/// Whether a container is given GPUs, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenGpus {
    /// All of the host's, or so many of them, which are not known.
    Gpus(Option<usize>),
    /// Its environment asks for them, and it is not known whether anything heeds that: images of NVIDIA's always ask.
    Perhaps(Option<usize>),
}

/// What one variable demands.
#[derive(Debug, Clone, PartialEq)]
pub struct NvidiaDemand {
    /// Which one.
    pub variable: String,
    /// Its conditions as rules.
    pub spec: Spec,
}

/// What is demanded of the host of a container that is given GPUs; and what is wrong with it, each a sentence.
///
/// `compat` is the driver whose libraries the image brings, if it brings any, such as `550.54.15`.
pub fn demands(
    environment: &Environment,
    given: GivenGpus,
    reading: Strictness,
    compat: Option<&str>,
) -> (Vec<NvidiaDemand>, Vec<String>) {
    let (mut demands, mut faults) = (Vec::new(), Vec::new());
    if environment.is_disabled() {
        return (demands, faults);
    }
    let variables = environment.constraints(reading);
    if MAX_VARIABLES < variables.len() {
        let count = variables.len();
        faults.push(format!(
            "the environment has {count} variables NVIDIA_REQUIRE_*, and NVIDIA takes {MAX_VARIABLES}: the others do not count"
        ));
    }
    for (variable, text) in variables.into_iter().take(MAX_VARIABLES) {
        match constraint::parse(&text) {
            Ok(constraint) => {
                let how = rules::How { given, reading, compat };
                let spec = rules::spec(&variable, &text, &constraint, &how);
                demands.extend(spec.map(|spec| NvidiaDemand { variable, spec }));
            }
            Err(fault) => faults.push(format!("environment variable {variable} {fault}")),
        }
    }
    (demands, faults)
}
