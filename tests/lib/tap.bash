# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# Verdicts of a test script, one line each: what tests/run counts.

ok() { printf 'ok %s\n' "$*"; }
not_ok() { printf 'not ok %s\n' "$*"; }
skip() { printf 'ok %s # skip %s\n' "$1" "$2"; }
note() { sed 's/^/# /'; }

# check NAME: the complaints on stdin decide; none means it holds.
check() {
	local bad
	bad=$(cat)
	if [ -z "$bad" ]; then
		ok "$1"
	else
		note <<< "$bad"
		not_ok "$1"
	fi
}
