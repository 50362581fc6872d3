#!/usr/bin/env bash
# The test channel: builds it from Debian packages, and serves it.
#
#   channel.sh build            build it unless it is there; its folder is the
#                               last line on stdout
#   channel.sh serve [OPTION]…  build it, then serve it in the background at
#                               http://127.0.0.1:8765/debian; options are those
#                               of serve.py
#   channel.sh stop             end that server
#
# Guarantees: a channel that is found under its key is whole and has passed the
# gate; two builds at once do not disturb each other. Works on Debian 12 only, and
# installs what is missing with apt-get, for which it must be root.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
cache=${ENVLOCK_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/envlock-test}/channel
[[ $cache == /* ]] || cache=$PWD/$cache
# Debian's own Python: another one first on the PATH must not change the bytes.
python=/usr/bin/python3
port=8765
pid_file=$cache/serve.pid
address_file=$cache/serve.address

say() { printf 'channel: %s\n' "$*" >&2; }
fail() { say "error: $*"; exit 1; }

install_missing() {
    local package missing=()
    for package in patchelf zstd python3; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    [[ $EUID == 0 ]] || fail "not installed: ${missing[*]}; run as root, or: apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    refresh_lists
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y "${missing[@]}" >&2
}

refresh_lists() {
    [[ $EUID == 0 ]] || fail "apt's package lists are missing or too old; as root: apt-get update"
    say "refreshing apt's package lists"
    apt-get update -qq >&2
}

# All that the bytes of the channel depend on.
channel_key() {
    local debs tools sources
    debs=$("$python" -B "$here/debs.py" --cache "$cache/debs" --list) &&
        tools=$(dpkg-query -W patchelf zstd python3-minimal) &&
        sources=$(cd -- "$here" && sha256sum packages.toml build.py debs.py trees.py archives.py elf.py) &&
        printf '%s\n' "$debs" "$tools" "$sources" | sha256sum | cut -c 1-16
}

# Print the folder of the channel, and build it first if need be.
build() {
    local key status=0
    mkdir -p -- "$cache"
    install_missing
    # Without lists, apt has nothing to offer yet.
    key=$(channel_key) || { refresh_lists && key=$(channel_key); } || fail "apt does not offer what the channel needs"
    if [[ ! -d $cache/$key ]]; then
        exec 9>"$cache/lock"
        flock -n 9 || { say "waiting for another build"; flock 9; }
        build_folder "$cache/$key" || status=$?
        if ((status == 3)); then
            # The lists name .debs that are no longer there: newer ones have come.
            refresh_lists
            key=$(channel_key)
            status=0
            build_folder "$cache/$key" || status=$?
        fi
        exec 9>&-
        ((status == 0)) || fail "could not build the channel"
    fi
    printf '%s\n' "$cache/$key"
}

# With the lock held: build one folder, unless another build just has.
build_folder() {
    local folder=$1 scratch status=0
    [[ ! -d $folder ]] || return 0
    say "building $folder"
    # What a killed build left; nobody else is building now.
    rm -rf -- "$cache"/.building-*
    scratch=$(mktemp -d "$cache/.building-XXXXXX") || return 1
    "$python" -B "$here/build.py" "$scratch/channel" --debs "$cache/debs" >&2 || status=$?
    if ((status == 0)); then
        # By its rename the folder is either whole and checked, or not there.
        { "$python" -B "$here/gate.py" "$scratch/channel" >&2 && mv -T -- "$scratch/channel" "$folder"; } || status=1
    fi
    rm -rf -- "$scratch"
    return "$status"
}

running() {
    local pid
    [[ -s $pid_file ]] && pid=$(<"$pid_file") &&
        grep -qzF -- "tests/channel/serve.py" "/proc/$pid/cmdline" 2>/dev/null
}

serve() {
    local folder pid
    folder=$(build | tail -n 1)
    ! running || stop
    # 9 would keep the lock of a build for as long as the server lives.
    setsid "$python" -B "$here/serve.py" "$folder" --port "$port" "$@" \
        >"$address_file" 2>"$cache/serve.err" </dev/null 9>&- &
    pid=$!
    printf '%s\n' "$pid" >"$pid_file"
    for ((tries = 0; tries < 100; tries++)); do
        if [[ -s $address_file ]]; then
            say "serving $folder at http://127.0.0.1:$port/debian (process $pid)"
            return
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    cat -- "$cache/serve.err" >&2
    rm -f -- "$pid_file"
    fail "the server did not start"
}

stop() {
    if running; then
        local pid
        pid=$(<"$pid_file")
        kill "$pid"
        for ((tries = 0; tries < 100; tries++)); do
            kill -0 "$pid" 2>/dev/null || break
            sleep 0.05
        done
        say "stopped process $pid"
    else
        say "no server of this cache is running"
    fi
    rm -f -- "$pid_file"
}

case ${1-} in
build) build ;;
serve) shift && serve "$@" ;;
stop) stop ;;
*) fail "usage: channel.sh build | serve [OPTION]… | stop" ;;
esac
