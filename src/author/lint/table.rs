//! The table of codes that `explain` and `docs/lint.md` are made of.

use super::codes::LintCode::{self, *};
use super::codes::{LintInfo, RemarkLevel};

const fn error(
    code: LintCode,
    name: &'static str,
    meaning: &'static str,
    wrong: &'static str,
    right: &'static str,
) -> LintInfo {
    LintInfo { code, name, level: RemarkLevel::Error, meaning, wrong, right }
}

const fn warning(
    code: LintCode,
    name: &'static str,
    meaning: &'static str,
    wrong: &'static str,
    right: &'static str,
) -> LintInfo {
    LintInfo { code, name, level: RemarkLevel::Warning, meaning, wrong, right }
}

const fn note(
    code: LintCode,
    name: &'static str,
    meaning: &'static str,
    wrong: &'static str,
    right: &'static str,
) -> LintInfo {
    LintInfo { code, name, level: RemarkLevel::Note, meaning, wrong, right }
}

/// What every error is that has no code of its own.
pub(super) const OTHER: LintInfo = error(
    OtherError,
    "other-error",
    "The spec is malformed in another way, which the message describes.",
    "version: v1alpha1\nversion: v1alpha1\ncompatibilities: []\n",
    "version: v1alpha1\ncompatibilities:\n- description: a kernel\n  rules:\n  - name: kernel\n    matchFeatures:\n    - feature: kernel.version\n",
);

/// All codes of `lint`, the errors first.
pub const LINT_CODES: &[LintInfo] = &[
    error(
        YamlSyntax,
        "yaml-syntax",
        "The document is not valid YAML, or uses a part of YAML that a spec must not have. Nothing else of it could be \
         checked.",
        "version: v1alpha1\ncompatibilities: [\n",
        "version: v1alpha1\ncompatibilities:\n- description: a kernel\n  rules:\n  - name: kernel\n    matchFeatures:\n    - feature: kernel.version\n",
    ),
    error(
        YamlAmbiguous,
        "yaml-ambiguous",
        "YAML reads this word as a boolean or a number, and may change its text: 6.10 becomes 6.1. Write it in quotes. \
         `lint --fix` does that.",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [6.10]}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"6.10\"]}\n",
    ),
    error(
        NotASpec,
        "not-a-spec",
        "The document is another one: an empty file, or another object of Node Feature Discovery. The message names the way \
         to a spec.",
        "apiVersion: nfd.k8s-sigs.io/v1alpha1\nkind: NodeFeature\n",
        "version: v1alpha1\ncompatibilities:\n- description: a kernel\n  rules:\n  - name: kernel\n    matchFeatures:\n    - feature: kernel.version\n",
    ),
    error(
        UnknownField,
        "unknown-field",
        "No such field exists here. Node Feature Discovery ignores such a field, so that a typing error demands nothing. \
         `lint --fix` mends what differs by case, hyphens, underscores or a plural only.",
        "- name: kernel\n  match_features:\n  - feature: kernel.version\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n",
    ),
    error(
        MissingField,
        "missing-field",
        "A field is missing that a spec, a set, a term or an expression needs.",
        "- name: kernel\n  matchFeatures:\n  - matchExpressions:\n      full: {op: Exists}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Exists}\n",
    ),
    error(
        WrongKind,
        "wrong-kind",
        "A value is of another kind than the field takes: text for a list, a list for a mapping, text for a number. \
         `lint --fix` puts a single value of `value` into a list, and takes the quotes off a weight.",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: \"5.4\"}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.4\"]}\n",
    ),
    error(
        UnknownOperator,
        "unknown-operator",
        "No such operator exists. `lint --fix` mends the ones of other languages, such as `Gte` and `exists`.",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Gte, type: version, value: [\"5.4\"]}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.4\"]}\n",
    ),
    error(
        WrongOperands,
        "wrong-operands",
        "The operator takes another number of values, or values of another kind: integers, versions, quantities or builds.",
        "- name: processors\n  matchFeatures:\n  - feature: memory.numa\n    matchExpressions:\n      node_count: {op: GeLe, value: [\"8\"]}\n",
        "- name: processors\n  matchFeatures:\n  - feature: memory.numa\n    matchExpressions:\n      node_count: {op: Ge, value: [\"8\"]}\n",
    ),
    error(
        BadPattern,
        "bad-pattern",
        "This is not a regular expression of Go's regexp package. It has no look-around and no back-references.",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: InRegexp, value: [\"^(?!5)\"]}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: InRegexp, value: [\"^[0-46-9]\"]}\n",
    ),
    error(
        BadTemplate,
        "bad-template",
        "`varsTemplate` is not a template, or uses a part of Go's templates that is not supported.",
        "- name: kernel\n  varsTemplate: \"{{ range\"\n  matchFeatures:\n  - feature: kernel.version\n",
        "- name: kernel\n  varsTemplate: \"a=b\"\n  matchFeatures:\n  - feature: kernel.version\n",
    ),
    error(
        EmptyInterval,
        "empty-interval",
        "No value lies in the interval. The lower end comes first; GtLt excludes both ends.",
        "- name: nodes\n  matchFeatures:\n  - feature: memory.numa\n    matchExpressions:\n      node_count: {op: GtLt, value: [\"8\", \"2\"]}\n",
        "- name: nodes\n  matchFeatures:\n  - feature: memory.numa\n    matchExpressions:\n      node_count: {op: GtLt, value: [\"2\", \"8\"]}\n",
    ),
    error(
        VersionSuffix,
        "version-suffix",
        "Versions are compared by their numbers. The rest of this version would be ignored, so that older builds would pass. \
         Write the numbers only, or compare builds of a distribution by `type: release` of oci-compat/v1.",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"6.8.0-41\"]}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"6.8.0\"]}\n",
    ),
    error(
        NeedsOwnLanguage,
        "needs-own-language",
        "Node Feature Discovery's language does not have this, and its tools would ignore it. Write `version: oci-compat/v1`.",
        "- name: kernel\n  severity: info\n  matchFeatures:\n  - feature: kernel.version\n",
        "version: oci-compat/v1\ncompatibilities:\n- description: a kernel\n  rules:\n  - name: kernel\n    severity: info\n    matchFeatures:\n    - feature: kernel.version\n",
    ),
    error(
        TooExpensive,
        "too-expensive",
        "The spec takes more to read or to judge than a spec may cost. The message says by how much.",
        "- name: options\n  matchFeatures:\n  - feature: kernel.config\n    matchName: {op: InRegexp, value: ['\\pL{1000}']}\n",
        "- name: options\n  matchFeatures:\n  - feature: kernel.config\n    matchName: {op: InRegexp, value: ['^NET_']}\n",
    ),
    OTHER,
    warning(
        DemandsNothing,
        "demands-nothing",
        "A spec, a set, a rule or an alternative demands nothing. Every host fits.",
        "- name: kernel\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n",
    ),
    warning(
        AlwaysHolds,
        "always-holds",
        "The demand holds on every host, or wherever the element is there. Remove it, use Exists, or write what was meant.",
        "- name: nodes\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      major: {op: Ge, value: [\"0\"]}\n",
        "- name: nodes\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      major: {op: Ge, value: [\"5\"]}\n",
    ),
    warning(
        NeverHolds,
        "never-holds",
        "The demand holds on no host. A required rule with it refuses the image everywhere.",
        "- name: nodes\n  matchFeatures:\n  - feature: memory.numa\n    matchExpressions:\n      node_count: {op: Lt, value: [\"0\"]}\n",
        "- name: nodes\n  matchFeatures:\n  - feature: memory.numa\n    matchExpressions:\n      node_count: {op: Le, value: [\"2\"]}\n",
    ),
    warning(
        Contradiction,
        "contradiction",
        "Two demands that must both hold exclude each other. No host fits.",
        "- name: at least\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.10\"]}\n- name: at most\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Lt, type: version, value: [\"5.4\"]}\n",
        "- name: at least\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.4\"]}\n- name: at most\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Lt, type: version, value: [\"5.10\"]}\n",
    ),
    warning(
        SetNeverWins,
        "set-never-wins",
        "Whenever this set fits, a set that is preferred fits too. Give this one a larger weight, or remove it.",
        "version: v1alpha1\ncompatibilities:\n- description: any kernel\n  rules:\n  - name: kernel\n    matchFeatures:\n    - feature: kernel.version\n- description: a new kernel\n  rules:\n  - name: kernel\n    matchFeatures:\n    - feature: kernel.version\n      matchExpressions:\n        full: {op: Ge, type: version, value: [\"6.1\"]}\n",
        "version: v1alpha1\ncompatibilities:\n- description: any kernel\n  rules:\n  - name: kernel\n    matchFeatures:\n    - feature: kernel.version\n- description: a new kernel\n  weight: 1\n  rules:\n  - name: kernel\n    matchFeatures:\n    - feature: kernel.version\n      matchExpressions:\n        full: {op: Ge, type: version, value: [\"6.1\"]}\n",
    ),
    warning(
        DuplicateRule,
        "duplicate-rule",
        "Another rule or alternative demands exactly the same. Remove one of them.",
        "- name: one\n  matchFeatures:\n  - feature: kernel.kvm\n    matchExpressions:\n      enabled: {op: IsTrue}\n- name: two\n  matchFeatures:\n  - feature: kernel.kvm\n    matchExpressions:\n      enabled: {op: IsTrue}\n",
        "- name: one\n  matchFeatures:\n  - feature: kernel.kvm\n    matchExpressions:\n      enabled: {op: IsTrue}\n",
    ),
    warning(
        ShadowedRule,
        "shadowed-rule",
        "A stricter demand makes this one superfluous: a rule that another rule of its set implies, or an alternative that \
         holds only where another one does. Remove it, or write what was meant.",
        "- name: one\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.10\"]}\n- name: two\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.4\"]}\n",
        "- name: one\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.10\"]}\n",
    ),
    warning(
        UnknownFeature,
        "unknown-feature",
        "No probe knows the feature. It stays unknown on every host, which by default lets every container start.",
        "- name: options\n  matchFeatures:\n  - feature: kernel.conifg\n",
        "- name: options\n  matchFeatures:\n  - feature: kernel.config\n",
    ),
    warning(
        UnknownElement,
        "unknown-element",
        "The feature never has an element of this name. The message lists those that it has.",
        "- name: processor\n  matchFeatures:\n  - feature: cpu.model\n    matchExpressions:\n      vendor: {op: In, value: [Intel]}\n",
        "- name: processor\n  matchFeatures:\n  - feature: cpu.model\n    matchExpressions:\n      vendor_id: {op: In, value: [Intel]}\n",
    ),
    warning(
        MisspelledName,
        "misspelled-name",
        "Hosts spell this name otherwise, so that it is never found. `lint --fix` mends it where the element is required.",
        "- name: instructions\n  matchFeatures:\n  - feature: cpu.cpuid\n    matchExpressions:\n      avx2: {op: Exists}\n",
        "- name: instructions\n  matchFeatures:\n  - feature: cpu.cpuid\n    matchExpressions:\n      AVX2: {op: Exists}\n",
    ),
    warning(
        ImpossibleValue,
        "impossible-value",
        "No host ever has this value, or hosts write it otherwise. `lint --fix` mends the spelling.",
        "- name: card\n  matchFeatures:\n  - feature: pci.device\n    matchExpressions:\n      vendor: {op: In, value: [\"0x10DE\"]}\n",
        "- name: card\n  matchFeatures:\n  - feature: pci.device\n    matchExpressions:\n      vendor: {op: In, value: [\"10de\"]}\n",
    ),
    warning(
        WrongTest,
        "wrong-test",
        "The test does not fit the element: an integer is compared with a version, a value with a name that has none. It \
         never holds, or stays unknown.",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, value: [\"5\"]}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5\"]}\n",
    ),
    warning(
        VersionParts,
        "version-parts",
        "The second number of a version is compared whatever the first one is: 6.1 has a smaller minor number than 5.10. \
         Compare `full` with `type: version`.",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      major: {op: Ge, value: [\"5\"]}\n      minor: {op: Ge, value: [\"10\"]}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.10\"]}\n",
    ),
    warning(
        NegativeInstances,
        "negative-instances",
        "A term over instances holds as soon as one of them meets it. With nothing but negative expressions, one other \
         device is enough. In oci-compat/v1, `not` says that there is none.",
        "- name: no card\n  matchFeatures:\n  - feature: pci.device\n    matchExpressions:\n      vendor: {op: NotIn, value: [\"10de\"]}\n",
        "version: oci-compat/v1\ncompatibilities:\n- description: no card\n  rules:\n  - name: no card\n    not:\n      matchFeatures:\n      - feature: pci.device\n        matchExpressions:\n          vendor: {op: In, value: [\"10de\"]}\n",
    ),
    warning(
        DanglingReference,
        "dangling-reference",
        "No rule before this one publishes the variable, or none gives it this value. Variables come from `vars` and \
         `varsTemplate` of earlier rules.",
        "- name: one\n  matchFeatures:\n  - feature: rule.matched\n    matchExpressions:\n      card: {op: In, value: [found]}\n",
        "- name: zero\n  vars: {card: found}\n  matchFeatures:\n  - feature: pci.device\n- name: one\n  matchFeatures:\n  - feature: rule.matched\n    matchExpressions:\n      card: {op: In, value: [found]}\n",
    ),
    warning(
        UnusedTemplate,
        "unused-template",
        "A template is expanded for what the rule's terms match. This rule has no terms.",
        "- name: one\n  vars: {a: b}\n  varsTemplate: \"c=d\"\n",
        "- name: one\n  vars: {a: b, c: d}\n",
    ),
    warning(
        ExpensivePattern,
        "expensive-pattern",
        "The pattern costs more than it has to. A pattern is searched anywhere in the text, so `.*` at its ends changes \
         nothing. Few values are written as `In`.",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: InRegexp, value: [\".*-rt.*\"]}\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: InRegexp, value: [\"-rt\"]}\n",
    ),
    note(
        LeftOut,
        "left-out",
        "The document is another one, which is read as a spec. This part of it says something that a spec cannot say.",
        "apiVersion: nfd.k8s-sigs.io/v1alpha1\nkind: NodeFeatureRule\nspec:\n  rules:\n  - name: kernel\n    labels: {new: \"true\"}\n    matchFeatures:\n    - feature: kernel.version\n",
        "apiVersion: nfd.k8s-sigs.io/v1alpha1\nkind: NodeFeatureRule\nspec:\n  rules:\n  - name: kernel\n    matchFeatures:\n    - feature: kernel.version\n",
    ),
    note(
        NotInNfd,
        "not-in-nfd",
        "Node Feature Discovery, whose language this is, does not know the feature, element or value. Its tools treat it as \
         absent. `version: oci-compat/v1` says that no other tool reads the spec.",
        "- name: mappings\n  matchFeatures:\n  - feature: kernel.sysctl\n    matchExpressions:\n      vm.max_map_count: {op: Ge, value: [\"262144\"]}\n",
        "version: oci-compat/v1\ncompatibilities:\n- description: mappings\n  rules:\n  - name: mappings\n    matchFeatures:\n    - feature: kernel.sysctl\n      matchExpressions:\n        vm.max_map_count: {op: Ge, value: [\"262144\"]}\n",
    ),
    note(
        VersionForFeature,
        "version-for-feature",
        "The rule speaks of something that can be asked by itself, but only asks for a version. Distributions add features \
         to older kernels and leave features out of newer ones.",
        "- name: WireGuard\n  matchFeatures:\n  - feature: kernel.version\n    matchExpressions:\n      full: {op: Ge, type: version, value: [\"5.6\"]}\n",
        "- name: WireGuard\n  matchFeatures:\n  - feature: kernel.enabledmodule\n    matchExpressions:\n      wireguard: {op: Exists}\n",
    ),
    note(
        MissingDescription,
        "missing-description",
        "Reports and refusals show the name of a rule and the description of a set. Without them people see only places in a \
         file.",
        "- matchFeatures:\n  - feature: kernel.version\n",
        "- name: kernel\n  matchFeatures:\n  - feature: kernel.version\n",
    ),
];
