//! A bundle that changes between the check and the moment in which the wrapper becomes the runtime. The wrapper waits meanwhile
//! for a store that never answers.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::bundle::{Bundle, SPEC};
use super::hook::Hook;
use super::host::{Host, MET, UNMET};
use super::passed::ECHO;
use super::silent::{Silent, apart, await_apart};
use super::wrapper::Wrapper;

/// What is done to a bundle.
type Swap = fn(&Path);

/// What the wrapper comes to if `swap` is done to a bundle that fits, after it was read: status, stdout and stderr.
fn swapped(config: &str, swap: &dyn Fn(&Path)) -> Option<(Option<i32>, String, String)> {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()).configured(config).giving_up_after(1500));
    let _silent = Silent::over(&wrapper.hook.store(), false)?;
    let bundle = Bundle::hollow().annotate(SPEC, MET).written();
    let mut call = wrapper.before_script(ECHO);
    call.args(["create", "--bundle"]).arg(bundle.path()).arg("c1");
    let child = call.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the wrapper");
    await_apart(&wrapper.hook.store().display().to_string());
    swap(&bundle.path());
    let output = child.wait_with_output().expect("the wrapper");
    let text =
        |it: Vec<u8>| String::from_utf8(it).expect("text").replace(&bundle.path().display().to_string(), "B");
    Some((output.status.code(), text(output.stdout), text(output.stderr)))
}

/// The configuration of a bundle that does not fit.
fn unfit() -> Vec<u8> {
    fs::read(Bundle::hollow().annotate(SPEC, UNMET).written().path().join("config.json"))
        .expect("a configuration")
}

fn replace(bundle: &Path) {
    fs::write(bundle.join("next"), unfit()).expect("writing a configuration");
    fs::rename(bundle.join("next"), bundle.join("config.json")).expect("replacing a configuration");
}

fn rewrite(bundle: &Path) {
    fs::write(bundle.join("config.json"), unfit()).expect("writing a configuration");
}

/// Whatever it says now, it was not checked.
fn touch(bundle: &Path) {
    let config = bundle.join("config.json");
    let same = fs::read(&config).expect("a configuration");
    fs::write(&config, same).expect("writing a configuration");
}

fn exchange(bundle: &Path) {
    fs::rename(bundle, bundle.with_file_name("before")).expect("renaming a bundle");
    fs::create_dir(bundle).expect("making a bundle");
    rewrite(bundle);
}

/// The same file in another folder.
fn move_into_another(bundle: &Path) {
    fs::rename(bundle, bundle.with_file_name("before")).expect("renaming a bundle");
    fs::create_dir(bundle).expect("making a bundle");
    fs::rename(bundle.with_file_name("before").join("config.json"), bundle.join("config.json"))
        .expect("moving");
}

fn remove(bundle: &Path) {
    fs::remove_file(bundle.join("config.json")).expect("removing a configuration");
}

/// As conmon does.
fn put_beside(bundle: &Path) {
    fs::write(bundle.join("attach"), "").expect("writing a file");
}

#[test]
fn a_bundle_that_is_another_one_by_now_is_refused() {
    for swap in [replace, rewrite, touch, exchange, move_into_another, remove] {
        apart(|| {
            let Some(found) = swapped("", &swap) else { return };
            let said = "oci-compat: refused: the bundle B was changed while it was checked: make the container anew \
                        [container-trouble; oci-compat why c1]\n";
            assert_eq!(found, (Some(1), String::new(), said.to_owned()));
        });
    }
}

#[test]
fn a_file_beside_the_configuration_changes_nothing_and_audit_refuses_nothing() {
    for (config, swap) in [("", put_beside as Swap), ("mode = \"audit\"\n", rewrite)] {
        apart(|| {
            let Some(found) = swapped(config, &swap) else { return };
            let echoed = "<create>\n<--bundle>\n<B>\n<c1>\n".to_owned();
            assert_eq!(found, (Some(42), echoed, String::new()), "{config:?}");
        });
    }
}
