#!/usr/bin/env bash
# Another Nix beside Debian 12's own: that of Debian 13, unpacked with all that it needs, touching nothing of this machine.
# Prints the directory of its programs.
#
# usage: PATH=$(newer.sh):$PATH build.sh    (as root)
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

need_packages patchelf
place=$ENVLOCK_TEST_CACHE/nix-trixie
if [[ ! -d $place ]]; then
    say "unpacking Debian 13's Nix"
    mkdir -p "$ENVLOCK_TEST_CACHE"
    work=$(mktemp -d "$ENVLOCK_TEST_CACHE/.nix-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work"/{lists/partial,archives/partial,root}
    : >"$work/status"
    printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n' \
        >"$work/sources.list"
    # Nothing counts as installed, so all of it is named, the C library included.
    options=(-o "Dir::State=$work" -o "Dir::State::lists=$work/lists" -o "Dir::State::status=$work/status"
        -o "Dir::Cache=$work" -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=-
        -o APT::Sandbox::User=root -o "Debug::NoLocking=1")
    apt-get "${options[@]}" update -qq >&2
    apt-get "${options[@]}" install --download-only --no-install-recommends -qq -y nix-bin >&2
    for package in "$work"/archives/*.deb; do dpkg-deb --extract "$package" "$work/root"; done
    libraries=$place/usr/lib/x86_64-linux-gnu
    patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$libraries" "$work/root/usr/bin/nix"
    mv "$work/root" "$place"
fi
printf '%s\n' "$place/usr/bin"
