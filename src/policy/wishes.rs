//! What a container's annotations may change: they can make a check stricter, and less strict only if the policy allows it.
//! Reports each annotation without effect.

use crate::container::input::Wishes;
use crate::image::{Image, ImagePattern};
use crate::words::glob::Glob;

use super::{Action, Expiry, Mode, Policy, Waiver};

/// Annotations, in the order in which they are reported.
const PREFIX: &str = "org.oci-compat.";
/// A few names of rules; each is held against each rule.
const MAX_WAIVE: usize = 1024;

/// What came of a container's wishes.
#[derive(Debug)]
pub struct Heeded {
    /// What holds for this container.
    pub policy: Policy,
    /// What is not heeded, and why, each a sentence.
    pub notes: Vec<String>,
    /// What could not be understood, each a sentence: the container's fault.
    pub faults: Vec<String>,
}

impl Policy {
    /// Whether the image must be known before these wishes can apply.
    pub fn asks_for_image(&self, wishes: &Wishes) -> bool {
        let names_images = self.waivers.iter().map(|it| &it.image).any(|it| !it.is_any());
        let lets_some = self.may_waive.iter().any(|it| !it.is_any());
        names_images || (lets_some && *wishes != Wishes::default())
    }

    /// Applies a container's wishes.
    pub fn heed(&self, wishes: &Wishes, image: &Image) -> Heeded {
        let may_relax = self.may_waive.iter().any(|it| it.matches(image));
        let mut heeded = Heeded { policy: self.clone(), notes: Vec::new(), faults: Vec::new() };
        if !self.heeds_annotations {
            heeded.notes.push(
                "annotations org.oci-compat.* are not heeded while the configuration is broken".to_owned(),
            );
            return heeded;
        }
        let Heeded { policy, notes, faults } = &mut heeded;
        let mut ask = Asking { may_relax, notes, faults };
        ask.mode(&mut policy.mode, wishes.mode.as_deref());
        ask.action(&mut policy.incompatible, "incompatible", wishes.incompatible.as_deref());
        ask.action(&mut policy.undecided, "undecided", wishes.undecided.as_deref());
        ask.action(&mut policy.malformed, "malformed", wishes.malformed.as_deref());
        ask.action(&mut policy.trouble, "trouble", wishes.trouble.as_deref());
        ask.waive(&mut policy.waivers, wishes.waive.as_deref());
        heeded
    }
}

struct Asking<'a> {
    may_relax: bool,
    notes: &'a mut Vec<String>,
    faults: &'a mut Vec<String>,
}

impl Asking<'_> {
    fn mode(&mut self, mode: &mut Mode, wish: Option<&str>) {
        let wanted = match wish {
            None => return,
            Some("enforce") => Mode::Enforce,
            Some("audit") => Mode::Audit,
            Some(other) => return self.misread("mode", other, "enforce or audit"),
        };
        if *mode != wanted && (wanted == Mode::Enforce || self.may("mode", wanted.name())) {
            *mode = wanted;
        }
    }

    fn action(&mut self, action: &mut Action, situation: &str, wish: Option<&str>) {
        let wanted = match wish {
            None => return,
            Some("refuse") => Action::Refuse,
            Some("start") => Action::Start,
            Some(other) => return self.misread(situation, other, "refuse or start"),
        };
        if *action != wanted && (wanted == Action::Refuse || self.may(situation, wanted.name())) {
            *action = wanted;
        }
    }

    /// Names or ids of rules, with commas between them.
    fn waive(&mut self, waivers: &mut Vec<Waiver>, wish: Option<&str>) {
        let Some(text) = wish else { return };
        if text.len() > MAX_WAIVE {
            self.faults
                .push(format!("annotation {PREFIX}waive has {} bytes, more than {MAX_WAIVE}", text.len()));
            return;
        }
        if self.may("waive", text) {
            let names = text.split(',').map(str::trim).filter(|it| !it.is_empty());
            waivers.extend(names.map(|it| Waiver {
                rule: Some(Glob::new(it)),
                or_id: true,
                id: None,
                code: None,
                image: ImagePattern::any(),
                reason: "whoever started the container wished so".to_owned(),
                expires: Expiry::Never,
                from: format!("annotation {PREFIX}waive"),
            }));
        }
    }

    /// A wish that makes the check less strict.
    fn may(&mut self, name: &str, value: &str) -> bool {
        if !self.may_relax {
            let note = format!(
                "annotation {PREFIX}{name}={value} is not heeded: may_waive.images in the configuration does not have this image"
            );
            self.notes.push(note);
        }
        self.may_relax
    }

    fn misread(&mut self, name: &str, value: &str, needed: &str) {
        self.faults.push(format!("annotation {PREFIX}{name} is {value:?}, has to be {needed}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What holds after these wishes, in TOML's order of actions, then the waivers, notes and troubles.
    fn check(config: &str, wishes: &Wishes, expected: &[&str]) {
        let mut policy = Policy::default_policy();
        assert_eq!(policy.overlay(config, "config.toml").problems, []);
        let image = Image { names: vec!["docker.io/acme/upf:1".to_owned()], digests: Vec::new() };
        let Heeded { policy, notes, faults } = policy.heed(wishes, &image);
        let actions = [policy.incompatible, policy.undecided, policy.malformed, policy.trouble];
        let mut told = vec![format!("{} {}", policy.mode.name(), actions.map(Action::name).join(" "))];
        told.extend(
            policy
                .waivers
                .iter()
                .map(|it| format!("{} {}", it.from, it.rule.as_ref().map_or("", Glob::text))),
        );
        told.extend(notes.into_iter().chain(faults));
        assert_eq!(told, expected, "{config:?} {wishes:?}");
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn strict() -> Wishes {
        let refuse = || some("refuse");
        Wishes {
            mode: some("enforce"),
            incompatible: refuse(),
            undecided: refuse(),
            malformed: refuse(),
            trouble: refuse(),
            waive: None,
        }
    }

    fn lax() -> Wishes {
        let start = || some("start");
        Wishes {
            mode: some("audit"),
            incompatible: start(),
            undecided: start(),
            malformed: start(),
            trouble: start(),
            waive: some("a*, b"),
        }
    }

    #[test]
    fn every_container_may_be_stricter() {
        check("", &Wishes::default(), &["enforce refuse start refuse start"]);
        check("", &strict(), &["enforce refuse refuse refuse refuse"]);
        check(
            "mode = \"audit\"\naction.incompatible = \"start\"",
            &strict(),
            &["enforce refuse refuse refuse refuse"],
        );
    }

    #[test]
    fn no_container_may_be_less_strict_unless_the_policy_says_so() {
        let refused = |it: &str| {
            format!(
                "annotation org.oci-compat.{it} is not heeded: may_waive.images in the configuration does not have this image"
            )
        };
        let notes = ["mode=audit", "incompatible=start", "malformed=start", "waive=a*, b"].map(refused);
        let expected: Vec<_> = std::iter::once("enforce refuse start refuse start")
            .chain(notes.iter().map(String::as_str))
            .collect();
        check("", &lax(), &expected);
        check("may_waive.images = [\"acme/smf\"]", &lax(), &expected);
        check(
            "may_waive.images = [\"acme/*\"]",
            &lax(),
            &[
                "audit start start start start",
                "annotation org.oci-compat.waive a*",
                "annotation org.oci-compat.waive b",
            ],
        );
    }

    #[test]
    fn a_wish_that_is_not_understood_is_the_containers_fault() {
        let wishes = Wishes {
            mode: some("off"),
            undecided: some("reject"),
            waive: some(&"x".repeat(1025)),
            ..Wishes::default()
        };
        check(
            "may_waive.images = [\"*\"]",
            &wishes,
            &[
                "enforce refuse start refuse start",
                "annotation org.oci-compat.mode is \"off\", has to be enforce or audit",
                "annotation org.oci-compat.undecided is \"reject\", has to be refuse or start",
                "annotation org.oci-compat.waive has 1025 bytes, more than 1024",
            ],
        );
    }

    #[test]
    fn nothing_is_heeded_while_the_configuration_is_broken() {
        let policy = Policy { heeds_annotations: false, mode: Mode::Audit, ..Policy::default_policy() };
        let Heeded { policy: heeded, notes, faults } = policy.heed(&strict(), &Image::default());
        assert_eq!((heeded, faults), (policy, Vec::new()));
        assert_eq!(notes, ["annotations org.oci-compat.* are not heeded while the configuration is broken"]);
    }

    #[test]
    fn the_image_has_to_be_known_only_where_it_counts() {
        let asks = |config: &str, wishes: &Wishes| {
            let mut policy = Policy::default_policy();
            assert_eq!(policy.overlay(config, "config.toml").problems, []);
            policy.asks_for_image(wishes)
        };
        let waiver = |image: &str| {
            format!("[[waiver]]\nrule = \"*\"\nimage = \"{image}\"\nreason = \"r\"\nexpires = \"never\"")
        };
        assert!(!asks("", &lax()));
        assert!(!asks("may_waive.images = [\"*\"]", &lax()));
        assert!(!asks("may_waive.images = [\"a\"]", &Wishes::default()));
        assert!(asks("may_waive.images = [\"a\"]", &lax()));
        assert!(asks(&waiver("a"), &Wishes::default()));
        assert!(!asks(&waiver("*"), &Wishes::default()));
    }
}
