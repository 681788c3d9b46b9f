//! Files of the administrator's own requirements (`requirements.d`): their images and their specs. Never parses a spec.

use crate::image::ImagePattern;
use crate::spec::{Place, Problem};

use super::syntax::{self, At};
use super::value::{KeyValue, ValueResult, missing, unknown};
use super::waiver::pattern;

/// What a file of the folder says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// The images that it is for.
    pub images: Vec<ImagePattern>,
    /// What is demanded of their hosts.
    pub source: SpecSource,
}

/// Where a spec stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecSource {
    /// In the file itself.
    Text(String),
    /// In a file of this name beside it.
    File(String),
}

const KEYS: [&str; 3] = ["images", "spec", "spec_file"];

/// Reads a file.
///
/// # Errors
///
/// All that is wrong with it, in the order of the file.
pub fn read(text: &str) -> Result<Own, Vec<Problem>> {
    let (table, errors) = syntax::parse(text);
    let (mut images, mut sources, mut problems) = (None, Vec::new(), Vec::new());
    for (key, value) in table {
        let at = key.at;
        let entry = KeyValue { key: &key.value, value };
        let read = match key.value.as_str() {
            "images" => patterns(entry).map(|it| images = Some(it)),
            "spec" => entry.text().map(|it| sources.push((at, SpecSource::Text(it.value)))),
            "spec_file" => beside(entry).map(|it| sources.push((at, SpecSource::File(it)))),
            _ => Err(unknown(at, &key.value, &KEYS)),
        };
        problems.extend(read.err());
    }
    problems.retain(|it| errors.iter().all(|error| error.at.line != it.at.line));
    problems.extend(errors);
    if problems.is_empty() {
        return whole(images, sources);
    }
    problems.sort_by_key(|it| it.at);
    Err(problems)
}

fn whole(images: Option<Vec<ImagePattern>>, sources: Vec<(Place, SpecSource)>) -> Result<Own, Vec<Problem>> {
    const START: Place = Place { line: 1, column: 1 };
    let what = "a requirement";
    let mut sources = sources.into_iter();
    match (images, sources.next(), sources.next()) {
        (Some(images), Some((_, source)), None) => Ok(Own { images, source }),
        (_, Some(_), Some((at, _))) => {
            let message = "a requirement has either spec or spec_file, not both".to_owned();
            Err(vec![Problem { at, message }])
        }
        (None, ..) => Err(vec![missing(START, what, "images", "a list of image patterns, [\"*\"] for all")]),
        (_, None, _) => {
            let meaning = "the text of a spec; or spec_file, the name of a file beside this one";
            Err(vec![missing(START, what, "spec", meaning)])
        }
    }
}

fn patterns(entry: KeyValue<'_>) -> ValueResult<Vec<ImagePattern>> {
    let at = entry.value.at;
    let texts = entry.texts()?;
    if texts.is_empty() {
        let message = "images is an empty list, has to have a pattern, [\"*\"] for all".to_owned();
        return Err(Problem { at, message });
    }
    texts.into_iter().map(|it| pattern("images", it)).collect()
}

/// A name leads nowhere else; the folder is root's.
fn beside(entry: KeyValue<'_>) -> ValueResult<String> {
    let At { at, value } = entry.text()?;
    if value.contains(['/', '\0']) || value.starts_with('.') {
        let message = format!("spec_file is {value:?}, has to be the name of a file in the same folder");
        return Err(Problem { at, message });
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_for_which_images_and_what_is_demanded() {
        let images =
            |all: &[&str]| all.iter().map(|it| ImagePattern::parse(it).expect("a pattern")).collect();
        assert_eq!(
            read("images = [\"acme/*\", \"*\"]\nspec = '''\nversion: v1alpha1\n'''"),
            Ok(Own {
                images: images(&["acme/*", "*"]),
                source: SpecSource::Text("version: v1alpha1\n".to_owned())
            })
        );
        assert_eq!(
            read("images = [\"*\"]\nspec_file = \"upf.yaml\""),
            Ok(Own { images: images(&["*"]), source: SpecSource::File("upf.yaml".to_owned()) })
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_reported_with_its_place() {
        let check = |text: &str, expected: &[&str]| {
            let problems = read(text).expect_err("a bad file");
            assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), expected, "{text:?}");
        };
        let images = "images = [\"*\"]\n";
        check("", &["1:1: a requirement needs images: a list of image patterns, [\"*\"] for all"]);
        check(
            images,
            &[
                "1:1: a requirement needs spec: the text of a spec; or spec_file, the name of a file beside this one",
            ],
        );
        check(
            "images = []\nspec = \"x\"",
            &["1:10: images is an empty list, has to have a pattern, [\"*\"] for all"],
        );
        check(
            "images = \"*\"\nspec = 1\nx = 1",
            &[
                "1:10: images is \"*\", has to be a list of texts, such as [\"a\", \"b\"]",
                "2:8: spec is 1, has to be text in quotes",
                "3:1: there is no key x; there are images, spec, spec_file",
            ],
        );
        check(
            &format!("{images}spec = \"x\"\nspec_file = \"y\""),
            &["3:1: a requirement has either spec or spec_file, not both"],
        );
        for name in ["../x", "/etc/x", ".x", "a/b"] {
            check(
                &format!("{images}spec_file = {name:?}"),
                &[&format!("2:13: spec_file is {name:?}, has to be the name of a file in the same folder")],
            );
        }
    }
}
