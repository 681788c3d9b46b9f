//! What is not certain of a program demands nothing.

use super::*;

#[test]
fn more_scripts_than_the_kernel_follows_start_nothing() {
    let scripts = |file: &str, last: &str, is_loop: bool| ProgramDemand::Scripts {
        file: file.to_owned(),
        last: last.to_owned(),
        is_loop,
    };
    let chain = |count: usize| {
        let link = |it: Bundled, at: usize| it.file(&format!("/{at}"), format!("#!/{}\n", at + 1));
        (1..=count).fold(Bundled::new(), link).file(&format!("/{}", count + 1), elf(NATIVE, &[]))
    };
    check(&chain(5), "/1", &[]);
    check(&chain(6), "/1", &[scripts("/1", "/6", false)]);
    check(&chain(9), "/1", &[scripts("/1", "/6", false)]);
    check(&chain(9), "/4", &[scripts("/4", "/9", false)]);
    check(&Bundled::new().file("/a", "#!/a\n"), "/a", &[scripts("/a", "/a", true)]);
    let two = Bundled::new().file("/a", "#!/b\n").file("/b", "#!/a\n");
    check(&two, "/a", &[scripts("/a", "/b", true)]);
    // The sixth script lacks its interpreter.
    check(&chain(5).file("/6", "#!/gone\n"), "/1", &[missing("/6", "/gone", true)]);
}

#[test]
fn what_is_no_program_demands_nothing() {
    for text in [&b""[..], b"echo\n", b"\0asm\x01\0\0\0", b"\x7fELF", b"#!", b"#!\n", b"MZ"] {
        check(&Bundled::new().file("/app", text), "/app", &[]);
    }
}

#[test]
fn what_stands_where_a_program_should_is_not_opened() {
    let bundled = Bundled::new().file("/x/y", foreign());
    nix::unistd::mkfifo(&bundled.at("/fifo"), nix::sys::stat::Mode::from_bits_truncate(0o777))
        .expect("a FIFO");
    let bundled = bundled.link("/loop", "loop").link("/up", "../../../../../../../../../../bin/sh");
    for path in ["/fifo", "/x", "/loop", "/gone", "/x/y/z", "", "/"] {
        check(&bundled, path, &[]);
    }
    // No link leads out.
    check(&bundled, "/up", &[]);
    let bundled = bundled.file("/bin/sh", foreign());
    check(&bundled, "/up", &[machine("/up", "s390x")]);
    // What not everybody may execute, a search may pass over.
    let bundled = bundled.mode("/bin/sh", 0o700);
    check(&bundled, "/up", &[]);
}

/// Root alone may make one.
#[test]
fn a_device_is_not_opened() {
    use nix::sys::stat::{Mode, SFlag, makedev, mknod};
    let bundled = Bundled::new().file("/bin/sh", "");
    let device = bundled.at("/null");
    let made = mknod(&device, SFlag::S_IFCHR, Mode::from_bits_truncate(0o777), makedev(1, 3));
    if made.is_ok() {
        check(&bundled, "/null", &[]);
    }
    check(&bundled.file("/script", "#!/null\n"), "/script", &[]);
}

/// What is seen is what was there all the time, or nothing.
#[test]
fn a_file_that_changes_meanwhile_is_never_taken_for_another() {
    let bundled = Bundled::new().file("/bin/app", foreign()).file("/bin/other", "#!/gone\n");
    let (app, other, swapped) =
        (bundled.at("/bin/app"), bundled.at("/bin/other"), bundled.at("/bin/swapped"));
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let order = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(order) {
                for (from, to) in [(&app, &swapped), (&other, &app), (&swapped, &other)] {
                    fs::rename(from, to).expect("a rename");
                }
            }
        });
        let expected = [machine("/bin/app", "s390x"), missing("/bin/app", "/gone", true)];
        for _ in 0..500 {
            let found = bundled.look(&config("/bin/app")).map(|it| it.demands).unwrap_or_default();
            assert!(found.is_empty() || expected.iter().any(|it| found == [it.clone()]), "{found:?}");
        }
        is_over.store(true, order);
    });
}

#[test]
fn what_a_mount_hides_is_not_known() {
    let bundled = Bundled::new()
        .file("/usr/bin/app", foreign())
        .link("/bin", "usr/bin")
        .link("/opt/app", "/bin/app")
        .file("/script", "#!/lib/gone\n");
    let with = |program: &str, mounts: serde_json::Value| {
        let mut config = config(program);
        config["mounts"] = mounts;
        config
    };
    let bind = |to: &str| serde_json::json!([{"destination": to, "type": "bind", "source": "/x", "options": ["rbind"]}]);
    let found = [machine("/opt/app", "s390x")];
    let plain = serde_json::json!([{"destination": "/proc", "type": "proc"}, {"destination": "/dev", "type": "tmpfs"},
        {"destination": "/dev/pts", "type": "devpts"}, {"destination": "/etc/hosts", "options": ["rbind"]}]);
    check_config(&bundled, &with("/opt/app", plain), &found);
    check_config(&bundled, &with("/opt/app", bind("/opt/other")), &found);
    for to in [
        "/",
        "/opt",
        "/opt/app",
        "/bin",
        "/bin/app",
        "/usr",
        "/usr/bin",
        "/usr/bin/app",
        "usr/bin",
        "/x/../usr",
    ] {
        check_config(&bundled, &with("/opt/app", bind(to)), &[]);
    }
    check_config(&bundled, &with("/script", bind("/lib")), &[]);
    check_config(&bundled, &with("/script", bind("/lib/other")), &[missing("/script", "/lib/gone", true)]);
    // A folder that the image lacks, and the mount makes.
    let store = Bundled::new().file("/script", "#!/nix/store/sh\n");
    check_config(&store, &with("/script", bind("/nix/other")), &[missing("/script", "/nix/store/sh", true)]);
    for to in ["/nix", "/nix/store", "/nix/store/sh"] {
        check_config(&store, &with("/script", bind(to)), &[]);
    }
    // A name that was looked for before.
    check_config(&bundled, &with("app", bind("/usr/local")), &[]);
    // Links in what a mount brings.
    let inside = serde_json::json!([{"destination": "/data", "type": "bind"}, {"destination": "/data/link/x", "type": "tmpfs"}]);
    check_config(&bundled, &with("/opt/app", inside), &[]);
    check_config(&bundled, &with("/opt/app", serde_json::json!("x")), &[]);
    check_config(
        &bundled,
        &with("/opt/app", serde_json::json!([{"destination": "/m", "type": "binfmt_misc"}])),
        &[],
    );
}

#[test]
fn who_else_may_run_a_program_is_not_known() {
    let bundled = Bundled::new().file("/bin/app", foreign());
    let with = |key: &str, value: serde_json::Value| {
        let mut config = config("/bin/app");
        config[key] = value;
        config
    };
    let joined = serde_json::json!({"namespaces": [{"type": "user", "path": "/proc/1/ns/user"}]});
    check_config(&bundled, &with("linux", joined), &[]);
    let new = serde_json::json!({"namespaces": [{"type": "user"}, {"type": "mount"}]});
    check_config(&bundled, &with("linux", new), &[machine("/bin/app", "s390x")]);
    check_config(&bundled, &with("annotations", serde_json::json!({"run.oci.handler": "krun"})), &[]);
    check_config(&bundled, &with("root", serde_json::json!({"path": "gone"})), &[]);
    check_config(&bundled, &with("root", serde_json::json!(null)), &[]);
}
