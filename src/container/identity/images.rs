//! The images of an engine, by their names in registries, for pulling their artifacts. Asks no registry and changes nothing.
//! The content of an image's record is a stranger's text.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::image::{Image, Spelled};
use crate::store::Digest;

use super::containerd::ContainerdImage;
use super::{EnginePlaces, containerd, docker, storage};

/// An image in an engine's store, as one repository knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RepositoryImage {
    /// Repository and tag, such as `docker.io/acme/upf:1`, for each tag; only the repository if it has no tag.
    pub names: Vec<String>,
    /// The digests of the indexes and manifests under which it was pulled. Empty for an image that was built or loaded on
    /// this machine: no registry can have it.
    pub digests: Vec<Digest>,
    /// As [`ImageRecord::ids`].
    pub ids: Vec<Digest>,
}

/// There is no such engine here, or it never had an image: a whole sentence.
#[derive(Debug)]
pub struct Absent(pub(super) String);

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Absent {}

/// Who keeps an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageEngine {
    /// containerd, in any of its namespaces.
    Containerd,
    /// dockerd, in one of its graph drivers or in containerd.
    Docker,
    /// Podman and CRI-O, in containers-storage.
    Podman,
}

/// What an engine notes about one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRecord {
    /// Whose it is.
    pub engine: ImageEngine,
    /// What the engine calls it where a name is not at hand: the digest of its configuration, in containerd also that of its
    /// manifest or index.
    pub ids: Vec<Digest>,
    /// All names, each with a tag, with a digest, or with neither.
    pub names: Vec<String>,
    /// The digests that belong to every name of it, those of its indexes and of its manifest.
    pub digests: Vec<Digest>,
    /// Whether a registry may have it under its names, as far as the engine knows: what was built or imported here is in none.
    pub is_of_registry: bool,
}

impl ImageRecord {
    /// What it is called, for patterns of images.
    pub fn image(&self) -> Image {
        let behind = self.names.iter().filter_map(|it| it.split_once('@')?.1.parse().ok());
        let digests = self.digests.iter().chain(&self.ids).copied().chain(behind).collect();
        Image { names: self.names.clone(), digests }
    }
}

/// How an engine writes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameForm {
    /// With the registry's host. A name without one was made on this machine.
    Whole,
    /// As people do, without the host where it is `docker.io`.
    Short,
}

/// The images that containerd holds, in all its namespaces; `socket` is `/run/containerd/containerd.sock` mostly.
///
/// # Errors
///
/// If it does not answer; [`Absent`] without a socket.
pub fn of_containerd(socket: &Path) -> anyhow::Result<Vec<ImageRecord>> {
    const REMEDY: &str = "start it, or name its socket with --engine-socket";
    if matches!(socket.try_exists(), Ok(false)) {
        let told = format!("containerd at {} is not there: {REMEDY}", socket.display());
        return Err(Absent(told).into());
    }
    let mut records: BTreeMap<String, ImageRecord> = BTreeMap::new();
    let images = containerd::images(socket, None).map_err(|it| anyhow::anyhow!("{it}: {REMEDY}"))?;
    for ContainerdImage { name, digest, is_of_registry, .. } in images {
        let record = records.entry(digest).or_insert_with_key(|digest| {
            let digests: Vec<_> = digest.parse().into_iter().collect();
            let ids = digests.clone();
            ImageRecord {
                engine: ImageEngine::Containerd,
                ids,
                names: Vec::new(),
                digests,
                is_of_registry: false,
            }
        });
        // In one namespace it may have been pulled, and in another one not.
        record.is_of_registry |= is_of_registry;
        // The CRI plugin names it by its configuration, too.
        record.ids.extend(name.parse::<Digest>());
        record.names.push(name);
    }
    Ok(records.into_values().collect())
}

/// The images that dockerd keeps in one of its graph drivers, below `root`; without it, where its configuration says, or
/// below `/var/lib/docker`. Without `root`, also those that it keeps in its containerd.
///
/// # Errors
///
/// If its files cannot be read, or its containerd does not answer; [`Absent`] if it has no images.
pub fn of_docker(root: Option<&Path>, places: &EnginePlaces) -> anyhow::Result<Vec<ImageRecord>> {
    docker::images(root, places)
}

/// The images in containers-storage, which Podman and CRI-O share, below `root`; without it, in all stores that
/// containers-storage.conf(5) names, or below `/var/lib/containers/storage`.
///
/// # Errors
///
/// If its files cannot be read; [`Absent`] if there are none.
pub fn of_storage(root: Option<&Path>, places: &EnginePlaces) -> anyhow::Result<Vec<ImageRecord>> {
    storage::images(root, places)
}

/// Each image once for every repository that it has a name of.
pub fn by_repository(records: impl IntoIterator<Item = ImageRecord>) -> Vec<RepositoryImage> {
    let mut found: Vec<_> = records.into_iter().flat_map(of_record).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn of_record(record: ImageRecord) -> Vec<RepositoryImage> {
    let form = match record.engine {
        ImageEngine::Containerd | ImageEngine::Podman => NameForm::Whole,
        ImageEngine::Docker => NameForm::Short,
    };
    let mut repositories: BTreeMap<String, RepositoryImage> = BTreeMap::new();
    for name in &record.names {
        let spelled = Spelled::of(name);
        if !record.is_of_registry || !is_of_registry(&spelled, form) {
            continue;
        }
        let entry = repositories.entry(spelled.repository()).or_insert_with(|| RepositoryImage {
            names: Vec::new(),
            digests: Vec::new(),
            ids: record.ids.clone(),
        });
        entry.names.push(name.split_once('@').map_or(name.as_str(), |(it, _)| it).to_owned());
        // Another algorithm's digest is none that an artifact's subject could have in our store.
        entry.digests.extend(spelled.digest.and_then(|it| it.parse::<Digest>().ok()));
    }
    let mut found = Vec::new();
    let has_tag = |it: &String| Spelled::of(it).tag.is_some();
    for mut entry in repositories.into_values() {
        if entry.names.iter().any(has_tag) {
            entry.names.retain(has_tag);
        }
        entry.names.sort_unstable();
        entry.names.dedup();
        for digest in &record.digests {
            if !entry.digests.contains(digest) {
                entry.digests.push(*digest);
            }
        }
        found.push(entry);
    }
    found.retain(|it| !it.digests.is_empty());
    if found.is_empty() && !record.names.is_empty() {
        found.push(RepositoryImage { names: record.names, digests: Vec::new(), ids: record.ids });
    }
    found
}

/// Podman names `localhost/...` what it builds, containerd's CRI plugin `sha256:...` what it pulls, and `ctr images import`
/// `import-...` what has no name.
fn is_of_registry(name: &Spelled<'_>, form: NameForm) -> bool {
    match name.registry {
        Some("localhost") => false,
        Some(_) => true,
        None => form == NameForm::Short && !name.path.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// What is held of one image: names and digests, in which `@A` and `@B` stand for digests.
    fn check(form: NameForm, names: &[&str], digests: &[&str], expected: &[(&[&str], &[&str])]) {
        let whole = |it: &&str| it.replace("@A", &format!("@{A}")).replace("@B", &format!("@{B}"));
        let record = ImageRecord {
            engine: if form == NameForm::Short { ImageEngine::Docker } else { ImageEngine::Podman },
            ids: Vec::new(),
            names: names.iter().map(whole).collect(),
            digests: digests.iter().filter_map(|it| it.parse().ok()).collect(),
            is_of_registry: true,
        };
        let found = by_repository([record]);
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.names.clone(), it.digests.iter().map(ToString::to_string).collect()))
            .collect();
        let owned = |all: &[&str]| all.iter().map(whole).collect::<Vec<_>>();
        let expected: Vec<_> =
            expected.iter().map(|(names, digests)| (owned(names), owned(digests))).collect();
        assert_eq!(found, expected, "{names:?}");
    }

    #[test]
    fn an_image_is_held_once_in_each_repository_with_all_its_tags() {
        check(
            NameForm::Whole,
            &["docker.io/acme/upf:2", "docker.io/acme/upf:1", "quay.io/x/y:1", "docker.io/acme/upf@A", A],
            &[A],
            &[(&["docker.io/acme/upf:1", "docker.io/acme/upf:2"], &[A]), (&["quay.io/x/y:1"], &[A])],
        );
        check(NameForm::Whole, &["docker.io/acme/upf@A"], &[A], &[(&["docker.io/acme/upf"], &[A])]);
        check(NameForm::Whole, &["localhost:5000/upf:1"], &[A, B], &[(&["localhost:5000/upf:1"], &[A, B])]);
        check(NameForm::Whole, &["quay.io/x/y:1@B"], &[A], &[(&["quay.io/x/y:1"], &[B, A])]);
    }

    #[test]
    fn only_docker_leaves_its_own_registry_out_of_names() {
        check(NameForm::Short, &["upf:1", "upf@A", "upf@B"], &[], &[(&["upf:1"], &[A, B])]);
        check(NameForm::Short, &["acme/upf:1", "quay.io/x/y@A"], &[], &[(&["quay.io/x/y"], &[A])]);
        check(NameForm::Short, &["built:1"], &[], &[(&["built:1"], &[])]);
        check(NameForm::Whole, &["built:1"], &[A], &[(&["built:1"], &[])]);
        check(NameForm::Whole, &["local/built:1"], &[A], &[(&["local/built:1"], &[])]);
    }

    #[test]
    fn what_no_registry_can_have_has_no_digest() {
        check(NameForm::Whole, &["localhost/built:latest"], &[A], &[(&["localhost/built:latest"], &[])]);
        check(NameForm::Whole, &["import-2026-01-01@A"], &[A], &[(&["import-2026-01-01@A"], &[])]);
        check(NameForm::Whole, &[A], &[A], &[(&[A], &[])]);
        check(NameForm::Whole, &["docker.io/acme/upf:1"], &["md5:1"], &[(&["docker.io/acme/upf:1"], &[])]);
        check(NameForm::Whole, &[], &[A], &[]);
    }

    /// The names of all images that are held, those without a digest in brackets.
    fn names(found: anyhow::Result<Vec<ImageRecord>>) -> Vec<String> {
        let shown = |it: RepositoryImage| match it.digests.is_empty() {
            true => format!("({})", it.names.join(" ")),
            false => it.names.join(" "),
        };
        by_repository(found.expect("images")).into_iter().map(shown).collect()
    }

    fn places(host: &FakeHost) -> EnginePlaces {
        EnginePlaces { root: host.place("") }
    }

    #[test]
    fn all_stores_that_are_configured_are_read() {
        let image = |name: &str| format!("[{{\"id\": \"1\", \"digest\": \"{A}\", \"names\": [\"{name}\"]}}]");
        let host = FakeHost::new();
        let root = host.place("").display().to_string();
        let configuration = format!(
            "[storage]\ngraphroot = \"{root}/graph\"\n[storage.options]\nadditionalimagestores = [\"{root}/shared\"]\n"
        );
        let host = host
            .file("etc/containers/storage.conf", &configuration)
            .file("graph/overlay-images/images.json", image("quay.io/x/own:1"))
            .file("shared/vfs-images/images.json", image("quay.io/x/shared:1"));
        let all = ["quay.io/x/own:1", "quay.io/x/shared:1"];
        assert_eq!(names(of_storage(None, &places(&host))), all);
        assert_eq!(names(of_storage(Some(&host.place("shared")), &places(&host))), [all[1]]);

        let repositories = format!(
            "{{\"Repositories\": {{\"upf\": {{\"upf:1\": \"i\", \"upf@{A}\": \"i\"}}, \"mine\": {{\"mine:1\": \"i\"}}, \
             \"built\": {{\"built:1\": \"j\"}}}}}}"
        );
        let host = FakeHost::new();
        let data = format!("{{\"data-root\": \"{}\"}}", host.place("data").display());
        let host = host
            .file("etc/docker/daemon.json", &data)
            .file("data/image/overlay2/repositories.json", &repositories);
        assert_eq!(names(of_docker(None, &places(&host))), ["(built:1)", "upf:1"]);
    }

    #[test]
    fn an_image_that_has_lost_its_name_is_looked_for_where_it_was_pulled() {
        let images = format!(
            "[{{\"id\": \"1\", \"digest\": \"{A}\", \"names-history\": [\"localhost:5000/upf:1\", \"localhost/built:1\"]}}, \
             {{\"id\": \"2\", \"digest\": \"{B}\", \"names-history\": [\"localhost/built:1\"]}}]"
        );
        let host = FakeHost::new().file("s/overlay-images/images.json", &images);
        assert_eq!(names(of_storage(Some(&host.place("s")), &places(&host))), ["(2)", "localhost:5000/upf"]);
    }

    #[test]
    fn the_steps_of_a_build_are_from_no_registry() {
        // As podman 4.3.1 and 5.x leave them.
        let step = format!("docker.io/library/{}-tmp:latest", "2f033ecdb741e2ba".repeat(4));
        let image = |id: &str, names: &str, earlier: &str| {
            format!(
                "{{\"id\": \"{id}\", \"digest\": \"{A}\", \"names\": [{names}], \"names-history\": [\"{earlier}\"]}}"
            )
        };
        let images = [
            image("a1", "", &step),
            image("a2", "", "docker.io/acme/built:1"),
            image("a3", "", "docker.io/acme/pulled:1"),
            image("a4", "\"docker.io/acme/named:1\"", &step),
            image("../a5", "", "docker.io/acme/odd:1"),
        ];
        let layer = |kind: &str| {
            format!("{{\"layers\": [{{\"mediaType\": \"application/vnd.oci.image.layer.v1.{kind}\"}}]}}")
        };
        let host = FakeHost::new()
            .file("s/overlay-images/images.json", format!("[{}]", images.join(", ")))
            .file("s/overlay-images/a2/manifest", layer("tar"))
            .file("s/overlay-images/a3/manifest", layer("tar+gzip"));
        assert_eq!(
            names(of_storage(Some(&host.place("s")), &places(&host))),
            ["(a1)", "(a2)", "docker.io/acme/named:1", "docker.io/acme/odd", "docker.io/acme/pulled"]
        );
    }
}
