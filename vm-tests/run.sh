#!/usr/bin/env bash
# Boots the images of a project under QEMU, and runs its scenarios on them. Needs Debian's packages alone.
#
# usage: run.sh [--project quickstart|airflow] [OPTION…] [SCENARIO…]    options are those of portable/driver.py, such as
# --interactive
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/../scripts/lib.sh"

# Before anything is built.
/usr/bin/python3 -B "$here/portable/driver.py" --check "$@"
project=quickstart
for word in "$@"; do
    [[ $word != -h && $word != --help ]] || exit 0
    [[ ${before:-} != --project ]] || project=$word
    [[ $word != --project=* ]] || project=${word#--project=}
    before=$word
done

need_packages qemu-system-x86 busybox-static libarchive-tools jq nftables python3 socat
need_envlock
cache=$ENVLOCK_TEST_CACHE/vm
work=$(mktemp -d)
trap '[[ -z ${server:-} ]] || kill "$server" 2>/dev/null || true; rm -rf "$work" "${partial:-$work}"' EXIT

# Debian's kernel for virtual machines, unpacked: nothing here boots it but QEMU.
kernel=$cache/kernel
if [[ ! -d $kernel ]]; then
    say "unpacking Debian's kernel for virtual machines"
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/ *Depends: \(linux-image-.*\)/\1/p')
    [[ -n $package ]] || fail "apt knows no linux-image-cloud-amd64; as root: apt-get update"
    (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package" >&2)
    mkdir -p "$cache"
    # It appears whole, or another run's does.
    partial=$(mktemp -d "$kernel.XXXX")
    dpkg-deb --extract "$work"/linux-image-*.deb "$partial"
    mv -T "$partial" "$kernel" 2>/dev/null || [[ -d $kernel ]]
fi

say "building the images of machines"
channel=$("$root/tests/channel/channel.sh" build)
/usr/bin/python3 -B "$root/tests/channel/serve.py" --port 0 "$channel" >"$work/address" & server=$!
until grep -q listening "$work/address"; do
    kill -0 "$server" || fail "the channel cannot be served"
    sleep 0.1
done
mirror=http://127.0.0.1:8765/debian=$(sed 's/listening on //' "$work/address")/debian
mkdir "$work/images"
# usage: build PROJECT ROLE…
build() (
    cd "$work/$1"
    "$ENVLOCK" convert --quiet --mirror "$mirror"
    for role in "${@:2}"; do
        "$ENVLOCK" image build --quiet "$role" --mirror "$mirror" --output "$work/images/$role-image.tar"
    done
)
if [[ $project == quickstart ]]; then
    # A master, a worker, and a worker whose environment has a package more; of the same lock they are the same.
    for directory in quickstart drifted; do cp -r "$root/tests/channel/quickstart" "$work/$directory"; done
    printf '      - tomli\n' >>"$work/drifted/env.yml"
    sed -i 's/^  worker:/  stranger:/' "$work/drifted/envlock.yml"
    build drifted stranger
    file=$root/examples/quickstart/tasks.py
else
    cp -r "$root/tests/channel/airflow-2" "$work/$project"
    file=$here/dags/once.py
fi
build "$project" master worker
tree_digest=$(cd "$work/$project" && "$ENVLOCK" install --json --quiet --mirror "$mirror" --prefix /opt/envlock/env \
    --into "$work/env" | jq -r .tree_digest)

say "booting machines"
/usr/bin/python3 -B "$here/portable/driver.py" --images "$work/images" --kernel "$kernel" --cache "$cache/images" \
    --tree-digest "$tree_digest" --file "$file" "$@" <&0 &
driver=$!
# Whoever stops this stops the machines.
trap 'kill "$driver"' INT TERM HUP
status=0
wait "$driver" || status=$?
while kill -0 "$driver" 2>/dev/null; do wait "$driver" || status=$?; done
exit "$status"
