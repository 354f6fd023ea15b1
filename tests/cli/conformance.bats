# SPDX-License-Identifier: GPL-2.0-only
# What every applet does alike, asked of every row of applets.def.

setup() {
	load ../lib/common
	T=$BATS_TEST_TMPDIR
}

# Exit status of failure and of a usage error: fsck(8) has its own.
failure_of() { [ "$1" = cache-fsck ] && echo 8 || echo 1; }
usage_of() { [ "$1" = cache-fsck ] && echo 16 || echo 2; }

# An ordinary call of an applet on a device, that only looks. Sets ARGS.
on_device() {
	case $1 in
	bcache-register) ARGS=(--root "$(machine)" "$2") ;;
	cache-alloc) ARGS=("$2" -c 1) ;;
	cache-bench) ARGS=(--count 1000 "$2") ;;
	cache-clone)
		truncate -s 100M "$T/target"
		ARGS=(-n "$2" "$T/target") ;;
	cache-fsck) ARGS=(-n "$2") ;;
	cache-image) ARGS=(save "$2" "$T/saved") ;;
	cache-status) ARGS=(--sysfs "$(sysfs)" "$2") ;;
	cache-undo) ARGS=(-n "$2" "$2") ;;
	cache-writeback) ARGS=(-n "$2") ;;
	make-cache) ARGS=(-n "$2") ;;
	*) ARGS=("$2") ;;
	esac
}

# A copy of sysfs in which a cache set runs.
sysfs() {
	[ -d "$T/sysfs" ] || "$ROOT/tests/lib/sysfs" "$ROOT/tests/status/6.1" "$T/sysfs"
	echo "$T/sysfs"
}

# A machine whose kernel has bcache, but for the kernel.
machine() {
	mkdir -p "$T/machine/sys/fs/bcache"
	: > "$T/machine/sys/fs/bcache/register"
	echo "$T/machine"
}

# Runs a whole command: stdout, stderr and status to $out, $err, $status.
call() {
	status=0
	timeout 60 "$@" > "$T/out" 2> "$T/err" < /dev/null || status=$?
	out=$(tr -d '\0' < "$T/out") err=$(tr -d '\0' < "$T/err")
	echo "$* ended with $status: $err" | head -c 2000
}

# No signal, no timeout, no sanitizer.
ended_by_itself() { [ "$status" -lt 64 ]; }

# Every applet must fail on this file, on one line that names it, with no result.
all_fail_on() {
	for a in $(applets); do
		on_device "$a" "$1"
		call "$a" "${ARGS[@]}"
		[ "$status" = "$(failure_of "$a")" ]
		[ -z "$out" ]
		[[ "$err" == "$a: "*"$1"* ]]
		[ "$(wc -l <<< "$err")" = 1 ]
	done
}

# Every applet ends by itself on this file and leaves it as it was.
all_survive() {
	local before
	before=$(sum "$1")
	for a in $(applets); do
		on_device "$a" "$1"
		call "$a" "${ARGS[@]}"
		ended_by_itself
		call "$a" --json "${ARGS[@]}"
		ended_by_itself
		jq -e .schema < "$T/out" > /dev/null || { [ -z "$out" ] && [ "$status" != 0 ]; }
		[ "$before" = "$(sum "$1")" ]
	done
}

@test "--help goes to stdout and ends 0" {
	for a in $(applets); do
		for opt in --help "-?"; do
			call "$a" "$opt"
			[ "$status" = 0 ]
			[ -z "$err" ]
			[[ "$out" == "Usage: $a "* ]]
		done
	done
}

@test "--version is one line: name, suite and a dotted number" {
	for a in $(applets); do
		for opt in --version -V; do
			call "$a" "$opt"
			[ "$status" = 0 ]
			[[ "$out" =~ ^"$a (cache-tools) "[0-9]+\.[0-9]+\.[0-9]+$ ]]
		done
	done
}

@test "an unknown option is a usage error and nothing is done" {
	for a in $(applets); do
		on_device "$a" "$BUILD/images/fresh.cache"
		call "$a" --no-such-option "${ARGS[@]}"
		[ "$status" = "$(usage_of "$a")" ]
		[ -z "$out" ]
		[[ "$err" == *no-such-option* ]]
	done
}

@test "no device given is a usage error" {
	for a in $(applets); do
		case $a in cache-bench | cache-status) continue ;; esac	# in memory, or all sets
		call "$a"
		[ "$status" = "$(usage_of "$a")" ]
		[ -z "$out" ]
		[ -n "$err" ]
	done
}

@test "-q, -v, -J and --bytes are known to all" {
	for a in $(applets); do
		call "$a" --list-options
		for opt in --quiet --verbose --json --bytes --help --version; do
			grep -qx -- "$opt" <<< "$out"
		done
	done
}

@test "a missing file is an error" {
	all_fail_on "$T/missing"
}

@test "a directory is an error" {
	mkdir "$T/dir"
	all_fail_on "$T/dir"
}

@test "an empty file is an error" {
	: > "$T/empty"
	all_fail_on "$T/empty"
}

@test "a file too small for a superblock is an error" {
	random_bytes 6000 > "$T/tiny"
	all_fail_on "$T/tiny"
}

@test "a character device is an error" {
	all_fail_on /dev/null
	all_fail_on /dev/zero
}

@test "a pipe is an error, and is not waited for" {
	mkfifo "$T/fifo"
	all_fail_on "$T/fifo"
}

@test "a file that may not be read is an error" {
	[ "$(id -u)" != 0 ] || skip "root may read everything"
	image fresh.cache "$T/secret"
	chmod 0 "$T/secret"
	all_fail_on "$T/secret"
}

@test "a name that no device has is an error" {
	for a in $(applets); do
		on_device "$a" UUID=00000000-dead-beef-0000-000000000000
		call "$a" "${ARGS[@]}"
		[ "$status" = "$(failure_of "$a")" ]
		[ -z "$out" ]
		[[ "$err" == "$a: "*UUID=00000000-dead-beef* ]]
	done
}

@test "an error under --json is one document that holds it" {
	for a in $(applets); do
		on_device "$a" "$T/missing"
		call "$a" --json "${ARGS[@]}"
		[ "$status" = "$(failure_of "$a")" ]
		[ "$(jq -s length < "$T/out")" = 1 ]
		jq -e '.schema == 1 and (.error.message | length > 0)' < "$T/out"
	done
}

@test "random bytes are survived and left alone" {
	random_bytes 2097152 > "$T/random"
	all_survive "$T/random"
}

@test "zeros are survived and left alone" {
	truncate -s 16M "$T/zeros"
	all_survive "$T/zeros"
}

@test "a truncated image is survived and left alone" {
	head -c 9000000 "$BUILD/images/churn-lru.cache" > "$T/cut"
	all_survive "$T/cut"
}

@test "images whose superblock is random bytes behind its magic are survived" {
	for n in 1 2 3; do
		image fresh.cache "$T/bad"
		random_bytes $((n * 3000)) | tail -c 2200 |
			dd of="$T/bad" bs=1 seek=$((4096 + 104)) conv=notrunc status=none
		all_survive "$T/bad"
	done
}

@test "looking at an image that a kernel wrote leaves it as it was" {
	image churn-lru.cache "$T/img"
	all_survive "$T/img"
}

@test "a reader that goes away is not complained about" {
	for a in $(applets); do
		on_device "$a" "$BUILD/images/churn-lru.cache"
		"$a" "${ARGS[@]}" 2> "$T/err" | :
		! grep -iq 'pipe\|cannot write' "$T/err" || return
		# the same when the signal is not to be had, as under many services
		(trap '' PIPE; "$a" "${ARGS[@]}" 2> "$T/err" | :)
		! grep -iq 'pipe\|cannot write' "$T/err" || return
	done
}

@test "a result that cannot be written is a failure" {
	for a in $(applets); do
		on_device "$a" "$BUILD/images/wb-clean.cache"
		status=0
		"$a" --json "${ARGS[@]}" > /dev/full 2> "$T/err" || status=$?
		echo "$a $status"
		[ $((status & $(failure_of "$a"))) != 0 ]
		[[ "$(< "$T/err")" == "$a: "*"cannot write"*"No space left on device" ]]
		case $a in bcache-register | cache-undo | cache-status) continue ;; esac	# nothing to show but in JSON
		"$a" "${ARGS[@]}" > /dev/full 2> "$T/err" && false
		[[ "$(< "$T/err")" == *"$a: cannot write the result: No space left on device" ]]
	done
}

@test "words of --help and --version that cannot be written are a failure" {
	for a in $(applets) cache-tools; do
		for option in --help --version; do
			status=0
			"$a" "$option" > /dev/full 2> "$T/err" || status=$?
			echo "$a $option $status"
			[ $status = "$(failure_of "$a")" ]
			[ "$(< "$T/err")" = "$a: cannot write the result: No space left on device" ]
		done
	done
}

@test "cache-tools lists every applet with its line" {
	call cache-tools
	[ "$status" = 0 ]
	for a in $(applets); do
		grep -q "^  $a  *[a-z]" <<< "$out"
	done
}

@test "cache-tools runs an applet by its first argument" {
	call cache-tools cache-super-show --version
	[ "$status" = 0 ]
	[[ "$out" == "cache-super-show (cache-tools) "* ]]
}

@test "an unknown applet ends 2 and suggests the nearest" {
	call cache-tools cache-fcsk
	[ "$status" = 2 ]
	[ -z "$out" ]
	[[ "$err" == *"did you mean cache-fsck?"* ]]
	call cache-tools fsck
	[[ "$err" == *"did you mean cache-fsck?"* ]]
	call cache-tools entirely-different-thing
	[ "$status" = 2 ]
	[[ "$err" != *"did you mean"* ]]
}
