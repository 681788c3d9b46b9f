//! Why something is missing on a host, and what it takes to mend that.

/// Why an expression is unmet, beyond the value itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clue {
    /// The module is on disk and could be loaded.
    Loadable(Manager),
    /// There is no such module for the running kernel.
    NotLoadable {
        /// The option that builds it, where that is known.
        option: Option<&'static str>,
        /// Whether the kernel was built with it as a module, where that is known.
        is_module: Option<bool>,
        /// The package that has it, where that is known.
        package: Option<String>,
        /// Who sets the host up.
        manager: Manager,
    },
    /// A module would bring it, and is on disk.
    LoadedBy {
        /// Which one.
        module: String,
        /// Who sets the host up.
        manager: Manager,
    },
    /// By a boot parameter.
    BootParameter {
        /// The parameter, such as `cgroup_disable=memory`.
        given: String,
        /// One that undoes it, where a firmware gives the other.
        undone: Option<String>,
    },
    /// It is not set by files on this host.
    Managed(Manager),
    /// The host's default huge pages are of another size, so that `vm.nr_hugepages` counts those.
    OtherPages(Manager),
    /// What a filter answers a system call.
    Answer(String),
    /// A program is for another machine than this host.
    Foreign {
        /// Which file.
        file: String,
        /// This host's machine, as programs call it.
        host: String,
        /// The command that installs what would run it, where that is known.
        remedy: Option<&'static str>,
    },
    /// A program's interpreter is not in its image.
    NoInterpreter {
        /// Which file needs it.
        file: String,
        /// Its path.
        missing: String,
        /// Whether the file is a script.
        is_script: bool,
    },
    /// Scripts follow one another further than the kernel follows them.
    TooManyScripts {
        /// The first of them.
        file: String,
        /// The one that is not followed any more.
        last: String,
        /// Whether one of them comes twice.
        is_loop: bool,
    },
    /// A program was linked for smaller pages than the kernel has.
    Linked {
        /// Which file.
        file: String,
    },
    /// The CPU is a hypervisor's, which may hide it.
    Hidden,
    /// A newer driver of NVIDIA's would do.
    Driver {
        /// The driver of the host, where there is one and its version is known.
        found: Option<String>,
        /// From which one on.
        needed: Option<String>,
        /// The command that installs one on this distribution, where that is known.
        install: Option<String>,
    },
    /// The CPU has not all flags of a level: these are missing, and whether it is a hypervisor's.
    Missing {
        /// The flags.
        flags: Vec<&'static str>,
        /// What needs the level, where it is the image's program that says so.
        whose: Option<String>,
        /// Whether the CPU says that it is virtual.
        virtual_cpu: bool,
    },
}

/// Who sets a host up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Commands, and files below `/etc`.
    Files,
    /// The same, but its kernel loads no module until the next boot.
    NoModules,
    /// Talos Linux: a machine configuration, and no commands.
    Talos,
    /// An image that is written again: changes by commands do not last.
    Image,
}

/// What it takes to mend a lack, from the least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effort {
    /// Nothing.
    None,
    /// A command, or another way to run the container.
    Command,
    /// It is not known, as of most things.
    Unknown,
    /// Another kernel, or other software on the host.
    Install,
    /// Another machine, or nothing at all.
    Machine,
}
