# enter.sh GROUP COMMAND...: joins the control group of that name in each hierarchy, and becomes the command.
set -eu

group=$1
shift
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$hierarchy/cgroup.procs" ] && [ "$hierarchy" != /sys/fs/cgroup/unified ] || continue
    mkdir -p "$hierarchy/$group"
    # Version 1: a new group has no processors and no memory, and takes nobody.
    for of in cpus mems; do
        [ ! -e "$hierarchy/$group/cpuset.$of" ] || [ -e "$hierarchy/cgroup.controllers" ] ||
            cat "$hierarchy/cpuset.$of" >"$hierarchy/$group/cpuset.$of"
    done
    echo 0 >"$hierarchy/$group/cgroup.procs"
done
exec "$@"
