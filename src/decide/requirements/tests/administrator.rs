//! What the administrator demands of images.

use super::*;

#[test]
fn what_the_administrator_demands_is_added_for_the_images_that_are_named() {
    let place = BundleFixture::new("");
    assert_eq!(place.told(&place.policy("")), Vec::<String>::new());
    let of = |image: &str| ANY.replace('*', image);
    place.own("20.toml", &of(&image().to_string())).own("10.toml", ANY).own("x.toml.off", "x");
    place.own("30.toml", &of("docker.io/acme/upf")).own("40.yaml", SPEC);
    place.own("40.toml", "images = [\"*\"]\nspec_file = \"40.yaml\"");
    let own = |it: &str| format!("Administrator(\"DIR/requirements.d/{it}.toml\"): 0 sets");
    let unknown = |it: &str| {
        format!(
            "note: requirements DIR/requirements.d/{it}.toml do not count: which image this is, is not known"
        )
    };
    let gap =
        "note: image unknown: the bundle is of no engine that is known, and has no umoci.json".to_owned();
    assert_eq!(place.told(&place.policy("")), [own("10"), own("40"), gap, unknown("20"), unknown("30")]);
    let place = place.umoci(&[&image().to_string()]);
    assert_eq!(place.told(&place.policy("")), [own("10"), own("20"), own("40")]);
    assert_eq!(place.told(&place.policy("requirements = false")), Vec::<String>::new());
    let of_image = |name: Option<&str>| {
        let called = Image { names: name.into_iter().map(str::to_owned).collect(), digests: vec![image()] };
        place.lines(&of_image(&[image()], called, &place.store(), &place.policy("")))
    };
    assert_eq!(of_image(None), [own("10"), own("20"), own("40")]);
    assert_eq!(of_image(Some("acme/upf:1")), [own("10"), own("20"), own("30"), own("40")]);
}

#[test]
fn what_is_wrong_with_the_administrator_s_files_is_trouble_and_hides_no_other() {
    let place = BundleFixture::new("");
    place.own("1.toml", "images = [\"*\"]\nx = 1").own("2.toml", &ANY.replace("[]", "{}")).own("3.toml", ANY);
    place.own("4.toml", "images = [\"*\"]\nspec_file = \"gone.yaml\"").own("5.toml", "");
    fs::set_permissions(place.0.path().join("requirements.d/5.toml"), Permissions::from_mode(0o666))
        .expect("changing a fixture");
    assert_eq!(
        place.told(&place.policy("")),
        [
            "Administrator(\"DIR/requirements.d/3.toml\"): 0 sets",
            "trouble: requirements DIR/requirements.d/1.toml:2:1: there is no key x; there are images, spec, spec_file",
            "trouble: requirements DIR/requirements.d/5.toml has mode 0666, only its owner may write to it: chmod go-w \
             DIR/requirements.d/5.toml",
            "trouble: requirements DIR/requirements.d/2.toml: its spec is malformed, at 2:18: `compatibilities` is a mapping, but has \
             to be a list of compatibility sets",
            "trouble: requirements DIR/requirements.d/4.toml: DIR/requirements.d/gone.yaml is not there",
        ]
    );
    let folder = place.0.path().join("requirements.d");
    fs::set_permissions(folder, Permissions::from_mode(0o777)).expect("changing a fixture");
    assert_eq!(
        place.told(&place.policy("")),
        [
            "trouble: the requirements cannot be used: DIR/requirements.d has mode 0777, only its owner may write to it: \
          chmod go-w DIR/requirements.d"
        ]
    );
}
