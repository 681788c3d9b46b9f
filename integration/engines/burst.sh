# burst.sh ROUND COUNT FIT UNFIT: starts COUNT containers at once on a busy machine, every second one of an image that does not
# fit, and waits for all of them. Leaves what each has said in files of the folder `burst`.
set -u

round=$1 count=$2 fit=$3 unfit=$4
rm -rf burst && mkdir burst && cd burst
busy=
for _ in 1 2 3 4; do
    sh -c 'while :; do :; done' &
    busy="$busy $!"
done
started=
number=0
while [ "$number" -lt "$count" ]; do
    number=$((number + 1))
    if [ $((number % 2)) = 0 ]; then kind=fit image=$fit; else kind=unfit image=$unfit; fi
    id="$kind-$round-$number"
    # The status tells: containerd sometimes drops what a short process prints (containerd issue 5741).
    {
        ctr run --rm --runc-binary /usr/local/bin/oci-compat-runtime "$image" "$id" /bin/sh -c 'exit 3' 2>"$id.err" >&2
        echo $? >"$id.status"
    } &
    started="$started $!"
done
# shellcheck disable=SC2086
wait $started
# shellcheck disable=SC2086
kill $busy
