//! Where a path below `/dev` leads. Never follows a link out of it.

use nix::sys::stat::SFlag;

use super::{FOLDER, sort};
use crate::host::{FileStatus, Miss, Root, Unknown};

/// The longest path that the kernel takes (`PATH_MAX`).
const MAX_PATH: usize = 4096;
/// As many links as the kernel follows in one path (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Below `/dev`, and spelt in the one way in which nothing but a link can lead elsewhere.
pub(super) fn is_plain(path: &str) -> bool {
    let parts = path.strip_prefix(FOLDER).and_then(|it| it.strip_prefix('/'));
    let is_name = |it: &str| !matches!(it, "" | "." | "..");
    path.len() < MAX_PATH && !path.contains('\0') && parts.is_some_and(|it| it.split('/').all(is_name))
}

/// Where a path leads.
#[derive(Debug, PartialEq)]
pub(super) enum PathTarget {
    /// To this, below `/dev`.
    Here(FileStatus),
    Outside,
}

/// Follows a plain path part by part, and its links while they stay below `/dev`.
pub(super) fn follow(root: &Root, path: &str) -> Result<PathTarget, Miss> {
    let mut here = FOLDER.to_owned();
    let mut rest = parts(path.strip_prefix(FOLDER).unwrap_or(path));
    let mut links = 0;
    while let Some(part) = rest.pop() {
        if part == ".." {
            match here.rfind('/') {
                Some(end) if here != FOLDER => here.truncate(end),
                Some(_) | None => return Ok(PathTarget::Outside),
            }
            continue;
        }
        let next = format!("{here}/{part}");
        let status = root.status(&next)?;
        if sort(status) == SFlag::S_IFLNK {
            links += 1;
            if links > MAX_LINKS {
                return Err(Miss::Unreadable(Unknown::new(path, "is a loop of symbolic links")));
            }
            let target = root.link_target(&next)?;
            let relative = match target.strip_prefix("/dev/") {
                Some(inside) => {
                    here.truncate(FOLDER.len());
                    inside
                }
                None if target.starts_with('/') => return Ok(PathTarget::Outside),
                None => &target,
            };
            rest.extend(parts(relative));
        } else if rest.is_empty() {
            return Ok(PathTarget::Here(status));
        } else if sort(status) == SFlag::S_IFDIR {
            here = next;
        } else {
            return Err(Miss::NotFound);
        }
    }
    root.status(&here).map(PathTarget::Here)
}

/// The parts of a path, the first of them last.
fn parts(path: &str) -> Vec<String> {
    path.rsplit('/').filter(|it| !matches!(*it, "" | ".")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    /// Where a path leads: the same as this path, which is no link.
    fn check(host: &FakeHost, path: &str, expected: Result<&str, &str>) {
        let root = host.root();
        let found = match follow(&root, path) {
            Ok(PathTarget::Here(status)) => Ok(Ok(status)),
            Ok(PathTarget::Outside) => Err("outside".to_owned()),
            Err(Miss::NotFound) => Err("nothing there".to_owned()),
            Err(Miss::Unreadable(unknown)) => Err(format!("{}: {}", unknown.read, unknown.reason)),
        };
        let expected = expected.map(|it| root.status(it)).map_err(str::to_owned);
        assert_eq!(found, expected, "{path}");
    }

    fn host() -> FakeHost {
        FakeHost::new().folder("/dev/sr0").file("/dev/disk/sda", "")
    }

    #[test]
    fn links_are_followed_while_they_stay_below() {
        let host = host()
            .link("/dev/cdrom", "sr0")
            .link("/dev/disk/by-id/cd", "../.././cdrom/")
            .link("/dev/absolute", "/dev//disk")
            .link("/dev/home", "disk/..");
        check(&host, "/dev/cdrom", Ok("/dev/sr0"));
        check(&host, "/dev/disk/by-id/cd", Ok("/dev/sr0"));
        check(&host, "/dev/absolute/sda", Ok("/dev/disk/sda"));
        check(&host, "/dev/home", Ok("/dev"));
        check(&host, "/dev/home/disk/sda", Ok("/dev/disk/sda"));
    }

    #[test]
    fn links_that_lead_out_are_not_followed() {
        let host = host()
            .file("/etc/shadow", "")
            .link("/dev/a", "/etc/shadow")
            .link("/dev/b", "../etc/shadow")
            .link("/dev/c", "disk/../../dev/sr0")
            .link("/dev/d", "/dev/../etc/shadow")
            .link("/dev/e", "/device/sr0")
            .link("/dev/f", "a");
        for path in ["/dev/a", "/dev/b", "/dev/c", "/dev/d", "/dev/e", "/dev/f", "/dev/f/x"] {
            check(&host, path, Err("outside"));
        }
    }

    #[test]
    fn what_is_not_there_is_distinguished_from_what_cannot_be_read() {
        let host =
            host().link("/dev/dangling", "gone").unreadable("/dev/loop").link("/dev/file", "disk/sda/");
        check(&host, "/dev/x", Err("nothing there"));
        check(&host, "/dev/disk/sda/x", Err("nothing there"));
        check(&host, "/dev/file/x", Err("nothing there"));
        check(&host, "/dev/dangling", Err("nothing there"));
        check(&host, "/dev/loop", Err("/dev/loop: is a loop of symbolic links"));
    }

    #[test]
    fn links_that_lead_to_ever_more_links_end() {
        let mut host = host().link("/dev/l0", "sr0");
        for it in 1..=41 {
            host = host.link(&format!("/dev/l{it}"), &format!("l{}", it - 1));
        }
        check(&host, "/dev/l39", Ok("/dev/sr0"));
        check(&host, "/dev/l40", Err("/dev/l40: is a loop of symbolic links"));
    }
}
