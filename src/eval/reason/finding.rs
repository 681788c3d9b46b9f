//! One finding in words: its code, what is needed, what was found, where, and what would mend it.

use crate::eval::{Clue, Evidence, Finding, Outcome, lower};
use crate::spec::{Bound, Test};

use super::Code;
use super::words::{needed, shown};

impl Finding<'_> {
    /// What kind of finding it is.
    pub fn code(&self) -> Code {
        match self.outcome {
            Outcome::Met => Code::Met,
            Outcome::Unknown if matches!(self.evidence, Evidence::Unfit { .. }) => Code::ValueUnfit,
            Outcome::Unknown => Code::FactUnknown,
            Outcome::Unmet => self.unmet_code(),
        }
    }

    fn unmet_code(&self) -> Code {
        let feature = &*lower(self.feature);
        let is_unwanted = matches!(self.test, Some(Test::DoesNotExist));
        match (&self.evidence, feature) {
            _ if feature.starts_with("bundle.") => Code::ContainerConfig,
            (Evidence::NoFeature { .. }, "kernel.loadedmodule") if self.names_a_module() => {
                Code::ModuleNotLoaded
            }
            (Evidence::NoFeature { .. }, _) => Code::FeatureAbsent,
            (Evidence::Nearest { .. } | Evidence::NoInstance { .. }, "pci.device") => Code::PciDeviceMissing,
            (Evidence::Nearest { .. } | Evidence::NoInstance { .. }, _) => Code::InstanceMissing,
            (Evidence::Names { .. }, _) => Code::NameMissing,
            (_, "kernel.loadedmodule" | "kernel.enabledmodule") if is_unwanted => Code::ModuleUnwanted,
            (_, "kernel.loadedmodule") => Code::ModuleNotLoaded,
            (_, "kernel.enabledmodule") => Code::ModuleNotEnabled,
            (Evidence::Value { value: None, .. }, "kernel.config") => Code::KernelOptionOff,
            (_, "kernel.config") => Code::KernelOptionDiffers,
            (_, "kernel.version") => Code::KernelVersion,
            (_, "cpu.cpuid") if is_unwanted => Code::CpuFlagUnwanted,
            (_, "cpu.cpuid") if matches!(self.clue, Some(Clue::Missing { .. })) => Code::CpuLevelMissing,
            (_, "cpu.cpuid") => Code::CpuFlagMissing,
            (_, "cpu.model") => Code::CpuModel,
            (_, "system.osrelease") => Code::OsRelease,
            _ if is_unwanted => Code::ElementUnwanted,
            (Evidence::Value { value: Some(_), .. }, _) => match self.test {
                Some(Test::Integer(_) | Test::Version(_)) => Code::ValueOutOfRange,
                _ => Code::ValueDiffers,
            },
            _ => Code::ElementMissing,
        }
    }

    /// Whether a module is asked for, rather than any module or none.
    fn names_a_module(&self) -> bool {
        !self.element.is_empty() && !matches!(self.test, Some(Test::DoesNotExist))
    }

    /// What the spec demands, such as `loaded`, `y or m`, `5.4 or newer`.
    pub fn needed(&self) -> String {
        match self.test {
            Some(test) => needed(test, self.words()),
            None => "any".to_owned(),
        }
    }

    /// What the host has.
    pub fn found(&self) -> String {
        let (present, absent) = self.words();
        match &self.evidence {
            Evidence::Unknown(unknown) => format!("unknown: {}", unknown.reason),
            Evidence::NoFeature { .. } if self.code() == Code::ModuleNotLoaded => {
                "a kernel that loads no modules".to_owned()
            }
            Evidence::NoFeature { .. } => "no such feature on this host".to_owned(),
            Evidence::Feature { .. } => "there".to_owned(),
            Evidence::Flag { present: true, .. } => present.to_owned(),
            Evidence::Flag { present: false, .. } if let Some(Clue::Missing { flags, .. }) = &self.clue => {
                format!("{absent}: lacks {}", flags.join(", "))
            }
            Evidence::Flag { present: false, .. } | Evidence::Value { value: None, .. } => absent.to_owned(),
            Evidence::Value { value: Some(value), .. } => shown(value),
            Evidence::Unfit { value, .. } => format!("{}, which cannot be compared", shown(value)),
            Evidence::Names { fitting: Some(name), .. } => shown(name),
            Evidence::Names { count, .. } => format!("none of {count} names"),
            Evidence::Nearest { value, count, .. } => {
                let value = value.as_deref().map_or_else(|| "not there".to_owned(), shown);
                let is_choice = *count > 1 && self.outcome != Outcome::Met;
                if is_choice { format!("{value} (nearest of {count})") } else { value }
            }
            Evidence::NoInstance { .. } => format!("no {}", self.thing()),
        }
    }

    /// Where that was read.
    pub fn read(&self) -> &str {
        match &self.evidence {
            Evidence::Unknown(unknown) => &unknown.read,
            Evidence::NoFeature { read }
            | Evidence::Feature { read }
            | Evidence::Flag { read, .. }
            | Evidence::Value { read, .. }
            | Evidence::Unfit { read, .. }
            | Evidence::Names { read, .. }
            | Evidence::Nearest { read, .. }
            | Evidence::NoInstance { read } => read,
        }
    }

    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let element = shown(self.element);
        match (&self.clue, self.code()) {
            (Some(Clue::Loadable), _) => Some(format!("modprobe {element}")),
            (Some(Clue::NotLoadable), _) => {
                Some(format!("install module {element} for the running kernel: it has none of that name"))
            }
            (Some(Clue::Missing { virtual_cpu: true, .. }), _) => Some(
                "a hypervisor's CPU model may hide them: give the virtual machine a richer one, such as host"
                    .to_owned(),
            ),
            (_, Code::KernelOptionOff | Code::KernelOptionDiffers) => self.option_hint(),
            (_, Code::ValueDiffers | Code::ValueOutOfRange) => self.setting_hint(),
            (_, Code::ModuleUnwanted) => Some(format!("modprobe -r {element}")),
            (_, Code::ContainerConfig) => self.container_hint(),
            _ => None,
        }
    }

    /// What sets a sysctl to a value that would do, where the test says which one that is.
    fn setting_hint(&self) -> Option<String> {
        if &*lower(self.feature) != "kernel.sysctl" {
            return None;
        }
        let value = if let Test::In(values) = self.test? {
            shown(values.first()?)
        } else if let Test::Integer(Bound::Ge(value) | Bound::Le(value)) = self.test? {
            value.to_string()
        } else {
            return None;
        };
        Some(format!("sysctl -w {}={value}; a file in /etc/sysctl.d makes it last", shown(self.element)))
    }

    /// In the words of docker and podman; none where nothing has to be added.
    fn container_hint(&self) -> Option<String> {
        if matches!(self.test, Some(Test::DoesNotExist) | None) || self.element.is_empty() {
            return None;
        }
        let element = shown(self.element);
        match &*lower(self.feature) {
            "bundle.capability" => Some(format!(
                "run it with --cap-add={element}; in Kubernetes, add it to securityContext.capabilities"
            )),
            "bundle.device" => Some(format!(
                "run it with --device={element}; in Kubernetes, a device plugin or a resource claim gives it"
            )),
            "bundle.seccomp" if self.element != "default_action" => Some(format!(
                "run it with a seccomp profile that allows {element} (--security-opt seccomp=FILE)"
            )),
            "bundle.rlimit" => {
                let limit = self.element.strip_prefix("RLIMIT_")?.split('.').next()?.to_lowercase();
                Some(format!("run it with --ulimit {}=SOFT:HARD", shown(&limit)))
            }
            _ => None,
        }
    }

    /// None for tests that do not say which value would do.
    fn option_hint(&self) -> Option<String> {
        let element = shown(self.element);
        match self.test? {
            Test::Exists => Some(format!("boot a kernel with CONFIG_{element}=y")),
            Test::In(values) => {
                let value = shown(values.first()?);
                Some(format!("boot a kernel with CONFIG_{element}={value}"))
            }
            Test::DoesNotExist => Some(format!("boot a kernel without CONFIG_{element}")),
            Test::Any
            | Test::NotIn(_)
            | Test::InRegexp(_)
            | Test::Integer(_)
            | Test::Version(_)
            | Test::IsTrue
            | Test::IsFalse => None,
        }
    }
}
