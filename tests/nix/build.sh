#!/usr/bin/env bash
# The claim about Nix, for real: environment and images of the quickstart on the test channel, built by Nix in its
# sandbox without nixpkgs, are those that envlock builds. Prints one line for each image; fails where something differs.
#
# usage: build.sh    (as root; $ENVLOCK: the program as one file, `cargo static` if it is not given)
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

need_packages git jq python3
command -v nix-build >/dev/null || need_packages nix-bin
need_envlock
envlock=$ENVLOCK
# Not even a shell: no build here wants one.
export NIX_CONFIG="experimental-features = nix-command flakes
build-users-group =
substituters =
sandbox = true
sandbox-paths =
flake-registry =
warn-dirty = false"
work=$(mktemp -d)
trap '[[ -z ${server:-} ]] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT

# Serves the channel at the address that locks name, where Nix fetches from it.
serve() {
    [[ -z ${server:-} ]] || { kill "$server"; wait "$server" 2>/dev/null || true; }
    /usr/bin/python3 -B "$root/tests/channel/serve.py" "$channel" "$@" >"$work/server" & server=$!
    until grep -q listening "$work/server"; do
        kill -0 "$server" || fail "the channel cannot be served on port 8765: something else is"
        sleep 0.1
    done
}
by_nix() {
    nix-build --no-out-link "$root/nix" --argstr system x86_64-linux --arg lockDir "$work/project" \
        --arg envlock "$envlock" "$@" 2>"$work/log" || { tail -n 30 "$work/log" >&2; fail "nix-build $* failed"; }
}
same() {
    [[ $2 == "$3" ]] || fail "$1: envlock $2, nix $3: different"
    printf '%s: envlock %s, nix %s: identical\n' "$1" "$2" "$3"
}
digest() { sha256sum <"$1" | cut -c 1-64; }
says() { grep -qF -- "$1" "$2" || { cat "$2" >&2; fail "it does not say: $1"; }; }

say "locking the quickstart on the test channel, and building its images"
channel=$("$root/tests/channel/channel.sh" build)
serve
mkdir "$work/project"
cp "$root"/tests/channel/quickstart/*.yml "$work/project"
cd "$work/project"
# An sdist of PyPI, which both have to build.
printf '      - python-nvd3==0.16.0\n' >>env.yml
"$envlock" convert --quiet
grep -q 'fileName = "python_nvd3-0.16.0-py3-none-any.whl"' envlock.nix || fail "the sdist was not built"
for role in master worker; do "$envlock" image build --quiet "$role" --output "$work/$role.tar"; done

say "the same by $(nix-build --version), in its sandbox"
for role in master worker; do
    same "$role-image" "$(digest "$work/$role.tar")" "$(digest "$(by_nix --attr "images.$role")")"
done
environment=$(by_nix --attr environment)
tree_digest=$("$envlock" install --json --quiet --prefix /opt/envlock/env --into "$work/env" | jq -r .tree_digest)
read -r python prefix found <"$(by_nix --attr environment.passthru.tests.tree-digest)"
same "environment, Python $python" "$tree_digest" "$found"
[[ $prefix == "$environment" ]] || fail "Python takes its prefix to be $prefix"
system=$("$envlock" install --json --quiet --environment master --prefix /opt/envlock/system --into "$work/system" |
    jq -r .tree_digest)
found=$(/usr/bin/python3 "$root/nix/lib/tree_digest.py" "$(by_nix --attr systemEnvironments.master)" /dev/stdout | cut -d ' ' -f 3)
same "system environment of master" "$system" "$found"

say "built once more, each is the same"
for attribute in environment runtime images.master images.worker; do by_nix --attr "$attribute" --check >/dev/null; done

say "artifacts and bundle are enough for a machine without a network"
links=$(by_nix --attr artifacts)
nix-store --query --requisites "$links" >"$work/closure"
[[ $(wc -l <"$work/closure") == $((1 + $(find "$links" -type l | wc -l))) ]] || fail "the closure of $links is not its artifacts"
# As docs/nix.md has it, from a store of files to another one.
nix copy --to "file://$work/medium" "$links" 2>"$work/log" || { cat "$work/log" >&2; fail "nix copy failed"; }
nix copy --no-check-sigs --from "file://$work/medium" --to "local?root=$work/other" "$links" 2>"$work/log" ||
    { cat "$work/log" >&2; fail "nix copy failed"; }
[[ $(nix path-info --store "local?root=$work/other" --recursive "$links" | sort) == $(sort "$work/closure") ]] ||
    fail "not every artifact has arrived"
"$envlock" bundle create --quiet --output "$work/bundle.tar"
same bundle "$(digest "$work/bundle.tar")" "$(digest "$(by_nix --attr bundle)")"

say "envlock nix-build"
"$envlock" nix-build worker --plain --json --out-link "$work/result" >"$work/json" 2>"$work/log" || { cat "$work/log" >&2; fail "envlock nix-build failed"; }
says "running nix-build " "$work/log"
same "worker-image by envlock nix-build" "$(digest "$work/worker.tar")" "$(jq -r .archive_sha256 "$work/json")"

say "the flake of a project, by envlock nix-build"
# The template as it is, but for where envlock is and what builds: nixpkgs, which would build it, is out of reach here.
cp -r "$work/project" "$work/flake"
sed -e "s|git+https://git.example.org/envlock|git+file://$root|" \
    -e 's|lockDir = ./.;|lockDir = ./.; programs.x86_64-linux = ./envlock;|' \
    "$root/examples/quickstart/flake.nix" >"$work/flake/flake.nix"
cp "$envlock" "$work/flake/envlock"
rm -f "$work"/flake/*.tar
git -C "$work/flake" init --quiet
git -C "$work/flake" add --all
"$envlock" nix-build worker --lock "$work/flake" --json --out-link "$work/result" >"$work/json" 2>"$work/log" ||
    { cat "$work/log" >&2; fail "envlock nix-build failed"; }
says "#packages.x86_64-linux.worker-image" "$work/log"
same "worker-image by the flake" "$(digest "$work/worker.tar")" "$(jq -r .archive_sha256 "$work/json")"
nix build --rebuild --no-link "$work/flake#worker-image" 2>"$work/log" || { cat "$work/log" >&2; fail "it differs"; }
# A flake sees what git knows.
git -C "$work/flake" rm --quiet --cached envlock.nix
code=0
"$envlock" nix-build worker --lock "$work/flake" --out-link "$work/result" 2>"$work/log" || code=$?
[[ $code == 9 ]] || { cat "$work/log" >&2; fail "exit code $code, not 9"; }
says "git add" "$work/log"

say "what has changed upstream is noticed"
serve --fault 'corrupt:*tini*'
cp -r "$work/project" "$work/changed"
# Under another name, so that Nix has to fetch it.
sed -i "s/storeName = \"tini/storeName = \"${work##*.}-tini/" "$work/changed/envlock.nix"
code=0
"$envlock" nix-build worker --plain --lock "$work/changed" --out-link "$work/result" 2>"$work/log" || code=$?
[[ $code == 6 ]] || { cat "$work/log" >&2; fail "exit code $code, not 6"; }
says "hash mismatch in fixed-output derivation" "$work/log"
says "what is at that URL has changed" "$work/log"
