# SPDX-License-Identifier: GPL-2.0-only
# cache-fsck on what is no healthy cache device: one clear line, the right exit
# status, the same bytes afterwards. Damage with a name has its folder in tests/fsck.

setup() {
	load ../lib/common
	T=$BATS_TEST_TMPDIR
}

# look ARG...: cache-fsck -n, to $status, $out and $err
look() {
	status=0
	timeout 60 cache-fsck -n "$@" > "$T/out" 2> "$T/err" < /dev/null || status=$?
	out=$(tr -d '\0' < "$T/out") err=$(tr -d '\0' < "$T/err")
	echo "cache-fsck -n $*: $status: $out $err" | head -c 1000
}

# It ended with an operational error and said why on one line that names $1.
failed_on() {
	[ "$status" = 8 ]
	[ -z "$out" ]
	[ "$(wc -l < "$T/err")" = 1 ]
	[[ "$err" == "cache-fsck: "*"$1"* ]]
}

# It was checked to the end: clean or not, every line about the device, no talk.
checked() {
	[ "$status" = 0 ] || [ "$status" = 4 ]
	[ -z "$err" ]
	[ -n "$out" ]
	! grep -v "^$1: " "$T/out"
}

# found CODE: among the findings
found() { grep -q ": $1 (0x" "$T/out"; }

# damaged IMAGE ITEM...: each item alone, on a copy of its own
damaged() {
	local image=$1 item
	for item in "${@:2}"; do
		image "$image"
		poke "$IMG" "$item"
		look "$IMG"
		checked "$IMG"
		look --json "$IMG"
		jq -e '.schema == 1 and (.kernel | length > 0)' < "$T/out" > "$T/jq"
	done
}

numbers() {
	local field
	for field in "$@"; do
		printf "%s " "$field"={0,1,9,257,0x7fffffff,0xffffffffffffffff}
	done
}

SB_NUMBERS="sb.offset sb.version sb.flags sb.seq sb.feature_compat sb.feature_incompat
sb.feature_ro_compat sb.pad[0] sb.nbuckets sb.block_size sb.bucket_size sb.nr_in_set
sb.nr_this_dev sb.last_mount sb.first_bucket sb.keys sb.d[0] sb.d[255] sb.obso_bucket_size_hi"

@test "any number in any field of a fresh superblock is survived" {
	# shellcheck disable=SC2046,SC2086 # words
	damaged fresh.cache $(numbers $SB_NUMBERS)
}

@test "any number in any field of a running set's superblock is survived" {
	# shellcheck disable=SC2046,SC2086 # words
	damaged registered.cache $(numbers $SB_NUMBERS)
}

@test "names and magic of a superblock may be anything" {
	damaged registered.cache sb.{magic,uuid,set_uuid}={zero,flip,tombstone} sb.label= \
		sb.label=0123456789012345678901234567890123456789 $'sb.label=\e[2J\n'
}

@test "any number in any field of a backing superblock is survived" {
	for item in $(numbers sb.offset sb.version sb.flags sb.data_offset sb.block_size \
			      sb.bucket_size sb.keys); do
		truncate -s 0 "$IMG"
		head -c 1M "$BUILD/images/wb-crash.back1" > "$IMG"
		poke "$IMG" sb.version=4 sb.data_offset=16
		poke "$IMG" "$item"
		look "$IMG"
		checked "$IMG"
	done
}

@test "every field of the superblock is under its checksum" {
	for field in $SB_NUMBERS sb.uuid sb.set_uuid; do
		case $field in
		sb.d\[255\] | sb.obso_bucket_size_hi) continue ;;	# past what keys say
		esac
		image registered.cache
		poke "$IMG" "raw:$field=flip"
		look "$IMG"
		[ "$status" = 4 ]
		found SB_CSUM
	done
}

@test "geometries that agree with themselves and not with the set are survived" {
	for bucket in 8 32 1024 32768; do
		for n in 128 513 1024 4096; do
			image registered.cache
			poke "$IMG" sb.bucket_size=$bucket sb.nbuckets=$n
			look "$IMG"
			checked "$IMG"
			[ "$status" = 4 ]
		done
	done
}

@test "any number in any field of the newest journal entry is survived" {
	for f in seq version keys last_seq level 'prio[0]' root.{inode,size,dirty,ptrs,offset} \
		 root.{bucket,rest,gen,dev} uuid.{size,dirty,ptrs,bucket,rest,gen,dev}; do
		damaged registered.cache "journal[newest].$f="{0,2048,0xffffffffffffffff}
	done
}

@test "any number in any field of keys and sets is survived" {
	for f in inode size dirty ptrs offset bucket rest gen dev; do
		damaged churn-lru.cache "journal[newest].key[0].$f="{0,0xffffffffffffffff} \
			"leaf[0].key[0][3].$f="{0,0xffffffffffffffff} \
			"root.key[0][3].$f="{0,0xffffffffffffffff}
	done
	for f in keys version seq magic; do
		damaged churn-lru.cache "leaf[0].set[0].$f="{0,0xffffffffffffffff} \
			"root.set[1].$f="{0,0xffffffffffffffff}
	done
}

@test "a root with two pointers, one to nowhere, is survived" {
	for key in root uuid; do
		image churn-lru.cache
		poke "$IMG" "journal[newest].$key.ptrs=2" \
			"journal[newest].$key.bucket[0]=0x7ffffffff" \
			"journal[newest].$key.bucket[1]=clean0" 'prio.gen[clean0]=+3'
		look "$IMG"
		checked "$IMG"
		[ "$status" = 4 ]
	done
}

@test "an image cut short is too small for a superblock, or for its buckets" {
	for size in 0 1 511 512 4095 4096 4097 8191; do
		head -c $size "$BUILD/images/churn-lru.cache" > "$IMG"
		look "$IMG"
		failed_on "$IMG"
	done
	for size in 8192 8193 16384 65536 69632 1000000 8388608 16777215; do
		head -c $size "$BUILD/images/churn-lru.cache" > "$IMG"
		look "$IMG"
		checked "$IMG"
		[ "$status" = 4 ]
		found SB_CAPACITY
	done
}

@test "a part of a set filled with random bytes is found or harmless, and always survived" {
	random_bytes 65536 > "$T/random"
	for mib in 0 1 2 5 9 15; do
		image churn-lru.cache
		dd if="$T/random" of="$IMG" bs=64k seek=$((mib * 16 + 1)) conv=notrunc status=none
		look "$IMG"
		checked "$IMG"
	done
}

@test "what is no bcache device has no superblock" {
	random_bytes 1048576 > "$IMG"
	look "$IMG"
	checked "$IMG"
	[ "$status" = 4 ]
	found SB_MAGIC
	[ "$(grep -c ': SB_' "$T/out")" = 1 ]
}

@test "empty, missing, directory, device node and pipe are errors" {
	: > "$T/empty"
	mkdir "$T/dir"
	mkfifo "$T/fifo"
	for f in "$T/empty" "$T/missing" "$T/dir" "$T/fifo" /dev/null; do
		look "$f"
		failed_on "$f"
	done
}

@test "a file that may not be read is an error" {
	[ "$(id -u)" != 0 ] || skip "root may read everything"
	image fresh.cache
	chmod 0 "$IMG"
	look "$IMG"
	failed_on "$IMG"
}

@test "a backing device alone is checked, and its first line says that it needs its cache" {
	image wb-crash.back1
	look "$IMG"
	[ "$status" = 0 ]
	[[ "$(head -n 1 "$T/out")" == *"BDEV_NEEDS_CACHE (0x0707): warning: backing device has dirty data in cache set e3b82d4e-e182-4911-b4f1-9be9696257d5; do not use it alone" ]]
	[ "$(sed -n 2p "$T/out")" = "$IMG: clean; the kernel will start this backing device" ]
}

@test "gens near the limit: a warning with the number and what gc will do, on a set that is clean" {
	image registered.cache
	poke "$IMG" 'journal.append={like=0,ptrs=0}' 'prio.gen[clean0]=85'
	for how in -n -p "-n -q"; do
		# shellcheck disable=SC2086
		run -0 cache-fsck $how "$IMG"
		[[ "${lines[0]}" == *"BUCKET_LAG_NEAR (0x0608): warning: pointers lag by 80 gens or more in 1 of the buckets, in bucket 35 by 84: the kernel may warn of it, reuses no bucket that lags by 96, and its next garbage collection drops the old pointers" ]]
	done
	[[ "$(cache-fsck -n "$IMG")" == *"clean; the kernel will start this cache set"* ]]
}

@test "a cache and its backing device are clean together, in either order" {
	image wb-crash.cache "$T/cache"
	image wb-crash.back1 "$T/back"
	for order in "cache back" "back cache"; do
		# shellcheck disable=SC2086 # two names
		set -- $order
		look "$T/$1" "$T/$2"
		[ "$status" = 0 ]
		[ -z "$err" ]
		grep -q "^$T/cache: sound; 20.1 MiB of dirty data" "$T/out"
		grep -q "^$T/back: clean" "$T/out"
	done
}

@test "a device that cannot be opened stops before anything is checked" {
	image fresh.cache
	look "$IMG" "$T/missing"
	failed_on "$T/missing"
}

@test "one device that is too small does not keep the other from being checked" {
	image registered.cache
	poke "$IMG" sb.pad[0]=1 sb.replacement=3
	: > "$T/empty"
	look "$T/empty" "$IMG"
	[ "$status" = 12 ]
	found SB_REPLACEMENT
	[[ "$err" == *"$T/empty"* ]]
}

@test "two caches are two sets" {
	image registered.cache "$T/one"
	image churn-lru.cache "$T/two"
	look "$T/one" "$T/two"
	[ "$status" = 0 ]
	look "$T/one" "$T/one"
	[ "$status" = 0 ]
}

@test "a file that may only be read is checked" {
	image churn-lru.cache
	chmod 444 "$IMG"
	look "$IMG"
	[ "$status" = 0 ]
}

@test "without a terminal one of -n, -p, -y is needed, and only one" {
	image fresh.cache
	run -8 --separate-stderr cache-fsck "$IMG" < /dev/null
	[[ "$stderr" == *"no terminal"* ]]
	for two in "-n -y" "-p -n" "-y -a"; do
		# shellcheck disable=SC2086 # two options
		run -16 --separate-stderr cache-fsck $two "$IMG"
		[ -z "$output" ]
	done
	run -16 cache-fsck -n
	run -16 cache-fsck -n -C x "$IMG"
}

@test "a name with blanks and percent signs is printed as it is" {
	cp --sparse=always "$BUILD/images/fresh.cache" "$T/a b%n"
	poke "$T/a b%n" sb.uuid=zero
	look "$T/a b%n"
	[ "$status" = 4 ]
	grep -qF "$T/a b%n: SB_UUID (0x0104): " "$T/out"
}

@test "an error among several devices is in JSON too" {
	image fresh.cache
	: > "$T/empty"
	look --json "$IMG" "$T/empty"
	[ "$status" = 8 ]
	jq -e --arg d "$T/empty" '.devices[] | select(.device == $d) | .error | length > 0' < "$T/out"
}

@test "a finding's seqs are strings in JSON, whatever their names, and its sectors numbers" {
	image wb-clean.cache
	cache-fsck -n -v -J "$IMG" |
		jq -e '.findings[] | select(.code == "JOURNAL_REPLAY") | .start_seq == "0x68" and .end_seq == "0x7a"'
	image churn-lru.cache
	poke "$IMG" 'leaf[3].key[0][5].inode=7'
	run cache-fsck -n -J "$IMG"
	jq -e '.findings[] | select(.code == "CHILD_RANGE") | .start | type == "number"' <<< "$output"
}

@test "a key too great stops the driver's start only where its sort puts it last" {
	image churn-lru.cache
	poke "$IMG" 'leaf[3].key[0][5].inode=7'
	run cache-fsck -n -J "$IMG"
	jq -e '.kernel == "starts" and .damage' <<< "$output"
	image churn-lru.cache
	poke "$IMG" 'leaf[3].key[0][last].inode=7'
	run cache-fsck -n -J "$IMG"
	jq -e '.kernel == "disables"' <<< "$output"
}

@test "what keeps cache-fsck from its work adds 8, and only an undo file that exists is named" {
	image ring-full.cache
	before=$(sum "$IMG")
	run -12 --separate-stderr cache-fsck -y -z "$T/none/undo" "$IMG"
	[[ "$stderr" == "cache-fsck: cannot make the undo file $T/none/undo: No such file or directory" ]]
	[[ "$output" != *"take it back"* ]]
	exec {lock}< "$IMG"
	flock "$lock"
	run -12 --separate-stderr cache-fsck -y -z "$T/undo" "$IMG"
	[[ "$stderr" != *"take it back"* ]]
	[ ! -e "$T/undo" ]
	exec {lock}<&-
	[ "$before" = "$(sum "$IMG")" ]
}

@test "the levels of the btree are called so in JSON" {
	image wb-crash.cache
	cache-fsck -n -J "$IMG" | jq -e '.summary.btree_levels == 2 and ([.. | objects | has("btree_depth")] | any | not)'
}
