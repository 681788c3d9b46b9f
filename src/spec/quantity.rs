//! Sizes and times with their units, such as `8Gi` and `500ms`. Never guesses a unit.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Bytes for sizes; the decimal prefixes of SI and the binary ones of IEC 80000-13, with or without a `B`.
const SIZES: [(&str, u64); 11] = [
    ("k", 1_000),
    ("K", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
];
/// Nanoseconds for times.
const TIMES: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
/// The unit of a kernel's value, by the end of its name (`Documentation/admin-guide/sysctl`).
const ENDINGS: [(&str, QuantityKind, u64); 14] = [
    ("_bytes", QuantityKind::Size, 1),
    ("_kbytes", QuantityKind::Size, 1 << 10),
    ("_kb", QuantityKind::Size, 1 << 10),
    ("_mb", QuantityKind::Size, 1 << 20),
    ("_ns", QuantityKind::Time, 1),
    ("_nsec", QuantityKind::Time, 1),
    ("_us", QuantityKind::Time, 1_000),
    ("_usecs", QuantityKind::Time, 1_000),
    ("_ms", QuantityKind::Time, 1_000_000),
    ("_msecs", QuantityKind::Time, 1_000_000),
    ("_millisecs", QuantityKind::Time, 1_000_000),
    ("_centisecs", QuantityKind::Time, 10_000_000),
    ("_secs", QuantityKind::Time, 1_000_000_000),
    ("_seconds", QuantityKind::Time, 1_000_000_000),
];

/// A size in bytes or a time in nanoseconds. In compiled specs: its text.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quantity {
    kind: QuantityKind,
    amount: u128,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum QuantityKind {
    Size,
    Time,
}

impl Quantity {
    /// Reads an integer, optionally with three decimals at most, and a unit; `None` for anything else. A number without a
    /// unit, or with a `B`, is one of bytes.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
        let (digits, unit) = text.split_at_checked(end)?;
        let (kind, factor) = unit_of(unit)?;
        Some(Self { kind, amount: amount(digits, factor)?, text: text.to_owned() })
    }

    /// How a host's value compares to this: by the unit that the value has, else by the one that the name of the element
    /// says, else, for sizes, by bytes. None if that leaves it open.
    pub fn compare(&self, element: &str, value: &str) -> Option<Ordering> {
        let is_number = !value.is_empty() && value.bytes().all(|it| it.is_ascii_digit());
        let host = match (is_number, ENDINGS.iter().find(|(ending, ..)| element.ends_with(ending))) {
            (true, Some((_, kind, factor))) => (*kind, amount(value, *factor)?),
            (true, None) => (QuantityKind::Size, amount(value, 1)?),
            (false, _) => {
                // `/proc/meminfo` writes `kB` and means KiB.
                let text = value.replace(" kB", "Ki").replace(' ', "");
                let quantity = Self::parse(&text)?;
                (quantity.kind, quantity.amount)
            }
        };
        (host.0 == self.kind).then(|| host.1.cmp(&self.amount))
    }

    /// Bytes, of a size that is compared with an element whose value is in bytes.
    pub fn bytes_of(&self, element: &str) -> Option<u128> {
        let is_other = ENDINGS.iter().any(|(ending, ..)| element.ends_with(ending));
        (self.kind == QuantityKind::Size && !is_other).then_some(self.amount)
    }

    /// The least number that is as much as this, and the greatest that is not more, in the unit in which an element's value
    /// is. None if that is one of another kind.
    pub fn numbers_of(&self, element: &str) -> Option<(u128, u128)> {
        let ending = ENDINGS.iter().find(|(ending, ..)| element.ends_with(ending));
        let (kind, factor) =
            ending.map_or((QuantityKind::Size, 1), |(_, kind, factor)| (*kind, u128::from(*factor)));
        (kind == self.kind).then(|| (self.amount.div_ceil(factor), self.amount / factor))
    }
}

fn unit_of(unit: &str) -> Option<(QuantityKind, u64)> {
    let find =
        |units: &[(&str, u64)], unit: &str| units.iter().find(|(it, _)| *it == unit).map(|(_, it)| *it);
    if let Some(factor) = find(&TIMES, unit) {
        return Some((QuantityKind::Time, factor));
    }
    match unit.strip_suffix('B').unwrap_or(unit) {
        "" => Some((QuantityKind::Size, 1)),
        prefix => find(&SIZES, prefix).map(|it| (QuantityKind::Size, it)),
    }
}

/// Exact: what is no whole number of bytes or nanoseconds is none.
fn amount(digits: &str, factor: u64) -> Option<u128> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || 3 < fraction.len() {
        return None;
    }
    let whole = u128::from(whole.parse::<u64>().ok()?) * u128::from(factor);
    let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor);
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    (parts % scale == 0).then(|| whole + parts / scale)
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        (self.kind, self.amount) == (other.kind, other.amount)
    }
}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.kind == other.kind).then(|| self.amount.cmp(&other.amount))
    }
}

impl TryFrom<String> for Quantity {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no quantity"))
    }
}

impl From<Quantity> for String {
    fn from(quantity: Quantity) -> Self {
        quantity.text
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_compare_whatever_their_unit() {
        let check = |wanted: &str, element: &str, value: &str, expected: Option<Ordering>| {
            let quantity = Quantity::parse(wanted).unwrap_or_else(|| panic!("{wanted:?} is no quantity"));
            assert_eq!(quantity.compare(element, value), expected, "{value:?} against {wanted}");
        };
        check("8Gi", "total", "8589934592", Some(Ordering::Equal));
        check("8G", "total", "8589934592", Some(Ordering::Greater));
        check("2M", "size", "2097152", Some(Ordering::Greater));
        check("1.5Ki", "size", "1536", Some(Ordering::Equal));
        check("64KiB", "vm.min_free_kbytes", "64", Some(Ordering::Equal));
        check("64Ki", "MemTotal", "63 kB", Some(Ordering::Less));
        check("2Mi", "page", "2Mi", Some(Ordering::Equal));
        check("950ms", "kernel.sched_rt_runtime_us", "950000", Some(Ordering::Equal));
        check("5s", "vm.dirty_writeback_centisecs", "500", Some(Ordering::Equal));
        check("1h", "x_secs", "3599", Some(Ordering::Less));
        check("1ms", "total", "1", None);
        check("1Mi", "kernel.sched_rt_runtime_us", "-1", None);
        check("1Mi", "size", "", None);
        check("1Mi", "size", "max", None);
        check("1Mi", "size", "99999999999999999999", None);
    }

    #[test]
    fn a_quantity_is_a_number_in_the_unit_of_an_element() {
        let check = |wanted: &str, element: &str, expected: Option<(u128, u128)>| {
            let quantity = Quantity::parse(wanted).unwrap_or_else(|| panic!("{wanted:?} is no quantity"));
            assert_eq!(quantity.numbers_of(element), expected, "{wanted} of {element}");
        };
        check("4Gi", "kernel.shmmax", Some((4_294_967_296, 4_294_967_296)));
        check("1.5Ki", "vm.min_free_kbytes", Some((2, 1)));
        check("950ms", "kernel.sched_rt_runtime_us", Some((950_000, 950_000)));
        check("5s", "kernel.shmmax", None);
        check("5M", "vm.dirty_expire_centisecs", None);
    }

    #[test]
    fn what_has_no_unit_of_size_or_time_is_none() {
        for text in ["", "Gi", "8 Gi", "8gi", "-1", "1.2345Ki", "0.0001ns", "1..2", "1e3", "8m", "+1", "0.3"]
        {
            assert_eq!(Quantity::parse(text), None, "{text:?}");
        }
    }
}
