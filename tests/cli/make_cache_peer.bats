# SPDX-License-Identifier: GPL-2.0-only
# make-cache beside make-bcache of bcache-tools 1.0.8: same choices, same bytes; and
# under the name make-bcache the same words and exit codes.

setup() {
	load ../lib/common
	PEER=$(PATH=$PEER_PATH command -v make-bcache) || skip "bcache-tools is not installed"
	case $(readlink -f "$PEER") in
	*cache-tools) skip "the make-bcache that is installed is ours" ;;
	esac
	OURS=$BUILD/bin
	cd "$BATS_TEST_TMPDIR" || return
}

# Fresh files of these sizes, named a, b, c, in the folders peer, ours and named.
files() {
	local dir size names=(a b c) i
	rm -rf peer ours named
	for dir in peer ours named; do
		mkdir $dir
		i=0
		for size; do
			truncate -s "$size" "$dir/${names[i++]}"
		done
	done
}

# The uuid that lies at this byte of a superblock.
uuid_at() {
	od -An -tx1 -j $((4096 + $2)) -N 16 "$1" | tr -d ' \n' |
		sed 's/\(........\)\(....\)\(....\)\(....\)/\1-\2-\3-\4-/'
}

# Runs the peer; then us, with the uuids that it chose, under both names.
peer_and_we() {
	local arg args=() set
	(cd peer && "$PEER" "$@" >../peer.out 2>../peer.err) || return
	for arg; do
		if [[ $arg == [abc] ]]; then
			args+=(-U "$(uuid_at "peer/$arg" 40)")
			set=$(uuid_at "peer/$arg" 56)
		fi
		args+=("$arg")
	done
	[[ $* == *--cset-uuid* ]] || args=(--cset-uuid "$set" "${args[@]}")
	ARGS=("${args[@]}")
	(cd named && "$OURS/make-bcache" "${args[@]}" >../named.out 2>../named.err)
}

same_files() {
	local f
	for f in peer/*; do
		cmp "$f" "$1/${f#peer/}" || return
	done
}

# Same bytes under both names, same output under the peer's.
same() {
	peer_and_we "$@"
	(cd ours && "$OURS/make-cache" -q "${ARGS[@]}" 2>../ours.err)
	same_files ours
	same_files named
	diff peer.out named.out
}

# The same where a kernel refuses the result, and only the compatible name makes it.
same_as_named() {
	peer_and_we "$@"
	same_files named
	diff peer.out named.out
	if (cd ours && "$OURS/make-cache" -q "${ARGS[@]}" 2>../ours.err); then
		return 1
	fi
	[ "$(cat ours/* | tr -d '\0' | wc -c)" -eq 0 ]
}

@test "a cache by default" { files 257M; same -C a; }
@test "a cache with 1 MiB buckets" { files 514M; same -C -b 1M a; }
@test "a cache with 64 KiB buckets" { files 64M; same -C -b 64k a; }
@test "a cache with 4 KiB buckets and 512-byte blocks" { files 16M; same -C -b 4k -w 512 a; }
@test "a cache with 8 KiB buckets: the superblock takes three" { files 16M; same -C -b 8k -w 1k a; }
@test "a cache with 16 MiB buckets, the largest of 1.0.8" {
	files 9G
	peer_and_we -C -b 16M a
	cmp -n 1M peer/a named/a	# reading all the holes would take a minute
	diff peer.out named.out
}
@test "a cache with 2 KiB blocks" { files 257M; same -C -w 2k a; }
@test "a cache whose size is not whole buckets" { files 269000100; same -C a; }
@test "policy fifo" { files 40M; same -C -b 64k --cache_replacement_policy=fifo a; }
@test "policy random" { files 40M; same -C -b 64k --cache-replacement-policy=random a; }
@test "policy lru given explicitly" { files 40M; same -C -b 64k --cache-replacement-policy lru a; }
@test "the long option names" { files 40M; same --cache --bucket=64k --block=4k a; }
@test "a chosen set uuid" {
	files 40M
	same -C -b 64k --cset-uuid 20212223-2425-2627-2829-2A2B2C2D2E2F a
}
@test "a backing device by default" { files 10M; same -B a; }
@test "a backing device with writeback" { files 10M; same -B --writeback a; }
@test "a backing device with a data offset" { files 10M; same -B -o 2048 a; }
@test "a data offset of 16 given explicitly is version 1" { files 10M; same -B --data-offset 16 a; }
@test "the underscore spelling of data_offset" { files 10M; same -B --data_offset=32 a; }
@test "a backing device keeps the bucket size it was told" { files 10M; same -B -b 1M a; }
@test "two backing devices share a set" { files 10M 20M; same -B a b; }
@test "cache and backing device in one call" { files 40M 20M; same -b 64k -C a -B b; }
@test "backing device before cache" { files 40M 20M; same -b 64k -B b -C a --writeback; }
@test "cache and two backing devices with all options" {
	files 70M 20M 30M
	same -C a -B b c --writeback -b 128k -w 512 -o 24 --cache-replacement-policy=fifo
}
@test "a mode letter acts on what follows it only" { files 40M 20M 30M; same -b 64k -B b -C a -B c; }
@test "discard sets the bit, with a warning" {
	files 40M
	same -b 64k -C --discard a
	[[ $(cat named.err) == *"discard"* ]]
}
@test "options that mean nothing to a kind are taken" { files 10M; same -B --discard a; }

@test "128 to 512 buckets: the peer's name makes them with a warning, ours refuses" {
	files 70M
	same_as_named -C -b 512k a
	[[ $(cat named.err) == *"140 buckets, kernels need 513"* ]]
}
@test "a block above the page: the peer's name makes it, ours refuses" {
	files 70M
	same_as_named -C -w 8k a
	[[ $(cat ours.err) == *"above the page size"* ]]
}
@test "a data offset that is not whole blocks: the peer's name makes it, ours refuses" {
	files 10M
	same_as_named -B -o 20 a
	[[ $(cat ours.err) == *"nothing would be cached"* ]]
}
@test "two caches of one number: the peer's name makes them, ours refuses" {
	files 70M 80M
	same_as_named -C a b
}

# Exit code, stdout and the first line on stderr, as the peer has them.
says_the_same() {
	local theirs=0 ours=0
	(cd peer && "$PEER" "$@" >../peer.out 2>../peer.err) || theirs=$?
	(cd named && "$OURS/make-bcache" "$@" >../named.out 2>../named.err) || ours=$?
	[ "$theirs" -eq "$ours" ]
	diff <(sed 's/[0-9a-f-]\{36\}/UUID/' peer.out) <(sed 's/[0-9a-f-]\{36\}/UUID/' named.out)
	diff <(head -n 1 peer.err | sed 's/^.*make-bcache: //') \
	     <(grep -v ' warning: ' named.err | head -n 1 | sed 's/^make-bcache: //')
}

@test "refusals have the peer's exit code and first words" {
	files 70M 20M
	says_the_same -C -b 3k a
	says_the_same -C -b 64 a
	says_the_same -C -b 0 a
	says_the_same -C -b 64M a
	says_the_same -C -w 12k a
	says_the_same -C -w 0 a
	says_the_same -C -w 4k -b 2k a
	says_the_same -B -o 8 b
	says_the_same -B -o abc b
	says_the_same -C --cset-uuid zz a
	says_the_same -C b
	says_the_same a -C
	says_the_same
	says_the_same -C missing
	says_the_same -C -w 4k missing
	says_the_same -C "$BATS_TEST_TMPDIR"
	same_files named
}

@test "an existing bcache device is refused with the peer's words" {
	files 70M 20M
	says_the_same -C a
	says_the_same -C a
	says_the_same -B b
	says_the_same -B b
}

@test "a file system is refused with the peer's words" {
	files 70M
	for dir in peer named; do
		printf 'SWAPSPACE2' | dd of=$dir/a bs=1 seek=4086 conv=notrunc status=none
		printf '\1' | dd of=$dir/a bs=1 seek=1024 conv=notrunc status=none
		printf '\377' | dd of=$dir/a bs=1 seek=1028 conv=notrunc status=none
	done
	says_the_same -C a
	same_files named
}

@test "help goes to stderr and is exit code 1" {
	run -1 --separate-stderr "$OURS/make-bcache" -h
	[ -z "$output" ]
	# shellcheck disable=SC2154 # set by run
	[[ $stderr == "Usage: make-bcache"* ]]
}

@test "quirks that lose data are errors: option, policy, rubbish behind a size" {
	files 70M
	for bad in --nonsense --cache_replacement_policy=best -b512kfoo -w4096q -o16x; do
		run -1 "$OURS/make-bcache" -C "$bad" named/a
	done
	same_files named
}

@test "--wipe-bcache overwrites a bcache superblock, and nothing else" {
	files 70M
	"$OURS/make-bcache" -C named/a
	run -0 "$OURS/make-bcache" -C --wipe-bcache named/a
	truncate -s 0 named/a
	truncate -s 70M named/a
	printf 'SWAPSPACE2' | dd of=named/a bs=1 seek=4086 conv=notrunc status=none
	printf '\1' | dd of=named/a bs=1 seek=1024 conv=notrunc status=none
	printf '\377' | dd of=named/a bs=1 seek=1028 conv=notrunc status=none
	run -1 "$OURS/make-bcache" -C --wipe-bcache named/a
}
