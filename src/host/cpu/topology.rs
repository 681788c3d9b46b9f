//! `cpu.topology`: threads and sockets. Looks only at CPUs that are switched on.

use std::collections::BTreeSet;

use super::{CPUS, cpus, gathered};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.topology",
    kinds: &[ElementKind::Attributes],
    meaning: "of the CPUs that are switched on, whether any core runs more than one thread, and the number of sockets",
    read: "/sys/bus/cpu/devices/*/topology",
    nfd: true,
    elements: Some(&["hardware_multithreading", "socket_count"]),
    absent: "never absent",
    since: "always",
    example: "feature: cpu.topology\n  matchExpressions:\n    hardware_multithreading: {op: IsFalse}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// A way to an attribute's value.
type TopologyReader = fn(&Probing<'_>, &[String]) -> Result<String, Unknown>;

static ATTRIBUTES: [(&str, TopologyReader); 2] =
    [("hardware_multithreading", multithreading), ("socket_count", sockets)];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let feature = match cpus(probing) {
        Ok(cpus) => {
            let looks = ATTRIBUTES.iter().filter(|(name, _)| wanted.has(name));
            gathered(looks.map(|(name, look)| look(probing, &cpus).map(|it| Some((*name, it)))))
        }
        Err(unknown) => gathered([Err(unknown)]),
    };
    Fact::Known(feature, CPUS.to_owned())
}

/// Whether any CPU has siblings: `0-1` or `0,64`. On most hosts the first one tells.
fn multithreading(probing: &Probing<'_>, cpus: &[String]) -> Result<String, Unknown> {
    let mut is_told = false;
    for cpu in cpus {
        match topology(probing, cpu, "thread_siblings_list")? {
            Some(siblings) if siblings.contains([',', '-']) => return Ok(true.to_string()),
            Some(_) => is_told = true,
            None => {}
        }
    }
    if is_told { Ok(false.to_string()) } else { Err(untold("thread_siblings_list")) }
}

fn sockets(probing: &Probing<'_>, cpus: &[String]) -> Result<String, Unknown> {
    let packages = || {
        let mut sockets = BTreeSet::new();
        for cpu in cpus {
            sockets.extend(topology(probing, cpu, "physical_package_id")?);
        }
        if sockets.is_empty() { Err(untold("physical_package_id")) } else { Ok(sockets.len().to_string()) }
    };
    packages().or_else(|unknown| listed_sockets(probing).map(|it| it.to_string()).ok_or(unknown))
}

/// By the kernel's list of the CPUs switched on, if that has a socket for each of them, as on x86.
fn listed_sockets(probing: &Probing<'_>) -> Option<usize> {
    let text = probing.text("/proc/cpuinfo").ok()??;
    let fields = text.lines().filter_map(|it| it.split_once(':'));
    let values = |name| fields.clone().filter(move |(key, _)| key.trim() == name).map(|(_, it)| it.trim());
    let (cpus, sockets) = (values("processor").count(), values("physical id"));
    (cpus > 0 && sockets.clone().count() == cpus).then(|| sockets.collect::<BTreeSet<_>>().len())
}

/// None if the CPU is switched off: it has no topology then (`drivers/base/topology.c`).
fn topology(probing: &Probing<'_>, cpu: &str, name: &str) -> Result<Option<String>, Unknown> {
    let text = probing.text(&format!("{CPUS}/{cpu}/topology/{name}"))?;
    Ok(text.map(|it| it.trim().to_owned()))
}

fn untold(name: &str) -> Unknown {
    Unknown::new(CPUS, format!("has no CPU with topology/{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    /// CPUs, each with its siblings and its socket.
    fn host(cpus: &[(&str, &str)]) -> FakeHost {
        cpus.iter().enumerate().fold(FakeHost::new(), |host, (index, (siblings, socket))| {
            let topology = format!("{CPUS}/cpu{index}/topology");
            host.file(&format!("{topology}/thread_siblings_list"), siblings)
                .file(&format!("{topology}/physical_package_id"), socket)
        })
    }

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), known(expected));
    }

    fn known(elements: &str) -> String {
        format!("known (/sys/bus/cpu/devices): {elements}")
    }

    fn both(threads: bool, sockets: u32) -> String {
        format!(r#"hardware_multithreading="{threads}" socket_count="{sockets}""#)
    }

    #[test]
    fn cores_with_siblings_run_several_threads() {
        check(&host(&[("0\n", "0\n"), ("1\n", "0\n")]), &both(false, 1));
        check(&host(&[("0-1\n", "0\n"), ("0-1\n", "0\n")]), &both(true, 1));
        check(&host(&[("0\n", "0\n"), ("1,3\n", "0\n")]), &both(true, 1));
    }

    #[test]
    fn sockets_are_counted_by_their_numbers() {
        check(&host(&[("0\n", " 0\n"), ("1\n", "0 \n"), ("2\n", "36\n")]), &both(false, 2));
        check(&host(&[("0\n", "-1\n")]), &both(false, 1));
    }

    #[test]
    fn cpus_that_are_switched_off_do_not_count() {
        let cpu2 = format!("{CPUS}/cpu2/online");
        check(&host(&[("0\n", "0\n"), ("1\n", "0\n")]).file(&cpu2, "0\n"), &both(false, 1));
    }

    #[test]
    fn what_cannot_be_read_may_be_there() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("and maybe more: {CPUS}: {nothing}"));
        let bare = FakeHost::new().folder("/sys/bus");
        check(&bare, &format!("and maybe more: {CPUS}: is not there, as it is on every host"));
        let place = format!("{CPUS}/cpu1/topology/physical_package_id");
        let hidden = FakeHost::new()
            .file(&format!("{CPUS}/cpu0/topology/thread_siblings_list"), "0\n")
            .unreadable(&place);
        let expected = format!("and maybe more: {place}: is a loop of symbolic links");
        check(&hidden, &format!(r#"hardware_multithreading="false" {expected}"#));
    }

    #[test]
    fn if_packages_cannot_be_read_the_list_of_cpus_has_the_sockets() {
        let place = format!("{CPUS}/cpu0/topology/physical_package_id");
        let hidden = || {
            let siblings = format!("{CPUS}/cpu0/topology/thread_siblings_list");
            FakeHost::new().file(&siblings, "0\n").unreadable(&place)
        };
        let two = "processor\t: 0\nphysical id\t: 0\n\nprocessor\t: 1\nphysical id\t: 3\n";
        check(&hidden().file("/proc/cpuinfo", two), &both(false, 2));
        // A CPU without its socket leaves the number open, and so does an architecture that lists none.
        let expected = format!(
            r#"hardware_multithreading="false" and maybe more: {place}: is a loop of symbolic links"#
        );
        check(&hidden().file("/proc/cpuinfo", format!("{two}processor\t: 2\n")), &expected);
        check(&hidden().file("/proc/cpuinfo", "processor\t: 0\nFeatures\t: asimd\n"), &expected);
        check(&hidden().file("/proc/cpuinfo", ""), &expected);
    }

    #[test]
    fn a_machine_none_of_whose_cpus_reports_is_unknown() {
        let mute = FakeHost::new().folder(&format!("{CPUS}/cpu0"));
        check(&mute, &format!("and maybe more: {CPUS}: has no CPU with topology/thread_siblings_list"));
    }

    #[test]
    fn no_more_is_read_than_the_wanted_attributes_take() {
        let of = |host: &FakeHost, name| told_of(host, FEATURE.name, wanted(&[name]));
        let hidden = FakeHost::new()
            .file(&format!("{CPUS}/cpu0/topology/thread_siblings_list"), "0,64\n")
            .unreadable(&format!("{CPUS}/cpu0/topology/physical_package_id"))
            .unreadable(&format!("{CPUS}/cpu1"));
        let expected = known(r#"hardware_multithreading="true""#);
        assert_eq!(of(&hidden, "hardware_multithreading"), expected);
        assert_eq!(of(&hidden, "cores"), known(""));
    }

    #[test]
    fn a_large_machine_is_counted_to_its_end() {
        let cpus: Vec<_> = (0..512).map(|it| ("0\n", if it < 511 { "0\n" } else { "1\n" })).collect();
        check(&host(&cpus), &both(false, 2));
    }
}
