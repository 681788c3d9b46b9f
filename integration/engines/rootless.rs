//! Podman without root: in a user namespace, where what belongs to the host's root is shown as nobody's.

use super::demands::{CONFIGURATION as POLICY, STORE, demand_too_much, without_refusal};
use super::machine::Machine;
use super::podman::{CONFIGURATION, PROGRAMS};
use super::registry::{self, Digests, IMAGE};
use crate::runtimes::program::Outcome;

/// What it takes besides Podman.
const MAPPERS: [&str; 3] = ["newuidmap", "newgidmap", "setpriv"];
/// A user of the machine with ids to hand out, and a session.
const ACCOUNT: &str = "\
printf 'root:x:0:0::/root:/bin/sh\nsam:x:1717:1717::/var/home/sam:/bin/sh\n' >/etc/passwd
printf 'root:x:0:\nsam:x:1717:\n' >/etc/group
echo sam:100000:65536 | tee /etc/subuid >/etc/subgid
mkdir -p /var/home/sam /run/user/1717
chown sam:sam /var/home/sam /run/user/1717
chmod 700 /run/user/1717
chmod 1777 /var/tmp
";
/// Root's hook, for users too.
const HOOKS: &str = "[engine]\nhooks_dir = [\"/usr/share/containers/oci/hooks.d\"]\n";

/// A machine on which a user's Podman has the image, and root's hook.
fn rootless() -> Option<(Machine, Digests)> {
    let machine = Machine::with("podman", &[&PROGRAMS[..], &registry::PROGRAMS, &MAPPERS].concat())?;
    machine.succeed("sh", &["-c", ACCOUNT]);
    let digests = registry::serve(&machine);
    machine.write("/etc/containers/containers.conf", &format!("{CONFIGURATION}{HOOKS}"));
    machine.write("/etc/containers/storage.conf", "[storage]\ndriver = \"vfs\"\n");
    machine.succeed("oci-compat", &["install", "podman"]);
    let outcome = user(&machine, &["podman", "pull", "--quiet", "--tls-verify=false", IMAGE]);
    assert!(outcome.status.success(), "{outcome:?}");
    Some((machine, digests))
}

/// Runs a command as that user.
fn user(machine: &Machine, words: &[&str]) -> Outcome {
    let options = ["--reuid=1717", "--regid=1717", "--clear-groups", "env", "HOME=/var/home/sam"];
    let session = ["XDG_RUNTIME_DIR=/run/user/1717"];
    machine.run("setpriv", &[&options[..], &session, words].concat())
}

fn run(machine: &Machine) -> Outcome {
    user(
        machine,
        &["podman", "--cgroup-manager=cgroupfs", "--runtime=runc", "run", "--rm", "--network=none", IMAGE],
    )
}

#[test]
fn podman_without_root_is_refused_what_root_s_store_says_and_the_user_reads_why() {
    let Some((machine, digests)) = rootless() else { return };
    assert_eq!(run(&machine).stdout, "ran\n");
    demand_too_much(&machine, &digests.index);
    let outcome = run(&machine);
    let (_, id) = without_refusal(&outcome.stderr);
    for (place, mode) in
        [("/run/user/1717/oci-compat", "700"), ("/var/home/sam/.local/state/oci-compat", "700")]
    {
        let owner = machine.succeed("stat", &["--format=%U %a", place]);
        assert_eq!(owner, format!("sam {mode}\n"), "{place}");
    }
    let why = user(&machine, &["oci-compat", "why", &id]);
    assert!(why.stdout.contains("found fresh (/etc/os-release)"), "{why:?}");
    let log = user(&machine, &["oci-compat", "log", "--summary"]);
    assert!(log.stdout.contains("1 refusal: os-release ID is fresh, needs other"), "{log:?}");
    // The report is gone with the session.
    machine.succeed("rm", &["-r", "/run/user/1717/oci-compat"]);
    let why = user(&machine, &["oci-compat", "why", &id]);
    let note = "note: the report itself is gone; this is what /var/home/sam/.local/state/oci-compat/decisions.jsonl knows";
    assert!(why.stdout.contains(note), "{why:?}");
}

/// Also where another drop-in with a later name has folders for hooks.
#[test]
fn podman_without_root_calls_the_hook_that_a_user_has_installed() {
    let Some((machine, digests)) = rootless() else { return };
    machine.write("/etc/containers/containers.conf", CONFIGURATION);
    demand_too_much(&machine, &digests.index);
    let own = "/var/home/sam/.config/containers/containers.conf.d";
    machine.succeed("mkdir", &["-p", "/srv/hooks", own]);
    machine.write(&format!("{own}/60-hooks.conf"), "[engine]\nhooks_dir = [\"/srv/hooks\"]\n");
    machine.succeed("chown", &["-R", "sam", "/var/home/sam/.config"]);
    assert_eq!(run(&machine).stdout, "ran\n");
    let install = |args: &[&str]| {
        let outcome = user(&machine, &[&["oci-compat", "install", "podman", "--user"], args].concat());
        assert!(outcome.status.success(), "{outcome:?}");
    };
    install(&[]);
    without_refusal(&run(&machine).stderr);
    install(&["--remove"]);
    assert_eq!(run(&machine).stdout, "ran\n");
}

#[test]
fn podman_without_root_trusts_root_s_store_only_where_others_cannot_write() {
    let Some((machine, digests)) = rootless() else { return };
    demand_too_much(&machine, &digests.index);
    let complaint = |why: &str| {
        machine.write(POLICY, "action.trouble = \"refuse\"\n");
        let outcome = run(&machine);
        assert!(outcome.stderr.contains(&format!("the store cannot be used: {why}")), "{outcome:?}");
    };
    let hidden = "belongs to a user whom this user namespace does not show: it may be anybody's";
    machine.succeed("chmod", &["0777", "/var/lib"]);
    complaint(&format!("{STORE} {hidden}"));
    machine.succeed("chmod", &["0755", "/var/lib"]);
    machine.succeed("chmod", &["0775", STORE]);
    complaint(&format!("{STORE} has mode 0775, only its owner may write to it"));
    machine.succeed("chmod", &["0755", STORE]);
    // Elsewhere, nobody may be any user.
    machine.succeed("cp", &["--archive", STORE, "/var/home/store"]);
    machine.succeed("rm", &["-r", STORE]);
    let hook = "/usr/share/containers/oci/hooks.d/oci-compat.json";
    let named = machine
        .read(hook)
        .replace("\"oci-compat-hook\"]", "\"oci-compat-hook\", \"--store\", \"/var/home/store\"]");
    machine.write(hook, &named);
    complaint(&format!("/var/home/store {hidden}"));
    machine.succeed("chown", &["-R", "sam", "/var/home/store"]);
    without_refusal(&run(&machine).stderr);
}
