# SPDX-License-Identifier: GPL-2.0-only
# Sets of several cache devices, as kernels before 5.10 ran them.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || exit
	members 3 5 20
}

teardown() {
	[ -z "${loop:-}" ] || losetup -d "$loop"
}

# members N LEAVES EXTENTS: a set of N members a, b, c ... that has run
members() {
	local names=(a b c d e f g h)
	names=("${names[@]:0:$1}")
	rm -f a b c d e f g h
	truncate -s 16M "${names[@]}"
	make-cache -q -b 16k -C --set-size "$1" --cset-uuid 5e700000-0000-0000-0000-000000000001 \
		"${names[@]}" > /dev/null
	"$BUILD/tests/members" "$2" "$3" "${names[@]}"
}
codes() { cache-fsck -n -J "$@" | jq -r '.findings[] | select(.severity != "note") | .code' | sort -u | xargs; }
of() { jq -r "$1" out; }

@test "all members named are one set: every pointer is followed, into each of them" {
	for order in "a b c" "c a b" "b c a"; do
		# shellcheck disable=SC2086
		run -4 --separate-stderr cache-fsck -n -J $order
		echo "$output" > out
		[ "$(of '.summary | "\(.extents) \(.dirty_extents) \(.nbuckets) \(.btree_nodes)"')" = "103 53 3072 6" ]
		[ "$(of '.summary | .metadata_buckets + .dirty_buckets + .clean_buckets + .free_buckets')" = $((3072 - 3)) ]
		# shellcheck disable=SC2086
		[ "$(codes $order)" = SB_MULTI_MEMBER ]
	done
}

@test "a member that is not named is said by its index, and what leads to it" {
	run -4 cache-fsck -n a c
	[[ "$output" == *"a: SB_MEMBER_ABSENT (0x0125): member 1 of this set of 3 cache devices is not at hand"* ]]
	[[ "$output" == *"child 0:336 is on member 1, which is not at hand"* ]]
	[[ "$output" != *CHILD_MISSING* ]]
	run -4 cache-fsck -n -v c
	[[ "$output" == *"member 0 of this set"*"member 1 of this set"* ]]
	[[ "$output" == *"ROOT_PTR"*"cache device that is not there"* ]]
}

@test "a member that this machine has is named by its path, and not read" {
	[ "$(id -u)" = 0 ] || skip "needs root for a loop device"
	loop=$(losetup --show -f b 2> /dev/null) || skip "no loop device to be had"
	run -4 --separate-stderr cache-fsck -n a c
	[ "$stderr" = "cache-fsck: next: member 1 of this set is $loop: name it too" ]
	cache-fsck -n -J a c > out || [ $? = 4 ]
	[ "$(of '.absent_members[] | "\(.index) \(.path)"')" = "1 $loop" ]
	run -1 --separate-stderr cache-show-keys c a
	[[ "$stderr" == *"cache-show-keys: member 1 of this set is $loop: name it too"* ]]
	run -4 --separate-stderr cache-fsck -n a c "$loop"
	[[ "$output$stderr" != *"name it too"* ]]
	[[ "$output" == *"103 extents"* ]]
}

@test "damage is told of the device that has it, in that device's own numbers" {
	bucket=$(cache-show-journal -J c | jq .newest.prio_bucket)
	poke c 'prio[0].csum=flip'
	run -4 cache-fsck -n a b c
	[[ "$output" == *"c: PRIO_CSUM (0x0304): prio bucket $bucket has"* ]]
	[[ "$output" != *"a: PRIO_CSUM"* ]]
}

@test "a ring that is behind is a warning, and the others' entries count" {
	poke b 'journal[newest]=zero'
	run -4 cache-fsck -n -J a b c
	echo "$output" > out
	[ "$(of .summary.journal_entries)" = 2 ]
	[ "$(of '.findings[] | select(.code == "JOURNAL_MEMBER_RING") | "\(.device) \(.index)"')" = "b 1" ]
}

@test "the same place twice and another geometry are refused, and the rest is checked" {
	cp a x
	poke x sb.uuid=5e700000-0000-0000-0000-000000000009
	run -4 cache-fsck -n a b c x
	[[ "$output" == *"x: SB_MEMBER_TWICE"*"member 0 of this set too"* ]]
	truncate -s 32M y
	make-cache -q -b 32k -C --set-size 3 --index 2 \
		--cset-uuid 5e700000-0000-0000-0000-000000000001 y > /dev/null
	run -4 cache-fsck -n a b y
	[[ "$output" == *"y: SB_MEMBER_DIFFERS"*"bucket size is 64, that of the set's other members is 32"* ]]
}

@test "nothing but superblocks is repaired: refused with the reason, and no byte is written" {
	poke b 'prio[0].csum=flip'
	before=$(sha256sum a b c)
	for how in -p -y "-y --allow-data-loss"; do
		# shellcheck disable=SC2086
		run -4 --separate-stderr cache-fsck $how a b c
		[[ "$stderr" == *"b: member 1 of a set of 3 cache devices: only the superblocks of such a set are repaired"* ]]
		[ "$before" = "$(sha256sum a b c)" ]
	done
	run -1 --separate-stderr cache-alloc -c 1 --commit a
	[ "$before" = "$(sha256sum a b c)" ]
}

@test "a set of eight members" {
	members 8 9 30
	[ "$(codes a b c d e f g h)" = SB_MULTI_MEMBER ]
	cache-fsck -n -J h g f e d c b a > out || [ $? = 4 ]
	[ "$(of .summary.extents)" = 273 ]
}

@test "a set that has not run, and a backing device of the set beside it" {
	rm a b
	truncate -s 16M a b back
	make-cache -q -b 16k -C --set-size 2 --cset-uuid 5e700000-0000-0000-0000-000000000002 a b > /dev/null
	make-cache -q -B back > /dev/null
	[ "$(codes a b back)" = SB_MULTI_MEMBER ]
}

@test "the keys of all members are one list, and say on which member they are" {
	cache-show-keys -J a b c > out || [ $? = 1 ]
	[ "$(of '.keys | length')" = 103 ]
	[ "$(of '[.keys[].ptr_member] | group_by(.) | map(length) | sort | join(" ")')" = "34 34 35" ]
	[ "$(of '[.keys[] | select(.node == null)] | length')" = 3 ]
	cache-show-keys --tsv c b a > rows || [ $? = 1 ]
	[ "$(wc -l < rows)" = 103 ]
	cache-show-keys -J --nodes a b c > out || [ $? = 1 ]
	[ "$(of '[.nodes[].node_member] | join(" ")')" = "0 0 1 2 0 1" ]
	cache-show-keys -J a c > out || [ $? = 1 ]
	[ "$(of '.keys | length')" -lt 103 ]
	[ "$(of '[.keys[].ptr_member] | unique | join(" ")')" = "0 2" ]
}

@test "prios are those of the device that is named first, and what its buckets hold is known from all" {
	for d in "a b c" "b a c" "c a b"; do
		# shellcheck disable=SC2086
		cache-show-prios -a $d > "rows.${d%% *}" || [ $? = 1 ]
	done
	[ "$(wc -l < rows.b)" = 1024 ]
	[ "$(head -1 rows.b | cut -f1)" = 0 ]
	# each extent has its bucket
	[ "$(cat rows.? | cut -f4 | grep -c '^dirty$')" = 53 ]
	[ "$(cat rows.? | cut -f4 | grep -c '^clean$')" = 50 ]
	[ "$(cat rows.? | cut -f4 | grep -c '^uuid$')" = 1 ]
	cache-show-prios -J c a b > out || [ $? = 1 ]
	[ "$(of .nbuckets)" = 1024 ]
	[ "$(of '.chain[0]')" = "$(cache-show-journal -J c | jq .newest.prio_bucket)" ]
}

@test "the uuid table is found on whichever member it is, and amounts are those of all" {
	cache-show-uuids -J a b c > out || [ $? = 1 ]
	[ "$(of '.uuids[0] // .slots[0] | "\(.cached_sectors) \(.dirty_sectors)"')" = "824 424" ]
}

@test "devices that are not of one set are not shown as one" {
	truncate -s 16M other
	make-cache -q -b 16k -C other > /dev/null
	run -1 --separate-stderr cache-show-keys a other
	[[ "$stderr" == *"other: it is no cache device of the set of a"* ]]
	run -1 --separate-stderr cache-show-keys other a
	[[ "$stderr" == *"other: it is not one of several cache devices"* ]]
	run -1 cache-show-journal a other
}

@test "--owner asks about the device that is named first, in its own numbers" {
	cache-show-keys -J a b c > keys || [ $? = 1 ]
	# every extent is found where it lies, and on no other member
	for d in a b c; do
		others=$(echo abc | tr -d $d | sed 's/./& /g')
		member=$(printf '%d' "'$d"); member=$((member - 97))
		jq -r ".keys[] | select(.ptr_member == $member) | \"\(.ptr) \(.start)\"" keys |
			sed -n '1p;$p' > places
		[ "$(wc -l < places)" = 2 ]
		while read -r sector start; do
			# shellcheck disable=SC2086
			cache-show-keys --owner "${sector}s" -J $d $others > out || [ $? = 1 ]
			[ "$(of '"\(.on_member) \(.live_extents) \(.keys[0].start) \(.keys[0].ptr_member)"')" = \
				"$member 1 $start $member" ]
		done < places
	done
	cache-show-keys --owner 1 -J b a c > out || [ $? = 1 ]
	[ "$(of '"\(.role) \(.first_sector)"')" = "journal 32" ]
	cache-show-keys --owner 2 -J b a c > out || [ $? = 1 ]
	[ "$(of '.entries[0].seq')" = 0x29 ]
	chain=$(cache-show-journal -J c | jq .newest.prio_bucket)
	cache-show-keys --owner "$chain" -J c a b > out || [ $? = 1 ]
	[ "$(of '"\(.role) \(.member) \(.first_bucket) \(.last_bucket)"')" = "prio 0 0 1023" ]
	root=$(cache-show-keys -J --nodes a b c | jq '.nodes[0] | .node')
	cache-show-keys --owner "$root" -J a b c > out || [ $? = 1 ]
	[ "$(of '"\(.role) \(.level)"')" = "btree 1" ]
	run -1 --separate-stderr cache-show-keys --owner 1024 b a c
	[[ "$stderr" == *"bucket 1024 is past the last of 1024 buckets"* ]]
	run -1 cache-show-keys --owner 32768s c a b
}

@test "applets that need all members say so when one is given" {
	run -1 --separate-stderr cache-image save b b.img
	[[ "$stderr" == *"one of 3 cache devices of its set"* ]]
	[ ! -e b.img ]
	run -1 --separate-stderr cache-map a
	[[ "$stderr" == *"one of several cache devices of its set"* ]]
	truncate -s 16M back
	make-cache -q -B --cset-uuid 5e700000-0000-0000-0000-000000000001 back > /dev/null
	before=$(sha256sum a b c)
	run -1 --separate-stderr cache-writeback a back
	run -1 --separate-stderr cache-tune -y --detach back a
	[ "$before" = "$(sha256sum a b c)" ]
	run --separate-stderr make-cache -n -C --wipe-bcache b
	[[ "$output$stderr" == *"b: "*"dirty data"* ]]
	[[ "$output$stderr" == *"more"* || "$output$stderr" == *"damaged"* ]]
}

@test "for a kernel that takes several cache devices the whole set is clean, a part of it is not" {
	run -0 cache-fsck -n --kernel 4.15 c a b
	[ "$(cache-fsck -n -J --kernel 4.15 a b c | jq -c .kernels)" = '{"4.15":"starts"}' ]
	run -4 cache-fsck -n --kernel 4.15 a b
	run -4 cache-fsck -n --kernel all a b c
	[[ "$output" == *"may return wrong blocks"* ]]
	run -1 --separate-stderr cache-alloc --kernel 4.15 -c 1 --commit a
	[[ "$stderr" == *"one of 3 cache devices of its set, and such a set is only read"* ]]
}

@test "the ring that is shown is that of the device named first, and keys say where they point" {
	poke b 'journal[newest]=zero'
	cache-show-journal -k -J b a c > out || [ $? = 1 ]
	[ "$(of .newest.seq)" = 0x29 ]
	[ "$(of '[.problems[].code] | unique | join(" ")')" = "JOURNAL_MEMBER_RING SB_MULTI_MEMBER" ]
	cache-show-journal -k -J c b a > out || [ $? = 1 ]
	[ "$(of .newest.seq)" = 0x2a ]
	[ "$(of '"\(.newest.root_member) \(.newest.uuid_member)"')" = "0 2" ]
	[ "$(of '[.keys[] | .ptr_member] | length')" = 3 ]
	[ "$(of '[.keys[] | select(.bucket == null)] | length')" = 0 ]
}
