//! Names in sentences: of features, their elements, tests and values.

use std::fmt::Display;

use crate::eval::{Finding, lower};
use crate::host;
use crate::spec::{Bound, Test};
use crate::words::text::list;

impl Finding<'_> {
    /// What to call an element of this feature that is there, and one that is not.
    pub(super) fn words(&self) -> (&'static str, &'static str) {
        match &*lower(self.feature) {
            "kernel.loadedmodule" => ("loaded", "not loaded"),
            "kernel.enabledmodule" => ("loaded or built in", "neither loaded nor built in"),
            "kernel.config" => ("set", "not set"),
            "kernel.cmdline" => ("given", "not given"),
            "kernel.program" if self.element.ends_with(".handler") => ("enabled", "not enabled"),
            "kernel.program" => ("started", "not started"),
            host::PROGRAM => ("there", "not in the image"),
            "kernel.filesystem" => ("registered with the kernel", "not registered with the kernel"),
            "bundle.capability" | "bundle.device" => ("given to the container", "not given to the container"),
            "bundle.namespace" => ("its own, or a joined one", "that of the runtime"),
            "bundle.seccomp" if self.element != "default_action" => {
                ("allowed by the container's seccomp filter", "refused by the container's seccomp filter")
            }
            _ => ("present", "not present"),
        }
    }

    /// What an instance of this feature is called.
    pub(super) fn thing(&self) -> &'static str {
        match &*lower(self.feature) {
            "pci.device" => "PCI device",
            "usb.device" => "USB device",
            "network.device" => "network device",
            "runtime.feature" => "runtime",
            "storage.block" => "block device",
            "storage.filesystem" => "file system",
            "bundle.mount" => "mount in the container",
            "device.node" => "device node",
            "gpu.amd" => "AMD GPU",
            "gpu.intel" => "Intel GPU",
            "gpu.nvidia" => "NVIDIA GPU",
            "kernel.module" => "kernel module",
            "rdma.device" => "RDMA port",
            "system.mount" => "mount",
            _ => "instance",
        }
    }

    /// What the element is called in a sentence.
    pub(super) fn subject(&self) -> String {
        let element = shown(self.element);
        match &*lower(self.feature) {
            feature if self.element.is_empty() && self.test.is_some() => {
                format!("a name of {}", shown(feature))
            }
            feature if self.element.is_empty() => format!("feature {}", shown(feature)),
            "kernel.loadedmodule" | "kernel.enabledmodule" => format!("kernel module {element}"),
            "kernel.config" => format!("kernel option CONFIG_{element}"),
            "kernel.version" if self.element == "full" => "kernel".to_owned(),
            "kernel.version" => format!("kernel version {element}"),
            "cpu.cpuid" => format!("CPU flag {element}"),
            "cpu.model" => format!("CPU {element}"),
            "system.osrelease" => format!("os-release {element}"),
            "cpu.flag" => format!("CPU flag {element}"),
            "kernel.cgroup" if self.element == "version" => "the cgroup version".to_owned(),
            "kernel.cgroup" => format!("cgroup controller {element}"),
            "kernel.bpftype" => format!("BPF type {element}"),
            "kernel.cmdline" => format!("boot parameter {element}"),
            "kernel.filesystem" => format!("file system {element}"),
            "kernel.program" if let Some(machine) = self.element.strip_suffix(".handler") => {
                format!("a binfmt handler for {}", shown(machine))
            }
            "kernel.program" => format!("a program for {element}"),
            host::PROGRAM => format!("the program's {element}"),
            "kernel.moduleparam" => format!("module parameter {element}"),
            "kernel.sysctl" => format!("sysctl {element}"),
            "system.arch" if self.element == "name" => "the machine's architecture".to_owned(),
            "system.arch" => format!("arm64 level {element}"),
            "system.library" => format!("library {element}"),
            "system.libraryversion" => format!("the version of library {element}"),
            "bundle.capability" => format!("capability {element}"),
            "bundle.device" => format!("device {element}"),
            "bundle.namespace" => format!("the container's {element} namespace"),
            "bundle.seccomp" if let Some(call) = self.element.strip_suffix(".answer") => {
                format!("the answer of the container's seccomp filter to system call {}", shown(call))
            }
            "bundle.seccomp" if self.element != "default_action" => format!("system call {element}"),
            "bundle.seccomp" | "bundle.rlimit" | "bundle.resource" => format!("the container's {element}"),
            feature => format!("{} {element}", shown(feature)),
        }
    }
}

/// A test in words.
pub(super) fn needed(test: &Test, (present, absent): (&str, &str)) -> String {
    match test {
        Test::Any => "any".to_owned(),
        Test::Exists => present.to_owned(),
        Test::DoesNotExist => absent.to_owned(),
        Test::In(values) => list(values.iter().map(|it| shown(it)), "or"),
        Test::NotIn(values) => format!("not {}", list(values.iter().map(|it| shown(it)), "nor")),
        Test::InRegexp(patterns) => {
            format!("matching {}", list(patterns.iter().map(|it| format!("/{}/", it.source())), "or"))
        }
        Test::Integer(bound) => amount(bound),
        Test::Integers(bounds) => integers(bounds),
        Test::Version(bound) => version(bound),
        Test::IsTrue => "true".to_owned(),
        Test::IsFalse => "false".to_owned(),
        Test::Enabled => "y or m".to_owned(),
        Test::Quantity(bound) => amount(bound),
        Test::Release(bound) => version(bound),
        Test::Nvidia(condition) => super::nvidia::needed(condition),
    }
}

/// One operator for all of them: `at least 250 32000 100 128`.
fn integers(bounds: &[Bound<i128>]) -> String {
    let rest = bounds.iter().skip(1).map(|it| amount(it).rsplit(' ').next().unwrap_or_default().to_owned());
    bounds.first().map(amount).into_iter().chain(rest).collect::<Vec<_>>().join(" ")
}

fn amount<T: Display>(bound: &Bound<T>) -> String {
    match bound {
        Bound::Gt(low) => format!("more than {low}"),
        Bound::Ge(low) => format!("at least {low}"),
        Bound::Lt(high) => format!("less than {high}"),
        Bound::Le(high) => format!("at most {high}"),
        Bound::GtLt(low, high) => format!("more than {low} and less than {high}"),
        Bound::GeLe(low, high) => format!("from {low} to {high}"),
        Bound::Outside(low, high) => format!("not from {low} to {high}"),
    }
}

fn version<T: Display>(bound: &Bound<T>) -> String {
    match bound {
        Bound::Gt(low) => format!("newer than {low}"),
        Bound::Ge(low) => format!("{low} or newer"),
        Bound::Lt(high) => format!("older than {high}"),
        Bound::Le(high) => format!("{high} or older"),
        Bound::GtLt(low, high) => format!("newer than {low} and older than {high}"),
        Bound::GeLe(low, high) => format!("from {low} to {high}"),
        Bound::Outside(low, high) => format!("not from {low} to {high}"),
    }
}

/// A value as it is if it cannot be misread, else in quotes.
pub(super) fn shown(value: &str) -> String {
    let is_word = |it: char| it.is_ascii_alphanumeric() || "._-+/:~".contains(it);
    if !value.is_empty() && value.chars().all(is_word) { value.to_owned() } else { format!("{value:?}") }
}
