//! `bundle.resource`: the limits of the container's own cgroup only: a pod or a slice may set lower ones.

use std::collections::BTreeMap;

use super::UNLIMITED;
use super::config::ConfigPart;
use crate::host::memory::quantity::canonical;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "bundle.resource",
    kinds: &[ElementKind::Attributes],
    meaning: "the limits of the container's own cgroup: `memory.limit` and `hugepages-<size>` in bytes, `pids.limit`, \
        `cpu.quota` in microseconds of each `cpu.period`, `cpu.shares`, and the lists `cpu.cpus` and `cpu.mems`; \
        `9223372036854775807` means no limit",
    read: "`linux.resources` of the bundle's config.json; a limit that its `unified` sets too is unknown",
    nfd: false,
    elements: None,
    absent: "`cpu.shares`, `cpu.cpus` and `cpu.mems`: not set; the others are never absent",
    since: "runtime-spec 1.0",
    example: "feature: bundle.resource\n  matchExpressions:\n    memory.limit: {op: Ge, value: [\"4294967296\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

const PLACE: &str = "config.json linux.resources";
/// What every kernel starts with (`default_cfs_period` in `kernel/sched/core.c`).
const PERIOD: &str = "100000";
const HUGEPAGES: &str = "hugepages-";

pub(super) fn read(config: &ConfigPart<'_>, wanted: &Wanted) -> Result<Fact, Unknown> {
    let resources = config.descend(&["linux", "resources"])?;
    let find = |names: &[&str]| resources.as_ref().map_or(Ok(None), |it| it.descend(names));
    let mut limits = ResourceLimits { feature: Feature::attributes([("", ""); 0]) };
    limits.set("memory.limit", limit(find(&["memory", "limit"])?)?);
    limits.set("cpu.quota", limit(find(&["cpu", "quota"])?)?);
    let period = positive(find(&["cpu", "period"])?)?.unwrap_or_else(|| PERIOD.to_owned());
    limits.set("cpu.period", period);
    if let Some(shares) = positive(find(&["cpu", "shares"])?)? {
        limits.set("cpu.shares", shares);
    }
    for name in ["cpus", "mems"] {
        let list = find(&["cpu", name])?.map(|it| it.text()).transpose()?.filter(|it| !it.is_empty());
        if let Some(list) = list {
            limits.set(&format!("cpu.{name}"), list.to_owned());
        }
    }
    limits.pids(find(&["pids", "limit"])?)?;
    limits.hugepages(find(&["hugepageLimits"])?, wanted)?;
    limits.unified(find(&["unified"])?)?;
    Ok(Fact::Known(limits.feature, PLACE.to_owned()))
}

struct ResourceLimits {
    feature: Feature,
}

impl ResourceLimits {
    fn set(&mut self, name: &str, value: String) {
        self.attributes().insert(name.to_owned(), value);
    }

    fn attributes(&mut self) -> &mut BTreeMap<String, String> {
        self.feature.attributes.get_or_insert_default()
    }

    fn doubt(&mut self, name: &str, unknown: Unknown) {
        self.attributes().remove(name);
        self.feature.doubtful.insert(name.to_owned(), unknown);
    }

    /// Zero was no limit for Docker and runc, and newer runtimes take it for a limit of zero.
    fn pids(&mut self, part: Option<ConfigPart<'_>>) -> Result<(), Unknown> {
        match &part {
            Some(part) if part.integer()? == 0 => {
                self.doubt(
                    "pids.limit",
                    part.unknown("is 0, which runtimes take for no limit or for none at all"),
                );
            }
            Some(_) | None => self.set("pids.limit", limit(part)?),
        }
        Ok(())
    }

    /// There is no list of a kernel's sizes: of sizes without a limit, only the wanted ones are reported.
    fn hugepages(&mut self, part: Option<ConfigPart<'_>>, wanted: &Wanted) -> Result<(), Unknown> {
        match wanted {
            Wanted::All => {
                let reason = "limits no huge pages of other sizes";
                self.feature.incomplete =
                    Some(Unknown::new("config.json linux.resources.hugepageLimits", reason));
            }
            Wanted::Names(names) => {
                for name in names.iter().filter(|it| is_size(it.strip_prefix(HUGEPAGES).unwrap_or(""))) {
                    self.set(name, UNLIMITED.to_owned());
                }
            }
        }
        for item in part.map_or_else(|| Ok(Vec::new()), |it| it.list())? {
            let size = item.required("pageSize")?;
            let size =
                page_size(size.text()?).ok_or_else(|| size.unknown("is no size such as 2MB or 1GB"))?;
            self.set(&format!("{HUGEPAGES}{size}"), number(&item.required("limit")?)?);
        }
        Ok(())
    }

    /// Files of cgroup v2, which are written last: their syntax is the kernel's.
    fn unified(&mut self, part: Option<ConfigPart<'_>>) -> Result<(), Unknown> {
        let Some(part) = part else { return Ok(()) };
        for file in part.names()? {
            let unknown =
                || Unknown::new(&*part.place, format!("sets {file:.40?} as well, which counts instead"));
            let elements: &[&str] = match file {
                "memory.max" => &["memory.limit"],
                "pids.max" => &["pids.limit"],
                "cpu.max" => &["cpu.quota", "cpu.period"],
                "cpu.weight" => &["cpu.shares"],
                "cpuset.cpus" => &["cpu.cpus"],
                "cpuset.mems" => &["cpu.mems"],
                _ => &[],
            };
            elements.iter().for_each(|it| self.doubt(it, unknown()));
            let size = file.strip_prefix("hugetlb.").and_then(|it| page_size(it.split('.').next()?));
            if let Some(size) = size {
                self.doubt(&format!("{HUGEPAGES}{size}"), unknown());
            }
        }
        Ok(())
    }
}

/// Not set, zero (for runc and crun) and `-1` mean that there is none.
fn limit(part: Option<ConfigPart<'_>>) -> Result<String, Unknown> {
    let Some(part) = part else { return Ok(UNLIMITED.to_owned()) };
    match part.integer()? {
        -1 | 0 => Ok(UNLIMITED.to_owned()),
        _ => number(&part),
    }
}

/// Zero counts as not set, for runc and crun alike.
fn positive(part: Option<ConfigPart<'_>>) -> Result<Option<String>, Unknown> {
    let number = part.map(|it| number(&it)).transpose()?;
    Ok(number.filter(|it| it != "0"))
}

fn number(part: &ConfigPart<'_>) -> Result<String, Unknown> {
    match part.integer()? {
        negative if negative < 0 => {
            Err(part.unknown(format!("is {negative}, expected a number from zero on")))
        }
        number if i64::try_from(number).is_err() => Ok(UNLIMITED.to_owned()),
        number => Ok(number.to_string()),
    }
}

/// `2MB`, as the kernel names the files of its hugetlb controller, in the words of `memory.hugepages`: `2Mi`.
fn page_size(text: &str) -> Option<String> {
    let end = text.find(|it: char| !it.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let kib: u64 = match unit {
        "KB" => 1,
        "MB" => 1 << 10,
        "GB" => 1 << 20,
        _ => return None,
    };
    number.parse::<u64>().ok().filter(|it| *it > 0)?.checked_mul(kib).map(canonical)
}

/// Such as `2Mi`.
fn is_size(text: &str) -> bool {
    let number = text.trim_end_matches("Ki").trim_end_matches("Mi").trim_end_matches("Gi");
    number.len() + 2 == text.len() && !number.is_empty() && number.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;

    fn check(resources: &str, names: &[&str], expected: &str) {
        let config = format!("{{\"linux\": {{\"resources\": {resources}}}}}");
        let expected = expected.replace("MAX", UNLIMITED);
        assert_eq!(told(&config, FEATURE.name, names), expected, "{resources}");
    }

    const NONE: &str = r#"cpu.period="100000" cpu.quota="MAX" memory.limit="MAX" pids.limit="MAX""#;

    #[test]
    fn limits_are_reported_as_numbers() {
        check(
            r#"{"memory": {"limit": 1073741824}, "pids": {"limit": 512}, "hugepageLimits":
                [{"pageSize": "2MB", "limit": 0}, {"pageSize": "1GB", "limit": 2147483648}],
                "cpu": {"quota": 50000, "period": 20000, "shares": 512, "cpus": "2-3", "mems": ""}}"#,
            &["memory.limit"],
            "known (config.json linux.resources): cpu.cpus=\"2-3\" cpu.period=\"20000\" cpu.quota=\"50000\" \
             cpu.shares=\"512\" hugepages-1Gi=\"2147483648\" hugepages-2Mi=\"0\" memory.limit=\"1073741824\" \
             pids.limit=\"512\"",
        );
    }

    #[test]
    fn what_is_not_limited_is_more_than_any_number() {
        let expected = format!("known (config.json linux.resources): {NONE}");
        check("null", &["x"], &expected);
        check("{}", &["hugepages-", "hugepages-2", "hugepages-xMi"], &expected);
        check(
            r#"{"memory": {"limit": -1}, "cpu": {"quota": 0, "period": 0}, "pids": {"limit": -1}}"#,
            &["x"],
            &expected,
        );
        check(r#"{"memory": {"limit": 18446744073709551615}}"#, &["x"], &expected);
        check(
            "{}",
            &["hugepages-2Mi"],
            &expected.replace("memory.limit", "hugepages-2Mi=\"MAX\" memory.limit"),
        );
        check(
            "{}",
            &[],
            &format!(
                "{expected} and maybe more: config.json linux.resources.hugepageLimits: \
                 limits no huge pages of other sizes"
            ),
        );
    }

    #[test]
    fn what_is_reported_twice_or_read_in_two_ways_is_in_doubt() {
        check(
            r#"{"pids": {"limit": 0}, "unified": {"memory.max": "max", "hugetlb.2MB.max": "0", "io.max": "x"}}"#,
            &["hugepages-2Mi"],
            "known (config.json linux.resources): cpu.period=\"100000\" cpu.quota=\"MAX\" and perhaps hugepages-2Mi: \
             config.json linux.resources.unified: sets \"hugetlb.2MB.max\" as well, which counts instead and perhaps \
             memory.limit: config.json linux.resources.unified: sets \"memory.max\" as well, which counts instead and \
             perhaps pids.limit: config.json linux.resources.pids.limit: is 0, which runtimes take for no limit or for \
             none at all",
        );
    }

    #[test]
    fn what_is_malformed_is_unknown_with_its_place() {
        let check = |resources: &str, expected: &str| {
            check(resources, &["x"], &format!("unknown: config.json linux.resources{expected}"));
        };
        check("[]", ": is a list, expected an object");
        check(r#"{"memory": {"limit": "1Gi"}}"#, ".memory.limit: is text, expected a whole number");
        check(r#"{"memory": {"limit": -2}}"#, ".memory.limit: is -2, expected a number from zero on");
        check(r#"{"cpu": {"cpus": 3}}"#, ".cpu.cpus: is a number, expected text");
        let size = ".hugepageLimits[0].pageSize: is no size such as 2MB or 1GB";
        for text in ["2Mi", "MB", "0MB", "99999999999999999999GB", "2"] {
            check(&format!(r#"{{"hugepageLimits": [{{"pageSize": "{text}", "limit": 1}}]}}"#), size);
        }
    }
}
