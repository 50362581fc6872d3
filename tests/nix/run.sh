#!/usr/bin/env bash
# What Nix builds, by Debian 12's Nix and by Debian 13's.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

"$here/build.sh"
PATH=$("$here/newer.sh"):$PATH "$here/build.sh"
