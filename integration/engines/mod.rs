//! Real engines, each on a fresh machine of its own: what starts, what is refused, what its user reads, and what is left
//! behind.
//!
//! What is not installed is skipped aloud; `OCI_COMPAT_REQUIRE_RUNTIMES=containerd,docker,podman,buildah` turns the skips
//! of those named into failures.

mod machine;
mod leftovers;
mod registry;
mod protobuf;
mod cri;
mod demands;
mod breakage;
mod containerd;
mod kubernetes;
mod ctr;
mod burst;
mod docker;
mod podman;
mod rootless;
mod buildah;
mod page;
mod life;
mod held;
mod called;
mod service;
mod runc;
mod exceptions;
mod killed;
mod verifier;
mod foreign;
