#!/usr/bin/env bash
# The claim, end to end, where there is no Docker: master and worker images of one lock run by runc, a Celery task that
# crosses Redis between two network namespaces. Prints the worker's host name, and `identical` for the environment's digest.
#
# usage: without-docker.sh ENVLOCK    (as root)
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

envlock=$(realpath "$1")
need_packages jq python3 runc iproute2
work=$(mktemp -d)
network=envlock-test-$$
# shellcheck source=runc.sh
source "$here/runc.sh"
cleanup() {
    engine_cleanup
    [[ -z ${server:-} ]] || kill "$server" 2>/dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT
same() { if [[ $2 == "$3" ]]; then printf 'identical: %s, %s\n' "$1" "$2"; else fail "$1: $2 is not $3"; fi; }

say "locking the quickstart on the test channel"
channel=$("$root/tests/channel/channel.sh" build)
# The channel's fixed address: locks name it.
if ! (exec 3<>/dev/tcp/127.0.0.1/8765) 2>/dev/null; then
    /usr/bin/python3 -B "$root/tests/channel/serve.py" "$channel" >"$work/server" & server=$!
    until grep -q listening "$work/server"; do
        kill -0 "$server" || fail "the channel cannot be served on port 8765"
        sleep 0.1
    done
fi
cp "$root"/tests/channel/quickstart/*.yml "$work"
cd "$work"
"$envlock" convert --quiet
"$envlock" image build --quiet master
"$envlock" image build --quiet worker
mkdir secrets
printf 'correct-horse-battery' >secrets/REDIS_PASSWORD
chmod -R a+rX secrets

say "a task crosses Redis between two containers"
engine_load
engine_start master master
engine_start worker worker-1 worker
engine_wait
answer=$(engine_ask python tasks.py) || { engine_logs >&2; fail "no answer"; }
host=$(jq -r .host <<<"$answer")
[[ $host == worker-1 ]] || fail "the task did not run on the worker: $answer"
printf 'the task ran on %s\n' "$host"

same "treeDigest of master and worker" "$("$envlock" image inspect --json master-image.tar | jq -r '.images[0].tree_digest')" \
    "$("$envlock" image inspect --json worker-image.tar | jq -r '.images[0].tree_digest')"
