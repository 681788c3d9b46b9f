//! Makes reports of judgements. Escapes all text that strangers wrote, and never judges.

use crate::eval::verdict::Verdict;
use crate::eval::{Code, Finding, JudgedRule, JudgedSet, JudgedTerm, Judgement, Outcome};
use crate::spec::{Malformed, Place, Rule, Severity};

use super::{
    FindingReport, ProblemReport, Reason, Report, RuleReport, SCHEMA, SetReport, SpecReport, Subject,
    VerifiedReport, WaiverReport,
};
use crate::words::text::printable;

/// A spec, where it comes from, and what came of it.
#[derive(Debug)]
pub struct Checked<'a> {
    /// Where it comes from.
    pub origin: &'a SpecOrigin,
    /// The judgement, or the errors of the spec.
    pub result: Result<Judgement<'a>, &'a Malformed>,
}

/// Where a spec comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpecOrigin {
    /// The annotation `org.oci-compat.spec`.
    Inline,
    /// The annotation `org.oci-compat.artifact`, and the digest that it names.
    Referenced(String),
    /// An artifact whose subject is the image.
    Attached(Attached),
    /// A file of the administrator's own requirements.
    Administrator(String),
    /// A file that was named on the command line.
    File(String),
    /// A variable of the container's environment, which its image sets.
    Environment(String),
    /// What the image, or its index, says of its platform.
    Platform,
    /// The program that the container starts with: what its header says, without any spec.
    Program,
}

/// An artifact whose subject is the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attached {
    /// The digest of its manifest.
    pub artifact: String,
    /// The repository from which it was pulled; `None` for one that was added from a file.
    pub repository: Option<String>,
    /// What was verified of it when it was stored.
    pub verified: Option<Verification>,
}

/// What was verified of an artifact when it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// `key` or `verifier`.
    pub by: &'static str,
    /// The digest of the public key, or of the verifier's command line.
    pub key: String,
    /// The pattern of the rule of trust that held for the repository.
    pub rule: Option<String>,
}

impl Checked<'_> {
    /// Whether it counts. Without a spec, a demand counts only where it is certain.
    pub fn counts(&self) -> bool {
        let is_unknown = || self.result.as_ref().is_ok_and(|it| it.outcome == Outcome::Unknown);
        *self.origin != SpecOrigin::Program || !is_unknown()
    }
}

impl SpecOrigin {
    fn name(&self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Referenced(_) => "referenced",
            Self::Attached(_) => "attached",
            Self::Administrator(_) => "administrator",
            Self::File(_) => "file",
            Self::Environment(_) => "environment",
            Self::Platform => "platform",
            Self::Program => "the image's program",
        }
    }

    /// Whether it was verified that a trusted party made it, or it is the administrator's own.
    pub fn is_verified(&self) -> bool {
        match self {
            // It asks for nothing that only root may see.
            Self::Administrator(_) | Self::File(_) | Self::Program => true,
            Self::Attached(attached) => attached.verified.is_some(),
            Self::Inline | Self::Referenced(_) | Self::Environment(_) | Self::Platform => false,
        }
    }

    /// Whether its sets have tags, by which the administrator may select them.
    pub fn has_tags(&self) -> bool {
        !matches!(self, Self::Environment(_) | Self::Platform | Self::Program)
    }

    /// As messages call it.
    pub fn title(&self) -> String {
        match self {
            Self::Inline => "the spec in annotation org.oci-compat.spec".to_owned(),
            Self::Referenced(digest) | Self::Attached(Attached { artifact: digest, .. }) => {
                format!("the spec of artifact {digest}")
            }
            Self::Administrator(path) => format!("the administrator's spec {path}"),
            Self::File(path) => format!("spec {path}"),
            Self::Environment(variable) => format!("the image's environment ({variable})"),
            Self::Platform => "what the image says of its platform".to_owned(),
            Self::Program => "what the image's program demands".to_owned(),
        }
    }
}

impl Report {
    /// Puts together what was judged.
    pub fn new(subject: Subject, checked: &[Checked<'_>]) -> Self {
        let outcome = |it: &Checked<'_>| it.result.as_ref().map_or(Outcome::Unknown, |it| it.outcome);
        let verdict = Verdict::of(checked.iter().map(outcome));
        Self {
            schema: SCHEMA.to_owned(),
            verdict,
            action: None,
            time: None,
            subject: subject.escaped(),
            reasons: reasons(checked),
            notes: checked.iter().filter_map(preferred).collect(),
            recommendations: checked.iter().flat_map(recommendations).collect(),
            waivers: Vec::new(),
            specs: checked.iter().map(SpecReport::new).collect(),
        }
    }

    /// Adds errors in the container's own input, other trouble, and notes for operators.
    #[must_use]
    pub fn with(mut self, faults: &[String], troubles: &[String], notes: &[String]) -> Self {
        let faults: Vec<_> = faults.iter().map(|it| Reason::new(Code::ContainerTrouble, it)).collect();
        // What is certain comes before what is not.
        let at = if self.verdict == Verdict::Incompatible { self.reasons.len() } else { 0 };
        let is_faulty = !faults.is_empty();
        self.reasons.splice(at..at, faults);
        if (is_faulty || !troubles.is_empty()) && self.verdict == Verdict::Compatible {
            // What could not be read may have demanded anything.
            self.verdict = Verdict::Undecided;
        }
        self.reasons.extend(troubles.iter().map(|it| Reason::new(Code::Trouble, it)));
        self.notes.extend(notes.iter().map(|it| printable(it)));
        self
    }

    /// Adds that the image must have a signed spec, and has none.
    #[must_use]
    pub fn missing_spec(mut self, sentence: Option<&str>) -> Self {
        let Some(sentence) = sentence else { return self };
        if self.verdict == Verdict::Compatible {
            self.verdict = Verdict::Undecided;
        }
        self.reasons.push(Reason::new(Code::SpecMissing, sentence));
        self
    }

    /// Adds the exceptions that were used.
    #[must_use]
    pub fn waiving(mut self, waivers: Vec<WaiverReport>) -> Self {
        self.waivers = waivers;
        self
    }

    /// A report on a check that could not be made, because of what the container brings.
    pub fn fault(subject: Subject, message: &str) -> Self {
        Self::trouble(subject, "").without_reasons().with(&[message.to_owned()], &[], &[])
    }

    fn without_reasons(self) -> Self {
        Self { reasons: Vec::new(), ..self }
    }

    /// A report on a check that could not be made.
    pub fn trouble(subject: Subject, message: &str) -> Self {
        Self {
            verdict: Verdict::Undecided,
            reasons: vec![Reason::new(Code::Trouble, message)],
            ..Self::new(subject, &[])
        }
    }
}

impl Report {
    /// Lets messages show also what only root may see.
    #[must_use]
    pub fn disclosed(mut self) -> Self {
        self.reasons.iter_mut().chain(&mut self.recommendations).for_each(|it| it.discreet = None);
        self.waivers.iter_mut().for_each(|it| it.discreet = None);
        self
    }
}

impl Reason {
    fn new(code: Code, message: &str) -> Self {
        Self { code: code.name().to_owned(), message: printable(message), ..Self::default() }
    }

    /// With the texts of the rule's author.
    fn of(self, rule: &Rule) -> Self {
        Self { rule: given(&rule.id), remedy: given(&rule.remedy), docs: given(&rule.docs), ..self }
    }
}

/// An author's text, if there is any.
fn given(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| printable(text.trim()))
}

impl WaiverReport {
    /// That it was used, in one sentence.
    pub fn sentence(&self) -> String {
        format!("rule {} is waived {} at {}: {}", self.rule, self.until(), self.from, self.reason)
    }

    /// When it ends, in words.
    pub(super) fn until(&self) -> String {
        self.expires.as_ref().map_or_else(|| "without end".to_owned(), |it| format!("until {it}"))
    }

    /// The texts that any user may see.
    pub fn shown(&self) -> &str {
        self.discreet.as_ref().unwrap_or(&self.message)
    }
}

impl Subject {
    fn escaped(self) -> Self {
        let escape = |it: Option<String>| it.map(|it| printable(&it));
        Self {
            image: escape(self.image),
            digest: escape(self.digest),
            container: escape(self.container),
            // Its names are plain.
            pod: self.pod,
            bundle: escape(self.bundle),
        }
    }
}

/// What is proven to be missing comes before what is malformed, and that before what is unknown.
fn reasons(checked: &[Checked<'_>]) -> Vec<Reason> {
    let mut reasons: Vec<_> = checked
        .iter()
        .flat_map(|it| {
            let origin = it.origin;
            match &it.result {
                Ok(judgement) => judged_reasons(judgement),
                Err(malformed) => vec![(1, malformed_reason(origin, malformed))],
            }
        })
        .collect();
    reasons.sort_by_key(|(rank, _)| *rank);
    reasons.into_iter().map(|(_, reason)| reason).collect()
}

fn malformed_reason(origin: &SpecOrigin, malformed: &Malformed) -> Reason {
    let message = format!("{} is malformed, at {malformed}", origin.title());
    Reason::new(Code::SpecMalformed, &message)
}

fn judged_reasons(judgement: &Judgement<'_>) -> Vec<(u8, Reason)> {
    if judgement.outcome == Outcome::Met {
        return Vec::new();
    }
    let rank = if judgement.outcome == Outcome::Unmet { 0 } else { 2 };
    let Some(set) = judgement.nearest() else {
        let message = "no compatibility set has one of the tags that were asked for";
        return vec![(rank, Reason::new(Code::NoSetSelected, message))];
    };
    let discreet = judgement.discreet();
    let discreet = discreet.nearest().map(set_reasons).unwrap_or_default();
    let reason = |(it, discreet): (Reason, Reason)| {
        let discreet = Some(discreet.message).filter(|discreet| *discreet != it.message);
        (rank, Reason { discreet, ..it })
    };
    set_reasons(set).into_iter().zip(discreet).map(reason).collect()
}

fn set_reasons(set: &JudgedSet<'_>) -> Vec<Reason> {
    let reason = |(code, message, rule): (Code, String, &Rule)| Reason::new(code, &message).of(rule);
    set.lacks().into_iter().map(reason).collect()
}

/// What the set recommends that fits best, and the host does not have.
fn recommendations(checked: &Checked<'_>) -> Vec<Reason> {
    let Ok(judgement) = &checked.result else { return Vec::new() };
    let Some(set) = judgement.best() else { return Vec::new() };
    let reasons = |it: &JudgedRule<'_>| {
        let discreet = it.discreet().all_reasons();
        let reason = |((code, message), (_, discreet)): ((Code, String), (Code, String))| {
            let reason = Reason::new(code, &message).of(it.rule);
            let discreet = Some(printable(&discreet)).filter(|it| *it != reason.message);
            Reason { discreet, ..reason }
        };
        it.all_reasons().into_iter().zip(discreet).map(reason).collect::<Vec<_>>()
    };
    set.missed().flat_map(reasons).collect()
}

/// Heavier sets than the one that fits, and why they do not: in one line.
fn preferred(checked: &Checked<'_>) -> Option<String> {
    let judgement = checked.result.as_ref().ok()?;
    let best = judgement.best()?;
    let heavier = judgement.sets.iter().filter(|it| it.set.weight > best.set.weight);
    let missed: Vec<_> = heavier.map(|it| format!("{} not met: {}", title(it), first_reason(it))).collect();
    let fits = title(best);
    (!missed.is_empty())
        .then(|| printable(&format!("fits as {fits}; preferred {}", missed.join("; preferred "))))
}

fn title(set: &JudgedSet<'_>) -> String {
    let weight = set.set.weight;
    match [&set.set.tag, &set.set.description].into_iter().find(|it| !it.is_empty()) {
        Some(name) => format!("set {name:?} (weight {weight})"),
        None => format!("the set of weight {weight}"),
    }
}

fn first_reason(set: &JudgedSet<'_>) -> String {
    set_reasons(set).into_iter().next().map_or_else(String::new, |it| format!("{} [{}]", it.message, it.code))
}

impl SpecReport {
    fn new(checked: &Checked<'_>) -> Self {
        let (file, artifact) = match checked.origin {
            SpecOrigin::Inline | SpecOrigin::Environment(_) | SpecOrigin::Platform | SpecOrigin::Program => {
                (None, None)
            }
            SpecOrigin::Referenced(digest) | SpecOrigin::Attached(Attached { artifact: digest, .. }) => {
                (None, Some(printable(digest)))
            }
            SpecOrigin::Administrator(path) | SpecOrigin::File(path) => (Some(printable(path)), None),
        };
        let (repository, verified) = match checked.origin {
            SpecOrigin::Attached(it) => {
                (it.repository.as_deref().map(printable), it.verified.as_ref().map(verified))
            }
            SpecOrigin::Inline
            | SpecOrigin::Referenced(_)
            | SpecOrigin::Administrator(_)
            | SpecOrigin::File(_)
            | SpecOrigin::Environment(_)
            | SpecOrigin::Platform
            | SpecOrigin::Program => (None, None),
        };
        let (outcome, problems, sets) = match &checked.result {
            Ok(judged) => (judged.outcome, Vec::new(), judged.sets.iter().map(SetReport::new).collect()),
            Err(malformed) => (Outcome::Unknown, problems(malformed), Vec::new()),
        };
        let variable =
            if let SpecOrigin::Environment(name) = checked.origin { Some(printable(name)) } else { None };
        Self {
            source: checked.origin.name().to_owned(),
            variable,
            file,
            artifact,
            repository,
            verified,
            outcome,
            problems,
            sets,
        }
    }
}

fn verified(verification: &Verification) -> VerifiedReport {
    let Verification { by, key, rule } = verification;
    VerifiedReport { by: (*by).to_owned(), key: printable(key), rule: rule.as_deref().map(printable) }
}

/// All problems of a spec.
pub fn problems(malformed: &Malformed) -> Vec<ProblemReport> {
    let problem =
        |Place { line, column }, message: &str| ProblemReport { line, column, message: printable(message) };
    malformed.iter().map(|it| problem(it.at, &it.message)).collect()
}

impl SetReport {
    fn new(judged: &JudgedSet<'_>) -> Self {
        Self {
            tag: printable(&judged.set.tag),
            weight: judged.set.weight,
            description: printable(&judged.set.description),
            outcome: judged.outcome,
            rules: judged.rules.iter().map(RuleReport::new).collect(),
        }
    }
}

impl RuleReport {
    fn new(judged: &JudgedRule<'_>) -> Self {
        let findings = judged.terms.iter().flat_map(|term| term.findings.iter().map(move |it| (it, term)));
        let mut findings: Vec<_> = findings.map(|(it, term)| FindingReport::new(it, term)).collect();
        findings.extend(judged.template_error.as_ref().map(|it| FindingReport::template(judged, it)));
        Self {
            name: printable(&judged.rule.name),
            id: given(&judged.rule.id),
            severity: match judged.rule.severity {
                Severity::Required => None,
                Severity::Recommended => Some("recommended".to_owned()),
                Severity::Info => Some("info".to_owned()),
            },
            remedy: given(&judged.rule.remedy),
            docs: given(&judged.rule.docs),
            when: Some(judged.applies).filter(|it| *it != Outcome::Met),
            outcome: judged.waived.unwrap_or(judged.outcome),
            waived: judged.waived.is_some(),
            findings,
        }
    }
}

impl FindingReport {
    fn new(finding: &Finding<'_>, term: &JudgedTerm<'_>) -> Self {
        Self {
            code: finding.code().name().to_owned(),
            outcome: finding.outcome,
            feature: printable(finding.feature),
            name: printable(finding.element),
            needed: printable(&finding.needed()),
            found: printable(&finding.found()),
            read: printable(finding.read()),
            hint: finding
                .hint()
                .filter(|_| finding.outcome == Outcome::Unmet && !term.negated)
                .map(|it| printable(&it)),
            line: finding.at.line,
            column: finding.at.column,
            alternative: term.alternative,
            group: given(&term.group),
            negated: term.negated,
        }
    }

    fn template(judged: &JudgedRule<'_>, error: &str) -> Self {
        Self {
            code: Code::TemplateFailed.name().to_owned(),
            outcome: Outcome::Unknown,
            feature: "rule.matched".to_owned(),
            name: String::new(),
            needed: "varsTemplate to expand".to_owned(),
            found: printable(error),
            read: "what the rule matched".to_owned(),
            hint: None,
            line: judged.rule.at.line,
            column: judged.rule.at.column,
            alternative: None,
            group: None,
            negated: false,
        }
    }
}
