//! From an author's file to a decision under a runtime: attached to an image in a registry, pulled into the store, and held
//! against a host by the hook. The spec is in our own language.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::unistd::geteuid;
use oci_compat::store::Digest;
use oci_compat::supply::registry::IMAGE_MANIFEST;
use serde_json::Value;

use super::bundle::{Bundle, IMAGE};
use super::hook::{BELIEVING, Hook, INCOMPATIBLE};
use super::host::Host;
use super::recorded::records;
use super::runtime::{Runtime, skip};
use super::started::{assert_refused, assert_started};
use crate::command::oci_compat;
use crate::registry::fake::{Fake, Play, manifest};
use crate::schemas::Schema;

const AUTHORED: &str = r#"version: oci-compat/v1
compatibilities:
- rules:
  - id: functions
    name: two virtual functions
    remedy: echo 2 >/sys/class/net/NAME/device/sriov_numvfs
    when:
      matchFeatures:
      - feature: kernel.version
        matchExpressions:
          major: {op: Ge, value: [5]}
    matchFeatures:
    - feature: pci.device
      matchExpressions:
        physfn: {op: Exists}
      count: {op: Ge, value: [2]}
  - id: never
    when:
      matchFeatures:
      - feature: kernel.version
        matchExpressions:
          major: {op: Ge, value: [99]}
    matchFeatures:
    - feature: kernel.loadedmodule
      matchExpressions:
        gtp5g: {op: Exists}
  - id: maps
    severity: recommended
    matchFeatures:
    - feature: kernel.sysctl
      matchExpressions:
        vm.max_map_count: {op: Ge, value: [262144]}
"#;

const SHOWN: &str = "    made     2026-01-01T00:00:00Z
    from     HOST/acme/upf
    signed   no signature was verified
      rule two virtual functions, where kernel version major: at least 5
        PCI device with physfn: at least 2
      rule never, where kernel version major: at least 99
        kernel module gtp5g: loaded
      rule maps (recommended)
        sysctl vm.max_map_count: at least 262144
";

const WAIVER: &str = r#"
[[waiver]]
id = "functions"
image = "*"
reason = "the lab has one function"
expires = "never"
"#;

/// A network card with one virtual function.
fn host() -> Host {
    let host = Host::plain();
    let write = |path: &str, text: &str| {
        let path = host.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a host");
        fs::write(path, text).expect("making a host");
    };
    for address in ["0000:31:00.0", "0000:31:01.0"] {
        let files = [
            ("class", "0x020000"),
            ("vendor", "0x8086"),
            ("device", "0x1889"),
            ("subsystem_vendor", "0x8086"),
            ("subsystem_device", "0x0001"),
        ];
        for (file, value) in files {
            write(&format!("sys/bus/pci/devices/{address}/{file}"), value);
        }
    }
    let function = host.path().join("sys/bus/pci/devices/0000:31:01.0/physfn");
    symlink("../0000:31:00.0", function).expect("making a host");
    write("proc/sys/vm/max_map_count", "65530\n");
    host
}

/// Attaches the spec to an image in a registry, pulls it into the store, and returns the image's digest and the artifact's.
fn pulled(fake: &Fake, store: &Path) -> (Digest, String) {
    let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    let name = format!("{}/acme/upf:1", fake.name());
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("spec.yaml"), AUTHORED).expect("writing a spec");
    let attached = oci_compat(
        folder.path(),
        &["attach", &name, "spec.yaml", "--plain-http", "--created", "2026-01-01T00:00:00Z"],
    );
    let artifact = attached.stdout.split(' ').nth(2).unwrap_or_default().to_owned();
    assert_eq!(attached.stdout, format!("attached artifact {artifact} to {image}\n"), "{attached:?}");
    let store = store.display().to_string();
    let stored =
        oci_compat(folder.path(), &["pull", &name, "--plain-http", "--store", &store, "--config", "none"]);
    let counted = "1 image: 1 artifact new, 0 known, 0 without any, 0 with errors";
    assert_eq!(stored.stdout, format!("{name}: 1 artifact stored\n{counted}\n"), "{stored:?}");
    let shown = oci_compat(folder.path(), &["show", &image.to_string(), "--store", &store]);
    let text = shown.stdout.replace(&fake.name(), "HOST");
    // When it was fetched depends on the clock.
    let lines: String =
        text.lines().filter(|it| !it.contains("fetched")).map(|it| format!("{it}\n")).collect();
    assert_eq!(lines, format!("{image}\n  artifact {artifact}\n{SHOWN}"), "{shown:?}");
    (image, artifact)
}

/// The report on a container, which has to be as its schema says.
fn report(hook: &Hook, bundle: &Bundle) -> Value {
    let text = fs::read(hook.reports().join(format!("{}.json", bundle.id()))).expect("a report");
    let report = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(Schema::report().complaint(&report), "", "{report:#}");
    report
}

#[test]
fn what_an_author_attaches_refuses_a_container_under_runc_until_it_is_waived_by_its_id() {
    if !geteuid().is_root() {
        return skip("store", "only root may write to a store that the hook reads");
    }
    if !Runtime::Runc.works() {
        return;
    }
    let fake = Fake::start(Play { lists_referrers: true, ..Play::default() });
    let hook = Hook::on(host()).configured(BELIEVING);
    let (image, artifact) = pulled(&fake, &hook.store());
    let bundle =
        |hook: &Hook| Bundle::with_a_shell().annotate(IMAGE, &image.to_string()).hook(hook).written();

    let refused = bundle(&hook);
    let outcome = Runtime::Runc.run(&refused);
    let lack = "there is 1 PCI device with physfn, needs at least 2 [pci-device-missing; oci-compat why";
    let remedy = "remedy: echo 2 >/sys/class/net/NAME/device/sriov_numvfs";
    let said = format!("oci-compat: refused: {lack} {}]\n  {remedy}\n", refused.id());
    assert_refused(&outcome, &refused, &Runtime::Runc.refusals(&hook.program, INCOMPATIBLE, &said));
    let told = report(&hook, &refused);
    assert_eq!((&told["verdict"], &told["action"]), (&"incompatible".into(), &"refuse".into()), "{told:#}");
    assert_eq!(told["specs"][0]["artifact"], artifact, "{told:#}");

    let hook = hook.configured(&format!("{BELIEVING}{WAIVER}"));
    let waived = bundle(&hook);
    let said = format!(
        "oci-compat: warning: started by waiver: {lack} {}]\n  rule two virtual functions is waived without end at \
         {}:3: the lab has one function\n  recommended: sysctl vm.max_map_count is 65530, needs at least 262144 \
         (try: sysctl -w vm.max_map_count=262144) [value-out-of-range]\n",
        waived.id(),
        hook.config().display()
    );
    assert_eq!(hook.feed(&waived.state()).stderr, said);
    assert_started(&Runtime::Runc.run(&waived), &waived);
    let told = report(&hook, &waived);
    assert_eq!(told["waivers"][0]["reason"], "the lab has one function", "{told:#}");
    assert_eq!(told["recommendations"][0]["rule"], "maps", "{told:#}");
    let mut actions: Vec<_> = records(&hook.decisions()).into_iter().map(|it| it.action.name()).collect();
    // Of the one that was fed to the hook and then run, what is said again may be counted or recorded.
    actions.dedup();
    assert_eq!(actions, ["refuse", "start"]);
}
