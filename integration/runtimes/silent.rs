//! File systems that never answer: hook and wrapper decide within their deadline, and leave nothing that a caller waits for.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::geteuid;
use serde_json::json;

use super::bundle::{Bundle, SPEC};
use super::hook::{Hook, INCOMPATIBLE, STRICT, TROUBLE};
use super::host::{Host, MET, UNMET};
use super::passed::ECHO;
use super::program::{Outcome, installed, run, stdin, succeed, wait};
use super::runtime::skip;
use super::wrapper::Wrapper;

/// Milliseconds: far less than what never ends.
const DEADLINE: u32 = 600;
/// The annotation that names an artifact in the store.
const ARTIFACT: &str = "org.oci-compat.artifact";

/// A FUSE file system in the mount namespace of this thread, and of what it starts. Its daemon greets the kernel or not, and
/// then takes every request and answers none. What waits for it goes on when it is dropped.
pub(super) struct Silent {
    path: PathBuf,
    daemon: Option<(File, JoinHandle<()>)>,
}

impl Silent {
    /// `None`, said aloud, where none can be mounted.
    pub(super) fn over(path: &Path, greets: bool) -> Option<Self> {
        if !geteuid().is_root() {
            skip("fuse", "only root may mount");
            return None;
        }
        let device = File::options().read(true).write(true).open("/dev/fuse");
        let Ok(device) = device else {
            skip("fuse", "this machine has no /dev/fuse");
            return None;
        };
        unshare(CloneFlags::CLONE_NEWNS).expect("a mount namespace");
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("private mounts");
        fs::create_dir_all(path).expect("making a folder");
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        mount(Some("silent"), path, Some("fuse"), MsFlags::empty(), Some(options.as_str()))
            .expect("mounting");
        let daemon = greets.then(|| device.try_clone().expect("a second handle"));
        let daemon = thread::spawn(move || daemon.into_iter().for_each(take_all));
        Some(Self { path: path.to_owned(), daemon: Some((device, daemon)) })
    }
}

impl Drop for Silent {
    fn drop(&mut self) {
        let (device, daemon) = self.daemon.take().expect("it is dropped once");
        drop(device);
        // Aborts the connection: what waits gets an error, and the daemon the end of its device.
        umount2(&self.path, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH).expect("unmounting");
        daemon.join().expect("a daemon");
    }
}

/// Reads requests (`linux/fuse.h`) until the file system is gone, and answers the first one alone: FUSE_INIT.
fn take_all(device: File) {
    let mut request = vec![0; 1 << 20];
    let mut is_first = true;
    loop {
        poll(&mut [PollFd::new(device.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).expect("waiting");
        let Ok(length) = (&device).read(&mut request) else { return };
        if std::mem::take(&mut is_first) {
            assert!(length >= 16, "a header");
            // A length, no error, the number of the request, and then version 7.31, and what is allowed.
            let mut answer = Vec::new();
            answer.extend(80_u32.to_ne_bytes());
            answer.extend(0_i32.to_ne_bytes());
            answer.extend(&request[8..16]);
            for field in [7_u32, 31, 1 << 16, 0, 0x0008_0010, 1 << 16, 1, 0x0020, 0, 0, 0, 0, 0, 0, 0, 0] {
                answer.extend(field.to_ne_bytes());
            }
            (&device).write_all(&answer).expect("greeting the kernel");
        }
    }
}

/// In a thread with a mount namespace of its own.
pub(super) fn apart(case: impl FnOnce() + Send) {
    thread::scope(|scope| scope.spawn(case).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic));
}

fn assert_ended(outcome: &Outcome, status: i32, stderr: &str) {
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(status), stderr));
    assert!(outcome.took < Duration::from_millis(u64::from(DEADLINE) + 2000), "{outcome:?}");
}

/// What is said of a place.
fn said(opening: &str, what: &str, place: &Path, bundle: &Bundle) -> String {
    format!(
        "oci-compat: {opening}: {what}{} did not answer before the deadline: mend its file system [trouble; oci-compat \
         why {}]\n",
        place.display(),
        bundle.id()
    )
}

const STARTED: &str = "warning: started unchecked";
const STORE: &str = "the store cannot be used: ";

#[test]
fn a_store_that_never_answers_is_trouble_within_the_deadline() {
    for greets in [false, true] {
        for (config, opening, status) in [("", STARTED, 0), (STRICT, "refused", TROUBLE)] {
            apart(|| {
                let hook = Hook::on(Host::plain()).configured(config).giving_up_after(DEADLINE);
                let Some(_silent) = Silent::over(&hook.store(), greets) else { return };
                let bundle = Bundle::hollow().written();
                let outcome = hook.feed(&bundle.state());
                assert_ended(&outcome, status, &said(opening, STORE, &hook.store(), &bundle));
            });
        }
    }
}

/// Nothing is known of its program then, and what else is demanded is judged.
#[test]
fn a_root_file_system_that_never_answers_demands_nothing() {
    for greets in [false, true] {
        for (spec, status, said) in
            [(MET, 0, ""), (UNMET, INCOMPATIBLE, "oci-compat: refused: kernel module gtp5g ")]
        {
            apart(|| {
                let hook = Hook::on(Host::without_handlers()).giving_up_after(DEADLINE);
                let bundle = Bundle::hollow().annotate(SPEC, spec).written();
                let Some(_silent) = Silent::over(&bundle.path().join("rootfs"), greets) else { return };
                let outcome = hook.feed(&bundle.state());
                assert!(outcome.stderr.starts_with(said) && outcome.stderr.is_empty() == said.is_empty());
                assert_ended(&outcome, status, &outcome.stderr);
            });
        }
    }
    apart(|| {
        let hook = Hook::on(Host::without_handlers()).giving_up_after(DEADLINE);
        let bundle = Bundle::hollow().written();
        let Some(_silent) = Silent::over(&bundle.path().join("rootfs"), true) else { return };
        assert_ended(&hook.feed(&bundle.state()), 0, "");
    });
}

/// Also where an artifact of it is wanted besides, and where a link leads to it.
#[test]
fn demands_from_outside_the_store_are_judged_without_it() {
    for is_linked in [false, true] {
        apart(|| {
            let hook = Hook::on(Host::plain()).giving_up_after(DEADLINE);
            let place = if is_linked { hook.store().with_file_name("mnt") } else { hook.store() };
            let Some(_silent) = Silent::over(&place, true) else { return };
            if is_linked {
                symlink("mnt/store", hook.store()).expect("linking the store");
            }
            let digest = format!("sha256:{}", "0".repeat(64));
            let unfit = Bundle::hollow().annotate(SPEC, UNMET).annotate(ARTIFACT, &digest).written();
            let outcome = hook.feed(&unfit.state());
            let expected = format!(
                "oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded, +1 more; oci-compat why {}]\n  \
                 the store cannot be used: {} did not answer before the deadline: mend its file system [trouble]\n",
                unfit.id(),
                hook.store().display()
            );
            assert_ended(&outcome, INCOMPATIBLE, &expected);
            let fits = Bundle::hollow().annotate(SPEC, MET).written();
            let outcome = hook.feed(&fits.state());
            assert_ended(&outcome, 0, &said(STARTED, STORE, &hook.store(), &fits));
        });
    }
}

/// The engine waits for the end of the pipes that it has given to the wrapper.
#[test]
fn the_wrapper_becomes_the_runtime_and_leaves_nothing_open() {
    for greets in [false, true] {
        apart(|| {
            let wrapper = Wrapper::beside(Hook::on(Host::plain()).giving_up_after(DEADLINE));
            let Some(_silent) = Silent::over(&wrapper.hook.store(), greets) else { return };
            for (spec, status) in [(MET, 42), (UNMET, 1)] {
                let bundle = Bundle::hollow().annotate(SPEC, spec).written();
                let since = Instant::now();
                let mut call = wrapper.before_script(ECHO);
                call.args(["create", "--bundle"]).arg(bundle.path()).arg("c1");
                let output = call.output().expect("the wrapper");
                assert_eq!(output.status.code(), Some(status), "{output:?}");
                assert!(since.elapsed() < Duration::from_millis(u64::from(DEADLINE) + 2000), "{output:?}");
                assert_eq!(output.stdout.starts_with(b"<create>\n"), spec == MET, "{output:?}");
            }
            let outcome = run(wrapper.before_script(ECHO).args(["kill", "c1", "KILL"]));
            assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(42), ""));
            assert!(outcome.took < Duration::from_millis(u64::from(DEADLINE)), "nothing of ours is asked");
        });
    }
}

/// As the kernel does when memory runs out. One whose file system never greets the kernel can be killed.
#[test]
fn a_process_apart_that_is_killed_is_no_answer() {
    apart(|| {
        let hook = Hook::on(Host::plain()).giving_up_after(60_000);
        let Some(_silent) = Silent::over(&hook.store(), false) else { return };
        let bundle = Bundle::hollow().annotate(SPEC, MET).written();
        let (reader, writer) = stdin(&bundle.state());
        drop(writer);
        let said = tempfile::tempfile().expect("a temporary file");
        let stderr = said.try_clone().expect("a second handle");
        let mut child = hook.command().stdin(reader).stderr(stderr).spawn().expect("the hook");
        let store = hook.store().display().to_string();
        let helper = await_apart(&store);
        succeed(Command::new("kill").args(["-KILL", &helper.to_string()]));
        let status = wait(&mut child, Instant::now() + Duration::from_secs(20));
        let mut text = String::new();
        (&said).rewind().and_then(|()| (&said).read_to_string(&mut text)).expect("reading output");
        let expected = format!(
            "oci-compat: {STARTED}: {STORE}{store} was not read: the process that was to read it ended [trouble; \
             oci-compat why {}]\n",
            bundle.id()
        );
        assert_eq!((status.and_then(|it| it.code()), text), (Some(0), expected));
    });
}

/// Waits for the process apart of a program that has this word on its command line.
pub(super) fn await_apart(word: &str) -> u32 {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        assert!(Instant::now() < until, "there is no process apart");
        match processes(word).into_iter().find(|it| is_apart(*it)) {
            Some(it) => return it,
            None => thread::sleep(Duration::from_millis(2)),
        }
    }
}

/// The processes whose command line has this word.
fn processes(word: &str) -> Vec<u32> {
    let ids = fs::read_dir("/proc").expect("/proc").flatten();
    let ids = ids.filter_map(|it| it.file_name().to_str()?.parse().ok());
    ids.filter(|id| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.split(|it| *it == 0).any(|it| it == word.as_bytes())
    })
    .collect()
}

/// Whether a process leads its own session, and so does what it is there for.
fn is_apart(id: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // proc_pid_stat(5): state, parent, group, session.
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(3)?.parse().ok()) == Some(id)
}

#[test]
fn a_configuration_that_never_answers_is_broken_within_the_deadline() {
    for (strict, opening, status) in [(None, "warning", 0), (Some("--strict"), "refused", TROUBLE)] {
        apart(|| {
            let hook = Hook::on(Host::plain()).giving_up_after(DEADLINE);
            let etc = hook.store().with_file_name("etc");
            let Some(_silent) = Silent::over(&etc, true) else { return };
            let bundle = Bundle::hollow().annotate(SPEC, MET).written();
            let (reader, writer) = stdin(&bundle.state());
            drop(writer);
            let mut command = hook.command();
            command.arg("--config").arg(etc.join("config.toml")).args(strict).stdin(reader);
            let outcome = run(&mut command);
            let follows = if strict.is_some() {
                "nothing starts (--strict)"
            } else {
                "nothing is refused (audit mode)"
            };
            let broken = format!("the configuration is broken, so that {follows}: {}", etc.display());
            assert_eq!(outcome.status.code(), Some(status), "{outcome:?}");
            assert!(outcome.took < Duration::from_millis(u64::from(DEADLINE) + 2000), "{outcome:?}");
            let first = format!("oci-compat: {opening}: ");
            assert!(outcome.stderr.starts_with(&first) && outcome.stderr.contains(&broken), "{outcome:?}");
        });
    }
}

#[test]
fn this_hosts_own_requirements_that_never_answer_are_trouble() {
    apart(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let own = folder.path().join("own");
        let hook = Hook::on(Host::plain()).configured(&format!("requirements = {own:?}\n"));
        let hook = hook.giving_up_after(DEADLINE);
        let Some(_silent) = Silent::over(&own, true) else { return };
        let bundle = Bundle::hollow().written();
        let what = "the requirements cannot be used: ";
        assert_ended(&hook.feed(&bundle.state()), 0, &said(STARTED, what, &own, &bundle));
    });
}

#[test]
fn a_report_that_cannot_be_written_for_ever_changes_no_decision() {
    apart(|| {
        let hook = Hook::on(Host::plain()).giving_up_after(DEADLINE);
        let Some(_silent) = Silent::over(&hook.reports(), true) else { return };
        let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
        let outcome = hook.feed(&bundle.state());
        let expected = format!(
            "oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why {}]\n\
             oci-compat: warning: {} did not answer before the deadline: mend its file system\n",
            bundle.id(),
            hook.reports().display()
        );
        assert_ended(&outcome, INCOMPATIBLE, &expected);
    });
}

/// A file system of this machine costs no process.
#[test]
fn a_store_on_another_file_system_of_this_machine_is_read_by_the_hook_itself() {
    apart(|| {
        let hook = Hook::on(Host::plain());
        let Some(_silent) = Silent::over(&hook.store().with_file_name("elsewhere"), true) else { return };
        fs::create_dir(hook.store()).expect("making a folder");
        mount(Some("store"), &hook.store(), Some("tmpfs"), MsFlags::empty(), Some("mode=0755"))
            .expect("mounting");
        let image = format!("sha256:{}", "1".repeat(64));
        hook.store_spec(UNMET, &image);
        let bundle = Bundle::hollow().written();
        let walk = json!({"from_descriptor_path": {"descriptor_walk": [{"digest": image}]}});
        fs::write(bundle.path().join("umoci.json"), walk.to_string()).expect("writing umoci.json");
        let Some((outcome, calls)) = hook.traced(&bundle.state()) else {
            return skip("strace", "not installed (run integration/setup test)");
        };
        assert_eq!(outcome.status.code(), Some(INCOMPATIBLE), "{outcome:?}");
        assert!(!calls.contains("clone"), "{calls}");
    });
}

/// One that may never answer, and does, is as good as any other.
#[test]
fn a_store_that_a_process_apart_reads_counts_like_any_other() {
    let Some(overlay) = installed("fuse-overlayfs") else {
        return skip("fuse-overlayfs", "not installed (run integration/setup test)");
    };
    for mode in [0o755, 0o777] {
        apart(|| {
            let hook = Hook::on(Host::plain());
            let store = hook.store();
            let Some(_silent) = Silent::over(&store.with_file_name("elsewhere"), true) else { return };
            let image = format!("sha256:{}", "1".repeat(64));
            hook.store_spec(UNMET, &image);
            let lower = store.with_file_name("lower");
            fs::rename(&store, &lower).expect("renaming the store");
            fs::set_permissions(&lower, fs::Permissions::from_mode(mode)).expect("changing a fixture");
            fs::create_dir(&store).expect("making a folder");
            let options = format!("lowerdir={}", lower.display());
            succeed(Command::new(&overlay).args(["-o", &options]).arg(&store));
            let bundle = Bundle::hollow().written();
            let walk = json!({"from_descriptor_path": {"descriptor_walk": [{"digest": image}]}});
            fs::write(bundle.path().join("umoci.json"), walk.to_string()).expect("writing umoci.json");
            let outcome = hook.feed(&bundle.state());
            umount2(&store, MntFlags::MNT_DETACH).expect("unmounting");
            let (id, store) = (bundle.id(), store.display());
            match mode {
                0o755 => assert_ended(
                    &outcome,
                    INCOMPATIBLE,
                    &format!(
                        "oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why {id}]\n"
                    ),
                ),
                // The rest depends on how long the path is.
                _ => assert!(
                    outcome.status.success()
                        && outcome.stderr.starts_with(&format!(
                            "oci-compat: {STARTED}: {STORE}{store} has mode 0777, only its owner may write to it: "
                        )),
                    "{outcome:?}"
                ),
            }
        });
    }
}
