//! What a CUDA image brings: conditions in its environment, and libraries in its root file system.

use super::*;
use crate::decide::check;
use crate::policy::Nvidia;

/// A bundle with this environment and these devices.
fn nvidia(env: &[&str], devices: &[&str]) -> BundleFixture {
    let place = BundleFixture::new("");
    let devices: Vec<_> = devices.iter().map(|it| serde_json::json!({"path": it})).collect();
    let config = serde_json::json!({"process": {"env": env}, "linux": {"devices": devices}});
    fs::write(place.bundle().join("config.json"), config.to_string()).expect("writing a fixture");
    place
}

#[test]
fn the_environment_of_an_image_of_nvidia_s_demands_something_if_it_is_given_gpus() {
    let gpu = ["/dev/nvidiactl", "/dev/nvidia0"];
    let env = ["NVIDIA_REQUIRE_CUDA=cuda>=12.4", "NVIDIA_REQUIRE_MORE=arch>=8.0"];
    let both =
        ["Environment(\"NVIDIA_REQUIRE_CUDA\"): 1 sets", "Environment(\"NVIDIA_REQUIRE_MORE\"): 1 sets"];
    assert_eq!(nvidia(&env, &gpu).told(&policy()), both);
    let strict = Policy { nvidia: Nvidia::Strict, ..policy() };
    assert_eq!(nvidia(&env, &gpu).told(&strict), both);
    let nothing: [&str; 0] = [];
    assert_eq!(nvidia(&env, &["/dev/fuse"]).told(&policy()), nothing);
    assert_eq!(nvidia(&["NVIDIA_VISIBLE_DEVICES=all"], &gpu).told(&policy()), nothing);
    let off = Policy { nvidia: Nvidia::Off, ..policy() };
    assert_eq!(nvidia(&env, &gpu).told(&off), nothing);
    let disabled = [env.as_slice(), &["NVIDIA_DISABLE_REQUIRE=true"]].concat();
    assert_eq!(nvidia(&disabled, &gpu).told(&policy()), nothing);
}

/// Every image of NVIDIA's asks for GPUs, also where nothing heeds that.
#[test]
fn an_environment_that_asks_for_gpus_demands_nothing_of_a_host_without_the_driver() {
    let env = ["NVIDIA_REQUIRE_CUDA=cuda>=12.4", "NVIDIA_VISIBLE_DEVICES=all"];
    let outcome = |policy: &Policy, host: &FakeHost| {
        let place = nvidia(&env, &[]);
        let mut collected = of_bundle(&place.bundle(), &place.store(), policy, &soon, &|_, _| None);
        collected.add_brought(&soon);
        let facts = check::gather(&collected.requirements, &[], &host.root(), None);
        let checked = check::judge(&collected.requirements, &[], &facts);
        let judgement = checked[0].result.as_ref().expect("a judgement");
        let missed = judgement.best().map_or(0, |it| it.missed().count());
        (format!("{:?}", judgement.outcome), missed)
    };
    let without = FakeHost::new().folder("/sys/bus").file("/proc/version", "Linux");
    let old = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.256.02  Thu May  2\n";
    let with = FakeHost::new().file("/proc/driver/nvidia/version", old);
    assert_eq!(outcome(&policy(), &without), ("Met".to_owned(), 0));
    assert_eq!(outcome(&policy(), &with), ("Met".to_owned(), 1));
    let strict = Policy { nvidia: Nvidia::Strict, ..policy() };
    assert_eq!(outcome(&strict, &with), ("Unmet".to_owned(), 0));
    let runtimes = vec![PathBuf::from("/usr/bin/nvidia-container-runtime")];
    assert_eq!(outcome(&Policy { runtimes, ..policy() }, &with), ("Unmet".to_owned(), 0));
}

#[test]
fn a_constraint_that_is_too_long_is_the_container_s_fault() {
    let long = format!("NVIDIA_REQUIRE_CUDA={}", "cuda>=1 ".repeat(5000));
    assert_eq!(
        nvidia(&[&long], &["/dev/nvidia0"]).told(&policy()),
        [
            "fault: environment variable NVIDIA_REQUIRE_CUDA has 40000 bytes; no more than 32768 are read, and it does not count"
        ]
    );
}

/// CUDA's forward compatibility is for GPUs of data centres. Which brand these are of, the driver does not tell.
#[test]
fn an_image_that_brings_the_libraries_of_a_newer_driver_may_run_on_an_older_one() {
    let outcome = |model: &str, make: &dyn Fn(&Path)| {
        let place = nvidia(&["NVIDIA_REQUIRE_CUDA=cuda>=12.4"], &["/dev/nvidia0"]);
        let path = place.bundle().join("config.json");
        let config = fs::read_to_string(&path).expect("a configuration");
        fs::write(&path, config.replacen('{', r#"{"root": {"path": "rootfs"}, "#, 1))
            .expect("writing a fixture");
        make(&place.bundle().join("rootfs"));
        let mut collected = of_bundle(&place.bundle(), &place.store(), &policy(), &soon, &|_, _| None);
        collected.add_brought(&soon);
        let driver = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.256.02  Thu May  2\n";
        let host = FakeHost::new()
            .file("/proc/driver/nvidia/version", driver)
            .file("/proc/driver/nvidia/gpus/0000:07:00.0/information", format!("Model: \t\t {model}\n"));
        let facts = check::gather(&collected.requirements, &[], &host.root(), None);
        let checked = check::judge(&collected.requirements, &[], &facts);
        format!("{:?}", checked[0].result.as_ref().expect("a judgement").outcome)
    };
    let brings = |rootfs: &Path| {
        let folder = rootfs.join("usr/local/cuda-12.4/compat");
        fs::create_dir_all(&folder).expect("making a fixture");
        fs::write(folder.join("libcuda.so.550.54.15"), "").expect("writing a fixture");
    };
    assert_eq!(outcome("NVIDIA A100-SXM4-40GB", &|_| {}), "Unmet");
    assert_eq!(outcome("NVIDIA A100-SXM4-40GB", &brings), "Unknown");
    assert_eq!(outcome("NVIDIA GeForce RTX 3090", &brings), "Unmet");
    // A root file system that cannot be opened may have them.
    let hides = |rootfs: &Path| fs::write(rootfs, "").expect("writing a fixture");
    assert_eq!(outcome("NVIDIA A100-SXM4-40GB", &hides), "Unknown");
}
