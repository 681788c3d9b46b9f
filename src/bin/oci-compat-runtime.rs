//! The runtime wrapper: becomes the low-level runtime. It checks nothing yet; use the hook.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// The first of these in `PATH` is the runtime.
const RUNTIMES: [&str; 2] = ["runc", "crun"];

/// The same process, file descriptors and arguments: whoever started the wrapper deals with the runtime from then on.
#[expect(clippy::disallowed_methods, reason = "the low-level runtime is what a wrapper executes")]
#[expect(clippy::print_stderr, reason = "an entry point reports its failure")]
fn main() -> ExitCode {
    for runtime in RUNTIMES {
        let err = Command::new(runtime).args(std::env::args_os().skip(1)).exec();
        if err.kind() != std::io::ErrorKind::NotFound {
            eprintln!("oci-compat-runtime: starting {runtime}: {err}");
            return ExitCode::FAILURE;
        }
    }
    eprintln!(
        "oci-compat-runtime: there is no low-level runtime in PATH; install one of {}",
        RUNTIMES.join(", ")
    );
    ExitCode::FAILURE
}
