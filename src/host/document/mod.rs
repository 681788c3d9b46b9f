//! Facts as a JSON document: NFD's format, with additional fields for what it cannot express. Reads no host.

mod read;
mod write;
mod yaml;

use anyhow::bail;
use serde::{Deserialize, Serialize};

use super::FactsOrigin;

pub use yaml::json as yaml;

/// The version of our own documents: fields are only ever added.
pub const SCHEMA: &str = "oci-compat.facts/v1";

/// What a written document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentForm {
    /// Everything, with what is absent and unknown and where each was read.
    Full,
    /// What `nfd export features` would write: known features that NFD has too.
    Nfd,
}

/// The host of the facts, as in a document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(expecting = "an object")]
struct DocumentHost {
    schema: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kernel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    arch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<String>,
}

impl From<FactsOrigin> for DocumentHost {
    fn from(origin: FactsOrigin) -> Self {
        let FactsOrigin { name, kernel, arch, taken } = origin;
        Self { schema: Some(SCHEMA.to_owned()), name, kernel, arch, taken }
    }
}

impl TryFrom<DocumentHost> for FactsOrigin {
    type Error = anyhow::Error;

    fn try_from(host: DocumentHost) -> anyhow::Result<Self> {
        let DocumentHost { schema, name, kernel, arch, taken } = host;
        match schema.as_deref() {
            None | Some(SCHEMA) => Ok(Self { name, kernel, arch, taken }),
            Some(schema) => bail!("schema {schema:?} is not known; expected {SCHEMA:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Fact, Facts, FactsOrigin, Feature, Instance, Unknown};

    fn facts() -> Facts {
        let mut facts = Facts::default();
        facts.origin = Some(FactsOrigin {
            name: Some("node-1".to_owned()),
            arch: Some("x86_64".to_owned()),
            ..FactsOrigin::default()
        });
        let mut add = |name: &str, fact| facts.insert(name, fact);
        let cpuid = Feature {
            flags: Some(["AVX".to_owned()].into()),
            ..Feature::attributes([("AVX10_VERSION", "1")])
        };
        add("cpu.cpuid", Fact::Known(cpuid, "CPUID".to_owned()));
        add("kernel.loadedmodule", Fact::Absent("/proc/modules".to_owned()));
        add("kernel.config", Fact::Unknown(Unknown::new("/proc/config.gz", "is not there")));
        let incomplete = Some(Unknown::new("/lib", "is not there"));
        let doubtful = [("b".to_owned(), Unknown::new("/b", "is hidden"))].into();
        let missing = ["c".to_owned()].into();
        let enabled = Feature { missing, incomplete, doubtful, ..Feature::flags(["a"]) };
        add("kernel.enabledmodule", Fact::Known(enabled, "/proc/modules".to_owned()));
        let pairs = [("driver", "nvidia"), ("vendor", "10de")];
        let attributes = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let gpu = Instance { attributes, read: Some("/sys/bus/pci/devices/0000:00:01.0".to_owned()) };
        add("pci.device", Fact::Known(Feature::instances(vec![gpu, Instance::default()]), "/sys".to_owned()));
        add(
            "system.osrelease",
            Fact::Known(Feature::attributes([("", ""); 0]), "/etc/os-release".to_owned()),
        );
        let secret = ["a.key".to_owned()].into();
        let parameters = Feature { secret, ..Feature::attributes([("a.key", "k"), ("a.size", "1")]) };
        add("kernel.moduleparam", Fact::Known(parameters, "/sys/module".to_owned()));
        add("vendor.feature", Fact::Known(Feature::flags(["x"]), "/y".to_owned()));
        facts
    }

    #[test]
    fn what_was_written_is_read_back_the_same() {
        let facts = facts();
        let back = Facts::from_json(facts.to_json(DocumentForm::Full).unwrap().as_bytes()).unwrap();
        assert_eq!(back.origin, facts.origin);
        let all = |facts: &Facts| {
            facts.iter().map(|(name, fact)| (name.to_owned(), fact.clone())).collect::<Vec<_>>()
        };
        assert_eq!(all(&back), all(&facts));
    }

    #[test]
    fn the_form_of_nfd_holds_what_nfd_knows_and_nothing_else() {
        let expected = r#"{
  "flags": {
    "cpu.cpuid": {
      "elements": {
        "AVX": {}
      }
    },
    "kernel.enabledmodule": {
      "elements": {
        "a": {}
      }
    }
  },
  "attributes": {
    "cpu.cpuid": {
      "elements": {
        "AVX10_VERSION": "1"
      }
    },
    "system.osrelease": {
      "elements": {}
    }
  },
  "instances": {
    "pci.device": {
      "elements": [
        {
          "attributes": {
            "vendor": "10de"
          }
        },
        {
          "attributes": {}
        }
      ]
    }
  }
}"#;
        assert_eq!(facts().to_json(DocumentForm::Nfd).unwrap(), expected);
    }

    #[test]
    fn the_full_form_says_what_nfd_s_cannot() {
        let text = facts().to_json(DocumentForm::Full).unwrap();
        let document: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "host": {"schema": "oci-compat.facts/v1", "name": "node-1", "arch": "x86_64"},
            "flags": {
                "cpu.cpuid": {"elements": {"AVX": {}}},
                "kernel.enabledmodule": {"elements": {"a": {}}},
                "vendor.feature": {"elements": {"x": {}}},
            },
            "attributes": {
                "cpu.cpuid": {"elements": {"AVX10_VERSION": "1"}},
                "kernel.moduleparam": {"elements": {"a.key": "k", "a.size": "1"}},
                "system.osrelease": {"elements": {}},
            },
            "instances": {"pci.device": {"elements": [
                {"attributes": {"driver": "nvidia", "vendor": "10de"}, "read": "/sys/bus/pci/devices/0000:00:01.0"},
                {"attributes": {}},
            ]}},
            "absent": {"kernel.loadedmodule": {"read": "/proc/modules"}},
            "unknown": {
                "kernel.config": {"read": "/proc/config.gz", "reason": "is not there"},
                "kernel.enabledmodule": {"read": "/lib", "reason": "is not there"},
            },
            "missing": {"kernel.enabledmodule": ["c"]},
            "doubtful": {"kernel.enabledmodule": {"b": {"read": "/b", "reason": "is hidden"}}},
            "secret": {"kernel.moduleparam": ["a.key"]},
            "read": {
                "cpu.cpuid": "CPUID",
                "kernel.enabledmodule": "/proc/modules",
                "kernel.moduleparam": "/sys/module",
                "pci.device": "/sys",
                "system.osrelease": "/etc/os-release",
                "vendor.feature": "/y",
            },
        });
        assert_eq!(document, expected);
    }
}
