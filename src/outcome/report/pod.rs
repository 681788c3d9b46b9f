//! A container's names in Kubernetes, which stay the same when it is tried again, while its id changes.

use serde::{Deserialize, Serialize};

use super::Subject;

/// A container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub name: String,
    /// The container in it.
    pub container: String,
}

impl Pod {
    /// `None` if these are no names of Kubernetes: small letters, digits, `-` and `.`, at most 253 (Kubernetes, Object Names).
    pub fn new([namespace, name, container]: [String; 3]) -> Option<Self> {
        let are_names = [&namespace, &name, &container].into_iter().all(|it| is_name(it));
        are_names.then_some(Self { namespace, name, container })
    }

    /// Its name among all of a node: `NAMESPACE/POD/CONTAINER`.
    pub fn path(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.name, self.container)
    }

    /// Whether a text names it: `NAMESPACE/POD/CONTAINER`, `POD/CONTAINER` or `NAMESPACE/POD`.
    pub fn is_meant(&self, names: &str) -> bool {
        let own = [self.namespace.as_str(), &self.name, &self.container];
        let names: Vec<_> = names.split('/').collect();
        match names.len() {
            2 => own.windows(2).any(|it| it == names),
            _ => own[..] == names[..],
        }
    }

    /// Whether a text may mean a container of a pod, and no container's id.
    pub fn may_be_meant(names: &str) -> bool {
        let count = names.split('/').count();
        (2..=3).contains(&count) && names.split('/').all(is_name)
    }
}

fn is_name(text: &str) -> bool {
    let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || b"-.".contains(&it);
    let starts = text.bytes().next().is_some_and(|it| it.is_ascii_alphanumeric());
    text.len() <= 253 && starts && text.bytes().all(fits)
}

impl Subject {
    /// A text without the container's id, if it has a name: a pod that is tried again has another id each time, and
    /// Kubernetes takes only the same text for the same event.
    pub fn nameless(&self, text: &str) -> String {
        match (&self.pod, &self.container) {
            (Some(pod), Some(id)) if id.len() >= 12 => text.replace(id.as_str(), &pod.container),
            _ => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Pod {
        let names = ["default", "upf-0", "upf"].map(str::to_owned);
        Pod::new(names).expect("names of Kubernetes")
    }

    #[test]
    fn a_container_is_meant_by_two_or_three_of_its_names() {
        let check = |names: &str, expected: bool| assert_eq!(pod().is_meant(names), expected, "{names}");
        check("default/upf-0/upf", true);
        check("upf-0/upf", true);
        check("default/upf-0", true);
        check("default/upf", false);
        check("upf-0", false);
        check("other/upf-0/upf", false);
        check("default/upf-0/upf/x", false);
        check("", false);
    }

    #[test]
    fn what_is_no_name_is_no_pod() {
        for name in ["", "a/b", "A", "a b", "-a", "..", "a\u{1b}", &"x".repeat(254)] {
            assert_eq!(Pod::new(["default", name, "upf"].map(str::to_owned)), None, "{name:?}");
            assert!(!Pod::may_be_meant(&format!("default/{name}/upf/upf")), "{name:?}");
        }
        assert!(Pod::may_be_meant("upf-0/upf") && Pod::may_be_meant("default/upf-0/upf"));
        assert!(!Pod::may_be_meant("3f2a9c") && !Pod::may_be_meant("../upf"));
    }

    #[test]
    fn a_pod_s_container_is_not_called_by_its_id() {
        let id = "5e".repeat(32);
        let subject = Subject { container: Some(id.clone()), ..Subject::default() };
        let text = format!("container {id} is gone");
        assert_eq!(subject.nameless(&text), text);
        assert_eq!(Subject { pod: Some(pod()), ..subject }.nameless(&text), "container upf is gone");
    }
}
