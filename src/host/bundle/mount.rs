//! `bundle.mount`: what is mounted in the container. Looks at no source, and mounts nothing.

use super::config::Part;
use crate::host::{Fact, Feature, FeatureInfo, Instance, Kind, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "bundle.mount",
    kinds: &[Kind::Instances],
    meaning: "what the runtime mounts in the container: the path there, the file system's type, what is mounted, and the \
              options with commas between them",
    read: "`mounts` of the bundle's config.json",
    nfd: false,
    elements: Some(&["destination", "type", "source", "options"]),
    absent: "not mounted by the runtime; a hook may still do so",
    since: "runtime-spec 1.0",
    example: "feature: bundle.mount\n  matchExpressions:\n    destination: {op: In, value: [/var/lib/data]}\n    options: {op: InRegexp, value: [\"(^|,)rw(,|$)\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: super::not_given,
};

pub(super) fn read(config: &Part<'_>, wanted: &Wanted) -> Result<Fact, Unknown> {
    let mut feature = Feature::instances(Vec::new());
    for item in config.items("mounts")? {
        match mount(&item, wanted) {
            Ok(mount) => feature.instances.get_or_insert_default().push(mount),
            Err(unknown) => drop(feature.incomplete.get_or_insert(unknown)),
        }
    }
    Ok(Fact::Known(feature, "config.json mounts".to_owned()))
}

fn mount(item: &Part<'_>, wanted: &Wanted) -> Result<Instance, Unknown> {
    let mut attributes = vec![("destination", super::clean(item.required("destination")?.text()?))];
    for name in ["type", "source"] {
        if let Some(part) = item.field(name)? {
            attributes.push((name, part.text()?.to_owned()));
        }
    }
    let options = item.items("options")?;
    let options: Vec<_> = options.iter().map(Part::text).collect::<Result<_, _>>()?;
    attributes.push(("options", options.join(",")));
    let wanted = attributes.into_iter().filter(|(name, _)| wanted.has(name));
    Ok(Instance {
        attributes: wanted.map(|(name, value)| (name.to_owned(), value)).collect(),
        read: Some(item.place.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use super::*;

    fn check(config: &str, names: &[&str], expected: &str) {
        assert_eq!(told(config, FEATURE.name, names), expected, "{config}");
    }

    #[test]
    fn mounts_are_told_one_by_one() {
        let config = r#"{"mounts": [
            {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "size=65536k"]},
            {"destination": "data//x/", "source": "/srv"}]}"#;
        check(
            config,
            &[],
            "known (config.json mounts): [config.json mounts[0]: destination=/dev/shm options=nosuid,size=65536k \
             source=shm type=tmpfs] [config.json mounts[1]: destination=/data/x options= source=/srv]",
        );
        check(
            config,
            &["type"],
            "known (config.json mounts): [config.json mounts[0]: type=tmpfs] [config.json mounts[1]: ]",
        );
    }

    #[test]
    fn a_container_may_have_no_mounts() {
        check("{}", &[], "known (config.json mounts): ");
        check(r#"{"mounts": []}"#, &[], "known (config.json mounts): ");
    }

    #[test]
    fn what_is_malformed_is_unknown_with_its_place() {
        check(r#"{"mounts": "x"}"#, &[], "unknown: config.json mounts: is text, expected a list");
        check(
            r#"{"mounts": [{"destination": "/a", "type": 5}, {"destination": "/b", "options": "ro"}, {"destination": "/c"}]}"#,
            &["destination"],
            "known (config.json mounts): [config.json mounts[2]: destination=/c] and maybe more: \
             config.json mounts[0].type: is a number, expected text",
        );
        check(
            r#"{"mounts": [{}]}"#,
            &[],
            "known (config.json mounts): and maybe more: config.json mounts[0]: has no destination, as every one must",
        );
    }
}
