//! One finding in words: its code, what is needed, what was found, where, and the remedy.

use crate::eval::{Clue, Evidence, Finding, Manager, Outcome, lower};
use crate::host;
use crate::spec::{Bound, Test};

use super::Code;
use super::words::{needed, shown};

impl Finding<'_> {
    /// What kind of finding it is.
    pub fn code(&self) -> Code {
        match self.outcome {
            Outcome::Met => Code::Met,
            Outcome::Unknown if self.is_invalid() => Code::NvidiaRequire,
            Outcome::Unknown if matches!(self.evidence, Evidence::Unfit { .. }) => Code::ValueUnfit,
            Outcome::Unknown => Code::FactUnknown,
            Outcome::Unmet => self.unmet_code(),
        }
    }

    fn unmet_code(&self) -> Code {
        let feature = &*lower(self.feature);
        let is_unwanted = matches!(self.test, Some(Test::DoesNotExist));
        match (&self.evidence, feature) {
            _ if matches!(self.test, Some(Test::Nvidia(_))) => Code::NvidiaRequire,
            (_, host::PROGRAM) => Code::ProgramInterpreter,
            (_, "kernel.program") => Code::ProgramArchitecture,
            _ if feature.starts_with("bundle.") => Code::ContainerConfig,
            (Evidence::NoFeature { .. }, "kernel.loadedmodule") if self.names_a_module() => {
                Code::ModuleNotLoaded
            }
            (Evidence::NoFeature { .. }, _) => Code::FeatureAbsent,
            (
                Evidence::Nearest { .. } | Evidence::NoInstance { .. } | Evidence::Count { .. },
                "pci.device",
            ) => Code::PciDeviceMissing,
            (Evidence::Nearest { .. } | Evidence::NoInstance { .. } | Evidence::Count { .. }, _) => {
                Code::InstanceMissing
            }
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
            (Evidence::Value { value: Some(_), .. } | Evidence::Range { .. }, _) => match self.test {
                Some(
                    Test::Integer(_)
                    | Test::Integers(_)
                    | Test::Version(_)
                    | Test::Quantity(_)
                    | Test::Release(_),
                ) => Code::ValueOutOfRange,
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
            Evidence::Flag { present: false, .. } if let Some(Clue::Answer(answer)) = &self.clue => {
                answered(answer)
            }
            Evidence::Flag { present: false, .. } | Evidence::Value { value: None, .. } => absent.to_owned(),
            Evidence::Value { value: Some(value), .. } => shown(value),
            Evidence::Range { at_least, at_most, .. } => match (at_least, at_most) {
                (Some(low), Some(high)) => format!("from {} to {}", shown(low), shown(high)),
                (Some(low), None) => format!("at least {}", shown(low)),
                (None, high) => format!("at most {}", high.as_deref().map_or_else(String::new, shown)),
            },
            Evidence::Unfit { value, .. } => format!("{}, which cannot be compared", shown(value)),
            Evidence::Names { fitting: Some(name), .. } => shown(name),
            Evidence::Names { count, .. } => format!("none of {count} names"),
            Evidence::Nearest { count, .. }
                if self.outcome == Outcome::Unmet && self.names_the_instance() =>
            {
                format!("none of {count}")
            }
            Evidence::Nearest { value, count, .. } => {
                let value = value.as_deref().map_or_else(|| "not there".to_owned(), shown);
                let is_choice = *count > 1 && self.outcome != Outcome::Met;
                if is_choice { format!("{value} (nearest of {count})") } else { value }
            }
            Evidence::NoInstance { .. } => format!("no {}", self.thing()),
            Evidence::Count { fitting, all, .. } => format!("{fitting} of {all}"),
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
            | Evidence::Range { read, .. }
            | Evidence::Unfit { read, .. }
            | Evidence::Names { read, .. }
            | Evidence::Nearest { read, .. }
            | Evidence::Count { read, .. }
            | Evidence::NoInstance { read } => read,
        }
    }

    /// Whether this is about the attribute that tells one instance from all others: one of another name is not near.
    pub(super) fn names_the_instance(&self) -> bool {
        const NAMING: [&str; 4] = ["name", "path", "target", "destination"];
        NAMING.contains(&self.element)
    }

    /// What would mend it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let element = shown(self.element);
        match (&self.clue, self.code()) {
            (Some(Clue::Loadable(manager)), _) => Some(loading(&element, *manager)),
            (Some(Clue::LoadedBy { module, manager }), _) => Some(loading(&shown(module), *manager)),
            (Some(Clue::NotLoadable { option: Some(option), is_module: Some(false), .. }), _) => {
                Some(format!("boot a kernel with CONFIG_{option}"))
            }
            (Some(Clue::NotLoadable { manager: Manager::Talos | Manager::Image, .. }), _) => Some(format!(
                "run an image of this host that has module {element}: nothing is installed on it"
            )),
            (Some(Clue::NotLoadable { package: Some(package), is_module: Some(true), .. }), _) => {
                Some(format!("install {}, which has the further modules of this kernel", shown(package)))
            }
            (Some(Clue::NotLoadable { .. }), _) => {
                Some(format!("install module {element} for the running kernel: it has none of that name"))
            }
            (Some(Clue::BootParameter { given, undone }), _) => {
                let undone = undone.as_ref().map_or_else(String::new, |it| {
                    format!("; where the firmware adds it, add {} to cmdline.txt", parameter(it))
                });
                Some(format!("boot without {} on the kernel's command line{undone}", parameter(given)))
            }
            (Some(Clue::Missing { virtual_cpu: true, .. } | Clue::Hidden), _) => Some(
                "a hypervisor's CPU model may hide them: give the virtual machine a richer one, such as host"
                    .to_owned(),
            ),
            (Some(Clue::Linked { .. }), _) => Some(
                "boot a kernel with smaller pages, or link the program for larger ones (-z max-page-size=65536)".to_owned(),
            ),
            (Some(Clue::Driver { .. }), _) => self.driver_hint(),
            (Some(Clue::Foreign { remedy, .. }), _) if self.is_of_this_kernel() => {
                remedy.as_ref().map(|_| "boot a kernel that was built for it, and does not have it switched off".to_owned())
            }
            (Some(Clue::Foreign { remedy, host, .. }), _) => Some(match remedy {
                Some(remedy) => format!("pull the image for {host}, or have QEMU run it: {remedy}"),
                None => format!("pull the image for {host}, or have QEMU run it by binfmt_misc"),
            }),
            (Some(Clue::NoInterpreter { missing, is_script: true, .. }), _) if missing.ends_with('\r') => {
                Some("convert the script when the image is built: dos2unix, or text eol=lf in .gitattributes".to_owned())
            }
            (Some(Clue::NoInterpreter { missing, is_script: true, .. }), _) => {
                Some(format!("install what brings {} into the image, or name another one in the first line", shown(missing)))
            }
            (Some(Clue::TooManyScripts { .. }), _) => {
                Some("name a program in the first line of one of these scripts, such as /bin/sh".to_owned())
            }
            (Some(Clue::NoInterpreter { .. }), _) => Some(
                "build the program for the C library of the image, or statically; a 32-bit program needs the 32-bit library".to_owned(),
            ),
            (_, Code::KernelOptionOff | Code::KernelOptionDiffers) => self.option_hint(),
            (_, Code::ValueDiffers | Code::ValueOutOfRange) => self.setting_hint(),
            (_, Code::ModuleUnwanted) => Some(format!("modprobe -r {element}")),
            (_, Code::ContainerConfig) => self.container_hint(),
            _ => None,
        }
    }

    /// The command that would mend it here, if there is one: short enough for a line.
    pub(super) fn command(&self) -> Option<String> {
        match &self.clue {
            Some(Clue::LoadedBy { module, manager: Manager::Files | Manager::Image }) => {
                Some(format!("modprobe {}", shown(module)))
            }
            Some(Clue::Managed(Manager::Talos) | Clue::OtherPages(Manager::Talos)) => None,
            _ => self.setting().filter(|_| !self.is_locked()),
        }
    }

    /// What changes a setting to a value that would do.
    fn setting_hint(&self) -> Option<String> {
        if self.is_locked() {
            return Some("nothing sets it back until the host is booted anew".to_owned());
        }
        let setting = self.setting()?;
        Some(match &self.clue {
            Some(Clue::Managed(Manager::Talos)) => {
                format!("in machine.sysctls of the machine configuration, as by: {setting}")
            }
            Some(Clue::Managed(Manager::Image)) => {
                format!(
                    "{setting}; the host's own configuration has to say so too, or it is gone at the next boot"
                )
            }
            _ if setting.starts_with("sysctl") => format!("{setting}; a file in /etc/sysctl.d makes it last"),
            _ => setting,
        })
    }

    /// Whether it is about programs that only a kernel built for them starts.
    pub(super) fn is_of_this_kernel(&self) -> bool {
        ["i386", "x32"].contains(&self.element)
    }

    /// Some settings go one way only.
    fn is_locked(&self) -> bool {
        let Evidence::Value { value: Some(value), .. } = &self.evidence else { return false };
        matches!(
            (&*lower(self.feature), self.element, value.as_str()),
            ("kernel.sysctl", "kernel.modules_disabled" | "kernel.kexec_load_disabled", "1")
                | ("kernel.sysctl", "kernel.unprivileged_bpf_disabled", "1")
                | ("kernel.bpf", "unprivileged_disabled", "1")
                | ("kernel.sysctl", "kernel.yama.ptrace_scope", "3")
        )
    }

    /// The command that changes a setting, where the test says which value would do.
    fn setting(&self) -> Option<String> {
        let Evidence::Value { value: Some(found), .. } = &self.evidence else { return None };
        let value = wanted_value(self.element, self.test?, found)?;
        match (&*lower(self.feature), self.element) {
            ("kernel.sysctl", element) => Some(format!("sysctl -w {}={value}", shown(element))),
            ("kernel.iouring", "disabled") => Some(format!("sysctl -w kernel.io_uring_disabled={value}")),
            ("kernel.bpf", "unprivileged_disabled") => {
                Some(format!("sysctl -w kernel.unprivileged_bpf_disabled={value}"))
            }
            ("memory.hugepages", "hugepages-2Mi") if matches!(self.clue, Some(Clue::OtherPages(_))) => {
                Some(format!("echo {value} > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"))
            }
            ("memory.hugepages", "hugepages-2Mi") => Some(format!("sysctl -w vm.nr_hugepages={value}")),
            ("memory.hugepages", "hugepages-1Gi") => {
                Some(format!("boot with hugepagesz=1G hugepages={value}"))
            }
            _ => None,
        }
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
            "bundle.seccomp" if self.element != "default_action" => {
                let call = shown(self.element.strip_suffix(".answer").unwrap_or(self.element));
                Some(format!(
                    "run it with a seccomp profile that allows {call} (--security-opt seccomp=FILE)"
                ))
            }
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
            Test::Exists | Test::Enabled => Some(format!("boot a kernel with CONFIG_{element}=y")),
            Test::In(values) => {
                let value = shown(values.first()?);
                Some(format!("boot a kernel with CONFIG_{element}={value}"))
            }
            Test::DoesNotExist => Some(format!("boot a kernel without CONFIG_{element}")),
            Test::Any
            | Test::NotIn(_)
            | Test::InRegexp(_)
            | Test::Integer(_)
            | Test::Integers(_)
            | Test::Version(_)
            | Test::Quantity(_)
            | Test::Release(_)
            | Test::Nvidia(_)
            | Test::IsTrue
            | Test::IsFalse => None,
        }
    }
}

/// A value with which the test would hold, as a shell takes it. Of several numbers, those that will do are kept.
fn wanted_value(element: &str, test: &Test, found: &str) -> Option<String> {
    let nearest = |bound: &Bound<i128>| match bound {
        Bound::Ge(value) | Bound::Le(value) | Bound::GeLe(value, _) => *value,
        Bound::Gt(value) | Bound::GtLt(value, _) => value.saturating_add(1),
        Bound::Lt(value) | Bound::Outside(value, _) => value.saturating_sub(1),
    };
    match test {
        Test::In(values) => values.first().map(|it| shown(it)),
        Test::Integer(bound) => Some(nearest(bound).to_string()),
        Test::Integers(bounds) => {
            let found: Vec<_> = found.split_ascii_whitespace().collect();
            let value = |(index, bound): (usize, &Bound<i128>)| {
                let kept = found.get(index).and_then(|it| it.parse().ok()).filter(|it| bound.holds(it));
                kept.unwrap_or_else(|| nearest(bound)).to_string()
            };
            let values: Vec<_> = bounds.iter().enumerate().map(value).collect();
            Some(shown(&values.join(" ")))
        }
        Test::Quantity(bound) => {
            let (up, down) = match bound {
                Bound::Ge(it) | Bound::Gt(it) | Bound::Le(it) | Bound::Lt(it) => it.numbers_of(element)?,
                Bound::GeLe(it, _) | Bound::GtLt(it, _) | Bound::Outside(it, _) => it.numbers_of(element)?,
            };
            Some(match bound {
                Bound::Ge(_) | Bound::GeLe(..) => up.to_string(),
                Bound::Gt(_) | Bound::GtLt(..) => down.saturating_add(1).to_string(),
                Bound::Le(_) => down.to_string(),
                Bound::Lt(_) | Bound::Outside(..) => up.saturating_sub(1).to_string(),
            })
        }
        Test::Any
        | Test::Exists
        | Test::DoesNotExist
        | Test::NotIn(_)
        | Test::InRegexp(_)
        | Test::Version(_)
        | Test::Release(_)
        | Test::Nvidia(_)
        | Test::Enabled
        | Test::IsTrue
        | Test::IsFalse => None,
    }
}

/// A boot parameter and its value, as people write it.
pub(super) fn parameter(text: &str) -> String {
    match text.split_once('=') {
        Some((name, value)) => format!("{}={}", shown(name), shown(value)),
        None => shown(text),
    }
}

fn loading(module: &str, manager: Manager) -> String {
    match manager {
        Manager::Files | Manager::Image => format!("modprobe {module}"),
        Manager::Talos => format!("name {module} in machine.kernel.modules of the machine configuration"),
        Manager::NoModules => {
            format!("have {module} loaded at boot: kernel.modules_disabled is 1, and stays so until then")
        }
    }
}

fn answered(answer: &str) -> String {
    match answer {
        "kill" => "answered by the container's seccomp filter with the end of the process".to_owned(),
        "trap" => "answered by the container's seccomp filter with the signal SIGSYS".to_owned(),
        "ENOSYS" => {
            "answered by the container's seccomp filter with ENOSYS, as if the kernel had no such call"
                .to_owned()
        }
        error => format!("refused by the container's seccomp filter with {}", shown(error)),
    }
}
