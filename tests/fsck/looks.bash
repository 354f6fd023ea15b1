# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Sourced by scripts that look at every damage in more than one way. Such a script has a
# function try FOLDER FILE, with name, good, eio, devs and dev of its own, and ends with each_damage.

# shellcheck source=tests/fsck/words.bash
. tests/fsck/words.bash

# Reads of the device fail where the damage says so.
failing() {
	if [ -n "$eio" ]; then
		TEST_EIO=$eio LD_PRELOAD=$BUILD/tests/eio.so \
			ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 "$@"
	else
		"$@"
	fi
}

# look DEVICE [ARG...]: what a check of it says, and then the plan of a repair
look() {
	local run=() how from=$1
	shift
	# shellcheck disable=SC2154 # of try
	[ "$from" != "$dev" ] || run=(failing)
	for how in "-n -v" "-y --dry-run --seed 1"; do
		# shellcheck disable=SC2086 # words
		"${run[@]}" cache-fsck --kernel all $how "$@" "$from" 2>&1 | sed "s,$from,DEV,g"
		echo "exit ${PIPESTATUS[0]}"
	done
}

complain() { echo "# $*"; good=; }

do_damage() {
	rm -f "$TMP"/*
	# shellcheck source=/dev/null
	. "tests/fsck/$1/$2" || complain "the damage could not be done"
}

verdict() {
	if [ -n "$good" ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		failed=1
	fi
}

# each_damage [FOLDER...]: without one, all
each_damage() {
	local d f
	failed=0
	[ $# -gt 0 ] || set -- tests/fsck/*/
	for d; do
		d=$(basename "$d")
		for f in "tests/fsck/$d"/damage*; do
			try "$d" "$(basename "$f")"
		done
	done
	exit $failed
}

[ -w /dev/shm ] && export TMPDIR=${TMPDIR:-/dev/shm}
TMP=$(mktemp -d)
trap 'rm -rf "$TMP"' EXIT
