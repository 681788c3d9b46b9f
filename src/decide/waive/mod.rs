//! Removes waived rules from a judgement, and reports each use. Pure: the caller provides the time, and only if a waiver would
//! apply.

#[cfg(test)]
mod tests;

use crate::eval::{JudgedRule, Judgement, Outcome};
use crate::image::Image;
use crate::outcome::report::{Checked, WaiverReport};
use crate::policy::{Expiry, RuleName, Waiver};
use crate::spec::Place;
use crate::words::moment::Moment;
use crate::words::text::printable;

/// What came of the exceptions.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Waived {
    /// Each rule that an exception was used for.
    pub uses: Vec<WaiverReport>,
    /// Why waivers that look applicable do not apply, each a sentence.
    pub notes: Vec<String>,
}

/// The exceptions, and the image and time that they are compared with.
struct Grants<'a> {
    waivers: &'a [Waiver],
    image: &'a Image,
    now: &'a dyn Fn() -> Moment,
}

/// Applies waivers to the unmet and unknown rules of specs that do not fit.
pub fn waive(
    checked: &mut [Checked<'_>],
    waivers: &[Waiver],
    image: &Image,
    now: &dyn Fn() -> Moment,
) -> Waived {
    let mut waived = Waived::default();
    if waivers.is_empty() {
        return waived;
    }
    let grants = Grants { waivers, image, now };
    for judgement in checked.iter_mut().filter_map(|it| it.result.as_mut().ok()) {
        if judgement.outcome != Outcome::Met {
            grants.apply(judgement, &mut waived);
        }
    }
    waived
}

impl Grants<'_> {
    /// Of several sets, only the uses in the set that counts are reported.
    fn apply(&self, judgement: &mut Judgement<'_>, waived: &mut Waived) {
        let mut used: Vec<(Place, WaiverReport)> = Vec::new();
        judgement.waive(|rule| {
            let found = self.find(rule, &mut waived.notes);
            used.extend(found.map(|it| (rule.rule.at, report(it, rule))));
            found.is_some()
        });
        let Some(set) = judgement.best().or_else(|| judgement.nearest()) else { return };
        let is_told = |at: Place| set.rules.iter().any(|it| it.rule.at == at);
        waived.uses.extend(used.into_iter().filter(|(at, _)| is_told(*at)).map(|(_, it)| it));
    }

    /// The first exception that holds for a rule.
    fn find(&self, rule: &JudgedRule<'_>, notes: &mut Vec<String>) -> Option<&Waiver> {
        let codes = rule.codes();
        let named = RuleName { name: &rule.rule.name, id: &rule.rule.id };
        let mut found = None;
        for waiver in self.waivers.iter().filter(|it| it.concerns(named, codes.iter().copied())) {
            match self.objection(waiver) {
                None => {
                    found = Some(waiver);
                    break;
                }
                Some(Some(note)) if !notes.contains(&note) => notes.push(note),
                Some(_) => {}
            }
        }
        found
    }

    /// Why an exception does not hold, and whether that is worth a word: one for other images is not.
    fn objection(&self, waiver: &Waiver) -> Option<Option<String>> {
        let from = &waiver.from;
        if !waiver.image.matches(self.image) {
            let is_unknown = *self.image == Image::default();
            let note = || {
                let pattern = waiver.image.text();
                format!(
                    "the waiver at {from} is not used: it is for {pattern}, and which image this is, is not known"
                )
            };
            return Some(is_unknown.then(note));
        }
        let note =
            || format!("the waiver at {from} is not used: it held {}: {}", waiver.until(), waiver.reason);
        waiver.is_over(self.now).then(|| Some(note()))
    }
}

fn report(waiver: &Waiver, rule: &JudgedRule<'_>) -> WaiverReport {
    let reason = |rule: &JudgedRule<'_>| match rule.first_reason() {
        Some((code, message)) => (code.name().to_owned(), printable(&message)),
        None => (String::new(), String::new()),
    };
    let (code, message) = reason(rule);
    let (_, discreet) = reason(&rule.discreet());
    WaiverReport {
        rule: printable(rule.rule.title()),
        code,
        discreet: Some(discreet).filter(|it| *it != message),
        message,
        reason: printable(&waiver.reason),
        image: waiver.image.text().to_owned(),
        expires: match &waiver.expires {
            Expiry::Never => None,
            Expiry::At { text, .. } => Some(text.clone()),
        },
        from: printable(&waiver.from),
    }
}
