# SPDX-License-Identifier: GPL-2.0-only
# Header backups: cache-super-show --save and --restore.

setup() {
	load ../lib/common
	T=$BATS_TEST_TMPDIR
	HEAD=$T/head
}

# Zeros over the superblock.
lose_super() { dd if=/dev/zero of="$1" bs=4096 seek=1 count=1 conv=notrunc status=none; }

@test "a lost superblock is restored byte for byte, and the set is checked" {
	image registered.cache
	before=$(sum "$IMG")
	run -0 --separate-stderr cache-super-show --save "$HEAD" "$IMG"
	[ "$output" = "$IMG: superblock saved to $HEAD" ]
	[ "$before" = "$(sum "$IMG")" ]
	lose_super "$IMG"
	run -0 --separate-stderr cache-super-show --restore "$HEAD" -y "$IMG"
	[[ "$output" == *"  nbuckets "*"0x0 becomes 0x800: header backup"* ]]
	[[ "${lines[-1]}" == "$IMG: restored; clean; the kernel will start this cache set" ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "what is already as the backup has it is not written" {
	image registered.cache
	cache-super-show -q --save "$HEAD" "$IMG"
	touch -d @0 "$IMG"
	run -0 cache-super-show --restore "$HEAD" -z "$T/undo" -y "$IMG"
	[[ "$output" == *"is identical to the backup" ]]
	[ "$(stat -c %Y "$IMG")" = 0 ]
	[ ! -e "$T/undo" ]
}

@test "a backup is never written over" {
	image registered.cache
	: > "$HEAD"
	run -1 --separate-stderr cache-super-show --save "$HEAD" "$IMG"
	[[ "$stderr" == *"cannot make the backup $HEAD: File exists" ]]
	[ ! -s "$HEAD" ]
}

@test "a dry run names every change and writes nothing" {
	image registered.cache
	cache-super-show -q --save "$HEAD" "$IMG"
	lose_super "$IMG"
	before=$(sum "$IMG")
	run -0 cache-super-show --restore "$HEAD" -n "$IMG"
	for field in version magic uuid set_uuid flags nbuckets block_size bucket_size d; do
		[[ "$output" == *"  $field "* ]]
	done
	[ "$before" = "$(sum "$IMG")" ]
	run -0 cache-super-show --save "$T/other" -n "$BUILD/images/wb-clean.cache"
	[ ! -e "$T/other" ]
}

@test "without a terminal and without -y nothing is restored" {
	image registered.cache
	cache-super-show -q --save "$HEAD" "$IMG"
	lose_super "$IMG"
	before=$(sum "$IMG")
	run -1 --separate-stderr cache-super-show --restore "$HEAD" "$IMG" < /dev/null
	[[ "$stderr" == *"left as it is; -y restores without asking" ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "on a terminal it asks, and y restores" {
	command -v script > /dev/null || skip "no script(1)"
	image registered.cache
	before=$(sum "$IMG")
	cache-super-show -q --save "$HEAD" "$IMG"
	lose_super "$IMG"
	lost=$(sum "$IMG")
	run -1 script -qec "cache-super-show --restore $HEAD $IMG" /dev/null <<< n
	[[ "$output" == *"$IMG: write this superblock? (y/N)"* ]]
	[ "$lost" = "$(sum "$IMG")" ]
	run -0 script -qec "cache-super-show --restore $HEAD $IMG" /dev/null <<< y
	[ "$before" = "$(sum "$IMG")" ]
}

@test "what a restore overwrote comes back with cache-undo" {
	image registered.cache
	cache-super-show -q --save "$HEAD" "$IMG"
	poke "$IMG" raw:sb.label=other
	before=$(sum "$IMG")
	run -0 cache-super-show --restore "$HEAD" -z "$T/undo" -y "$IMG"
	[ "$before" != "$(sum "$IMG")" ]
	run -0 cache-undo "$T/undo" "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "the backup of another device is refused, by size, by superblock and by journal" {
	image registered.cache
	cache-super-show -q --save "$HEAD" "$IMG"
	make_image --buckets 2048 --bucket 8k
	run -1 --separate-stderr cache-super-show --restore "$HEAD" -f -y "$IMG"
	[[ "$stderr" == *"its superblock is of device 00000000-0000-0000-0000-000000000001, the backup of "* ]]
	truncate -s +4k "$IMG"
	run -1 --separate-stderr cache-super-show --restore "$HEAD" -f -y "$IMG"
	[[ "$stderr" == *"the backup is of a device of "* ]]
	image churn-lru.cache
	image churn-lru.cache "$T/other"
	cache-super-show -q --save "$T/head2" "$T/other"
	image registered.cache
	truncate -s "$(stat -c %s "$T/other")" "$IMG"
	cache-super-show -q --save "$T/head3" "$IMG"
	lose_super "$T/other"
	run -1 --separate-stderr cache-super-show --restore "$T/head3" -f -y "$T/other"
	[[ "$stderr" == *"its journal is of another set than the backup" ]]
}

@test "a device that has other content now is not overwritten" {
	command -v mke2fs > /dev/null || skip "no mke2fs"
	truncate -s 16M "$IMG"
	make-cache -q -B "$IMG"
	cache-super-show -q --save "$HEAD" "$IMG"
	mke2fs -q -F "$IMG" > /dev/null
	before=$(sum "$IMG")
	run -1 --separate-stderr cache-super-show --restore "$HEAD" -y "$IMG"
	[[ "$stderr" == *"holds ext2, and no bcache superblock" ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "a backing device without a superblock is restored as dirty, so that the kernel waits for its cache" {
	image wb-crash.back1
	poke "$IMG" sb.state=clean
	cache-super-show -q --save "$HEAD" "$IMG"
	lose_super "$IMG"
	run -0 --separate-stderr cache-super-show --restore "$HEAD" -y "$IMG"
	[[ "$output" == *"header backup, and dirty, so that a kernel waits for the cache"* ]]
	[ "$(cache-super-show -J "$IMG" | jq -r .state)" = dirty ]
}

@test "a backing device that had no cache needs --force" {
	truncate -s 16M "$IMG"
	make-cache -q -B "$IMG"
	before=$(sum "$IMG")
	cache-super-show -q --save "$HEAD" "$IMG"
	lose_super "$IMG"
	run -1 --separate-stderr cache-super-show --restore "$HEAD" -y "$IMG"
	[[ "$stderr" == *"would be abandoned; if it is right, give --force" ]]
	run -0 cache-super-show --restore "$HEAD" -f -y "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "a set that is not clean after it says so and ends with 1" {
	image registered.cache
	cache-super-show -q --save "$HEAD" "$IMG"
	poke "$IMG" 'prio[0].csum=flip'
	lose_super "$IMG"
	run -1 cache-super-show --restore "$HEAD" -y "$IMG"
	[[ "$output" == *"PRIO_CSUM (0x0304)"* ]]
	[[ "${lines[-1]}" == *"restored; NOT CLEAN; "* ]]
}

@test "JSON has the backup, every change and what the check found" {
	image registered.cache
	SOURCE_DATE_EPOCH=7 run -0 cache-super-show --save "$HEAD" -J "$IMG"
	jq -e '.schema == 1 and .saved_at == 7' <<< "$output"
	lose_super "$IMG"
	run -0 --separate-stderr cache-super-show --restore "$HEAD" -n -J "$IMG"
	jq -e '.dry_run and (.restored | not) and (.changes | length > 8)' <<< "$output"
	run -0 --separate-stderr cache-super-show --restore "$HEAD" -y -J "$IMG"
	jq -e '.restored and .kernel == "starts" and (.changes[] | select(.name == "nbuckets").now == "0x800") and (.findings | type == "array")' <<< "$output"
	run -1 --separate-stderr cache-super-show --restore "$T/none" -y -J "$IMG"
	jq -e '.error.message' <<< "$output"
}

@test "with SOURCE_DATE_EPOCH the file is the same again, and what is no number is ignored" {
	image registered.cache
	SOURCE_DATE_EPOCH=7 run -0 cache-super-show --save "$HEAD" "$IMG"
	SOURCE_DATE_EPOCH=7 run -0 cache-super-show --save "$HEAD.again" "$IMG"
	cmp "$HEAD" "$HEAD.again"
	SOURCE_DATE_EPOCH=7x run -0 cache-super-show --save "$HEAD.now" -J "$IMG"
	jq -e '.saved_at > 1700000000' <<< "$output"
}

@test "what does not belong together is a usage error" {
	for args in "--save $HEAD --restore $HEAD" "-y" "-z $T/undo" "-n" "--save $HEAD -y"; do
		# shellcheck disable=SC2086 # options
		run -2 cache-super-show $args "$BUILD/images/registered.cache"
	done
	[ ! -e "$HEAD" ]
}
