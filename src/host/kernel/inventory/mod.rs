//! `kernel.module`: the modules that the kernel has loaded, has built in, or could load. Loads none.

mod lists;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::available;
use crate::host::probing::MODULES;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Instance, Probing, Unknown, Wanted};

/// Names are the kernel's, with `_`. So that a rule that spells `vfio-pci` holds as well, a module has a second instance
/// under the name as the rule spells it, or, where rules name none, under that of its file.
pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.module",
    kinds: &[ElementKind::Instances],
    meaning: "the modules of the running kernel; name: with `_`, but also found by its file's name with `-`; state: loaded, \
        else builtin, else available (it could be loaded) or locked (it is on disk, but kernel.modules_disabled forbids \
        loading); for loaded modules version, srcversion and taint (letters, such as O for out of tree); path: its file",
    read: "/proc/modules, /sys/module, and modules.builtin and modules.dep in /lib/modules/<release>; \
           /proc/sys/kernel/modules_disabled",
    nfd: false,
    elements: Some(&[NAME, STATE, VERSION, SRCVERSION, "taint", PATH]),
    absent: "no such module for this kernel; on an instance: the module is not loaded, does not state it, or taints nothing",
    since: "always",
    example: "feature: kernel.module\n  matchExpressions:\n    name: {op: In, value: [gtp5g]}\n    state: {op: In, value: [loaded, available]}",
    key: Some(NAME),
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const NAME: &str = "name";
const STATE: &str = "state";
const VERSION: &str = "version";
const SRCVERSION: &str = "srcversion";
const PATH: &str = "path";
/// Has a folder for each loaded module, and for those built in that have parameters or a version
/// (`Documentation/ABI/stable/sysfs-module`).
pub(super) const FOLDER: &str = "/sys/module";

/// What is known of a module; the kernel's lists, best state first, are gone through once each.
#[derive(Debug, Default)]
struct Module {
    /// None if it is on disk, and the list of those loaded could not be read.
    state: Option<&'static str>,
    taint: Option<String>,
    path: Option<String>,
    /// With `-`, where its file has such a name.
    spelling: Option<String>,
    read: String,
}

/// By their names with `_`.
type Modules = BTreeMap<String, Module>;

/// Which modules the rules name, as they spell them; none if all count.
#[derive(Debug)]
struct Sought<'a>(Option<BTreeMap<Cow<'a, str>, BTreeSet<&'a str>>>);

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let sought = Sought::of(wanted);
    let (mut modules, mut trouble, mut missing) = (Modules::new(), None, BTreeSet::new());
    let mut tolerate = |result: Result<(), Unknown>| {
        if let Err(unknown) = result {
            trouble.get_or_insert(unknown);
        }
    };
    let loaded = lists::add_loaded(probing, &sought, &mut modules);
    if loaded.is_ok() {
        // Whatever the other lists have, all that are loaded are known.
        missing.insert(format!("{STATE}={}", lists::LOADED));
    }
    tolerate(loaded);
    if !sought.are_all_in(&modules) {
        tolerate(lists::add_builtin(probing, &sought, &mut modules));
    }
    if !sought.are_all_in(&modules) || wanted.has(PATH) {
        tolerate(lists::add_available(probing, &sought, &mut modules));
    }
    let mut instances = BTreeMap::new();
    for (name, module) in &modules {
        let (instance, unread) = instance(probing, wanted, name, module);
        unread.into_iter().for_each(|it| tolerate(Err(it)));
        for spelling in sought.spellings(name, module) {
            let mut instance = instance.clone();
            instance.attributes.insert(NAME.to_owned(), spelling.to_owned());
            instances.insert(spelling, instance);
        }
    }
    let instances: Vec<_> = instances.into_values().collect();
    match trouble {
        Some(unknown) if instances.is_empty() && missing.is_empty() => Fact::Unknown(unknown),
        Some(unknown) => {
            let feature = Feature { incomplete: Some(unknown), missing, ..Feature::instances(instances) };
            Fact::Known(feature, read(&modules).to_owned())
        }
        None => Fact::Known(Feature::instances(instances), read(&modules).to_owned()),
    }
}

/// The lists have places of their own, which their instances name.
fn read(modules: &Modules) -> &str {
    match modules.values().next() {
        Some(module) if modules.values().all(|it| it.read == module.read) => &module.read,
        Some(_) | None => "/proc/modules, modules.builtin and modules.dep",
    }
}

/// An instance without its name, and what of it could not be read.
fn instance(
    probing: &Probing<'_>,
    wanted: &Wanted,
    name: &str,
    module: &Module,
) -> (Instance, Option<Unknown>) {
    let listed = [(STATE, module.state), ("taint", module.taint.as_deref()), (PATH, module.path.as_deref())];
    let listed = listed.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it?.to_owned())));
    let (mut attributes, mut trouble) = (listed.collect::<BTreeMap<_, _>>(), None);
    if module.state == Some(lists::LOADED) {
        for attribute in [VERSION, SRCVERSION].into_iter().filter(|it| wanted.has(it)) {
            match probing.text(&format!("{FOLDER}/{name}/{attribute}")) {
                Ok(Some(text)) => drop(attributes.insert(attribute.to_owned(), text.trim_end().to_owned())),
                Ok(None) => {}
                Err(unknown) => trouble = Some(unknown),
            }
        }
    }
    (Instance { attributes, read: Some(module.read.clone()) }, trouble)
}

impl<'a> Sought<'a> {
    fn of(wanted: &'a Wanted) -> Self {
        if !wanted.is_by_key(NAME) {
            return Self(None);
        }
        let mut sought = BTreeMap::<_, BTreeSet<_>>::new();
        for name in wanted.keys(NAME) {
            sought.entry(underscored(name)).or_default().insert(name);
        }
        Self(Some(sought))
    }

    fn has(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|it| it.contains_key(name))
    }

    fn are_all_in(&self, modules: &Modules) -> bool {
        self.0.as_ref().is_some_and(|it| it.keys().all(|name| modules.contains_key(&**name)))
    }

    fn spellings<'m>(&'m self, name: &'m str, module: &'m Module) -> impl Iterator<Item = &'m str> {
        let asked = self.0.as_ref().and_then(|it| it.get(name)).into_iter().flatten().copied();
        let own = self.0.is_none().then_some(module.spelling.as_deref()).flatten();
        [name].into_iter().chain(asked).chain(own)
    }
}

/// The kernel makes no difference between `-` and `_` in the names of modules, and shows `_`.
pub(super) fn underscored(name: &str) -> Cow<'_, str> {
    if name.contains('-') { name.replace('-', "_").into() } else { name.into() }
}
