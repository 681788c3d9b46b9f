//! The codes of findings: what each means and how to mend it. A name never changes its meaning.

/// What kind of finding it is. The names are interface: they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The expression holds.
    Met,
    /// The host could not be asked.
    FactUnknown,
    /// A value is not of the kind that the test is about.
    ValueUnfit,
    /// The variables that a rule publishes could not be made.
    TemplateFailed,
    /// The spec has sets, but none with a tag that was asked for.
    NoSetSelected,
    /// The host has no such feature.
    FeatureAbsent,
    /// A kernel module has to be loaded and is not.
    ModuleNotLoaded,
    /// A kernel module has to be loaded or built in and is neither.
    ModuleNotEnabled,
    /// A kernel module must not be there and is.
    ModuleUnwanted,
    /// A kernel option has to be set and is not.
    KernelOptionOff,
    /// A kernel option has another value.
    KernelOptionDiffers,
    /// The kernel is of another version.
    KernelVersion,
    /// The CPU lacks a flag.
    CpuFlagMissing,
    /// The CPU has a flag that it must not have.
    CpuFlagUnwanted,
    /// The CPU is of a lower x86-64 level.
    CpuLevelMissing,
    /// The CPU is of another make or model.
    CpuModel,
    /// No PCI device is as demanded.
    PciDeviceMissing,
    /// The operating system is another one.
    OsRelease,
    /// An element has to be there and is not.
    ElementMissing,
    /// An element must not be there and is.
    ElementUnwanted,
    /// An element has another value.
    ValueDiffers,
    /// A value is too small, too large, too old or too new.
    ValueOutOfRange,
    /// No instance is as demanded.
    InstanceMissing,
    /// No element has such a name.
    NameMissing,
    /// The kernel starts no programs for the machine that the image's program is for.
    ProgramArchitecture,
    /// The image's program needs an interpreter or a loader that the image does not have.
    ProgramInterpreter,
    /// The container is not set up as demanded, whatever the host has.
    ContainerConfig,
    /// A condition of the image's variables `NVIDIA_REQUIRE_*` does not hold, or is none.
    NvidiaRequire,
    /// A spec is wrong, whatever the host.
    SpecMalformed,
    /// What the container brings cannot be read.
    ContainerTrouble,
    /// The configuration demands a signed spec, and there is none.
    SpecMissing,
    /// The check could not be made or finished.
    Trouble,
}

/// All codes, with what each means and how to mend it.
pub const CODES: [(Code, &str, &str); 32] = [
    (Code::Met, "met", "The expression holds."),
    (
        Code::FactUnknown,
        "fact-unknown",
        "This host could not be asked: the file is hidden, may not be read, or no probe knows the feature. That is not a no: \
         by default the container starts. Run `oci-compat probe` as root to see what is known and why the rest is not.",
    ),
    (
        Code::ValueUnfit,
        "value-unfit",
        "The value found is not a number or not a version, so it cannot be compared. Use In or InRegexp, or another element.",
    ),
    (
        Code::TemplateFailed,
        "template-failed",
        "The rule's varsTemplate refers to something that was not matched, or made a line without `=`.",
    ),
    (Code::NoSetSelected, "no-set-selected", "No compatibility set has one of the tags that were asked for."),
    (
        Code::FeatureAbsent,
        "feature-absent",
        "This host has nothing of the kind. See `oci-compat probe` for the features that it has.",
    ),
    (
        Code::ModuleNotLoaded,
        "module-not-loaded",
        "The kernel module is not loaded. If it is available, `modprobe NAME` loads it and a file in /etc/modules-load.d does \
         so at boot; if not, its package has to be installed for the running kernel. A module that is built in does not count \
         as loaded: demand kernel.enabledmodule to accept both.",
    ),
    (
        Code::ModuleNotEnabled,
        "module-not-enabled",
        "The kernel module is neither loaded nor built in. If it is available, `modprobe NAME` loads it.",
    ),
    (
        Code::ModuleUnwanted,
        "module-unwanted",
        "The kernel module must not be there. `modprobe -r NAME` unloads it.",
    ),
    (
        Code::KernelOptionOff,
        "kernel-option-off",
        "The running kernel was built without this option. It takes another kernel, or one built with it.",
    ),
    (
        Code::KernelOptionDiffers,
        "kernel-option-differs",
        "The running kernel was built with another value of this option. `m` means a module, which may still have to be loaded.",
    ),
    (Code::KernelVersion, "kernel-version", "The running kernel is of another version. Boot one that fits."),
    (
        Code::CpuFlagMissing,
        "cpu-flag-missing",
        "The CPU, or the model of it that a hypervisor shows, lacks an instruction set. On a virtual machine choose a \
         richer CPU model (such as `host`).",
    ),
    (Code::CpuFlagUnwanted, "cpu-flag-unwanted", "The CPU has a property that the image cannot cope with."),
    (
        Code::CpuLevelMissing,
        "cpu-level-missing",
        "The CPU does not reach an x86-64 micro-architecture level, because it lacks the flags that are named. On a virtual \
         machine choose a richer CPU model (such as `host`).",
    ),
    (
        Code::CpuModel,
        "cpu-model",
        "The CPU is of another vendor, family or model, or another hypervisor runs this machine.",
    ),
    (
        Code::PciDeviceMissing,
        "pci-device-missing",
        "No PCI device has all the attributes that are demanded together. The nearest one and what it lacks is named.",
    ),
    (
        Code::OsRelease,
        "os-release",
        "The host's operating system (os-release) is another one than the image demands.",
    ),
    (Code::ElementMissing, "element-missing", "Something has to be there on this host and is not."),
    (Code::ElementUnwanted, "element-unwanted", "Something must not be there on this host and is."),
    (Code::ValueDiffers, "value-differs", "This host has another value than the image demands."),
    (
        Code::ValueOutOfRange,
        "value-out-of-range",
        "This host's value lies outside of what the image demands.",
    ),
    (
        Code::InstanceMissing,
        "instance-missing",
        "Nothing on this host has all the attributes that are demanded together.",
    ),
    (Code::NameMissing, "name-missing", "No element of the feature has a name that passes the test."),
    (
        Code::ProgramArchitecture,
        "program-architecture",
        "The container's program is for another machine than this host, and the kernel has no handler that takes it. Pull the image \
         for this host's platform (`--platform linux/amd64`), run it on a host of its own, or have QEMU run it: install \
         qemu-user-static, or what this distribution calls it. A program for i386 or x32 needs a kernel that was built for that.",
    ),
    (
        Code::ProgramInterpreter,
        "program-interpreter",
        "The container's program names an interpreter or a loader that its image does not have, or is the first of more scripts in a \
         row than the kernel follows, so that it cannot start on any host; what runtimes say of that sounds as if the program itself was missing. A `#!` line that ends with a carriage return, \
         as on Windows, names a file of another name: convert the script with dos2unix. A program that was linked for the GNU \
         C library does not start in an image with musl, and the other way round.",
    ),
    (
        Code::ContainerConfig,
        "container-config",
        "The container is not set up as the image demands: its config.json does not give it the capability, device, limit, \
         mount, namespace or system call. The host is not to blame: change how the container is run.",
    ),
    (
        Code::NvidiaRequire,
        "nvidia-require",
        "The container is given NVIDIA GPUs, and the image's environment (NVIDIA_REQUIRE_*, or CUDA_VERSION of old images) \
         demands another CUDA, driver or GPU than this host has, or says something that is no condition. Install the driver \
         that is named, or run an image for an older CUDA. NVIDIA_DISABLE_REQUIRE=1 in the container's environment turns the \
         demand off, and so does `nvidia = \"off\"` in section [implicit] of the configuration for all containers.",
    ),
    (
        Code::SpecMalformed,
        "spec-malformed",
        "The spec that belongs to the image is wrong, whatever the host. `oci-compat lint` shows every error with its place.",
    ),
    (
        Code::ContainerTrouble,
        "container-trouble",
        "What the container brings cannot be read: its state, its config.json or its annotations. By default the container is refused.",
    ),
    (
        Code::SpecMissing,
        "spec-missing",
        "The configuration demands a signed spec of this image (require = \"signed-spec\"), and the store has none that was \
         verified. `oci-compat pull IMAGE` fetches it, or says why there is none.",
    ),
    (
        Code::Trouble,
        "trouble",
        "The check itself could not be made or finished. By default the container starts.",
    ),
];

impl Code {
    /// The name that reports and logs show.
    pub fn name(self) -> &'static str {
        self.entry().map_or("met", |(_, name, _)| name)
    }

    /// Whether a rule can fail with it.
    pub fn is_of_rules(self) -> bool {
        !matches!(self, Self::SpecMalformed | Self::ContainerTrouble | Self::SpecMissing | Self::Trouble)
    }

    fn entry(self) -> Option<&'static (Self, &'static str, &'static str)> {
        CODES.iter().find(|(code, ..)| *code == self)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every variant, in order: a new one does not compile until it is entered here.
    fn after(code: Code) -> Option<Code> {
        match code {
            Code::Met => Some(Code::FactUnknown),
            Code::FactUnknown => Some(Code::ValueUnfit),
            Code::ValueUnfit => Some(Code::TemplateFailed),
            Code::TemplateFailed => Some(Code::NoSetSelected),
            Code::NoSetSelected => Some(Code::FeatureAbsent),
            Code::FeatureAbsent => Some(Code::ModuleNotLoaded),
            Code::ModuleNotLoaded => Some(Code::ModuleNotEnabled),
            Code::ModuleNotEnabled => Some(Code::ModuleUnwanted),
            Code::ModuleUnwanted => Some(Code::KernelOptionOff),
            Code::KernelOptionOff => Some(Code::KernelOptionDiffers),
            Code::KernelOptionDiffers => Some(Code::KernelVersion),
            Code::KernelVersion => Some(Code::CpuFlagMissing),
            Code::CpuFlagMissing => Some(Code::CpuFlagUnwanted),
            Code::CpuFlagUnwanted => Some(Code::CpuLevelMissing),
            Code::CpuLevelMissing => Some(Code::CpuModel),
            Code::CpuModel => Some(Code::PciDeviceMissing),
            Code::PciDeviceMissing => Some(Code::OsRelease),
            Code::OsRelease => Some(Code::ElementMissing),
            Code::ElementMissing => Some(Code::ElementUnwanted),
            Code::ElementUnwanted => Some(Code::ValueDiffers),
            Code::ValueDiffers => Some(Code::ValueOutOfRange),
            Code::ValueOutOfRange => Some(Code::InstanceMissing),
            Code::InstanceMissing => Some(Code::NameMissing),
            Code::NameMissing => Some(Code::ProgramArchitecture),
            Code::ProgramArchitecture => Some(Code::ProgramInterpreter),
            Code::ProgramInterpreter => Some(Code::ContainerConfig),
            Code::ContainerConfig => Some(Code::NvidiaRequire),
            Code::NvidiaRequire => Some(Code::SpecMalformed),
            Code::SpecMalformed => Some(Code::ContainerTrouble),
            Code::ContainerTrouble => Some(Code::SpecMissing),
            Code::SpecMissing => Some(Code::Trouble),
            Code::Trouble => None,
        }
    }

    #[test]
    fn the_names_of_codes_are_interface() {
        let names: Vec<_> = std::iter::successors(Some(Code::Met), |it| after(*it)).map(Code::name).collect();
        assert_eq!(
            names,
            [
                "met",
                "fact-unknown",
                "value-unfit",
                "template-failed",
                "no-set-selected",
                "feature-absent",
                "module-not-loaded",
                "module-not-enabled",
                "module-unwanted",
                "kernel-option-off",
                "kernel-option-differs",
                "kernel-version",
                "cpu-flag-missing",
                "cpu-flag-unwanted",
                "cpu-level-missing",
                "cpu-model",
                "pci-device-missing",
                "os-release",
                "element-missing",
                "element-unwanted",
                "value-differs",
                "value-out-of-range",
                "instance-missing",
                "name-missing",
                "program-architecture",
                "program-interpreter",
                "container-config",
                "nvidia-require",
                "spec-malformed",
                "container-trouble",
                "spec-missing",
                "trouble",
            ]
        );
    }

    #[test]
    fn every_code_is_described_once_under_a_name_of_its_own() {
        let all: Vec<_> = std::iter::successors(Some(Code::Met), |it| after(*it)).collect();
        let described: Vec<_> = CODES.iter().map(|(code, ..)| *code).collect();
        assert_eq!(described, all);
        let names: BTreeSet<_> = CODES.iter().map(|(_, name, _)| *name).collect();
        assert_eq!(names.len(), CODES.len());
        for (_, name, meaning) in CODES {
            assert!(meaning.ends_with('.') && meaning.is_ascii(), "{name}: {meaning}");
        }
    }
}
