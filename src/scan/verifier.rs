//! Whether containerd may pull an image onto this host: its image verifier (containerd, `docs/image-verification.md`).
//!
//! containerd calls a verifier before it fetches any layer, and blocks the pull of what it refuses, for ten seconds and no more
//! (`per_verifier_timeout`); a verifier that takes longer blocks the pull as well. So the caller gives up in time, and what
//! could not be found out is let through unless the policy says otherwise.

use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use crate::decide::pipeline::{self, Assessment, Host, Terms};
use crate::decide::requirements::{self, Collected};
use crate::image::digest::Digest;
use crate::image::{Image, Reference};
use crate::policy::Policy;
use crate::program::OURS;
use crate::supply::attach::Platform;
use crate::supply::pull::Puller;

use super::own;
use super::remote::Inquiry;

/// What containerd wants to pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierCall {
    /// The image by its name, and by the digest of its index or manifest.
    pub image: Reference,
}

/// A call that is not understood: a sentence. The image is let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misunderstood(String);

impl fmt::Display for Misunderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misunderstood {}

impl VerifierCall {
    /// Reads the arguments: `-name NAME -digest DIGEST -stdin-media-type TYPE`. Others are passed over: a later containerd may
    /// have more. The descriptor on stdin says nothing more than these, and is not read.
    ///
    /// # Errors
    ///
    /// If there is no name or no SHA-256 digest.
    pub fn parse(arguments: &[OsString]) -> Result<Self, Misunderstood> {
        let value = |option: &str| {
            let at = arguments
                .iter()
                .position(|it| it.to_str().is_some_and(|it| it.trim_start_matches('-') == option));
            let value = at.and_then(|it| arguments.get(it + 1)).and_then(|it| it.to_str());
            value.ok_or_else(|| {
                Misunderstood(format!("there is no -{option}: this is called by containerd alone"))
            })
        };
        let (name, digest) = (value("name")?, value("digest")?);
        let digest: Digest = digest.parse().map_err(|err| Misunderstood(format!("-digest: {err}")))?;
        let plain = name.split_once('@').map_or(name, |(it, _)| it);
        let image = format!("{plain}@{digest}").parse();
        Ok(Self { image: image.map_err(|err| Misunderstood(format!("-name: {err}")))? })
    }

    /// Whether its registry is on this machine: containerd speaks HTTP without TLS there.
    pub fn is_local(&self) -> bool {
        let registry = self.image.repository().registry();
        let host = match registry.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|it| it.is_ascii_digit()) => host,
            _ => registry,
        };
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|it| it.is_loopback())
    }

    /// Whether this is the image of pods' sandboxes: one of these, or one that is called `pause`. Nothing is demanded of a
    /// sandbox's host, and without its image no pod starts.
    pub fn is_sandbox(&self, configured: &[String]) -> bool {
        let repository = self.image.repository();
        let is_same = |it: &String| it.parse::<Reference>().is_ok_and(|it| it.repository() == repository);
        let last = repository.path().rsplit('/').next().unwrap_or_default();
        configured.iter().any(is_same) || ["pause", "mirrored-pause"].contains(&last)
    }
}

/// Holds the image against the host by what its registry has, what the store has, and what the administrator demands. What the
/// registry has, and may be trusted, is stored. Without a puller (`Err` says why) only the store is asked.
pub fn examine(
    call: &VerifierCall,
    puller: Result<Puller<'_>, String>,
    store: &Path,
    policy: &Policy,
    host: &Host<'_>,
    terms: &Terms<'_>,
) -> Assessment {
    pipeline::assess(collected(call, puller, store, policy, host), host, terms)
}

fn collected(
    call: &VerifierCall,
    puller: Result<Puller<'_>, String>,
    store: &Path,
    policy: &Policy,
    host: &Host<'_>,
) -> Collected {
    let asked = puller.and_then(|it| {
        let inquiry = Inquiry::new(&it, &call.image, &Platform::of_host(), host, true);
        inquiry.map(|inquiry| (inquiry, it)).map_err(|err| format!("{err:#}"))
    });
    let (inquiry, puller) = match asked {
        Ok(asked) => asked,
        Err(trouble) => {
            let digests: Vec<_> = call.image.digest().copied().into_iter().collect();
            let called = Image { names: vec![call.image.stored()], digests: digests.clone() };
            let mut collected = requirements::of_image(&digests, called, store, policy);
            collected.troubles.push(trouble);
            return collected;
        }
    };
    let kept = inquiry.pulled.keep(store);
    let mut collected = inquiry.stored(store, policy);
    if let Err(err) = kept {
        // It counts all the same.
        collected.requirements.extend(inquiry.offered(policy).requirements);
        collected.troubles.push(format!("{err:#}"));
    }
    // A label that is wrong refuses nothing, and one that is right is confirmed by the program.
    if inquiry.is_doubtful()
        && let Some(configuration) = inquiry.configuration()
    {
        let left = puller.patience.all.saturating_sub(puller.patience.began.elapsed());
        let layers = inquiry.layers(puller.client, left);
        own::add_program(&mut collected, &configuration, &layers, policy, Some(OURS));
    }
    collected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(words: &[&str]) -> Result<VerifierCall, Misunderstood> {
        VerifierCall::parse(&words.iter().map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn containerd_s_arguments_are_read_in_any_order() {
        let digest = Digest::of(b"image");
        let text = digest.to_string();
        let check = |name: &str, expected: &str| {
            let words = [
                "-name",
                name,
                "-digest",
                &text,
                "-stdin-media-type",
                "application/vnd.oci.descriptor.v1+json",
            ];
            assert_eq!(call(&words).unwrap().image.to_string(), expected.replace("DIGEST", &text));
            let words = ["--new", "x", "-digest", &text, "-name", name];
            assert_eq!(call(&words).unwrap().image.to_string(), expected.replace("DIGEST", &text));
        };
        check("docker.io/library/nginx:1", "docker.io/library/nginx:1@DIGEST");
        check(&format!("quay.io/acme/upf@{text}"), "quay.io/acme/upf@DIGEST");
        // CRI by digest, where the name has another one.
        check(&format!("quay.io/acme/upf:2@{}", Digest::of(b"other")), "quay.io/acme/upf:2@DIGEST");
    }

    #[test]
    fn a_call_without_what_is_needed_says_so() {
        let check = |words: &[&str], expected: &str| {
            assert_eq!(call(words).unwrap_err().to_string(), expected, "{words:?}")
        };
        check(&[], "there is no -name: this is called by containerd alone");
        check(&["-name"], "there is no -name: this is called by containerd alone");
        check(&["-name", "a"], "there is no -digest: this is called by containerd alone");
    }

    #[test]
    fn a_registry_on_this_machine_is_known() {
        let digest = Digest::of(b"image").to_string();
        let check = |name: &str, expected: bool| {
            assert_eq!(call(&["-name", name, "-digest", &digest]).unwrap().is_local(), expected, "{name}");
        };
        check("localhost:5000/upf:1", true);
        check("localhost/upf:1", true);
        check("127.0.0.1:5000/upf:1", true);
        check("[::1]:5000/upf:1", true);
        check("10.0.0.1:5000/upf:1", false);
        check("quay.io/acme/upf:1", false);
        check("docker.io/library/localhost:1", false);
    }

    #[test]
    fn a_sandbox_s_image_is_known_by_the_configuration_or_by_its_name() {
        let digest = Digest::of(b"image").to_string();
        let check = |name: &str, configured: &[&str], expected: bool| {
            let configured: Vec<_> = configured.iter().map(|it| (*it).to_owned()).collect();
            let call = call(&["-name", name, "-digest", &digest]).unwrap();
            assert_eq!(call.is_sandbox(&configured), expected, "{name} {configured:?}");
        };
        check("registry.k8s.io/pause:3.10", &[], true);
        check("docker.io/rancher/mirrored-pause:3.6", &[], true);
        check("quay.io/acme/pod:1", &["quay.io/acme/pod:1"], true);
        check("quay.io/acme/pod:2", &["quay.io/acme/pod:1"], true);
        check("quay.io/acme/upf:1", &["quay.io/acme/pod:1"], false);
        check("quay.io/acme/pausenot:1", &[], false);
    }
}
