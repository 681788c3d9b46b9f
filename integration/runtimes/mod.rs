//! The hook as real low-level runtimes call it, and as a mere program with a state on its standard input, and the wrapper
//! in front of them: what starts, what is refused, what the user reads, and what is left behind.
//!
//! Facts come from a host made of files, so no outcome depends on the machine. What is not installed is skipped
//! aloud; `OCI_COMPAT_REQUIRE_RUNTIMES=runc,crun,youki` turns the skips of those named into failures.

pub(crate) mod program;
mod host;
mod hook;
mod bundle;
mod leftovers;
pub(crate) mod runtime;
mod image;
mod fed;
mod traced;
mod started;
mod demands;
mod wrapper;
mod wrapped;
mod passed;
mod brought;
mod broken;
mod crowd;
mod strained;
mod silent;
mod swapped;
mod recorded;
mod pulled;
