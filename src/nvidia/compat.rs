//! The libraries of a newer driver that an image may bring for CUDA's forward compatibility: the packages `cuda-compat-*`, which
//! put `libcuda.so.550.54.15` into `/usr/local/cuda-12.4/compat`. Looks at names alone.

use crate::host::{Miss, Root};
use crate::words::version::Version;

const FOLDER: &str = "/usr/local";
/// Images have one CUDA, and a link to it.
const MOST: usize = 16;
/// Newer than any driver: what cannot be looked at may be there.
pub const ANY_DRIVER: &str = "99999.0";

/// The newest driver whose libraries are below a container's root file system; none if there are none.
pub fn compat(rootfs: &Root) -> Option<String> {
    newest(rootfs).unwrap_or_else(|Unseen| Some(ANY_DRIVER.to_owned()))
}

/// Something could not be looked at.
struct Unseen;

fn newest(rootfs: &Root) -> Result<Option<String>, Unseen> {
    let folders = list(rootfs, FOLDER)?;
    let mut newest: Option<Version> = None;
    for folder in folders.iter().filter(|it| it.starts_with("cuda")).take(MOST) {
        for name in list(rootfs, &format!("{FOLDER}/{folder}/compat"))? {
            // Not the link libcuda.so.1.
            let version = name.strip_prefix("libcuda.so.").filter(|it| it.contains('.'));
            newest = newest.max(version.and_then(Version::parse));
        }
    }
    Ok(newest.map(|it| it.to_string()))
}

fn list(rootfs: &Root, folder: &str) -> Result<Vec<String>, Unseen> {
    match rootfs.list(folder) {
        Ok(names) => Ok(names),
        Err(Miss::NotFound) => Ok(Vec::new()),
        Err(Miss::Unreadable(_)) => Err(Unseen),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    fn check(rootfs: &FakeHost, expected: Option<&str>) {
        assert_eq!(compat(&rootfs.root()).as_deref(), expected);
    }

    #[test]
    fn the_newest_libraries_count() {
        let compat = |it: &str| format!("/usr/local/cuda-{it}/compat");
        let image = FakeHost::new()
            .file(&format!("{}/libcuda.so.550.54.15", compat("12.4")), "")
            .link(&format!("{}/libcuda.so.1", compat("12.4")), "libcuda.so.550.54.15")
            .file(&format!("{}/libcuda.so.470.1.2", compat("11.4")), "")
            .link("/usr/local/cuda", "cuda-12.4");
        check(&image, Some("550.54.15"));
    }

    #[test]
    fn an_image_without_them_brings_none() {
        check(&FakeHost::new(), None);
        check(&FakeHost::new().file("/usr/local/cuda/lib64/libcudart.so.12.4.127", ""), None);
        check(&FakeHost::new().file("/usr/local/cuda/compat/libcuda.so.1", ""), None);
    }

    #[test]
    fn what_cannot_be_looked_at_may_be_there() {
        check(&FakeHost::new().unreadable("/usr/local/cuda/compat"), Some(ANY_DRIVER));
        check(&FakeHost::new().unreadable("/usr/local"), Some(ANY_DRIVER));
    }
}
