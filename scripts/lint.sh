#!/usr/bin/env bash
# Formatting, lints and shell scripts: nothing here may need a word of excuse.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

need_packages shellcheck
cd "$root"
say "formatting"
cargo fmt --check
say "shell scripts"
git ls-files -z '*.sh' .ci/run tests/channel/quickstart/run-docker examples/airflow-2/run tests/channel/airflow-2/run | xargs -0 shellcheck --external-sources --source-path=SCRIPTDIR
say "virtual machines"
vm-tests/lint.sh
say "clippy"
"$root/scripts/cargo.sh" clippy --locked --all-targets --quiet -- --deny warnings
say "documentation"
RUSTDOCFLAGS='--deny warnings' "$root/scripts/cargo.sh" doc --locked --no-deps --quiet
