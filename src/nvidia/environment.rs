//! The variables of a container's environment by which NVIDIA's images say what they need, as NVIDIA's container toolkit
//! reads them (`internal/config/image/cuda_image.go`).

use std::collections::BTreeMap;

use super::Strictness;

const REQUIRE: &str = "NVIDIA_REQUIRE_";
/// For Jetsons: NVIDIA's own programs pass these over.
const JETPACK: &str = "NVIDIA_REQUIRE_JETPACK";
const REQUIRE_CUDA: &str = "NVIDIA_REQUIRE_CUDA";
const CUDA_VERSION: &str = "CUDA_VERSION";
const DISABLE: &str = "NVIDIA_DISABLE_REQUIRE";
const DEVICES: &str = "NVIDIA_VISIBLE_DEVICES";
/// What Go's `strconv.ParseBool` takes for true.
const TRUE: [&str; 6] = ["1", "t", "T", "true", "TRUE", "True"];

/// These variables, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

/// The GPUs that a container's environment asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Devices {
    /// None.
    None,
    /// All.
    All,
    /// Their number; which ones is not known.
    Some(usize),
}

impl Environment {
    /// Of variables such as `NAME=value`, those that are NVIDIA's. The last one of a name counts.
    pub fn of<'a>(variables: impl IntoIterator<Item = &'a str>) -> Self {
        let pairs = variables.into_iter().filter_map(|it| it.split_once('='));
        let ours = pairs.filter(|(name, _)| Self::has(name));
        Self { variables: ours.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
    }

    /// Whether a variable is one of them.
    pub fn has(name: &str) -> bool {
        name.starts_with(REQUIRE) || [CUDA_VERSION, DISABLE, DEVICES].contains(&name)
    }

    /// Whether it demands anything.
    pub fn demands(&self) -> bool {
        !self.is_disabled() && !self.constraints(Strictness::Strict).is_empty()
    }

    /// Whether it says that nothing is to be checked: that takes no more than to leave out what is demanded.
    pub(super) fn is_disabled(&self) -> bool {
        self.value(DISABLE).is_some_and(|it| TRUE.contains(&it))
    }

    /// What is demanded: variables and their text.
    pub(super) fn constraints(&self, reading: Strictness) -> Vec<(String, String)> {
        let required = self.variables.iter();
        let required = required.filter(|(name, _)| name.starts_with(REQUIRE) && !name.starts_with(JETPACK));
        let mut constraints: Vec<_> = required
            .map(|(name, value)| (name.clone(), value.clone()))
            .filter(|(_, it)| !it.is_empty())
            .collect();
        if let Some(version) = self.legacy() {
            // What is no version demands nothing that could be known; NVIDIA's hook refuses it.
            let text = match (major_minor(version), reading) {
                (Some(version), _) => Some(format!("cuda>={version}")),
                (None, Strictness::Strict) => {
                    Some(format!("{CUDA_VERSION}={version}").replace([' ', ','], "_"))
                }
                (None, Strictness::Sensible) => None,
            };
            constraints.extend(text.map(|it| (CUDA_VERSION.to_owned(), it)));
        }
        constraints
    }

    /// The GPUs that it asks for. An old image that says nothing asks for all.
    pub(super) fn devices(&self) -> Devices {
        let Some(value) = self.value(DEVICES) else {
            return if self.legacy().is_some() { Devices::All } else { Devices::None };
        };
        let names: Vec<_> = value.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
        match names.as_slice() {
            [] => Devices::None,
            names if names.contains(&"void") => Devices::None,
            ["none"] => Devices::None,
            names if names.contains(&"all") => Devices::All,
            // A GPU may have several parts (MIG), each with a name of its own.
            names if names.iter().any(|it| it.contains("MIG") || it.contains(':')) => Devices::Some(1),
            names => Devices::Some(names.len()),
        }
    }

    /// The CUDA of an image from before `NVIDIA_REQUIRE_CUDA`.
    fn legacy(&self) -> Option<&str> {
        let is_new = self.value(REQUIRE_CUDA).is_some_and(|it| !it.is_empty());
        self.value(CUDA_VERSION).filter(|it| !it.is_empty() && !is_new)
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// The `9.0` of `9.0.176`: of a semantic version as Go's `golang.org/x/mod/semver` reads it, whose minor version and patch
/// may be missing.
fn major_minor(text: &str) -> Option<String> {
    let text = text.strip_prefix('v').unwrap_or(text);
    let numbers = text.split(['-', '+']).next()?;
    let is_number = |it: &str| {
        !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()) && (it == "0" || !it.starts_with('0'))
    };
    let parts: Vec<_> = numbers.split('.').collect();
    let is_version = parts.iter().all(|it| is_number(it)) && parts.len() <= 3;
    // A suffix follows only what is written in full.
    let is_suffixed = numbers.len() < text.len();
    if !is_version || (is_suffixed && !(parts.len() == 3 && is_suffix(text.get(numbers.len()..)?))) {
        return None;
    }
    let (major, minor) = (parts.first()?, parts.get(1).copied().unwrap_or("0"));
    let fits = |it: &str| it.parse::<u32>().is_ok();
    (fits(major) && fits(minor)).then(|| format!("{major}.{minor}"))
}

/// `-rc.1+build`: identifiers with dots between them; numbers of a pre-release have no leading zero.
fn is_suffix(text: &str) -> bool {
    let (release, build) = match text.split_once('+') {
        Some((release, build)) => (release, Some(build)),
        None => (text, None),
    };
    let is_identifier =
        |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    let is_padded =
        |it: &str| it.len() > 1 && it.starts_with('0') && it.bytes().all(|it| it.is_ascii_digit());
    let is_release = match release.strip_prefix('-') {
        Some(release) => release.split('.').all(|it| is_identifier(it) && !is_padded(it)),
        None => release.is_empty(),
    };
    is_release && build.is_none_or(|it| it.split('.').all(is_identifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[&str], expected: &[(&str, &str)]) {
        let environment = Environment::of(variables.iter().copied());
        let constraints = environment.constraints(Strictness::Strict);
        let constraints: Vec<_> = constraints.iter().map(|(name, it)| (name.as_str(), it.as_str())).collect();
        assert_eq!(constraints, expected, "{variables:?}");
    }

    #[test]
    fn each_variable_with_the_prefix_is_a_constraint_and_the_last_of_a_name_counts() {
        check(
            &[
                "PATH=/bin",
                "NVIDIA_REQUIRE_CUDA=cuda>=9",
                "NVIDIA_REQUIRE_X=a b",
                "NVIDIA_REQUIRE_JETPACK_HOST_MOUNTS=base",
                "NVIDIA_REQUIRE_CUDA=cuda>=11",
                "NVIDIA_REQUIRE_EMPTY=",
                "NVIDIA_REQUIRED=x",
                "NVIDIA_REQUIRE_CUDA",
            ],
            &[("NVIDIA_REQUIRE_CUDA", "cuda>=11"), ("NVIDIA_REQUIRE_X", "a b")],
        );
    }

    #[test]
    fn an_old_image_demands_its_cuda() {
        let check = |version: &str, expected: &str| {
            check(&[&format!("CUDA_VERSION={version}")], &[("CUDA_VERSION", expected)]);
        };
        check("9.0.176", "cuda>=9.0");
        check("v8", "cuda>=8.0");
        check("11.4", "cuda>=11.4");
        check("11.4.0-rc.1+b.02", "cuda>=11.4");
        for wrong in
            ["11.04", "11.4.0.1", "11.4-rc", "cu121", "11.", "4294967296.0", "11.4.0-01", "11.4.0-", "1 2"]
        {
            check(wrong, &format!("CUDA_VERSION={}", wrong.replace(' ', "_")));
        }
        let new = ["CUDA_VERSION=12.4.1", "NVIDIA_REQUIRE_CUDA=cuda>=12.4"];
        self::check(&new, &[("NVIDIA_REQUIRE_CUDA", "cuda>=12.4")]);
        self::check(&["CUDA_VERSION=9.0.1", "NVIDIA_REQUIRE_CUDA="], &[("CUDA_VERSION", "cuda>=9.0")]);
        self::check(&["CUDA_VERSION="], &[]);
        let wrong = Environment::of(["CUDA_VERSION=cu121"]);
        assert_eq!(wrong.constraints(Strictness::Sensible), []);
    }

    #[test]
    fn what_is_demanded_can_be_turned_off() {
        let check = |value: &str, expected: bool| {
            let variable = format!("NVIDIA_DISABLE_REQUIRE={value}");
            let environment = Environment::of(["NVIDIA_REQUIRE_CUDA=cuda>=99", &variable]);
            assert_eq!(environment.is_disabled(), expected, "{value}");
            assert_eq!(environment.demands(), !expected, "{value}");
        };
        TRUE.into_iter().for_each(|it| check(it, true));
        ["", "0", "false", "yes", "tRUE", "on"].into_iter().for_each(|it| check(it, false));
    }

    #[test]
    fn the_gpus_that_are_asked_for_are_counted() {
        let check = |variable: &str, expected: Devices| {
            assert_eq!(Environment::of([variable]).devices(), expected, "{variable}");
        };
        check("NVIDIA_VISIBLE_DEVICES=all", Devices::All);
        check("NVIDIA_VISIBLE_DEVICES=0, 2", Devices::Some(2));
        check("NVIDIA_VISIBLE_DEVICES=GPU-5a1f1dfa", Devices::Some(1));
        check("NVIDIA_VISIBLE_DEVICES=MIG-1,MIG-2", Devices::Some(1));
        check("NVIDIA_VISIBLE_DEVICES=0:0,0:1", Devices::Some(1));
        for none in ["", ",", "void", "none", "0,void"] {
            check(&format!("NVIDIA_VISIBLE_DEVICES={none}"), Devices::None);
        }
        check("CUDA_VERSION=9.0.176", Devices::All);
        check("NVIDIA_REQUIRE_CUDA=cuda>=9", Devices::None);
    }
}
