//! What may be broken while containers run: nothing of it may stand in the way of `exec`, `pause`, `kill` or `delete`.

use super::machine::Machine;

/// A way for the check to be broken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breakage(&'static [&'static str]);

/// One after the other, and none is mended.
pub(super) const ALL: [Breakage; 5] = [
    Breakage(&[
        "rm -rf /etc/oci-compat",
        "mkdir /etc/oci-compat",
        "echo 'mode = [' >/etc/oci-compat/config.toml",
    ]),
    Breakage(&[
        "rm -rf /var/lib/oci-compat/store",
        "mkdir -p /var/lib/oci-compat",
        "echo >/var/lib/oci-compat/store",
    ]),
    Breakage(&["rm -f /etc/os-release", "mkfifo /etc/os-release"]),
    Breakage(&["rm -rf /etc/oci-compat", "ln -s oci-compat /etc/oci-compat"]),
    Breakage(&["rm -rf /run/oci-compat /var/log/oci-compat", "touch /run/oci-compat /var/log/oci-compat"]),
];

impl Breakage {
    pub(super) fn make(self, machine: &Machine) {
        machine.succeed("sh", &["-euc", &self.0.join("; ")]);
    }
}
