#!/bin/sh
# SPDX-License-Identifier: MIT
# How many instructions a task costs, and where they go: valgrind counts a run of COUNT tasks
# and one of twice as many, so that what is not of the tasks falls out.
#
# Usage: callgrind.sh [WORKLOAD [COUNT]]    default: noop 5000

set -eu

workload=${1:-noop}
count=${2:-5000}
root=$(cd "$(dirname "$0")/.." && pwd)
build=${FUTURES_BUILD:-$root/build/release}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

command -v valgrind >/dev/null || {
    echo "callgrind.sh: valgrind is not installed" >&2
    exit 1
}

export LUA_PATH_5_4="$root/?.lua;$root/lua/?.lua;$root/lua/?/init.lua;;"
export LUA_CPATH_5_4="$build/?.so;;"

# counted TASKS: the instructions of a run of that many tasks a sample
counted() {
    valgrind --tool=callgrind --callgrind-out-file="$out/$1" --log-file="$out/log" \
        "${LUA:-lua5.4}" "$root/bench/ours.lua" threads "$workload" "$1" >/dev/null
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out/log"
}

once=$(counted "$count")
twice=$(counted $((count * 2)))
samples=4 # of sample.of: one to warm up and three
echo "$workload: $(((twice - once) / (count * samples))) instructions a task"
callgrind_annotate "$out/$((count * 2))" | sed -n '/Ir.*file:function/,$p' | head -n 40
