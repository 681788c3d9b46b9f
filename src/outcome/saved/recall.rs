//! What earlier reports and decisions say about an image, for use while its engine does not answer. It only adds demands: a
//! name may belong to another image by now.

use std::path::Path;

use serde::Deserialize;

use super::{MAX_REPORT, file_name, path};
use crate::outcome::report::{Pod, Subject};
use crate::{container::input, os::file};

/// The end of the file of decisions that is looked at: some hundred decisions.
const TAIL: u64 = 256 << 10;

/// A report, or a line of the file of decisions.
#[derive(Deserialize)]
struct Noted {
    subject: Subject,
}

/// The places of notes, and the container that they are wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Recall<'a> {
    /// The folder of reports.
    pub reports: Option<&'a Path>,
    /// The file of decisions.
    pub decisions: Option<&'a Path>,
    /// The container's id.
    pub container: &'a str,
    /// What Kubernetes calls it.
    pub pod: Option<&'a Pod>,
    /// The names of its image, as far as they are known; text of strangers.
    pub names: &'a [String],
}

impl Recall<'_> {
    /// What the last report on this container says of its image, or else the last decision on an image of such a name. A note
    /// on an image of another name is on another image. So may be one on a container without a name of its image, if a person
    /// chose the id: `ctr` and runc give an id to one container after the other.
    pub fn subject(&self) -> Option<Subject> {
        self.report().or_else(|| self.decision())
    }

    fn report(&self) -> Option<Subject> {
        let folder = self.reports.filter(|it| file::is_near(it))?;
        path(folder, self.container).ok()?;
        let path = folder.join(file_name(self.container, self.pod));
        // A note that cannot be read counts as none.
        let bytes = file::read(&path, MAX_REPORT).ok()??;
        let subject = serde_json::from_slice::<Noted>(&bytes).ok()?.subject;
        let is_same = match self.names.is_empty() {
            true => self.pod.is_some() || input::is_made_up(self.container),
            false => self.is_named(&subject),
        };
        (is_same && subject.digest.is_some()).then_some(subject)
    }

    fn decision(&self) -> Option<Subject> {
        let path = self.decisions.filter(|it| !self.names.is_empty() && file::is_near(it))?;
        let bytes = file::tail(path, TAIL).ok()??;
        let lines = bytes.split(|it| *it == b'\n').rev();
        let subjects = lines.filter_map(|it| serde_json::from_slice::<Noted>(it).ok()).map(|it| it.subject);
        subjects.into_iter().find(|it| it.digest.is_some() && self.is_named(it))
    }

    fn is_named(&self, subject: &Subject) -> bool {
        subject.image.as_ref().is_some_and(|it| self.names.contains(it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::report::Report;

    fn subject(image: &str, digest: &str) -> Subject {
        let text = |it: &str| Some(it.to_owned()).filter(|it| !it.is_empty());
        Subject { image: text(image), digest: text(digest), ..Subject::default() }
    }

    /// The digest that is recalled for a container with this id, whose image has these names.
    fn recalled(folder: &Path, container: &str, names: &[&str]) -> Option<String> {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let decisions = folder.join("decisions.jsonl");
        let recall = Recall {
            reports: Some(folder),
            decisions: Some(&decisions),
            container,
            pod: None,
            names: &names,
        };
        recall.subject().and_then(|it| it.digest)
    }

    #[test]
    fn a_container_s_last_report_reports_and_else_the_last_decision_on_an_image_of_its_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = folder.path();
        let told = |container: &str, names: &[&str]| recalled(at, container, names);
        assert_eq!(told("c1", &["upf:1"]), None);
        let report = |id: &str, image: &str, digest: &str| {
            super::super::write(at, id, &Report::trouble(subject(image, digest), "a test"))
                .expect("a report");
        };
        report("c1", "upf:1", "one");
        let made_up = "2".repeat(64);
        report(&made_up, "", "two");
        report("c3", "upf:1", "");
        // A person may give the same id to a container of any image.
        assert_eq!(told("c1", &[]), None);
        assert_eq!(told("c1", &["upf:1"]).as_deref(), Some("one"));
        // Another image has got the id.
        assert_eq!(told("c1", &["smf:1"]), None);
        assert_eq!(told(&made_up, &[]).as_deref(), Some("two"));
        assert_eq!((told("c3", &[]), told("c", &[]), told("../c1", &[])), (None, None, None));
        let line = |image: &str, digest: &str| {
            let subject = serde_json::to_string(&subject(image, digest)).expect("JSON");
            format!("{{\"schema\":\"oci-compat.decision/v1\",\"subject\":{subject}}}\n")
        };
        let lines = [
            line("smf:1", "three"),
            line("smf:1", "four"),
            line("amf:1", "five"),
            line("smf:1", ""),
            "{\"subject\": {\"image\": \"smf:1\"".to_owned(),
        ];
        std::fs::write(at.join("decisions.jsonl"), lines.concat()).expect("a fixture");
        assert_eq!(told("c1", &["smf:1"]).as_deref(), Some("four"));
        assert_eq!(told("new", &["upf:9", "amf:1"]).as_deref(), Some("five"));
        assert_eq!((told("new", &["nrf:1"]), told("new", &[])), (None, None));
    }

    /// However large the file is.
    #[test]
    fn only_the_end_of_the_decisions_is_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let line = |image: &str| format!("{{\"subject\":{{\"image\":\"{image}\",\"digest\":\"one\"}}}}\n");
        let filler = line("other:1").repeat(usize::try_from(TAIL).expect("a size") / 40);
        std::fs::write(folder.path().join("decisions.jsonl"), line("upf:1") + &filler).expect("a fixture");
        assert_eq!(recalled(folder.path(), "new", &["upf:1"]), None);
        assert_eq!(recalled(folder.path(), "new", &["other:1"]).as_deref(), Some("one"));
    }
}
