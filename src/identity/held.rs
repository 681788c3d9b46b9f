//! Which images an engine holds, by the names under which registries know them: for those who fetch what belongs to them.
//! Asks no registry and changes nothing; what an image's record says is a stranger's text.

use std::collections::BTreeMap;
use std::path::Path;

use crate::artifact::Digest;

use super::{containerd, docker, storage};

/// An image in an engine's store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// Repository and tag, such as `docker.io/acme/upf:1`; without a tag, if it has none.
    pub name: String,
    /// The digest of the index or manifest that the name stands for on this machine.
    pub digest: Digest,
}

/// The images that containerd holds, in all its namespaces; `socket` is `/run/containerd/containerd.sock` mostly.
///
/// # Errors
///
/// If it does not answer.
pub fn of_containerd(socket: &Path) -> Result<Vec<Held>, String> {
    containerd::images(socket).map(held)
}

/// The images that dockerd pulled into one of its graph drivers; `root` is `/var/lib/docker` mostly. Those that were built
/// or loaded there have no digest in a registry.
///
/// # Errors
///
/// If its files cannot be read, or it keeps its images in containerd.
pub fn of_docker(root: &Path) -> anyhow::Result<Vec<Held>> {
    docker::images(root).map(held)
}

/// The images in containers-storage, which Podman and CRI-O share; `root` is `/var/lib/containers/storage` mostly.
///
/// # Errors
///
/// If its files cannot be read.
pub fn of_storage(root: &Path) -> anyhow::Result<Vec<Held>> {
    storage::images(root).map(held)
}

/// Each repository and digest once, by its tag if it has one; the names that are none of a registry's are left out.
fn held(all: Vec<(String, String)>) -> Vec<Held> {
    let mut found: BTreeMap<(String, Digest), Vec<String>> = BTreeMap::new();
    for (name, digest) in all {
        let Ok(digest) = digest.parse::<Digest>() else { continue };
        let (name, is_tagged) = match name.split_once('@') {
            Some((repository, _)) => (repository.to_owned(), false),
            None => (name, true),
        };
        // The CRI plugin's names for configurations (`sha256:...`), and what was built here by Podman.
        if name.starts_with("sha256:") || name.starts_with("localhost/") || name.is_empty() {
            continue;
        }
        let repository = match name.rsplit_once(':') {
            Some((repository, tag)) if is_tagged && !tag.contains('/') => repository.to_owned(),
            _ => name.clone(),
        };
        let tags = found.entry((repository, digest)).or_default();
        if is_tagged && !tags.contains(&name) {
            tags.push(name);
        }
    }
    let one = |((repository, digest), tags): ((String, Digest), Vec<String>)| -> Vec<Held> {
        let names = if tags.is_empty() { vec![repository] } else { tags };
        names.into_iter().map(|name| Held { name, digest }).collect()
    };
    found.into_iter().flat_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn check(names: &[(&str, &str)], expected: &[(&str, &str)]) {
        let all = names.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect();
        let found: Vec<_> = held(all).into_iter().map(|it| (it.name, it.digest.to_string())).collect();
        let expected: Vec<_> =
            expected.iter().map(|(name, digest)| ((*name).to_owned(), (*digest).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn an_image_is_held_once_under_each_tag() {
        let digested = format!("docker.io/acme/upf@{A}");
        check(
            &[("docker.io/acme/upf:1", A), (&digested, A), ("docker.io/acme/upf:2", A), ("quay.io/x/y:1", B)],
            &[("docker.io/acme/upf:1", A), ("docker.io/acme/upf:2", A), ("quay.io/x/y:1", B)],
        );
        check(&[(&digested, A)], &[("docker.io/acme/upf", A)]);
        check(&[("localhost:5000/upf:1", A)], &[("localhost:5000/upf:1", A)]);
    }

    #[test]
    fn names_that_no_registry_knows_are_left_out() {
        check(&[(A, A), ("localhost/built:latest", A), ("docker.io/acme/upf:1", "md5:1"), ("", A)], &[]);
    }
}
