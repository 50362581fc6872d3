#!/usr/bin/env bash
# The main job on real input: a real env.yml, locked from a real conda channel, then checked.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

need_envlock
PATH=$(dirname "$ENVLOCK"):$PATH
say "the program is $ENVLOCK"

say "building and serving a conda channel made of Debian packages"
"$root/tests/channel/channel.sh" serve
project=$(mktemp -d)
trap '"$root/tests/channel/channel.sh" stop; rm -rf "$project"' EXIT
cp "$root"/tests/channel/quickstart/*.yml "$project"
cd "$project"

# Shows a command as a user would type it, and runs it.
run() {
    printf '\n$ %s\n' "$*"
    "$@"
}
run cat env.yml
run envlock convert
run head -n 30 conda-lock.yml
run head -n 24 envlock.nix
run envlock check
run envlock install --prefix env
run env/bin/celery --version
run envlock verify --prefix env
run sh -c 'printf x >> env/bin/celery'
run envlock verify --prefix env || printf '(exit code %s)\n' $?
run sed -i 's/python=3.11/python >=3.11.2,<3.12/' env.yml
run envlock check || printf '(exit code %s)\n' $?
run envlock convert
run envlock check
