//! Conditions of `NVIDIA_REQUIRE_*` in words: what the image needs, what the driver and the GPUs are, what to install.

use crate::eval::{Clue, Evidence, Finding, Outcome};
use crate::spec::{Condition, Property, Test};

use super::words::shown;

/// A condition in words, without what it is about.
pub(super) fn needed(condition: &Condition) -> String {
    match &condition.comparison {
        Some(comparison) => {
            let value = &comparison.value;
            comparison.needed().replacen(value.as_str(), &shown(value), 1)
        }
        None => format!("{:?}", condition.text),
    }
}

impl Finding<'_> {
    /// Whether the image says something that is no condition.
    pub(super) fn is_invalid(&self) -> bool {
        matches!(self.test, Some(Test::Nvidia(condition)) if condition.comparison.is_none())
    }

    /// One line on why a condition does not hold. `needed` is what it asks for.
    pub(super) fn nvidia_line(&self, condition: &Condition, needed: &str) -> String {
        let Some(comparison) = &condition.comparison else {
            let is_absent = matches!(self.evidence, Evidence::NoFeature { .. });
            return match is_absent {
                true => format!("the image needs {needed}{}", self.without_driver()),
                false => format!("in the image's environment {}", self.unknown_reason()),
            };
        };
        let what = match comparison.property {
            Property::Cuda => format!("CUDA {needed}"),
            Property::Driver => format!("NVIDIA driver {needed}"),
            Property::Arch => format!("a GPU of compute capability {needed}"),
            Property::Brand => format!("a GPU of brand {needed}"),
        };
        let has = match (self.outcome, &self.evidence) {
            (Outcome::Unknown, _) => {
                let name = comparison.property.name();
                format!("; the {name} of this host is unknown: {}", self.unknown_reason())
            }
            (_, Evidence::NoFeature { .. }) => self.without_driver(),
            _ => match comparison.property {
                Property::Cuda => format!("; {} has CUDA {}", self.driver(), self.found()),
                Property::Driver => format!("; this host has {}", self.found()),
                Property::Arch => format!("; {} has {}", self.gpu(), self.found()),
                Property::Brand => format!("; {} is of brand {}", self.gpu(), self.found()),
            },
        };
        format!(
            "the image needs {what}{has}{}",
            self.driver_hint().map_or_else(String::new, |it| format!(": {it}"))
        )
    }

    fn unknown_reason(&self) -> String {
        let Evidence::Unknown(unknown) = &self.evidence else { return String::new() };
        match unknown.read.as_str() {
            "" => unknown.reason.clone(),
            read => format!("{read} {}", unknown.reason),
        }
    }

    fn without_driver(&self) -> String {
        let instead = self.read().split_once("; ").map_or_else(String::new, |(_, it)| format!(" ({it})"));
        format!(", and this host has no NVIDIA driver{instead}")
    }

    fn driver(&self) -> String {
        match &self.clue {
            Some(Clue::Driver { found: Some(found), .. }) => format!("driver {}", shown(found)),
            _ => "the driver of this host".to_owned(),
        }
    }

    fn gpu(&self) -> String {
        match self.read().strip_prefix("/proc/driver/nvidia/gpus/") {
            Some(address) => format!("GPU {}", shown(address)),
            None => "the GPU of this host".to_owned(),
        }
    }

    /// What to install.
    pub(super) fn driver_hint(&self) -> Option<String> {
        let Some(Clue::Driver { needed, install, .. }) = &self.clue else { return None };
        let command = install.as_ref().map_or_else(String::new, |it| format!(" ({it})"));
        Some(match needed {
            Some(needed) => format!("install driver {} or newer{command}", shown(needed)),
            None => format!("install the driver{command}"),
        })
    }
}
