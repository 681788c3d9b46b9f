//! `rdma.device`: the adapters for remote direct memory access, each with its ports. Sends nothing over them.

use std::collections::BTreeMap;

use super::probing::found;
use super::{ElementKind, Fact, Feature, FeatureInfo, Instance, Probing, Unknown, Wanted};

pub(super) const FEATURE: FeatureInfo = FeatureInfo {
    name: "rdma.device",
    kinds: &[ElementKind::Instances],
    meaning: "the RDMA devices (InfiniBand, RoCE, iWARP), one instance for each port; node_type: CA, RNIC, switch, …; state: \
        ACTIVE, DOWN, INIT, …, both without the kernel's number; rate: in Gbit/s, such as 100 or 2.5 (compare with \
        `type: version`); link_layer: InfiniBand or Ethernet",
    read: "/sys/class/infiniband/*",
    nfd: false,
    elements: Some(&["name", "node_type", "fw_ver", "board_id", "port", "link_layer", "rate", "state"]),
    absent: "no driver offers an RDMA device now; on an instance: the driver does not report it",
    since: "Linux 2.6.12; link_layer since 2.6.37, fw_ver since 4.10",
    example: "feature: rdma.device\n  matchExpressions:\n    link_layer: {op: In, value: [InfiniBand]}\n    state: {op: In, value: [ACTIVE]}\n    rate: {op: Ge, type: version, value: [\"100\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const FOLDER: &str = "/sys/class/infiniband";
/// The attributes of a device (`Documentation/ABI/stable/sysfs-class-infiniband`); `board_id` depends on its driver.
const OF_DEVICE: [(&str, RdmaParser); 3] = [("node_type", word), ("fw_ver", text), ("board_id", text)];
/// The attributes of each port.
const OF_PORT: [(&str, RdmaParser); 3] = [("link_layer", text), ("rate", gigabits), ("state", word)];

type RdmaAttributes = BTreeMap<String, String>;
/// The value in a file; none if it is malformed.
type RdmaParser = fn(&str) -> Option<&str>;

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let names = match probing.list(FOLDER) {
        Ok(names) => names.unwrap_or_default(),
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut reading =
        RdmaReading { probing, wanted, feature: Feature::instances(Vec::with_capacity(names.len())) };
    for name in names {
        reading.device(name);
    }
    found(reading.feature, FOLDER)
}

struct RdmaReading<'a> {
    probing: &'a Probing<'a>,
    wanted: &'a Wanted,
    feature: Feature,
}

impl RdmaReading<'_> {
    fn device(&mut self, name: String) {
        let folder = format!("{FOLDER}/{name}");
        let mut attributes = RdmaAttributes::from([("name".to_owned(), name)]);
        self.add(&folder, &OF_DEVICE, &mut attributes);
        let is_port_wanted = self.wanted.has("port") || OF_PORT.iter().any(|(it, _)| self.wanted.has(it));
        let ports = if is_port_wanted { self.ports(&folder) } else { Vec::new() };
        if ports.is_empty() {
            self.push(attributes, folder);
            return;
        }
        for port in ports {
            let folder = format!("{folder}/ports/{port}");
            let mut attributes = attributes.clone();
            attributes.insert("port".to_owned(), port);
            self.add(&folder, &OF_PORT, &mut attributes);
            self.push(attributes, folder);
        }
    }

    fn ports(&mut self, folder: &str) -> Vec<String> {
        match self.probing.list(&format!("{folder}/ports")) {
            Ok(ports) => ports.unwrap_or_default(),
            Err(unknown) => {
                self.doubt(unknown);
                Vec::new()
            }
        }
    }

    fn add(&mut self, folder: &str, files: &[(&str, RdmaParser)], attributes: &mut RdmaAttributes) {
        for (name, parse) in files.iter().filter(|(name, _)| self.wanted.has(name)) {
            let path = format!("{folder}/{name}");
            match self.probing.text(&path) {
                Ok(Some(text)) => match parse(text.trim()) {
                    Some(value) => drop(attributes.insert((*name).to_owned(), value.to_owned())),
                    None => self.doubt(Unknown::new(path, malformed(&text))),
                },
                Ok(None) => {}
                Err(unknown) => self.doubt(unknown),
            }
        }
    }

    fn push(&mut self, attributes: RdmaAttributes, read: String) {
        let instance = Instance { attributes, read: Some(read) };
        self.feature.instances.get_or_insert_default().push(instance);
    }

    /// The first error is kept: later ones are usually the same.
    fn doubt(&mut self, unknown: Unknown) {
        self.feature.incomplete.get_or_insert(unknown);
    }
}

fn malformed(text: &str) -> String {
    let start: String = text.trim().chars().take(40).collect();
    format!("holds {start:?}, which is not of the form that the kernel's documentation gives")
}

fn text(text: &str) -> Option<&str> {
    Some(text)
}

/// The `ACTIVE` of `4: ACTIVE` (`state_show`, `node_type_show` in `drivers/infiniband/core/sysfs.c`).
fn word(text: &str) -> Option<&str> {
    let (number, word) = text.split_once(": ")?;
    number.parse::<u32>().is_ok().then_some(word)
}

/// The `100` of `100 Gb/sec (4X EDR)`, the `2.5` of `2.5 Gb/sec (1X SDR)` (`rate_show` there).
fn gigabits(text: &str) -> Option<&str> {
    let (number, _) = text.split_once(" Gb/sec")?;
    number.parse::<f32>().is_ok_and(f32::is_finite).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const CARD: &str = "/sys/class/infiniband/mlx5_0";

    fn card() -> FakeHost {
        FakeHost::new()
            .folder("/sys/bus")
            .file(&format!("{CARD}/node_type"), "1: CA\n")
            .file(&format!("{CARD}/fw_ver"), "20.31.1014\n")
            .file(&format!("{CARD}/board_id"), "MT_0000000223\n")
            .file(&format!("{CARD}/ports/1/link_layer"), "InfiniBand\n")
            .file(&format!("{CARD}/ports/1/rate"), "200 Gb/sec (4X HDR)\n")
            .file(&format!("{CARD}/ports/1/state"), "4: ACTIVE\n")
    }

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn each_port_of_a_device_is_reported() {
        let of_device = "board_id=MT_0000000223 fw_ver=20.31.1014";
        let first = format!(
            "[{CARD}/ports/1: {of_device} link_layer=InfiniBand name=mlx5_0 node_type=CA port=1 rate=200 state=ACTIVE]"
        );
        check(card(), &format!("known (/sys/class/infiniband): {first}"));
        let two = card()
            .file(&format!("{CARD}/ports/2/link_layer"), "Ethernet\n")
            .file(&format!("{CARD}/ports/2/rate"), "2.5 Gb/sec (1X SDR)\n")
            .file(&format!("{CARD}/ports/2/state"), "1: DOWN\n");
        let second = format!(
            "[{CARD}/ports/2: {of_device} link_layer=Ethernet name=mlx5_0 node_type=CA port=2 rate=2.5 state=DOWN]"
        );
        check(two, &format!("known (/sys/class/infiniband): {first} {second}"));
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let host = card().unreadable(&format!("{CARD}/ports/2"));
        let told = told_of(&host, FEATURE.name, wanted(&["name", "fw_ver"]));
        assert_eq!(told, format!("known (/sys/class/infiniband): [{CARD}: fw_ver=20.31.1014 name=mlx5_0]"));
    }

    #[test]
    fn a_device_may_tell_little_of_itself() {
        let host = FakeHost::new().folder("/sys/bus").folder(CARD);
        check(host, &format!("known (/sys/class/infiniband): [{CARD}: name=mlx5_0]"));
    }

    #[test]
    fn a_host_without_devices_has_no_such_feature() {
        check(FakeHost::new().folder("/sys/bus"), "absent (/sys/class/infiniband)");
        check(FakeHost::new().folder(FOLDER), "absent (/sys/class/infiniband)");
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &format!("unknown: /sys/class/infiniband: {nothing}"));
        check(
            FakeHost::new().unreadable(FOLDER),
            "unknown: /sys/class/infiniband: is a loop of symbolic links",
        );
        let host = FakeHost::new().folder("/sys/bus").folder(CARD).unreadable(&format!("{CARD}/ports"));
        check(
            host,
            &format!(
                "known (/sys/class/infiniband): [{CARD}: name=mlx5_0] \
                 and maybe more: {CARD}/ports: is a loop of symbolic links"
            ),
        );
    }

    #[test]
    fn what_is_malformed_is_unknown() {
        let form = "which is not of the form that the kernel's documentation gives";
        for (name, text) in [("rate", "fast"), ("rate", "inf Gb/sec"), ("state", "ACTIVE"), ("state", "")] {
            let host = FakeHost::new().folder("/sys/bus").file(&format!("{CARD}/ports/1/{name}"), text);
            check(
                host,
                &format!(
                    "known (/sys/class/infiniband): [{CARD}/ports/1: name=mlx5_0 port=1] \
                     and maybe more: {CARD}/ports/1/{name}: holds {text:?}, {form}"
                ),
            );
        }
    }
}
