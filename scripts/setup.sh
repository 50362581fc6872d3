#!/usr/bin/env bash
# Installs what the tests need: Debian packages, and the readers of other people in a virtual environment.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

need_packages gcc libc6-dev make python3 python3-venv patchelf zstd nix-bin shellcheck util-linux jq runc iproute2 \
    git skopeo umoci docker-registry docker-compose golang-github-opencontainers-image-spec-dev \
    chromium chromium-driver faketime
need_rust

requirements=$root/tests/readers/requirements.txt
readers=$ENVLOCK_TEST_CACHE/readers
key=$(sha256sum "$requirements" | cut -c 1-16)
if [[ $(cat "$readers/key" 2>/dev/null) != "$key" ]]; then
    say "installing $(tr '\n' ' ' <"$requirements")from PyPI"
    rm -rf "$readers"
    # Debian's own Python: another one first on the PATH may lack ensurepip.
    /usr/bin/python3 -m venv "$readers"
    "$readers/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
    printf '%s' "$key" >"$readers/key"
fi
say "building the test channel"
"$root/tests/channel/channel.sh" build >/dev/null
