# The first process of a machine of its own (machine.rs). Its namespaces are new, its working folder holds what shall stand
# in the places of the host's folders. It lives as long as its standard input is open.
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
echo ready
exec >/dev/null 2>&1
cat <&3 &
# Without an argument, it reaps also those whose parents have gone.
wait
