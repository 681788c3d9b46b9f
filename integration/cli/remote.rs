//! `show --remote` and `list --remote`: what a registry has, without storing any of it.

use oci_compat::supply::registry::IMAGE_MANIFEST;

use super::{folder, prints, run};
use crate::command::Ran;
use crate::registry::fake::{Fake, Play, manifest};

#[test]
fn what_a_registry_has_is_shown_and_listed_and_not_stored() {
    for lists_referrers in [true, false] {
        let fake = Fake::start(Play { lists_referrers, ..Play::default() });
        let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
        let folder = folder();
        let name = format!("{}/acme/upf:1", fake.name());
        let attach = |created: &str| {
            let ran = run(&folder, &format!("attach {name} spec.yaml --plain-http --created {created}"));
            ran.stdout.split(' ').nth(2).unwrap_or_default().to_owned()
        };
        let old = attach("2026-01-01T00:00:00Z");
        let new = attach("2026-02-01T00:00:00Z");
        prints(
            &folder,
            &format!("show {name} --remote --plain-http --store store"),
            0,
            &format!(
                "{image}\n  artifact {new}\n    made     2026-02-01T00:00:00Z\n    from     {}/acme/upf\n    signed   no \
                 signature was verified\n      rule kernel\n        kernel version major: 5\n",
                fake.name()
            ),
        );
        let ran = run(&folder, &format!("list {name} --remote --plain-http --store store"));
        let lines: Vec<_> = ran.stdout.lines().collect();
        assert_eq!(lines[0], format!("{image} {name}"));
        for (artifact, created) in [(old, "2026-01-01T00:00:00Z"), (new, "2026-02-01T00:00:00Z")] {
            let line = format!("  {artifact}  {created}  no signature verified");
            assert!(lines.contains(&line.as_str()), "{lines:?}");
        }
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
        assert!(!folder.path().join("store").exists());
    }
}

#[test]
fn an_image_to_which_nothing_is_attached_is_no_error_and_one_that_is_not_there_is() {
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    let folder = folder();
    let name = format!("{}/acme/upf:1", fake.name());
    let expected =
        Ran { status: 0, stdout: String::new(), stderr: format!("warn: nothing is attached to {name}\n") };
    assert_eq!(run(&folder, &format!("show {name} --remote --plain-http")), expected);
    prints(&folder, &format!("list {name} --remote --plain-http"), 0, "");
    let missing = format!("{}/acme/smf:1", fake.name());
    let ran = run(&folder, &format!("show {missing} --remote --plain-http"));
    let said = format!(
        "error: registry {}: reading the manifest of {missing}: it is not there (\"MANIFEST_UNKNOWN: manifest unknown\")\n",
        fake.name()
    );
    assert_eq!(ran, Ran { status: 1, stdout: String::new(), stderr: said });
}
