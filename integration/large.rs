//! Large hosts: twice as many things take twice the work, counted in system calls and not by a clock, and a bounded memory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::command::program;
use crate::runtimes::program::{installed, succeed};
use crate::runtimes::runtime::skip;

/// How many there are of each thing.
#[derive(Clone, Copy)]
struct Size {
    modules: usize,
    devices: usize,
    disks: usize,
    cpus: usize,
}

const LARGE: Size = Size { modules: 10_000, devices: 2_000, disks: 1_000, cpus: 512 };
const HALF: Size = Size { modules: 5_000, devices: 1_000, disks: 500, cpus: 256 };
/// In KiB of writable memory; the document on such a host has 4.6 MB, and the program takes 34 MB to write it.
const ROOM: u32 = 64 << 10;
const RELEASE: &str = "6.1.0-28-amd64";

#[test]
fn everything_about_a_large_host_is_known() {
    let host = host(LARGE);
    let facts = probe(&mut Command::new(program()), host.path(), &[]);
    let instances = |name: &str| facts["instances"][name]["elements"].as_array().map_or(0, Vec::len);
    let flags = |name: &str| facts["flags"][name]["elements"].as_object().map_or(0, serde_json::Map::len);
    assert_eq!(instances("pci.device"), LARGE.devices);
    assert_eq!(instances("storage.block"), LARGE.disks);
    assert_eq!(instances("kernel.module"), LARGE.modules + LARGE.modules / 2);
    assert_eq!(flags("kernel.loadedmodule"), LARGE.modules / 2);
    assert_eq!(flags("kernel.enabledmodule"), LARGE.modules);
    assert_eq!(facts["attributes"]["cpu.topology"]["elements"]["socket_count"], "2");
    assert_eq!(facts["flags"]["cpu.flag"]["elements"]["avx2"], serde_json::json!({}));
    for name in ["pci.device", "storage.block", "kernel.module", "cpu.topology", "cpu.flag"] {
        assert_eq!(facts["unknown"][name], Value::Null, "{name}");
    }
}

#[test]
fn twice_as_much_takes_twice_the_work_and_no_more() {
    let Some(strace) = installed("strace") else { return skip("strace", "it is not installed") };
    let (large, half) = (host(LARGE), host(HALF));
    for feature in ["pci.device", "storage.block", "cpu.topology", "cpu.flag", "kernel.module"] {
        let (calls, of_half) = (calls(&strace, &large, feature), calls(&strace, &half, feature));
        assert!(calls <= 2 * of_half, "{feature}: {calls} system calls, and {of_half} for half as much");
    }
}

#[test]
fn a_large_host_fits_into_little_memory() {
    let host = host(LARGE);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -d {ROOM}; exec \"$0\" \"$@\"")]).arg(program());
    let facts = probe(&mut command, host.path(), &[]);
    assert_eq!(facts["instances"]["pci.device"]["elements"].as_array().map_or(0, Vec::len), LARGE.devices);
}

fn probe(command: &mut Command, host: &Path, features: &[&str]) -> Value {
    let command = command.args(["probe", "--format", "json", "--root"]).arg(host).args(features);
    serde_json::from_str(&succeed(command)).expect("facts are JSON")
}

/// How many system calls it takes to probe one feature.
fn calls(strace: &Path, host: &TempDir, feature: &str) -> usize {
    let table = host.path().join("calls");
    let mut command = Command::new(strace);
    command.args(["-f", "-c", "-o"]).arg(&table).arg(program());
    probe(&mut command, host.path(), &[feature]);
    let table = fs::read_to_string(table).expect("a table of system calls");
    let total = table.lines().last().expect("a last line").split_whitespace().nth(3).expect("a fourth word");
    total.parse().unwrap_or_else(|_| panic!("no number of calls: {table}"))
}

/// A host with as much of everything; half of the modules are loaded, half built in, and as many again on disk.
fn host(size: Size) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let root = folder.path();
    write(root, "proc/sys/kernel/osrelease", RELEASE);
    fs::create_dir_all(root.join("sys/bus")).expect("making a host");
    add_modules(root, size.modules);
    for index in 0..size.devices {
        let name = format!("{:04x}:{:02x}:{:02x}.0", index >> 13, index >> 5 & 0xff, index & 0x1f);
        let device = format!("sys/bus/pci/devices/{name}");
        write(root, &format!("{device}/modalias"), "pci:v00008086d00001889sv00008086sd00000000bc02sc00i00\n");
        write(root, &format!("{device}/numa_node"), "0\n");
        symlink("../../../bus/pci/drivers/iavf", root.join(format!("{device}/driver"))).expect("a driver");
        symlink(format!("../../../kernel/iommu_groups/{index}"), root.join(format!("{device}/iommu_group")))
            .expect("a group");
    }
    for index in 0..size.disks {
        for (file, text) in [("rotational", "0\n"), ("nr_zones", "0\n"), ("zoned", "none\n"), ("dax", "0\n")]
        {
            write(root, &format!("sys/block/nvme{index}n1/queue/{file}"), text);
        }
    }
    add_cpus(root, size.cpus);
    folder
}

fn add_modules(root: &Path, count: usize) {
    let half = count / 2;
    let lines =
        |range: std::ops::Range<usize>, line: &dyn Fn(usize) -> String| range.map(line).collect::<String>();
    let loaded = lines(0..half, &|it| format!("loaded_{it} 16384 0 - Live 0x0000000000000000\n"));
    let builtin = lines(0..half, &|it| format!("kernel/drivers/builtin_{it}.ko\n"));
    let disk = lines(0..half, &|it| format!("kernel/drivers/disk_{it}.ko.xz: kernel/drivers/disk_0.ko.xz\n"));
    write(root, "proc/modules", &loaded);
    write(root, &format!("lib/modules/{RELEASE}/modules.builtin"), &builtin);
    write(root, &format!("lib/modules/{RELEASE}/modules.dep"), &disk);
}

fn add_cpus(root: &Path, count: usize) {
    let cpu =
        |it| format!("processor\t: {it}\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vme de pse avx avx2\n\n");
    write(root, "proc/cpuinfo", &(0..count).map(cpu).collect::<String>());
    for index in 0..count {
        let topology = format!("sys/bus/cpu/devices/cpu{index}/topology");
        let sibling = (index + count / 2) % count;
        write(root, &format!("{topology}/thread_siblings_list"), &format!("{index},{sibling}\n"));
        write(root, &format!("{topology}/physical_package_id"), &format!("{}\n", index % 2));
    }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("making a host");
    fs::write(path, text).expect("making a host");
}
