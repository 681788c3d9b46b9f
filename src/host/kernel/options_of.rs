//! The kernel options that build modules which images ask for. Guesses nothing about others.

/// By module, with `_`. From the Makefiles of Linux 6.12; each of these modules has been under this option since it is
/// there, and is built in exactly if the option is `y`.
const OPTIONS: [(&str, &str); 83] = [
    ("9p", "9P_FS"),
    ("9pnet_virtio", "NET_9P_VIRTIO"),
    ("af_key", "NET_KEY"),
    ("af_packet", "PACKET"),
    ("binder_linux", "ANDROID_BINDER_IPC"),
    ("binfmt_misc", "BINFMT_MISC"),
    ("bonding", "BONDING"),
    ("br_netfilter", "BRIDGE_NETFILTER"),
    ("bridge", "BRIDGE"),
    ("btrfs", "BTRFS_FS"),
    ("can", "CAN"),
    ("can_raw", "CAN_RAW"),
    ("ceph", "CEPH_FS"),
    ("cifs", "CIFS"),
    ("dccp", "IP_DCCP"),
    ("dm_crypt", "DM_CRYPT"),
    ("dm_mod", "BLK_DEV_DM"),
    ("dm_snapshot", "DM_SNAPSHOT"),
    ("dm_thin_pool", "DM_THIN_PROVISIONING"),
    ("dummy", "DUMMY"),
    ("erofs", "EROFS_FS"),
    ("esp4", "INET_ESP"),
    ("esp6", "INET6_ESP"),
    ("ext4", "EXT4_FS"),
    ("fuse", "FUSE_FS"),
    ("geneve", "GENEVE"),
    ("gtp", "GTP"),
    ("ip6table_filter", "IP6_NF_FILTER"),
    ("ip_gre", "NET_IPGRE"),
    ("ip_set", "IP_SET"),
    ("ip_vs", "IP_VS"),
    ("ip_vs_lc", "IP_VS_LC"),
    ("ip_vs_rr", "IP_VS_RR"),
    ("ip_vs_sh", "IP_VS_SH"),
    ("ip_vs_wrr", "IP_VS_WRR"),
    ("ipip", "NET_IPIP"),
    ("iptable_filter", "IP_NF_FILTER"),
    ("iptable_mangle", "IP_NF_MANGLE"),
    ("iptable_raw", "IP_NF_RAW"),
    ("ipvlan", "IPVLAN"),
    ("iscsi_tcp", "ISCSI_TCP"),
    ("kvm", "KVM"),
    ("kvm_amd", "KVM_AMD"),
    ("kvm_intel", "KVM_INTEL"),
    ("l2tp_core", "L2TP"),
    ("l2tp_ppp", "PPPOL2TP"),
    ("loop", "BLK_DEV_LOOP"),
    ("macvlan", "MACVLAN"),
    ("mpls_router", "MPLS_ROUTING"),
    ("nbd", "BLK_DEV_NBD"),
    ("nf_conntrack", "NF_CONNTRACK"),
    ("nf_nat", "NF_NAT"),
    ("nf_tables", "NF_TABLES"),
    ("nfs", "NFS_FS"),
    ("nfsd", "NFSD"),
    ("nvme_tcp", "NVME_TCP"),
    ("openvswitch", "OPENVSWITCH"),
    ("overlay", "OVERLAY_FS"),
    ("ppp_generic", "PPP"),
    ("rbd", "BLK_DEV_RBD"),
    ("sch_netem", "NET_SCH_NETEM"),
    ("sctp", "IP_SCTP"),
    ("sit", "IPV6_SIT"),
    ("snd_aloop", "SND_ALOOP"),
    ("squashfs", "SQUASHFS"),
    ("tcp_bbr", "TCP_CONG_BBR"),
    ("tls", "TLS"),
    ("tun", "TUN"),
    ("uinput", "INPUT_UINPUT"),
    ("uio", "UIO"),
    ("veth", "VETH"),
    ("vfio", "VFIO"),
    ("vfio_pci", "VFIO_PCI"),
    ("vhost_net", "VHOST_NET"),
    ("vhost_vsock", "VHOST_VSOCK"),
    ("vxlan", "VXLAN"),
    ("wireguard", "WIREGUARD"),
    ("x_tables", "NETFILTER_XTABLES"),
    ("xfrm_algo", "XFRM_ALGO"),
    ("xfrm_user", "XFRM_USER"),
    ("xfs", "XFS_FS"),
    ("xt_recent", "NETFILTER_XT_MATCH_RECENT"),
    ("zram", "ZRAM"),
];

/// The option that builds a module, given with `_`; none of modules that are not listed.
pub(crate) fn option_of(module: &str) -> Option<&'static str> {
    let index = OPTIONS.binary_search_by(|(it, _)| (*it).cmp(module)).ok()?;
    OPTIONS.get(index).map(|(_, option)| *option)
}

/// The modules that are listed.
pub(super) fn modules() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|(it, _)| *it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_stand_in_order_each_once() {
        assert!(OPTIONS.is_sorted_by(|(one, _), (other, _)| one < other));
    }

    #[test]
    fn a_module_that_is_listed_has_an_option() {
        assert_eq!(option_of("overlay"), Some("OVERLAY_FS"));
        assert_eq!(option_of("9p"), Some("9P_FS"));
        assert_eq!(option_of("gtp5g"), None);
    }
}
