//! What it costs to ask containerd which image a container runs, and what a containerd costs that has ended.
//! Starts a containerd of its own, in a scratch folder.

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use oci_compat::container::identity::{EnginePlaces, Identity, Need, resolve};
use oci_compat::container::input::Bundle;
use oci_compat::store::Digest;
use serde_json::{Value, json};

use crate::process::median;

const NAME: &str = "example.org/bench:1";
const TASK: &str = "io.containerd.runtime.v2.task/default/bench";

/// Prints medians of so many look-ups, or why there are none.
pub(crate) fn run(rounds: usize, scratch: &Path) -> Result<(), Box<dyn Error>> {
    println!("\n{:<44} {:>9} {:>9} {:>9}", "which image?", "median", "slowest", "goal");
    let folder = scratch.join("containerd");
    let daemon = match Daemon::start(&folder) {
        Ok(daemon) => daemon,
        Err(err) => {
            println!("containerd was not asked: {err}");
            return Ok(());
        }
    };
    daemon.make_container()?;
    let bundle = make_bundle(&folder)?;
    let identity = show("containerd answers", "5 ms", rounds, &bundle)?;
    if identity.names != [NAME] || identity.digests.len() != 2 || identity.unknown.is_some() {
        return Err(format!("containerd told something else: {identity:?}").into());
    }
    drop(daemon);
    show("containerd has ended", "100 ms", rounds, &bundle)?;
    Ok(())
}

fn show(name: &str, goal: &str, rounds: usize, folder: &Path) -> Result<Identity, Box<dyn Error>> {
    let bundle = Bundle::read(folder)?;
    let mut identity = Identity::default();
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let until = start + Duration::from_secs(60);
        identity = resolve(folder, &bundle, Need::Digests, &EnginePlaces::live(), &|| until);
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let slowest = times.iter().copied().fold(0.0, f64::max);
    println!("{name:<44} {:>6.2} ms {slowest:>6.2} ms {goal:>9}", median(times));
    Ok(identity)
}

/// A containerd that ends with this.
struct Daemon {
    child: Child,
    folder: PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

impl Daemon {
    fn start(folder: &Path) -> Result<Self, Box<dyn Error>> {
        fs::create_dir_all(folder.join("state"))?;
        let place = |it: &str| folder.join(it).display().to_string();
        let config = format!(
            "version = 2\nroot = {:?}\nstate = {:?}\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\naddress = {:?}\n",
            place("root"),
            place("state"),
            place("state/containerd.sock")
        );
        fs::write(folder.join("config.toml"), config)?;
        let child = Command::new("containerd")
            .arg("--config")
            .arg(folder.join("config.toml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|err| format!("containerd cannot be started: {err}"))?;
        let daemon = Self { child, folder: folder.to_owned() };
        for _ in 0..100 {
            if daemon.ctr(&["version"]).is_ok() {
                return Ok(daemon);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("containerd does not answer".into())
    }

    fn ctr(&self, args: &[&str]) -> Result<(), Box<dyn Error>> {
        let socket = self.folder.join("state/containerd.sock");
        let status = Command::new("ctr")
            .arg("--address")
            .arg(socket)
            .args(args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if status.success() { Ok(()) } else { Err(format!("ctr {args:?} failed").into()) }
    }

    /// A container that is never started: look-ups come before that.
    fn make_container(&self) -> Result<(), Box<dyn Error>> {
        let layout = self.folder.join("layout");
        write_layout(&layout)?;
        let archive = self.folder.join("layout.tar");
        tar(&layout, &archive)?;
        self.ctr(&["images", "import", "--snapshotter", "native", &archive.display().to_string()])?;
        self.ctr(&["containers", "create", "--snapshotter", "native", NAME, "bench"])
    }
}

/// An image of one layer, behind an index.
fn write_layout(folder: &Path) -> Result<(), Box<dyn Error>> {
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let files = folder.join("files");
    fs::create_dir(&files)?;
    fs::write(files.join("hello"), "hello\n")?;
    let archive = folder.join("files.tar");
    tar(&files, &archive)?;
    let put = |kind: &str, bytes: &[u8]| -> Result<Value, Box<dyn Error>> {
        let digest = Digest::of(bytes);
        fs::write(blobs.join(digest.hex()), bytes)?;
        let media_type = format!("application/vnd.oci.image.{kind}");
        Ok(json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()}))
    };
    let layer = fs::read(&archive)?;
    let platform = json!({"architecture": architecture(), "os": "linux"});
    let rootfs = json!({"type": "layers", "diff_ids": [Digest::of(&layer).to_string()]});
    let config = json!({"architecture": architecture(), "os": "linux", "config": {"Cmd": ["/hello"]}, "rootfs": rootfs});
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": put("config.v1+json", config.to_string().as_bytes())?,
        "layers": [put("layer.v1.tar", &layer)?],
    });
    let mut entry = put("manifest.v1+json", manifest.to_string().as_bytes())?;
    add(&mut entry, "platform", platform);
    let index = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]});
    let mut entry = put("index.v1+json", index.to_string().as_bytes())?;
    add(&mut entry, "annotations", json!({"io.containerd.image.name": NAME}));
    fs::write(folder.join("index.json"), json!({"schemaVersion": 2, "manifests": [entry]}).to_string())?;
    fs::write(folder.join("oci-layout"), "{\"imageLayoutVersion\": \"1.0.0\"}")?;
    Ok(())
}

fn add(object: &mut Value, name: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(name.to_owned(), value);
    }
}

/// As OCI calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn tar(folder: &Path, archive: &Path) -> Result<(), Box<dyn Error>> {
    let status = Command::new("tar").arg("-C").arg(folder).arg("-cf").arg(archive).arg(".").status()?;
    if status.success() { Ok(()) } else { Err("tar failed".into()) }
}

/// As the shim makes it, but for what nobody looks at.
fn make_bundle(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let bundle = folder.join("state").join(TASK);
    fs::create_dir_all(&bundle)?;
    fs::write(bundle.join("config.json"), include_str!("config.json"))?;
    symlink(folder.join("root").join(TASK), bundle.join("work"))?;
    Ok(bundle)
}
