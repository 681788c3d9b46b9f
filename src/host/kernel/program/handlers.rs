//! The handlers of binfmt_misc, which take programs before the kernel does (`Documentation/admin-guide/binfmt-misc.rst`). Registers
//! none.

use std::os::fd::AsRawFd;

use crate::host::kernel::binfmt::{CONTROL, STATUS};
use crate::host::kernel::filesystems::{self, FILESYSTEMS};
use crate::host::namespace::{self, Namespace};
use crate::host::{Miss, Probing, Root, Unknown};

pub(super) const FOLDER: &str = super::super::binfmt::FOLDER;

/// All handlers that are enabled.
pub(super) struct Handlers {
    all: Vec<(String, Handler)>,
    /// Where they were read.
    pub(super) read: &'static str,
}

/// Which files a handler takes.
enum Handler {
    /// Those with these bytes from here on, where the mask has bits.
    Magic { offset: usize, magic: Vec<u8>, mask: Vec<u8> },
    /// Those whose name ends so.
    Extension,
}

impl Handlers {
    /// Whether one of them may take a file of which these bytes are known, and where they stand.
    pub(super) fn may_take(&self, marks: &[(usize, u8)]) -> Result<bool, Unknown> {
        let mut by_name = None;
        for (name, handler) in &self.all {
            match handler {
                Handler::Magic { offset, magic, mask } => {
                    let bytes = magic.iter().zip(mask).zip(*offset..);
                    let differs = |((magic, mask), at): ((&u8, &u8), usize)| {
                        marks.iter().any(|(place, byte)| *place == at && (byte ^ magic) & mask != 0)
                    };
                    if !bytes.into_iter().any(differs) {
                        return Ok(true);
                    }
                }
                Handler::Extension => drop(by_name.get_or_insert(name)),
            }
        }
        match by_name {
            Some(name) => {
                let reason = "takes files by the end of their name, whatever machine they are for";
                Err(Unknown::new(format!("{FOLDER}/{name}"), reason))
            }
            None => Ok(false),
        }
    }
}

/// Reads all of them.
///
/// # Errors
///
/// If they do not show here. Handlers work everywhere as long as binfmt_misc is mounted anywhere.
pub(super) fn read(probing: &Probing<'_>) -> Result<Handlers, Unknown> {
    if !filesystems::registered(probing)?.contains("binfmt_misc") {
        return Ok(Handlers { all: Vec::new(), read: FILESYSTEMS });
    }
    // Since Linux 6.7 each user namespace may have handlers of its own.
    if probing.root.is_live() && !namespace::is_first(Namespace::User) {
        return Err(Unknown::new(FOLDER, "is that of the user namespace that we run in, not of the host"));
    }
    let mounted = match probing.root.is_automount(FOLDER) {
        Ok(false) => entries(probing.root, FOLDER),
        // systemd mounts it as soon as somebody looks inside.
        Ok(true) | Err(Miss::NotFound) => Ok(None),
        Err(Miss::Unreadable(unknown)) => Err(unknown),
    };
    let all = match mounted? {
        Some(all) => Some(all),
        None => unattached(probing.root)?,
    };
    let unmounted = || Unknown::new(FOLDER, "is not mounted here, so its entries do not show");
    all.map(|all| Handlers { all, read: FOLDER }).ok_or_else(unmounted)
}

/// As the kernel shows them in a mount that is attached nowhere, and gone when it is closed: there is but one binfmt_misc. `None`
/// where we may not make one.
fn unattached(root: &Root) -> Result<Option<Vec<(String, Handler)>>, Unknown> {
    match root.unattached("binfmt_misc") {
        Some(folder) => entries(&Root::live(), &format!("/proc/self/fd/{}", folder.as_raw_fd())),
        None => Ok(None),
    }
}

/// Those in a folder; `None` if binfmt_misc is not mounted there.
fn entries(root: &Root, folder: &str) -> Result<Option<Vec<(String, Handler)>>, Unknown> {
    let names = root.list(folder).map_err(|miss| miss.unknown(FOLDER))?;
    if !names.iter().any(|it| it == STATUS) {
        return Ok(None);
    }
    let mut all = Vec::new();
    for name in names.into_iter().filter(|it| !CONTROL.contains(&it.as_str()) || it == STATUS) {
        let text = match root.read_below(folder, &[&name]) {
            Ok((text, _)) => text,
            // Removed since the folder was listed.
            Err(Miss::NotFound) => continue,
            Err(Miss::Unreadable(unknown)) => {
                return Err(Unknown::new(format!("{FOLDER}/{name}"), unknown.reason));
            }
        };
        let unclear = |reason| Unknown::new(format!("{FOLDER}/{name}"), reason);
        match (text.lines().next(), name == STATUS) {
            (Some("enabled"), true) => {}
            // As a whole.
            (Some("disabled"), true) => return Ok(Some(Vec::new())),
            (Some("disabled"), false) => {}
            (Some("enabled"), false) => {
                let handler = parse(&text).ok_or_else(|| unclear("does not say which files it takes"))?;
                all.push((name, handler));
            }
            (Some(_) | None, _) => {
                return Err(unclear("does not say whether it is enabled or disabled in its first line"));
            }
        }
    }
    Ok(Some(all))
}

/// As `entry_status` in `fs/binfmt_misc.c` writes it.
fn parse(text: &str) -> Option<Handler> {
    let field = |name: &str| text.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix(' '));
    if field("extension").is_some() {
        return Some(Handler::Extension);
    }
    let magic = bytes(field("magic")?)?;
    let mask = match field("mask") {
        Some(mask) => bytes(mask)?,
        None => vec![0xff; magic.len()],
    };
    let offset = field("offset").map_or(Some(0), |it| it.parse().ok())?;
    (mask.len() == magic.len()).then_some(Handler::Magic { offset, magic, mask })
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    if !digits.len().is_multiple_of(2) { None } else { digits.chunks_exact(2).map(byte).collect() }
}
