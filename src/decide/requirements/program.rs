//! What the container's own program demands, as rules like those of a spec. Only what is certain becomes one.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::container::identity::CheckDeadline;
use crate::container::input::Bundle;
use crate::decide::check::Requirement;
use crate::host;
use crate::outcome::report::SpecOrigin;
use crate::policy::Implied;
use crate::program::machine::{Machine, X86_64};
use crate::program::{self, Checker, Program, ProgramDemand};
use crate::spec::{Bound, Expression, Group, Language, Place, Rule, Set, Severity, Spec, Term, Test};

/// A look takes microseconds. A file system that does not answer in this time is not waited for: nothing is demanded then.
const PATIENCE: Duration = Duration::from_secs(2);
/// No document: the rules are made here.
const NOWHERE: Place = Place { line: 0, column: 0 };

/// The flags of a level of x86-64 for which the loader of the GNU C library looks (`get_isa_level` in
/// `sysdeps/x86/get-isa-level.h`): a CPU without the others of the level starts the program.
const LOADER_S: [(u8, &[&str]); 3] = [
    (2, &["CX16", "LAHF", "POPCNT", "SSE3", "SSSE3", "SSE4", "SSE42"]),
    (3, &["AVX", "AVX2", "F16C", "FMA3", "LZCNT", "MOVBE"]),
    (4, &["AVX512F", "AVX512BW", "AVX512CD", "AVX512DQ", "AVX512VL"]),
];
/// Those for which a Go program looks besides (`V3_FEATURES_CX` and others in `runtime/asm_amd64.s`).
const GO_S: (u8, &[&str]) = (3, &["BMI1", "BMI2", "OSXSAVE"]);

/// What the program of a bundle demands; `None` if nothing is known.
pub(super) fn look(folder: &Path, bundle: &Bundle, until: CheckDeadline<'_>) -> Option<Program> {
    program::look(folder, bundle, &|| until().min(Instant::now() + PATIENCE))
}

/// The rules that it comes to.
pub(super) fn requirement(program: &Program, implied: Implied) -> Requirement {
    let wanted = match implied {
        Implied::Refuse => Severity::Required,
        Implied::Warn | Implied::Off => Severity::Recommended,
    };
    let rules = program.demands.iter().map(|it| rule(it, wanted)).collect();
    let set = Set {
        tag: String::new(),
        weight: 0,
        description: format!("demanded by the header of {}", program.path),
        rules,
        at: NOWHERE,
    };
    Requirement { origin: SpecOrigin::Program, spec: Ok(Spec { language: Language::Own, sets: vec![set] }) }
}

/// What sentences about it are made of.
pub(super) fn known(program: &Program) -> Vec<(&'static str, String)> {
    let mut known = vec![("path", program.path.clone())];
    for demand in &program.demands {
        match demand {
            ProgramDemand::Machine { file, .. } => known.push(("file", file.clone())),
            ProgramDemand::Pages { file, .. } => known.push(("pages", file.clone())),
            ProgramDemand::Interpreter { file, missing, is_script } => {
                let kind = if *is_script { "script" } else { "elf" };
                known.extend([
                    ("file", file.clone()),
                    ("missing", missing.clone()),
                    ("kind", kind.to_owned()),
                ]);
            }
            ProgramDemand::Scripts { file, last, is_loop } => {
                let kind = if *is_loop { "loop" } else { "scripts" };
                known.extend([("file", file.clone()), ("missing", last.clone()), ("kind", kind.to_owned())]);
            }
            ProgramDemand::Level { file, .. } => known.push(("level", file.clone())),
        }
    }
    known
}

fn rule(demand: &ProgramDemand, wanted: Severity) -> Rule {
    match demand {
        ProgramDemand::Machine { file, machine } => {
            let what = format!("{file} is for {machine}");
            new_rule(
                what,
                "program-architecture",
                wanted,
                term("kernel.program", [(&**machine, Test::Exists)]),
                None,
            )
        }
        ProgramDemand::Interpreter { file, missing, is_script } => {
            let what = format!("{file} has its interpreter {missing:?}");
            let unless = if *is_script { "script" } else { own_machine() };
            let term = term(host::PROGRAM, [("interpreter", Test::Exists)]);
            new_rule(what, "program-interpreter", wanted, term, Some(without_handler(unless)))
        }
        ProgramDemand::Scripts { file, .. } => {
            let what = format!("{file} leads to a program");
            let term = term(host::PROGRAM, [("interpreter", Test::Exists)]);
            new_rule(what, "program-interpreter", wanted, term, Some(without_handler("script")))
        }
        ProgramDemand::Level { file, level, checked_by } => {
            let what = format!("{file} needs x86-64-v{level}");
            let element = format!("X86_64_V{level}");
            let go_s = matches!(checked_by, Some(Checker::Go)).then_some(&GO_S);
            let looked_for =
                LOADER_S.iter().chain(go_s).filter(|(it, _)| it <= level).flat_map(|(_, it)| *it);
            let lacks = Group::Not(Box::new(Group::Terms(vec![term(
                "cpu.cpuid",
                looked_for.map(|it| (*it, Test::Exists)),
            )])));
            // Without a check, the program dies at the first instruction that is missing, or never.
            let wanted = match checked_by {
                Some(Checker::Loader | Checker::Go) => wanted,
                None => Severity::Recommended,
            };
            let term = term("cpu.cpuid", [(&*element, Test::Exists)]);
            new_rule(
                what,
                "program-level",
                wanted,
                term,
                Some(Group::All(vec![without_handler(X86_64), lacks])),
            )
        }
        ProgramDemand::Pages { file, machine, most } => {
            let what = format!("{file} was linked for pages of at most {most} bytes");
            let bound = Test::Integer(Bound::Le(i128::from(*most)));
            let term = term("memory.page", [("bytes", bound)]);
            new_rule(what, "program-pages", wanted, term, Some(without_handler(machine)))
        }
    }
}

fn new_rule(name: String, id: &str, severity: Severity, term: Term, when: Option<Group>) -> Rule {
    Rule {
        name,
        severity,
        id: id.to_owned(),
        remedy: String::new(),
        docs: String::new(),
        when,
        groups: Vec::new(),
        vars: Default::default(),
        vars_template: None,
        match_features: vec![term],
        match_any: Vec::new(),
        at: NOWHERE,
    }
}

/// A handler goes before the kernel's own loaders, whatever machine a program is for.
fn without_handler(of: &str) -> Group {
    Group::Terms(vec![term("kernel.program", [(&*format!("{of}.handler"), Test::DoesNotExist)])])
}

fn term<'a>(feature: &str, tests: impl IntoIterator<Item = (&'a str, Test)>) -> Term {
    let expression = |(name, test): (&str, Test)| (name.to_owned(), Expression { test, at: NOWHERE });
    Term {
        feature: feature.to_owned(),
        expressions: Some(tests.into_iter().map(expression).collect()),
        name: None,
        count: None,
        at: NOWHERE,
    }
}

/// A program with a loader that is looked for is for the machine that we run on, or one that it starts too.
fn own_machine() -> &'static str {
    let ours = if cfg!(target_arch = "aarch64") { "arm64" } else { X86_64 };
    Machine::named(ours).map_or(ours, |it| it.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::check;
    use crate::host::{BundleConfig, Facts, level_flags};

    const V2: &str = "X86_64_V2";
    const V3: &str = "X86_64_V3";

    fn level(checked_by: Option<Checker>) -> Program {
        let demand = ProgramDemand::Level { file: "/bin/app".to_owned(), level: 3, checked_by };
        Program { path: "/bin/app".to_owned(), demands: vec![demand] }
    }

    fn pages(most: u64) -> Program {
        let (file, machine) = ("/bin/app".to_owned(), "arm64".to_owned());
        Program { path: file.clone(), demands: vec![ProgramDemand::Pages { file, machine, most }] }
    }

    fn missing(is_script: bool) -> Program {
        let (file, missing) = ("/bin/app".to_owned(), "/lib/gone".to_owned());
        Program { path: file.clone(), demands: vec![ProgramDemand::Interpreter { file, missing, is_script }] }
    }

    /// A facts document with flags of the CPU, and with what the kernel starts.
    fn facts(cpu: &[&str], kernel: Option<&[&str]>) -> Facts {
        let elements = |names: &[&str]| {
            let all: Vec<_> = names.iter().map(|it| format!("{it:?}: {{}}")).collect();
            format!("{{\"elements\": {{{}}}}}", all.join(", "))
        };
        let kernel = kernel.map_or_else(String::new, |it| format!(", \"kernel.program\": {}", elements(it)));
        let text = format!("{{\"flags\": {{\"cpu.cpuid\": {}{kernel}}}}}", elements(cpu));
        Facts::from_json(text.as_bytes()).expect("facts")
    }

    /// What is missing, and what is recommended and missing; none if nothing counts.
    fn judged(program: &Program, implied: Implied, mut facts: Facts) -> Option<(Vec<String>, Vec<String>)> {
        let requirements = [requirement(program, implied)];
        let bundle = BundleConfig::new(Vec::new()).with_program(known(program));
        let tags = ["gpu".to_owned()];
        check::complete(&mut facts, &requirements, &tags, Some(&bundle));
        let checked = check::judge(&requirements, &tags, &facts);
        let judgement = checked.first()?.result.as_ref().expect("a judgement");
        let set = &judgement.sets[0];
        let told = |(code, line): (crate::eval::Code, String)| format!("{line} [{}]", code.name());
        let missed = set.missed().flat_map(|it| it.all_reasons()).map(told);
        Some((set.reasons().into_iter().map(told).collect(), missed.collect()))
    }

    fn some(missing: &[&str], missed: &[&str]) -> Option<(Vec<String>, Vec<String>)> {
        let owned = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect();
        Some((owned(missing), owned(missed)))
    }

    const LACKS: &str = "/bin/app needs x86-64-v3; this CPU lacks AVX, AVX2, BMI1, BMI2, F16C, FMA3, LZCNT, MOVBE, OSXSAVE \
                         [cpu-level-missing]";
    const GONE: &str = "/bin/app needs the loader /lib/gone, which the image lacks [program-interpreter]";

    #[test]
    fn a_level_counts_where_the_loader_looks_for_what_is_missing() {
        let old = [level_flags(V2).expect("a level"), &[V2]].concat();
        let new = [level_flags(V3).expect("a level"), &[V3]].concat();
        let own: Option<&[&str]> = Some(&["x86-64"]);
        let checked = level(Some(Checker::Loader));
        assert_eq!(judged(&checked, Implied::Refuse, facts(&old, own)), some(&[LACKS], &[]));
        assert_eq!(judged(&checked, Implied::Warn, facts(&old, own)), some(&[], &[LACKS]));
        assert_eq!(judged(&level(None), Implied::Refuse, facts(&old, own)), some(&[], &[LACKS]));
        assert_eq!(judged(&checked, Implied::Refuse, facts(&new, own)), some(&[], &[]));
        // The loader does not look for these.
        let almost: Vec<_> = new.iter().copied().filter(|it| !["BMI1", "BMI2", V3].contains(it)).collect();
        assert_eq!(judged(&checked, Implied::Refuse, facts(&almost, own)), some(&[], &[]));
        // But a Go program does.
        let go = level(Some(Checker::Go));
        let lacks = "/bin/app needs x86-64-v3; this CPU lacks BMI1, BMI2 [cpu-level-missing]";
        assert_eq!(judged(&go, Implied::Refuse, facts(&almost, own)), some(&[lacks], &[]));
        assert_eq!(judged(&go, Implied::Warn, facts(&almost, own)), some(&[], &[lacks]));
        assert_eq!(judged(&go, Implied::Refuse, facts(&new, own)), some(&[], &[]));
        // Something else runs the program.
        let handled = facts(&old, Some(&["x86-64", "x86-64.handler"]));
        assert_eq!(judged(&checked, Implied::Refuse, handled), some(&[], &[]));
        assert_eq!(judged(&checked, Implied::Refuse, facts(&old, None)), None);
    }

    #[test]
    fn a_missing_interpreter_counts_where_no_handler_takes_the_file() {
        let (own, script) = (own_machine(), "script.handler");
        let handler = format!("{own}.handler");
        assert_eq!(judged(&missing(false), Implied::Refuse, facts(&[], Some(&[own]))), some(&[GONE], &[]));
        assert_eq!(
            judged(&missing(false), Implied::Refuse, facts(&[], Some(&[own, script]))),
            some(&[GONE], &[])
        );
        assert_eq!(
            judged(&missing(false), Implied::Refuse, facts(&[], Some(&[own, &handler]))),
            some(&[], &[])
        );
        assert_eq!(judged(&missing(true), Implied::Refuse, facts(&[], Some(&[own, script]))), some(&[], &[]));
        assert_eq!(judged(&missing(true), Implied::Refuse, facts(&[], None)), None);
        let gone = GONE.replace("loader", "interpreter");
        assert_eq!(judged(&missing(true), Implied::Refuse, facts(&[], Some(&[own]))), some(&[&gone], &[]));
    }

    #[test]
    fn pages_count_where_the_kernel_s_are_larger_and_no_handler_takes_the_program() {
        let judged = |kernel: &[&str], bytes: &str| {
            let kernel: Vec<_> = kernel.iter().map(|it| format!("{it:?}: {{}}")).collect();
            let facts = format!(
                "{{\"flags\": {{\"kernel.program\": {{\"elements\": {{{}}}}}}}, \"attributes\": {{\"memory.page\": {{\"elements\": \
                 {{\"bytes\": {bytes:?}}}}}}}}}",
                kernel.join(", ")
            );
            let facts = Facts::from_json(facts.as_bytes()).expect("facts");
            judged(&pages(4096), Implied::Refuse, facts)
        };
        let larger = "/bin/app was linked for pages of at most 4096 bytes, and this kernel has pages of 65536 bytes: it cannot be \
                      mapped [value-out-of-range]";
        assert_eq!(judged(&["arm64"], "65536"), some(&[larger], &[]));
        assert_eq!(judged(&["arm64"], "4096"), some(&[], &[]));
        assert_eq!(judged(&["arm64", "arm64.handler"], "65536"), some(&[], &[]));
    }

    #[test]
    fn a_program_for_another_machine_counts_where_nothing_takes_it() {
        let demand = ProgramDemand::Machine { file: "/bin/sh".to_owned(), machine: "s390x".to_owned() };
        let program = Program { path: "/bin/app".to_owned(), demands: vec![demand] };
        let with = |kernel| judged(&program, Implied::Refuse, facts(&[], kernel));
        // Nothing but the kernel's own machine is known of this host.
        assert_eq!(
            with(Some(&["x86-64"])),
            some(&["a program for s390x is not started [program-architecture]"], &[])
        );
        assert_eq!(with(Some(&["s390x", "s390x.handler"])), some(&[], &[]));
        assert_eq!(with(None), None);
    }
}
