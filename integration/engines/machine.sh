# The first process of a machine of its own (machine.rs). Its namespaces are new, its working folder holds what shall stand
# in the places of the host's folders. It lives as long as its standard input is open. With the argument `systemd` it becomes
# that.
set -eu

for folder in etc var run root usr/local usr/share/containers; do
    [ -d "/$folder" ] || continue
    mount --bind "./$folder" "/$folder"
done
mount -t proc proc /proc
ip link set lo up
# What a module is needed for is never there.
[ ! -e /proc/modules ] || mount --bind /dev/null /proc/modules

# From here, the control groups that it was put into are the root, as in a container.
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    # A group that has processes cannot hand controllers on to groups below it.
    mkdir /sys/fs/cgroup/init
    echo 0 >/sys/fs/cgroup/init/cgroup.procs
    sed -e 's/ / +/g' -e 's/^./+&/' /sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
else
    # Without the second version beside the first: crun takes one or the other, but not both.
    mount -t tmpfs tmpfs /sys/fs/cgroup
    while IFS=: read -r _ controllers _; do
        folder=/sys/fs/cgroup/${controllers#name=}
        case $controllers in
            '') continue ;;
            name=*) controllers=none,$controllers ;;
        esac
        mkdir "$folder"
        mount -t cgroup -o "$controllers" cgroup "$folder"
    done </proc/self/cgroup
fi

cd /
exec 3<&0 </dev/null
if [ "${1:-}" = systemd ]; then
    # What it makes, empties and sets when it starts is the machine's, or is left out.
    mount -t tmpfs -o mode=1777 tmpfs /tmp
    mkdir /tmp/dev
    mount -t tmpfs -o mode=755 tmpfs /tmp/dev
    for node in null zero full random urandom tty; do
        touch "/tmp/dev/$node"
        mount --bind "/dev/$node" "/tmp/dev/$node"
    done
    mkdir /tmp/dev/pts /tmp/dev/shm
    mount -t devpts -o newinstance,ptmxmode=666 devpts /tmp/dev/pts
    ln -s pts/ptmx /tmp/dev/ptmx
    ln -s /proc/self/fd /tmp/dev/fd
    mount --rbind /tmp/dev /dev
    mount --bind /proc/sys /proc/sys
    mount -o remount,ro,bind /proc/sys
    for unit in tmpfiles-setup tmpfiles-setup-dev tmpfiles-setup-dev-early tmpfiles-clean sysctl udevd udev-trigger \
        modules-load random-seed update-utmp remount-fs sysusers binfmt pstore firstboot hwdb-update; do
        ln -s /dev/null "/etc/systemd/system/systemd-$unit.service"
    done
    echo ready
    export container=other
    # SIGRTMIN+14: power off at once (systemd(1)).
    { cat <&3; kill -48 1; } >/dev/null 2>&1 &
    exec 3<&-
    exec /lib/systemd/systemd --system --unit=quiet.target --show-status=0 --log-target=null >/dev/null 2>&1
fi
echo ready
exec >/dev/null 2>&1
cat <&3 &
# Without an argument, it reaps also those whose parents have gone.
wait
