//! One condition of an image's variable `NVIDIA_REQUIRE_*`, such as `cuda>=12.4`, as NVIDIA's own evaluator reads and
//! compares it (libnvidia-container, `src/cli/dsl.c`). Never looks at a host.

use serde::{Deserialize, Serialize};

use crate::words::version::Version;

/// In the order in which NVIDIA tries them: a run of operator characters is the first of these that starts with it, so
/// that a lone `!` is `!=`.
const COMPARATORS: [(&str, Comparator); 6] = [
    ("=", Comparator::Equal),
    ("!=", Comparator::NotEqual),
    ("<", Comparator::Less),
    ("<=", Comparator::LessOrEqual),
    (">", Comparator::Greater),
    (">=", Comparator::GreaterOrEqual),
];
/// A condition that does not hold and has as many bytes, with a blank on each side of its operator, is an error to NVIDIA
/// (`EXPR_MAX`).
const LONGEST: usize = 128;

/// What a condition is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Property {
    /// The newest CUDA that the driver supports.
    Cuda,
    /// The driver's version.
    Driver,
    /// A GPU's compute capability.
    Arch,
    /// A GPU's brand, as NVML calls it.
    Brand,
}

/// How a condition compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A condition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// As the image says it.
    pub text: String,
    /// What it compares; `None` for what NVIDIA calls an invalid expression on every host.
    #[serde(rename = "asked")]
    pub comparison: Option<Comparison>,
    /// Where the driver's CUDA is too old: a driver from which on the program runs all the same, by CUDA's minor version
    /// compatibility.
    pub or_driver: Option<String>,
    /// Where the driver's CUDA is too old: whether the image brings the libraries by which the program runs all the same on
    /// a GPU for data centres, by CUDA's forward compatibility.
    pub or_compat: bool,
}

/// What a condition asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// Of what.
    pub property: Property,
    /// How it is compared.
    pub comparator: Comparator,
    /// With what.
    pub value: String,
}

impl Property {
    const ALL: [Self; 4] = [Self::Cuda, Self::Driver, Self::Arch, Self::Brand];

    /// As conditions call it; attributes of `gpu.nvidia` have the same names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Driver => "driver",
            Self::Arch => "arch",
            Self::Brand => "brand",
        }
    }

    /// Whether GPUs of one host may differ in it.
    pub fn is_of_gpu(self) -> bool {
        matches!(self, Self::Arch | Self::Brand)
    }
}

impl Condition {
    /// Reads a condition, whatever is wrong with it.
    pub fn parse(text: &str) -> Self {
        let comparison = Comparison::parse(text).filter(Comparison::is_valid);
        Self { text: text.to_owned(), comparison, or_driver: None, or_compat: false }
    }

    /// Whether NVIDIA may call it an invalid expression, on some host at least.
    pub fn may_be_invalid(&self) -> bool {
        self.comparison.as_ref().is_none_or(|it| it.is_long() || it.has_large_number())
    }

    /// Whether it holds for what a host has; none where NVIDIA calls it an invalid expression.
    pub fn holds(&self, have: &str) -> Option<bool> {
        self.comparison.as_ref()?.holds(have)
    }
}

impl Comparison {
    fn parse(text: &str) -> Option<Self> {
        let is_operator = |it: char| "<>=!".contains(it);
        let (name, rest) = text.split_at_checked(text.find(is_operator)?)?;
        let value = rest.trim_start_matches(is_operator);
        let operator = rest.get(..rest.len() - value.len())?;
        let (_, comparator) = COMPARATORS.iter().find(|(it, _)| it.starts_with(operator))?;
        let property = Property::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(name))?;
        if value.is_empty() {
            return None;
        }
        Some(Self { property, comparator: *comparator, value: value.to_owned() })
    }

    /// Whether there is a host on which it can be compared.
    fn is_valid(&self) -> bool {
        match self.property {
            Property::Brand => matches!(self.comparator, Comparator::Equal | Comparator::NotEqual),
            Property::Cuda | Property::Driver | Property::Arch => {
                is_dotted(&self.value) && number(&self.value).is_some()
            }
        }
    }

    fn is_long(&self) -> bool {
        let operator = COMPARATORS.iter().find(|(_, it)| *it == self.comparator).map_or("", |(it, _)| it);
        LONGEST <= self.property.name().len() + operator.len() + self.value.len() + 2
    }

    fn has_large_number(&self) -> bool {
        let mut numbers = self.value.split('.').filter(|it| !it.is_empty());
        self.property != Property::Brand && numbers.any(|it| number(it).is_none())
    }

    fn holds(&self, have: &str) -> Option<bool> {
        let holds = match self.property {
            Property::Brand => {
                have.eq_ignore_ascii_case(&self.value) == (self.comparator == Comparator::Equal)
            }
            Property::Cuda | Property::Driver | Property::Arch => self.comparator.holds(have, &self.value)?,
        };
        Some(holds).filter(|it| *it || !self.is_long())
    }

    /// Where it asks for a version or a newer one: which.
    pub fn at_least(&self) -> Option<Version> {
        let is_least = self.comparator == Comparator::GreaterOrEqual && self.property != Property::Brand;
        Version::parse(&self.value).filter(|_| is_least)
    }

    /// What it asks for in words, without the property: `12.4 or newer`.
    pub fn needed(&self) -> String {
        let value = &self.value;
        match self.comparator {
            Comparator::Equal => value.clone(),
            Comparator::NotEqual => format!("other than {value}"),
            Comparator::Less => format!("older than {value}"),
            Comparator::LessOrEqual => format!("{value} or older"),
            Comparator::Greater => format!("newer than {value}"),
            Comparator::GreaterOrEqual => format!("{value} or newer"),
        }
    }
}

impl Comparator {
    /// Versions as `dsl_compare_version` compares them: number by number, several dots as one, and what only one of them
    /// has counts unless it is nothing but zeros. None if it comes to something that is no number.
    fn holds(self, have: &str, need: &str) -> Option<bool> {
        if !is_dotted(have) || !is_dotted(need) {
            return None;
        }
        let (mut have, mut need) = (have, need);
        while !have.is_empty() && !need.is_empty() {
            let ((left, more), (right, further)) = (number(have)?, number(need)?);
            if left != right {
                return Some(match self {
                    Self::Equal => false,
                    Self::NotEqual => true,
                    Self::Less | Self::LessOrEqual => left < right,
                    Self::Greater | Self::GreaterOrEqual => left > right,
                });
            }
            (have, need) = (more.trim_start_matches('.'), further.trim_start_matches('.'));
        }
        let is_more = |it: &str| !it.trim_start_matches(['.', '0']).is_empty();
        let (newer, older) = (is_more(have), is_more(need));
        Some(match self {
            Self::Equal => !newer && !older,
            Self::NotEqual => newer || older,
            Self::Less => !newer && older,
            Self::LessOrEqual => !newer,
            Self::Greater => newer && !older,
            Self::GreaterOrEqual => !older,
        })
    }
}

fn is_dotted(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit() || it == b'.')
}

/// The number with which a version begins, and what follows. None if there is none, or if it is too large for NVIDIA, which
/// takes `UINTMAX_MAX` for an overflow.
fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find('.').unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let number = digits.parse().ok().filter(|it| *it != u64::MAX)?;
    Some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(condition: &str, have: &str, expected: Option<bool>) {
        assert_eq!(Condition::parse(condition).holds(have), expected, "{condition} on {have}");
    }

    #[test]
    fn versions_are_compared_number_by_number() {
        for (condition, expected) in [
            ("cuda>=12.4", true),
            ("cuda>=12.04", true),
            ("CUDA>=12", true),
            ("cuda>12.4", false),
            ("cuda>12.3.9", true),
            ("cuda<12.10", true),
            ("cuda<=12.4.0", true),
            ("cuda<12.4.0.1", true),
            ("cuda=12.4.", true),
            ("cuda=12..4", true),
            ("cuda!12.5", true),
            ("cuda!=012.4", false),
            ("driver>=9", true),
        ] {
            check(condition, "12.4", Some(expected));
        }
    }

    /// Both are newer than the other to `dsl_compare_version`, where neither is nothing but zeros: that never comes to it.
    #[test]
    fn what_only_one_has_counts_unless_it_is_zero() {
        check("cuda=12", "12.0.0", Some(true));
        check("cuda>12", "12.0.5", Some(true));
        check("cuda<12.0.5", "12", Some(true));
        check("cuda<=12", "12.0.5", Some(false));
        check("cuda>=12.0.5", "12", Some(false));
        check("cuda<12.99999999999999999999", "12", Some(true));
    }

    #[test]
    fn brands_are_compared_without_case() {
        check("brand=TESLA", "Tesla", Some(true));
        check("brand!tesla", "Tesla", Some(false));
        check("Brand!=tesla\tx", "Tesla", Some(true));
    }

    #[test]
    fn what_nvidia_calls_an_invalid_expression_is_one() {
        for text in [
            "",
            "cuda",
            "cuda12",
            ">=12",
            "cuda>=",
            "cuda=>12",
            "cuda==12",
            "cuda<>12",
            "cuda>=12<13",
            "cuda>=v12",
            "cuda>=12a",
            "cuda>=.5",
            "cuda>=..",
            "cuda>=-1",
            "cuda>=18446744073709551615",
            "cuda>=99999999999999999999",
            "foo>=12",
            " cuda>=12",
            "brand>=tesla",
        ] {
            assert_eq!(Condition::parse(text).comparison, None, "{text:?}");
            assert!(Condition::parse(text).may_be_invalid(), "{text:?}");
        }
        check("cuda>=12.99999999999999999999", "11.9", Some(false));
        check("cuda>=12.99999999999999999999", "12.9", None);
        check("cuda>=12", "12.x", None);
    }

    #[test]
    fn a_long_condition_is_one_if_it_does_not_hold() {
        let long = "x".repeat(LONGEST - "brand = ".len());
        let just = "x".repeat(LONGEST - "brand = ".len() - 1);
        check(&format!("brand={long}"), "Tesla", None);
        check(&format!("brand={just}"), "Tesla", Some(false));
        check(&format!("brand={long}"), &long, Some(true));
        assert!(Condition::parse(&format!("brand={long}")).may_be_invalid());
        assert!(!Condition::parse(&format!("brand={just}")).may_be_invalid());
    }
}
