# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
	image churn-lru.cache
}

# gens FILE: bucket and gen of every bucket, as the kernel has them after its start
gens() { cache-show-prios -a --recovered "$1" | cut -f1,3; }
# marks FILE: bucket and mark
marks() { cache-show-prios -a "$1" | cut -f1,4; }
# taken [JSON]: the buckets of a result
taken() { jq -r '.buckets[].bucket' "$BATS_TEST_TMPDIR/out"; }
alloc() { cache-alloc --json "$@" "$IMG" > "$BATS_TEST_TMPDIR/out"; }
of() { jq -r "$1" "$BATS_TEST_TMPDIR/out"; }

@test "without --commit nothing is written, with -n neither" {
	before=$(sum "$IMG")
	run -0 cache-alloc -c 100 "$IMG"
	run -0 cache-alloc -n -c 100 "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "what is committed is what was shown: gens, and no bucket else changed" {
	gens "$IMG" > "$IMG.old"
	alloc -c 100 --commit
	[ "$(of .allocated)" = 100 ]
	gens "$IMG" > "$IMG.new"
	[ "$(diff "$IMG.old" "$IMG.new" | grep -c '^>')" = "$(of .invalidated)" ]
	of '.buckets[] | [.bucket, .gen] | @tsv' | sort > "$IMG.taken"
	[ "$(sort "$IMG.new" | comm -12 - "$IMG.taken" | wc -l)" = 100 ]
	diff "$IMG.old" "$IMG.new" | awk '/^</ { old[$2] = $3 }
		/^>/ && $3 != (old[$2] + 1) % 256 { exit 1 }'
	cache-fsck -n "$IMG"
}

@test "the amounts after the commit are those that were promised" {
	alloc -c 300 --commit
	cache-fsck -n -J "$IMG" > "$IMG.json"
	for n in metadata dirty clean free; do
		[ "$(of ".after.${n}_buckets")" = "$(jq ".summary.${n}_buckets" "$IMG.json")" ]
	done
	[ $(($(of .written.seq))) = $(($(jq -r .summary.journal_seq "$IMG.json"))) ]
}

@test "dirty data and metadata are never touched, whatever is asked" {
	for policy in lru fifo random; do
		for reserve in none btree prio movinggc; do
			image wb-crash.cache
			marks "$IMG" > "$IMG.marks"
			fsck_before=$(cache-fsck -n -J "$IMG" | jq '.summary | .dirty_sectors, .dirty_extents')
			run -1 --separate-stderr cache-alloc -J -c 1000000 --policy $policy \
				--reserve $reserve --seed 7 --commit "$IMG"
			echo "$output" > "$BATS_TEST_TMPDIR/out"
			[ "$(of .stop)" != "done" ]
			[ "$(of .allocated)" -gt 4000 ] || [ $reserve = prio ]
			taken | sort > "$IMG.taken"
			[ -z "$(uniq -d "$IMG.taken")" ]
			[ "$(sort "$IMG.marks" | join - "$IMG.taken" | cut -d' ' -f2 | sort -u |
				grep -vc "clean\|free")" = 0 ]
			[ "$fsck_before" = "$(cache-fsck -n -J "$IMG" | jq '.summary | .dirty_sectors, .dirty_extents')" ]
		done
	done
}

@test "asking for more than there is ends with what was done, and why" {
	# drivers since 7.2 keep 16 buckets more in reserve for nodes of the tree
	for era in 6.1:1873 7.2:1857; do
		run -1 --separate-stderr cache-alloc --kernel ${era%:*} -c 5000 "$IMG"
		[[ "$stderr" == *": ${era#*:} of 5000 buckets: no bucket is left that could be reclaimed" ]]
		[[ "$output" == *"allocated:"*" ${era#*:}"* ]]
	done
}

@test "when no bucket can be allocated nothing is written" {
	cache-alloc -q -c 5000 --commit "$IMG" > /dev/null || true
	cache-alloc -q -c 5000 --commit --policy fifo "$IMG" > /dev/null || true
	cache-fsck -n "$IMG"
	before=$(sum "$IMG")
	run -0 cache-alloc -c 0 --commit "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "the policy is the set's unless another is named" {
	alloc -c 1
	[ "$(of .policy)" = lru ]
	alloc -c 1 --policy fifo
	[ "$(of .policy)" = fifo ]
}

@test "the same seed gives the same buckets, another one others" {
	alloc -c 50 --policy random --seed 5
	a=$(taken)
	alloc -c 50 --policy random --seed 5
	[ "$a" = "$(taken)" ]
	[ "$(of .seed)" = 5 ]
	alloc -c 50 --policy random --seed 6
	[ "$a" != "$(taken)" ]
}

@test "a seed that was not given is shown and repeats" {
	alloc -c 50 --policy random
	a=$(taken) seed=$(of .seed)
	alloc -c 50 --policy random --seed "$seed"
	[ "$a" = "$(taken)" ]
}

@test "sectors: streams fill a bucket each" {
	alloc -c 1024 --sectors --write-points 4
	[ "$(of .allocated_sectors)" = 1024 ]
	[ "$(of .allocated)" = 64 ]
	run -1 cache-alloc -c 100000000 --sectors "$IMG"
}

@test "-v lists the buckets with their gens" {
	run -0 cache-alloc -v -c 5 "$IMG"
	[ "$(grep -cE '^[0-9]+	[0-9]+$' <<< "$output")" = 5 ]
}

@test "a damaged set is refused in one line that names cache-fsck" {
	poke "$IMG" raw:prio[0].seq=9
	before=$(sum "$IMG")
	run -1 --separate-stderr cache-alloc -c 1 --commit "$IMG"
	[[ "$stderr" == *cache-fsck*PRIO_CSUM* ]]
	[ "${#stderr_lines[@]}" = 1 ]
	[ -z "$output" ]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "a set whose start may hang is refused" {
	image ring-full.cache
	run -1 --separate-stderr cache-alloc -c 1 --commit "$IMG"
	[[ "$stderr" == *JOURNAL_RING* ]]
}

@test "a set that never ran and a backing device are refused" {
	image fresh.cache
	run -1 --separate-stderr cache-alloc -c 1 "$IMG"
	[[ "$stderr" == *"has not run yet"* ]]
	image wb-clean.back1
	run -1 --separate-stderr cache-alloc -c 1 "$IMG"
	[[ "$stderr" == *"backing device"* ]]
}

@test "a file that another program has locked is not written" {
	before=$(sum "$IMG")
	run -1 --separate-stderr flock "$IMG" cache-alloc -c 1 --commit "$IMG"
	[[ "$stderr" == *"locked by another program"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "-z saves what is overwritten, and cache-undo puts it back" {
	before=$(sum "$IMG")
	cache-alloc -q -c 100 --commit -z "$IMG.undo" "$IMG" > /dev/null
	[ "$before" != "$(sum "$IMG")" ]
	cache-undo -q "$IMG.undo" "$IMG" > /dev/null
	[ "$before" = "$(sum "$IMG")" ]
}

@test "no undo file stays behind when nothing was written" {
	image ring-full.cache
	run -1 cache-alloc -c 1 --commit -z "$IMG.undo" "$IMG"
	[ ! -e "$IMG.undo" ]
	image churn-lru.cache
	run -0 cache-alloc -c 0 --commit -z "$IMG.undo" "$IMG"
	[ ! -e "$IMG.undo" ]
}

@test "a full disk for the undo file: one line, and the set is the old one" {
	before=$(sum "$IMG") small=$BATS_TEST_TMPDIR/small
	mkdir "$small"
	unshare -rm mount -t tmpfs -o size=8k none "$small" 2> /dev/null ||
		skip "no small file system to be had"
	run -1 --separate-stderr unshare -rm sh -c "mount -t tmpfs -o size=8k none $small &&
		cache-alloc -q -c 100 --commit -z $small/undo $IMG > /dev/null"
	[ "${#stderr_lines[@]}" = 1 ]
	[[ "$stderr" == *"No space left"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

# interrupted N ARG...: cache-alloc, with Ctrl-C right before its N-th write or flush
interrupted() {
	local n=$1
	shift
	env TEST_SIGINT="$n" TEST_SIGINT_SENT="$IMG.sent" LD_PRELOAD="$BUILD/tests/sigint.so" \
		ASAN_OPTIONS="${ASAN_OPTIONS-}:verify_asan_link_order=0" \
		cache-alloc -q -c 100 --seed 1 --commit "$@" "$IMG"
}

@test "Ctrl-C at any write of a commit: the set is the old one, and says so, or the new one" {
	local n old_but_begun=0 new=0
	cp "$IMG" "$IMG.first"
	first=$(sum "$IMG")
	cache-alloc -q -c 100 --seed 1 --commit "$IMG" > /dev/null
	gens "$IMG" > "$IMG.new"
	gens "$IMG.first" > "$IMG.old"
	for ((n = 1; ; n++)); do
		rm -f "$IMG.sent"
		cp "$IMG.first" "$IMG"
		run --separate-stderr interrupted $n -z "$IMG.undo"
		gens "$IMG" > "$IMG.now"
		if [ "$status" = 0 ]; then
			cmp "$IMG.new" "$IMG.now"
			[ -z "$stderr" ]
			new=$((new + 1))
		else
			[ "$status" = 1 ]
			cmp "$IMG.old" "$IMG.now"
			[ "$stderr" = "cache-alloc: $IMG: cancelled, nothing was changed" ]
			[ "$first" = "$(sum "$IMG")" ] || old_but_begun=1
		fi
		cache-fsck -n "$IMG"
		[ ! -e "$IMG.undo" ] || cache-undo -q "$IMG.undo" "$IMG" > /dev/null
		[ "$first" = "$(sum "$IMG")" ]
		rm -f "$IMG.undo"
		[ -e "$IMG.sent" ] || break
	done
	[ "$old_but_begun" = 1 ]	# its prio sets were already written
	[ "$new" -gt 2 ]		# and the last was not interrupted
}

@test "a read-only file can be looked at and not committed to" {
	[ "$(id -u)" != 0 ] || skip "root may write everything"
	chmod a-w "$IMG"
	run -0 cache-alloc -c 1 "$IMG"
	run -1 cache-alloc -c 1 --commit "$IMG"
}

@test "a loop device is as good as a file" {
	[ "$(id -u)" = 0 ] || skip "loop devices are for root"
	dev=$(losetup --show -f "$IMG" 2> /dev/null) || skip "no loop device to be had"
	cp --sparse=always "$IMG" "$IMG.file"
	cache-alloc -q -c 40 --seed 1 --commit "$dev" > "$IMG.dev.out"
	losetup -d "$dev"
	cache-alloc -q -c 40 --seed 1 --commit "$IMG.file" > "$IMG.file.out"
	cmp "$IMG.dev.out" "$IMG.file.out"
	cmp "$IMG" "$IMG.file"
}

@test "usage errors: no count, unknown words, --commit with --dry-run" {
	run -2 cache-alloc "$IMG"
	run -2 cache-alloc -c x "$IMG"
	run -2 cache-alloc -c 1
	run -2 cache-alloc -c 1 "$IMG" "$IMG"
	run -2 cache-alloc -c 1 --policy mru "$IMG"
	run -2 cache-alloc -c 1 --reserve uuid "$IMG"
	run -2 cache-alloc -c 1 --commit -n "$IMG"
	run -2 cache-alloc -c 1 --write-points 2 "$IMG"
	run -2 cache-alloc -c 1 --sectors --write-points 0 "$IMG"
	run -2 cache-alloc -c 1 --sectors --write-points 70000 "$IMG"
	run -2 cache-alloc -c 1 --sectors --reserve btree "$IMG"
}

@test "committed again and again it stays clean, and gens go up by one a round" {
	image registered.cache
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
		alloc -c 3 --policy fifo --commit
	done
	cache-fsck -n "$IMG"
	# fifo starts anew each time: the same first buckets
	first=$(taken | head -1)
	[ "$(gens "$IMG" | awk -v b="$first" '$1 == b { print $2 }')" -ge 12 ]
}

@test "a ring that one entry more would make hang gets none" {
	image ring-full.cache
	for ((i = 0; i < 4; i++)); do
		poke "$IMG" 'journal[newest]=zero'
	done
	run -0 cache-alloc "$IMG" -c 5 --commit
	run -0 cache-alloc "$IMG" -c 5 --commit
	run -0 cache-fsck -n "$IMG"
	before=$(sum "$IMG")
	run -1 cache-alloc "$IMG" -c 5 --commit
	[[ "$output" == *"no space in the journal"*"may hang on kernels "*"let a kernel start the set first"* ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "the allocator is that of the newest kernel meant, and what others would do is said" {
	alloc -c 100 --kernel 6.1
	[ "$(of .kernel)" = 6.1 ]
	[ "$(of '.kernels | keys | join(" ")')" = 6.1 ]
	[ "$(of '.kernels["6.1"].invalidated')" = "$(of .invalidated)" ]
	narrow=$(of .queued.btree)
	alloc -c 100 --kernel all
	[ "$(of .kernel)" = 7.2 ]
	[ "$(of '.kernels | keys_unsorted | join(" ")')" = "5.10 6.1 6.12 6.18 7.2" ]
	[ "$(of '.kernels["7.2"].invalidated')" = "$(of .invalidated)" ]
	[ "$(of .queued.btree)" -gt "$narrow" ]
	run -0 cache-alloc -c 100 --kernel all "$IMG"
	[[ "$output" == *"kernel 6.1 instead: 100 allocated"* ]]
	run -0 cache-alloc -c 100 --kernel 7.3.4 "$IMG"
	[[ "$output" != *instead* ]]
}

@test "what would hang on one kernel only is refused if that one is meant, and the message names it" {
	for kind in tight gap; do
		image rewrite-61.cache
		case $kind in
		gap)	poke "$IMG" sb.discard=1 'journal[315]=zero' 'journal[316]=zero' ;;
		tight)	image ring-full.cache
			for ((i = 0; i < 4; i++)); do
				poke "$IMG" 'journal[newest]=zero'
			done ;;
		esac
		for v in 5.10 6.1 6.12.117 6.18 7.2; do
			cp --sparse=always "$IMG" "$IMG.$v"
			verdict=$(cache-fsck -n -J --kernel $v "$IMG.$v" | jq -r .kernel)
			if [ "$verdict" = starts ]; then
				# a ring with a gap is refused for another reason
				run --separate-stderr cache-alloc -c 1 --kernel $v "$IMG.$v"
				[[ "$stderr" != *"not right"* ]]
				continue
			fi
			before=$(sum "$IMG.$v")
			run -1 --separate-stderr cache-alloc -c 1 --commit --kernel $v "$IMG.$v"
			[[ "$stderr" == *"not right for kernels "*"cache-fsck -p --kernel "* ]]
			[ "$before" = "$(sum "$IMG.$v")" ]
		done
	done
}

@test "the command that the refusal names repairs the set, and then it is allocated on" {
	image rewrite-61.cache
	poke "$IMG" sb.discard=1 'journal[315]=zero' 'journal[316]=zero'
	run -1 --separate-stderr cache-alloc -c 1 --kernel all --commit "$IMG"
	[[ "$stderr" == *"not right for kernels 7.2, run cache-fsck -p --kernel 7.2: JOURNAL_NOT_FORGIVEN"* ]]
	run -1 cache-fsck -p --kernel 7.2 "$IMG"
	run -0 cache-alloc -q -c 1 --kernel all --commit "$IMG"
	run -0 cache-fsck -n --kernel all "$IMG"
}

@test "a kernel of no known form, one before bcache, one newer than the table" {
	for v in six 6 6.1.x "" 2.6.32 3.9; do
		run -2 --separate-stderr cache-alloc -c 1 --kernel "$v" "$IMG"
		[ "$(grep -c '^cache-alloc: ' <<< "$stderr")" = 1 ]
	done
	run -0 --separate-stderr cache-alloc -c 1 --kernel 9.9 "$IMG"
	[[ "$stderr" == *"newer than every kernel that was examined"* ]]
}
