//! Feature files as NFD reads them: a name or `name=value` a line, and directives in comments. Reads no clock.

use std::collections::BTreeMap;

use crate::words::moment::{Moment, moment};

/// Which of the two features a file is read for: a line may be kept from either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    Features,
    Labels,
}

/// What a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LocalFile<'a> {
    /// Names and their values.
    pub(super) elements: BTreeMap<&'a str, &'a str>,
    /// Directives that mean nothing.
    pub(super) ignored: Vec<&'a str>,
}

enum Directive {
    /// The lines up to the next such directive count until then.
    Expiry(Moment),
    /// The next line is kept from one of the features.
    Hide(Audience),
}

/// What a file says at this time.
pub(super) fn parse(text: &str, audience: Audience, now: Moment) -> LocalFile<'_> {
    let mut said = LocalFile::default();
    let (mut is_expired, mut is_hidden) = (false, false);
    for line in text.split('\n').map(str::trim).filter(|it| !it.is_empty()) {
        if let Some(directive) = line.strip_prefix("# +") {
            match read(directive) {
                Some(Directive::Expiry(end)) => is_expired = end < now,
                Some(Directive::Hide(from)) => is_hidden |= from == audience,
                None => said.ignored.push(line),
            }
        } else if !line.starts_with('#') && !is_expired {
            let (name, value) = line.split_once('=').unwrap_or((line, "true"));
            if is_hidden {
                // What an earlier line says of it goes too.
                said.elements.remove(name);
            } else {
                said.elements.insert(name, value);
            }
            is_hidden = false;
        }
    }
    said
}

fn read(directive: &str) -> Option<Directive> {
    match directive.split_once('=').unwrap_or((directive, "")) {
        ("expiry-time", time) => moment(time.trim()).map(Directive::Expiry),
        ("no-feature", _) => Some(Directive::Hide(Audience::Features)),
        ("no-label", _) => Some(Directive::Hide(Audience::Labels)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z
    const NOW: Moment = (1_767_225_600, 0);

    /// What a file says to both audiences.
    fn check(text: &str, features: &str, labels: &str) {
        let told = |audience| {
            let said = parse(text, audience, NOW);
            let pairs: Vec<_> = said.elements.iter().map(|(name, value)| format!("{name}={value}")).collect();
            pairs.join(" ")
        };
        assert_eq!((told(Audience::Features).as_str(), told(Audience::Labels).as_str()), (features, labels));
    }

    #[test]
    fn a_line_is_a_name_or_a_name_and_a_value() {
        let both = |text, expected| check(text, expected, expected);
        both("a\n", "a=true");
        both("  a=b=c \r\n\n\te = f\n", "a=b=c e = f");
        both("a=1\na=2", "a=2");
        both("=x\na=", "=x a=");
        both("", "");
        both("a\0b\u{fffd}=é", "a\0b\u{fffd}=é");
    }

    #[test]
    fn comments_say_nothing() {
        check("#a=1\n# b=2\n#+no-label\n## +no-label\nc=3\n", "c=3", "c=3");
    }

    #[test]
    fn a_line_is_kept_from_those_it_is_not_for() {
        check("# +no-label\na=1\nb=2\n", "a=1 b=2", "b=2");
        check("# +no-feature=x\na=1\nb=2\n", "b=2", "a=1 b=2");
        check("# +no-feature\n# +no-label\n\n# why\na=1\nb=2", "b=2", "b=2");
        check("a=1\n# +no-label\na=2\n", "a=2", "");
    }

    #[test]
    fn what_has_expired_does_not_count() {
        let both = |text, expected| check(text, expected, expected);
        both(
            "a=1\n# +expiry-time=2025-12-31T23:59:59Z\nb=2\nc=3\n# +expiry-time=2027-01-01T00:00:00Z\nd=4",
            "a=1 d=4",
        );
        both("# +expiry-time= 2026-01-01T00:00:00Z \na=1", "a=1");
        both("# +expiry-time=2026-01-01T00:59:59+01:00\na=1", "");
        // A line that has expired is not the next line.
        check(
            "# +no-label\n# +expiry-time=2012-01-01T00:00:00Z\na=1\n# +expiry-time=2090-01-01T00:00:00Z\nb=1\n",
            "b=1",
            "",
        );
    }

    #[test]
    fn directives_that_mean_nothing_are_reported_and_ignored() {
        let strange = ["# +expiry-time", "# +expiry-time=tomorrow", "# +", "# + no-label", "# +no-labels"];
        for directive in strange {
            let text = format!("{directive}\na=1");
            let said = parse(&text, Audience::Labels, NOW);
            assert_eq!(said, LocalFile { elements: [("a", "1")].into(), ignored: vec![directive] });
        }
    }
}
