//! `oci-compat install podman --user`: the hook in a user's own configuration.

use std::fs;
use std::path::Path;

use super::{HOOK, System, succeeded, written};
use crate::command::{Ran, in_folder, program as program_of_ours, ran};

impl System {
    /// Runs `oci-compat install podman --user` as the user sam would.
    fn user(&self, args: &str) -> Ran {
        let root = self.0.path().to_str().expect("a plain name");
        let mut command = in_folder(&program_of_ours(), Path::new("/"));
        command.env("HOME", "/home/sam").args(["install", "podman", "--user", "--root", root]);
        let ran = ran(command.args(["--program", HOOK]).args(args.split_whitespace()));
        let plain = |text: String| text.replace(root, "ROOT");
        Ran { stdout: plain(ran.stdout), stderr: plain(ran.stderr), ..ran }
    }
}

#[test]
fn a_user_gets_the_hook_in_their_own_configuration_beside_the_folders_that_were_named() {
    let system = System::new()
        .with("/etc/containers/containers.conf", "[engine]\nhooks_dir = [\"/srv/hooks\"]\n")
        .with("/home/sam/.config/containers/containers.conf", "[containers]\ninit = true\n");
    let before = system.everything();
    let (hook, drop_in) = (
        "/home/sam/.config/containers/oci/hooks.d/oci-compat.json",
        "/home/sam/.config/containers/containers.conf.d/50-oci-compat.hooks.conf",
    );
    let said = format!("ROOT{hook}: written\nROOT{drop_in}: written\npodman reads it on its next call\n");
    assert_eq!(system.user(""), succeeded(&said));
    let written = fs::read_to_string(system.path(drop_in)).expect("the drop-in");
    let listed = "[engine]\nhooks_dir = [\"/srv/hooks\", \"/home/sam/.config/containers/oci/hooks.d\"]\n";
    assert_eq!(written.split_once('\n').map(|it| it.1), Some(listed));
    let again = format!(
        "ROOT{hook}: nothing to change\nROOT{drop_in}: nothing to change\npodman reads it on its next call\n"
    );
    assert_eq!(system.user(""), succeeded(&again));
    let removed = format!("ROOT{drop_in}: removed\nROOT{hook}: removed\npodman reads it on its next call\n");
    assert_eq!(system.user("--remove"), succeeded(&removed));
    assert_eq!(system.everything(), before);
}

/// Podman 6 compares the names of the drop-ins of all folders, and reads one of each name.
#[test]
fn a_user_s_drop_in_is_the_last_in_every_version() {
    let early = "ROOT/home/sam/.config/containers/containers.conf.d/50-oci-compat.hooks.conf";
    let late = "ROOT/home/sam/.config/containers/containers.conf.d/zz-oci-compat.hooks.conf";
    let hook = "ROOT/home/sam/.config/containers/oci/hooks.d/oci-compat.json";
    let reread = "podman reads it on its next call\n";
    for (other, ours) in [
        ("/home/sam/.config/containers/containers.conf.d/40.conf", early),
        ("/etc/containers/containers.rootful.conf.d/60.conf", early),
        ("/etc/containers/containers.conf.d/50-oci-compat.conf", early),
        ("/home/sam/.config/containers/containers.conf.d/60.conf", late),
        ("/usr/share/containers/containers.conf.d/60.conf", late),
        ("/etc/containers/containers.rootless.conf.d/60.conf", late),
    ] {
        let system = System::new();
        let first = format!("{hook}: written\n{early}: written\n{reread}");
        assert_eq!(system.user(""), succeeded(&first), "{other}");
        let named = "[engine]\nhooks_dir = [\"/srv/hooks\"]\n";
        let system = system.with(other, named);
        let moved = format!("{hook}: nothing to change\n{late}: written\n{early}: removed\n{reread}");
        let said = format!("{hook}: nothing to change\n{early}: written\n{reread}");
        let before = system.everything();
        assert_eq!(system.user("--print").status, 0, "{other}");
        assert_eq!(system.everything(), before, "{other}");
        let unread = other.contains("rootful");
        let same = format!("{hook}: nothing to change\n{early}: nothing to change\n{reread}");
        let said = if ours == late {
            &moved
        } else if unread {
            &same
        } else {
            &said
        };
        assert_eq!(system.user(""), succeeded(said), "{other}");
        let listed = "[engine]\nhooks_dir = [\"/srv/hooks\", \"/home/sam/.config/containers/oci/hooks.d\"]\n";
        let text = written(&system, ours.trim_start_matches("ROOT"));
        assert_eq!(text.ends_with(listed), !unread, "{other}: {text}");
        assert_eq!(system.user(""), succeeded(&same.replace(early, ours)), "{other}");
        let removed = format!("{ours}: removed\n{hook}: removed\n{reread}");
        assert_eq!(system.user("--remove"), succeeded(&removed), "{other}");
        assert!(!system.path("/home/sam/.config/containers/oci").exists(), "{other}");
    }
}

#[test]
fn a_user_s_drop_in_is_not_written_where_another_file_would_hide_it() {
    for other in [
        "/home/sam/.config/containers/containers.conf.d/zzz.conf",
        "/usr/share/containers/containers.rootless.conf.d/zzz.conf",
    ] {
        let system = System::new().with(other, "[engine]\nhooks_dir = [\"/srv/hooks\"]\n");
        let before = system.everything();
        let own = "/home/sam/.config/containers";
        let said = format!(
            "error: {other} is read after {own}/containers.conf.d/zz-oci-compat.hooks.conf by some version of Podman, and names \
             other folders for hooks: add {own}/oci/hooks.d to its hooks_dir first, or take hooks_dir out there\n"
        );
        assert_eq!(system.user(""), Ran { status: 2, stdout: String::new(), stderr: said }, "{other}");
        assert_eq!(system.everything(), before, "{other}");
        system.write(other, &format!("[engine]\nhooks_dir = [\"/srv/hooks\", \"{own}/oci/hooks.d\"]\n"));
        assert_eq!(system.user("").status, 0, "{other}");
    }
    let system = System::new().with("/etc/containers/containers.conf.d/10.conf", "[engine\n");
    let said = "error: /etc/containers/containers.conf.d/10.conf: 1:8: unclosed table, expected `]`\n";
    assert_eq!(system.user("").stderr, said);
    assert_eq!(system.user("--remove").status, 0);
}
