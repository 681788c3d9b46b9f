# image.sh LAYOUT: an OCI layout with one image `upf`, whose shell says that it ran, and one `pause`, which waits.
set -eu

layout=$1
draft=$(mktemp -d)
umoci init --layout "$layout"
umoci new --image "$layout:upf"
umoci unpack --image "$layout:upf" "$draft/bundle"
mkdir "$draft/bundle/rootfs/bin"
cp "$(command -v busybox)" "$draft/bundle/rootfs/bin/busybox"
for name in sh sleep; do
    ln -s busybox "$draft/bundle/rootfs/bin/$name"
done
umoci repack --image "$layout:upf" "$draft/bundle"
umoci config --image "$layout:upf" --config.entrypoint /bin/sh --config.cmd=-c --config.cmd='echo ran'
umoci config --image "$layout:upf" --tag pause \
    --config.entrypoint /bin/sleep --config.cmd 1000 --config.label org.oci-compat.test=pause
rm -rf "$draft"
