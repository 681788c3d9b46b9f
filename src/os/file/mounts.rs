//! The kernel's list of mounts (proc_pid_mountinfo(5)), for all its readers.

use std::borrow::Cow;

/// File systems that wait for nothing but this machine.
const LOCAL: [&str; 28] = [
    "bcachefs", "bpf", "btrfs", "cgroup", "cgroup2", "devtmpfs", "erofs", "exfat", "ext2", "ext3", "ext4",
    "f2fs", "iso9660", "jfs", "mqueue", "nsfs", "ntfs3", "overlay", "proc", "ramfs", "rootfs", "squashfs",
    "sysfs", "tmpfs", "udf", "vfat", "xfs", "zfs",
];

/// Whether file systems of this type answer as soon as this machine's own disks and memory do. Of one that is not known here
/// that is not certain.
pub fn is_local(fstype: &str) -> bool {
    LOCAL.contains(&fstype)
}

/// A path as it is. Blanks, line feeds, tabs, `#` and backslashes stand as three octal digits (`mangle` in `fs/proc_namespace.c`).
pub fn unescaped(text: &str) -> Cow<'_, str> {
    let mut parts = text.split('\\');
    let first = parts.next().unwrap_or_default();
    let mut plain = Cow::Borrowed(first);
    for part in parts {
        match octal(part) {
            Some((character, rest)) => {
                plain.to_mut().push(character);
                plain.to_mut().push_str(rest);
            }
            None => {
                plain.to_mut().push('\\');
                plain.to_mut().push_str(part);
            }
        }
    }
    plain
}

/// The character that three digits stand for, and what follows it.
fn octal(text: &str) -> Option<(char, &str)> {
    let (digits, rest) = text.split_at_checked(3)?;
    if !digits.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    match u8::from_str_radix(digits, 8) {
        Ok(code) if code.is_ascii() => Some((char::from(code), rest)),
        // The kernel escapes no other bytes.
        Ok(_) | Err(_) => None,
    }
}
