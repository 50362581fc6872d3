# What the scripts share; sourced, never run.
# shellcheck shell=bash

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
export ENVLOCK_TEST_CACHE=${ENVLOCK_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/envlock-test}

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
# Without a terminal there is nothing to be bold on.
[[ -t 2 ]] || say() { printf '==> %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Installs Debian packages that are missing.
need_packages() {
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    [[ $EUID == 0 ]] || fail "missing Debian packages; as root: apt-get update && apt-get install ${missing[*]}"
    say "installing Debian packages: ${missing[*]}"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y "${missing[@]}" >&2
}

# The program as one file that needs no other: $ENVLOCK, which is built if it is not given.
need_envlock() {
    if [[ -z ${ENVLOCK:-} ]]; then
        say "building envlock (the first time takes about ten minutes on two cores)"
        "$root/scripts/cargo.sh" static --quiet
        ENVLOCK=${CARGO_TARGET_DIR:-$root/target}/$(rustc --print host-tuple)/release/envlock
    fi
    ENVLOCK=$(realpath "$ENVLOCK")
}

# Debian 12's own Rust is too old, and nothing here can bring a newer one.
need_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || true
    [[ -n $found && $(printf '%s\n%s\n' "$wanted" "$found" | sort -V | head -n 1) == "$wanted" ]] ||
        fail "Rust $wanted or newer is needed, found ${found:-none}: install it from https://rustup.rs"
}
