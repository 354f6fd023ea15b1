# SPDX-License-Identifier: GPL-2.0-only
# What applets that only look give up once their devices are open.

setup() {
	load ../lib/common
	T=$BATS_TEST_TMPDIR
	IMG=$BUILD/images/registered.cache
	if grep -q -e -fsanitize "$BUILD/flags"; then
		skip "sanitizers need their files and their own process"
	fi
}

# Runs a command; what it could still do at its end is in $T/can, a word and a result per line.
can() {
	status=0
	LD_PRELOAD=$BUILD/tests/escape.so "$@" 9> "$T/can" > "$T/out" 2> "$T/err" || status=$?
	cat "$T/can" "$T/err"
}

is_confined() {
	if grep -qx "landlock yes" "$T/can"; then
		grep -qx "read EACCES" "$T/can"
		grep -qx "write EACCES" "$T/can"
		grep -qx "make EACCES" "$T/can"
	fi
	grep -qx "socket EPERM" "$T/can"
	grep -qx "exec EPERM" "$T/can"
	grep -qx "capabilities none" "$T/can"
}

@test "an applet that only looks can open, make, start and connect nothing once the device is open" {
	build_machine=$(uname -m)
	[ "$build_machine" = x86_64 ] || [ "$build_machine" = aarch64 ] || skip "no list of calls for it"
	for call in cache-show-keys cache-show-journal cache-show-prios cache-show-uuids \
		cache-super-show "cache-show-keys --json" "cache-fsck -n" "cache-fsck -n --json" \
		"cache-alloc -c 4" "cache-bench -c 1000" cache-map "cache-map --json" "cache-map --html -" \
		"cache-writeback -n" "cache-writeback --list"; do
		echo "== $call"
		# shellcheck disable=SC2086 # words
		can $call "$IMG"
		[ "$status" = 0 ]
		is_confined
	done
}

@test "a confined applet prints what an unconfined one prints" {
	for call in "cache-show-keys --json" "cache-show-journal -k" "cache-show-uuids" \
		"cache-super-show -a" "cache-fsck -n"; do
		# shellcheck disable=SC2086 # words
		can $call "$IMG"
		mv "$T/out" "$T/confined"
		# shellcheck disable=SC2086 # words
		CACHE_TOOLS_UNCONFINED=1 can $call "$IMG"
		grep -qx "read done" "$T/can"
		grep -qx "exec ENOENT" "$T/can"
		diff "$T/confined" "$T/out"
	done
}

@test "the file of --losses is written by a confined cache-fsck" {
	can cache-fsck -n --losses="$T/losses" "$IMG"
	[ "$status" = 0 ]
	is_confined
	[ -s "$T/losses" ]
}

@test "an undo file is read by a confined cache-undo -n" {
	cp --sparse=always "$IMG" "$T/img"
	cache-alloc -c 4 --commit -z "$T/undo" "$T/img" > /dev/null
	can cache-undo -n "$T/undo" "$T/img"
	[ "$status" = 0 ]
	is_confined
}

@test "files that an applet makes at its end are made, also when it only looks at devices" {
	cache-bench -c 1000 --commit "$T/prios" --html "$T/bench.html" "$IMG"
	[ -s "$T/bench.html" ]
	cache-map --svg "$T/map.svg" "$IMG"
	[ -s "$T/map.svg" ]
	cache-map --html "$T/map.html" "$IMG"
	[ -s "$T/map.html" ]
}

@test "an applet that writes is not confined" {
	cp --sparse=always "$IMG" "$T/img"
	can cache-alloc -c 4 --commit -z "$T/undo" "$T/img"
	[ "$status" = 0 ]
	grep -qx "write done" "$T/can"
}

@test "a kernel without landlock and seccomp is no error and gives no message" {
	TEST_OLD_KERNEL=1 can cache-show-uuids "$IMG"
	[ "$status" = 0 ]
	[ ! -s "$T/err" ]
	grep -qx "read done" "$T/can"
}
