//! A registry by the distribution-spec 1.1: resolves names, transfers manifests and blobs, finds referrers. Blocking, and only
//! for the program `oci-compat`: the hook and the wrapper never name this module. Every byte that it returns was compared with
//! the digest and the size that were asked for, and an error is never "there are none".
//!
//! A [`Client`] is shared by any number of threads; each call uses one connection at a time.

pub use client::Client;
pub use descriptor::{
    DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, DescriptorPlatform, IMAGE_INDEX, IMAGE_MANIFEST,
    MANIFEST_TYPES, Manifest,
};
pub use error::{RegistryError, RegistryMessage, RegistryProblem};
pub use manifests::PushedManifest;
pub use referrers::{Referrers, ReferrersPlace};
pub use secret::Secret;
pub use settings::{GivenLogin, RegistryEnvironment, RegistryLimits, Settings};
pub use transport::Stream;

mod secret;
mod error;
mod settings;
mod descriptor;
mod url;
mod names;
mod reach;
mod proxy;
mod tls;
mod trouble;
mod transport;
mod rewrites;
pub mod hosts;
mod endpoint;
mod helper;
mod credentials;
mod challenge;
mod domain;
mod auth;
mod client;
mod manifests;
mod blobs;
mod referrers;
mod fallback;

/// The largest manifest or index, in bytes: what registries have to accept (distribution-spec 1.1, "Pushing manifests").
pub const MAX_MANIFEST: u64 = 4 << 20;
/// The most referrers of one type that are read of an image.
pub const MAX_REFERRERS: usize = 500;
