//! The image that a person means for a check: the one that an engine keeps, the one with the digest that was written, or the one
//! that was pulled last under that name.

use std::path::Path;

use anyhow::{Context, bail};

use crate::container::identity::named::FoundImage;
use crate::image::Image;
use crate::store::{Digest, Store};

/// The digests under which the store may have something for an image, and what the image is called. `found` is the image that
/// an engine keeps under this text, or why engines did not answer, each a sentence.
///
/// # Errors
///
/// If nothing is known of such an image, or the store cannot be read.
pub fn image(
    text: &str,
    found: Result<FoundImage, Vec<String>>,
    store: &Path,
) -> anyhow::Result<(Vec<Digest>, Image)> {
    let silent = match found {
        Ok(FoundImage { mut image, digests, name, .. }) => {
            // It is called so in what follows.
            image.names.sort_by_key(|it| Some(it) != name.as_ref());
            return Ok((digests, image));
        }
        Err(silent) => silent,
    };
    let names = (!text.starts_with("sha256:")).then(|| text.to_owned()).into_iter().collect();
    if text.starts_with("sha256:") || text.contains('@') {
        let digest = text.rsplit('@').next().unwrap_or(text);
        let digests = vec![digest.parse().with_context(|| format!("the image {text:?}"))?];
        return Ok((digests.clone(), Image { names, digests }));
    }
    let digests = match Store::open(store)? {
        Some(store) => store.fetched_last(text)?,
        None => Vec::new(),
    };
    if digests.is_empty() {
        let asked = silent.iter().map(|it| format!("; {it}")).collect::<String>();
        bail!(
            "no engine here has an image {text:?}, and the store {} has nothing for one of that name: oci-compat pull {text}, ask \
             its registry with --remote, or write its digest, such as NAME@sha256:...{asked}",
            store.display()
        );
    }
    Ok((digests.clone(), Image { names, digests }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::identity::images::ImageEngine;
    use crate::store::{Addition, ArtifactOrigin, ArtifactSubject, Writer, pack};

    fn digest(of: &str) -> Digest {
        Digest::of(of.as_bytes())
    }

    /// Two images that were fetched under one name, the second one later, with its index.
    fn store() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut writer = Writer::open(&folder.path().join("store")).expect("the store");
        for (image, day) in [("older", 1), ("index", 2), ("manifest", 2)] {
            let origin = ArtifactOrigin {
                image: Some("docker.io/acme/upf:1".to_owned()),
                fetched: Some(format!("2026-01-0{day}T00:00:00Z")),
                ..ArtifactOrigin::default()
            };
            let spec = b"version: v1alpha1\ncompatibilities: []\n";
            let package = pack(spec, &ArtifactSubject::unseen(digest(image)), None).expect("a package");
            let addition = Addition::of_file(digest(image), package, None);
            writer.add(&Addition { origin: Some(origin), ..addition }).expect("an addition");
        }
        folder
    }

    /// The digests, and the names, or what is wrong.
    fn check(text: &str, expected: Result<(&[&str], &[&str]), &str>) {
        let folder = store();
        let silent = vec!["docker does not answer".to_owned()];
        let found = image(text, Err(silent), &folder.path().join("store"));
        let found =
            found.map_err(|err| format!("{err:#}").replace(&folder.path().display().to_string(), "DIR"));
        let expected = expected.map_err(str::to_owned).map(|(images, names)| {
            let mut digests: Vec<_> = images.iter().map(|it| digest(it)).collect();
            digests.sort();
            let names = names.iter().map(|it| (*it).to_owned()).collect();
            (digests.clone(), Image { names, digests })
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_digest_is_taken_as_it_is_written() {
        let written = digest("other").to_string();
        check(&written, Ok((&["other"], &[])));
        let named = format!("acme/upf@{written}");
        check(&named, Ok((&["other"], &[&named])));
        check(
            "acme/upf@sha256:12",
            Err("the image \"acme/upf@sha256:12\": digest \"sha256:12\" has 2 digits, expected 64"),
        );
    }

    #[test]
    fn a_name_is_the_image_that_was_pulled_last_under_it() {
        for name in ["docker.io/acme/upf:1", "acme/upf:1"] {
            check(name, Ok((&["index", "manifest"], &[name])));
        }
        check(
            "acme/upf:2",
            Err(
                "no engine here has an image \"acme/upf:2\", and the store DIR/store has nothing for one of that name: oci-compat \
                 pull acme/upf:2, ask its registry with --remote, or write its digest, such as NAME@sha256:...; docker does not answer",
            ),
        );
    }

    #[test]
    fn the_image_of_an_engine_is_called_as_it_was_named_first() {
        let called = |names: &[&str]| Image {
            names: names.iter().map(|it| (*it).to_owned()).collect(),
            digests: vec![digest("id")],
        };
        let meant = FoundImage {
            engine: ImageEngine::Docker,
            name: Some("b".to_owned()),
            image: called(&["a", "b", "c"]),
            digests: vec![digest("image")],
            id: None,
        };
        let found = image("b", Ok(meant), Path::new("/nonexistent")).expect("an image");
        assert_eq!(found, (vec![digest("image")], called(&["b", "a", "c"])));
    }
}
