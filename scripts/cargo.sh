#!/usr/bin/env bash
# cargo, after a look at whether it is new enough, and with the first build announced.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

need_packages gcc libc6-dev make
need_rust
cd "$root"
[[ -d ${CARGO_TARGET_DIR:-target} ]] || say "first build: about 500 crates, some minutes on two cores"
exec cargo "$@"
