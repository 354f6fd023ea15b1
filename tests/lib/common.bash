# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What every bats file loads: the build tree first in PATH, and images to play with.

bats_require_minimum_version 1.5.0

ROOT=$(cd "${BATS_TEST_DIRNAME:-.}/../.." && pwd)
BUILD=$(realpath "${BUILD:-$ROOT/build}")
PEER_PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin
PATH=$BUILD/bin:$BUILD/tests:$PATH:/usr/sbin:/sbin
export LC_ALL=C.UTF-8
# a sanitizer's complaint must not look like an ordinary failure
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:exitcode=99}"
export UBSAN_OPTIONS="${UBSAN_OPTIONS:-print_stacktrace=1:exitcode=99}"
[ -z "${BATS_TEST_TMPDIR:-}" ] || IMG=$BATS_TEST_TMPDIR/img

# image NAME [AS]: a writable copy of a kernel-written image in $IMG, or in AS.
image() {
	cp --sparse=always "$BUILD/images/$1" "${2:-$IMG}"
	chmod u+w "${2:-$IMG}"
}

# make_image [--buckets N] [--bucket SIZE] [--uuid UUID] [MAKE-CACHE OPTION...]: a fresh
# cache device in $IMG, the same bytes each time.
make_image() {
	local buckets=1024 bucket=16k uuid=00000000-0000-0000-0000-000000000001
	local set=00000000-0000-0000-0000-00000000005e
	while :; do
		case ${1:-} in
		--buckets) buckets=$2 ;;
		--bucket) bucket=$2 ;;
		--uuid) uuid=$2 ;;
		*) break ;;
		esac
		shift 2
	done
	rm -f "$IMG"
	truncate -s "$((buckets * $(numfmt --from=iec "${bucket^^}")))" "$IMG"
	SOURCE_DATE_EPOCH=0 make-cache -q -b "$bucket" -U "$uuid" --cset-uuid "$set" "$@" \
		"$IMG" > /dev/null
}

# The tool of that name that bcache-tools installed, not ours; skips without it.
peer() {
	local tool
	tool=$(PATH=$PEER_PATH command -v "$1") || skip "bcache-tools is not installed"
	case $(readlink -f "$tool") in
	*cache-tools) skip "the $1 that is installed is ours" ;;
	esac
	echo "$tool"
}

# sum FILE...: to show that looking changed nothing
sum() { sha256sum "$@"; }

# random_bytes BYTES: the same random bytes every time
random_bytes() { seq 1 $((9000000)) | gzip -n1 2> /dev/null | head -c "$1"; }

# applets: names of all applets; compat names left out
applets() { sed -n 's/^APPLET([^"]*"\([^"]*\)".*/\1/p' "$ROOT/cmd/applets.def"; }
