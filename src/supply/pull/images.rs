//! The images of a pull, from the command line, a list or an engine.

use std::collections::BTreeSet;

use anyhow::Context;

use super::WantedImage;
use crate::image::Reference;
use crate::store::Digest;

/// The old names of an image that is often tagged again are of no use.
const MAX_NAMES: usize = 20;

/// The images of a pull.
#[derive(Debug, Default)]
pub struct ImagesToPull {
    /// Those that a registry may have.
    pub images: Vec<WantedImage>,
    /// Names of images that are from no registry.
    pub local: Vec<String>,
    /// The IDs of images from no registry that have no name, such as the steps of builds.
    pub nameless: BTreeSet<String>,
}

impl ImagesToPull {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.images.len() + self.local.len() + self.nameless.len()
    }

    /// Adds an image that a person names.
    ///
    /// # Errors
    ///
    /// If it is no name of an image.
    pub fn add(&mut self, text: &str) -> anyhow::Result<()> {
        self.images.push(text.parse::<Reference>()?.into());
        Ok(())
    }

    /// Adds a list from standard input: one image a line, without empty lines and those that start with `#`.
    ///
    /// # Errors
    ///
    /// If a line is no name of an image.
    pub fn add_list(&mut self, text: &str) -> anyhow::Result<()> {
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if !line.is_empty() && !line.starts_with('#') {
                self.add(line).with_context(|| format!("stdin, line {number}"))?;
            }
        }
        Ok(())
    }

    /// Adds an engine's image, which it has under these names in one repository. It is pulled at the digests at which the
    /// engine has it, because its tags may stand for other images by now.
    pub fn add_of_engine(&mut self, names: &[String], digests: Vec<Digest>) {
        let Some(digest) = digests.first() else {
            match names {
                [id] if id.len() == 64 && id.bytes().all(|it| it.is_ascii_hexdigit()) => {
                    self.nameless.insert(id.clone());
                }
                names => self.local.push(names.join(", ")),
            }
            return;
        };
        let parse = |name: &String| match format!("{name}@{digest}").parse::<Reference>() {
            Ok(image) => Some(image),
            Err(err) => {
                log::warn!("passing over the name of an image: {err}");
                None
            }
        };
        let images: Vec<_> = names.iter().take(MAX_NAMES).filter_map(parse).collect();
        let names = images.iter().map(Reference::stored).collect();
        let image = images.into_iter().next();
        self.images.extend(image.map(|image| WantedImage { image, names, digests }));
    }

    /// Each once: images in the order in which they were added, local ones by name.
    pub fn dedup(&mut self) {
        let mut seen = BTreeSet::new();
        self.images.retain(|it| seen.insert(it.clone()));
        self.local.sort_unstable();
        self.local.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|it| (*it).to_owned()).collect()
    }

    /// Each image's place, with the names under which it is stored.
    fn wanted(images: &ImagesToPull) -> Vec<(String, Vec<String>)> {
        images.images.iter().map(|it| (it.image.to_string(), it.names.clone())).collect()
    }

    #[test]
    fn a_list_has_one_image_a_line() {
        let mut images = ImagesToPull::default();
        images.add_list("# mine\n\n  acme/upf:1 \r\nregistry.example/smf\n").unwrap();
        assert_eq!(
            wanted(&images),
            [
                ("docker.io/acme/upf:1".to_owned(), names(&["docker.io/acme/upf:1"])),
                ("registry.example/smf:latest".to_owned(), names(&["registry.example/smf:latest"])),
            ]
        );
        let wrong = "\"acme/UPF\" has upper-case letters, which a repository never has";
        let error = images.add_list("acme/upf\n\nacme/UPF\n").unwrap_err();
        assert_eq!(format!("{error:#}"), format!("stdin, line 3: {wrong}"));
        assert_eq!(images.add("acme/UPF").unwrap_err().to_string(), wrong);
    }

    #[test]
    fn an_engine_s_image_is_pulled_at_the_digest_that_the_engine_has() {
        let (digest, other) = (Digest::of(b"index"), Digest::of(b"manifest"));
        let mut images = ImagesToPull::default();
        images.add_of_engine(&names(&["docker.io/acme/upf:1", "docker.io/acme/upf:2"]), vec![digest, other]);
        let stored = names(&["docker.io/acme/upf:1", "docker.io/acme/upf:2"]);
        assert_eq!(wanted(&images), [(format!("docker.io/acme/upf:1@{digest}"), stored)]);
        assert_eq!(images.images[0].digests, [digest, other]);
    }

    #[test]
    fn only_the_first_names_of_an_image_are_kept() {
        let many: Vec<_> = (0..25).map(|it| format!("docker.io/acme/upf:{it}")).collect();
        let mut images = ImagesToPull::default();
        images.add_of_engine(&many, vec![Digest::of(b"index")]);
        assert_eq!(images.images[0].names, many[..20]);
        images.add_of_engine(&names(&["docker.io/acme/UPF:1"]), vec![Digest::of(b"index")]);
        assert_eq!(images.images.len(), 1);
    }

    #[test]
    fn an_image_without_a_digest_is_in_no_registry() {
        let (id, word) = ("0a".repeat(32), "0g".repeat(32));
        let mut images = ImagesToPull::default();
        images.add_of_engine(std::slice::from_ref(&id), Vec::new());
        images.add_of_engine(std::slice::from_ref(&word), Vec::new());
        images.add_of_engine(&names(&["b:1", "b:2"]), Vec::new());
        images.add_of_engine(&names(&["b:1", "b:2"]), Vec::new());
        images.add("acme/upf").unwrap();
        images.add("acme/upf:latest").unwrap();
        assert_eq!(images.count(), 6);
        images.dedup();
        assert_eq!(images.nameless, BTreeSet::from([id]));
        assert_eq!(images.local, [word, "b:1, b:2".to_owned()]);
        assert_eq!(wanted(&images).len(), 1);
        assert_eq!(images.count(), 4);
    }
}
