# SPDX-License-Identifier: GPL-2.0-only
# The real world: two writers at once, a device that changes under a reader, results
# that have nowhere to go, paths that lead elsewhere.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	image registered.cache a
}

# A process that holds the lock which a writer takes, until it is told to go.
hold() {
	flock -x a sleep 60 3>&- &
	holder=$!
	until ! flock -n a true; do sleep 0.05; done
}

kill_holder() { [ -z "${holder:-}" ] || { pkill -P "$holder"; kill "$holder"; } 2> /dev/null || true; }
teardown() { kill_holder; }

@test "a device that another writer has is refused and left alone" {
	image ring-full.cache a
	hold
	before=$(sum a)
	for cmd in "make-cache -q --force" "cache-alloc -q -c 5 --commit" "cache-fsck -y"; do
		# shellcheck disable=SC2086 # words
		run ! --separate-stderr $cmd a
		# shellcheck disable=SC2154 # set by run
		[[ $stderr == *a:* ]]
		[ "$before" = "$(sum a)" ]
	done
}

@test "a locked device is refused by writeback, tune and clone, cache or backing, with one line" {
	image wb-clean.cache c
	image wb-clean.back1 b
	for busy in c b; do
		cp --sparse=always "$busy" a
		hold
		before=$(sum a b c)
		[ $busy = c ] && set -- "a b" || set -- "c a"
		# shellcheck disable=SC2086 # words
		for cmd in "cache-writeback $1" "cache-tune --label x a"; do
			run -1 --separate-stderr $cmd
			[[ $stderr == *"a: locked by another program"* ]]
			[ "$(wc -l <<< "$stderr")" = 1 ]
			[ "$before" = "$(sum a b c)" ]
		done
		kill_holder
		flock a true
	done
	cp --sparse=always c a
	hold
	before=$(sum a c)
	run -1 --separate-stderr cache-clone --force c a
	[[ $stderr == *"a: locked by another program"* ]]
	[ "$(wc -l <<< "$stderr")" = 1 ]
	[ "$before" = "$(sum a c)" ]
}

@test "of many writers at once each succeeds whole or is refused, and the set is clean" {
	for i in 1 2 3 4 5 6; do
		cache-alloc -q -c $((10 * i)) --commit a > "out$i" 2>&1 3>&- &
	done
	wait
	run -0 cache-fsck -n a
}

@test "of two formatters at once the device belongs to one" {
	u1=11111111-1111-1111-1111-111111111111 u2=22222222-2222-2222-2222-222222222222
	make-cache -q --force -U $u1 a > /dev/null 2>&1 3>&- &
	make-cache -q --force -U $u2 a > /dev/null 2>&1 3>&- &
	wait
	run -0 cache-fsck -n a
	run -0 cache-super-show a
	[[ $output == *$u1* || $output == *$u2* ]]
}

@test "a reader of a device that is being written ends, with a verdict or a reason" {
	for i in $(seq 30); do cache-alloc -q -c 3 --commit a > /dev/null 2>&1 3>&-; done &
	writer=$!
	while kill -0 $writer 2> /dev/null; do
		run cache-fsck -n a
		[ "$status" -le 12 ]
		run cache-show-keys a
		[ "$status" -le 1 ]
	done
	run -0 cache-fsck -n a
}

@test "a device that shrinks under a reader is an error, not a crash" {
	image churn-lru.cache b
	(sleep 0.02; truncate -s 1M b) 3>&- &
	for _ in 1 2 3 4; do
		run cache-show-prios -a b
		[ "$status" -le 1 ]
		run cache-fsck -n b
		[ "$status" -le 12 ]
	done
	wait
}

@test "a full disk under the result is said" {
	for cmd in "cache-super-show" "cache-show-prios -a" "cache-show-keys" "cache-show-journal" \
		"cache-show-uuids" "cache-alloc -n -c 5" "cache-fsck -n -v"; do
		run ! bash -c "$cmd a > /dev/full"
		[[ $output == *"cannot write the result"* ]]
	done
}

@test "a full disk under the undo file stops before the first write" {
	before=$(sum a)
	run ! bash -c 'ulimit -f 1; trap "" XFSZ; make-cache -q --force -z undo a'
	[ "$before" = "$(sum a)" ]
}

@test "an undo file never overwrites what is there, nor follows a link" {
	echo precious > kept
	ln -s kept link
	ln -s nowhere dangling
	before=$(sum a)
	for f in kept link dangling a; do
		run ! make-cache -q --force -z $f a
	done
	[ "$(cat kept)" = precious ]
	[ ! -e nowhere ]
	[ "$before" = "$(sum a)" ]
}

@test "a result never overwrites a device or another file, whatever the words of a command are" {
	image wb-crash.cache c
	image wb-crash.back1 b
	echo precious > kept
	echo "# Mapfile. Created by GNU ddrescue version 1.27" > m.map
	before=$(sum a b c kept m.map)
	for cmd in "cache-fsck -y --losses b c" "cache-fsck -n --losses kept c" "cache-fsck -y --losses c c b" \
		"cache-writeback --failed-list b c b" "cache-writeback --failed-list kept c b" \
		"cache-writeback --failed-list m c b" "cache-writeback --export b c b" \
		"cache-writeback --export kept c b" "cache-map --svg b c" "cache-map --html c c"; do
		# shellcheck disable=SC2086 # words
		run ! --separate-stderr $cmd
		[ "$before" = "$(sum a b c kept m.map)" ]
		[ "$(wc -l <<< "$stderr")" = 1 ]
	done
	# an older list is replaced
	cache-fsck -q -n --losses old.tsv c b
	cache-fsck -q -n --losses old.tsv c b
	[ "$(wc -l < old.tsv)" = 1 ]
}

@test "a list goes to a pipe that is read, and one that nobody reads is not waited for" {
	image registered.cache c
	mkfifo pipe
	run ! --separate-stderr timeout 60 cache-fsck -n --losses pipe c
	[ "$status" = 8 ]
	[ "$stderr" = "cache-fsck: pipe: cannot create: No such device or address" ]
	cat pipe > list &
	# the reader may not be there yet
	until cache-fsck -q -n --losses pipe c; do
		sleep 0.1
	done
	wait
	[ "$(wc -l < list)" = 1 ]
}

@test "the same device by two names is formatted once or refused" {
	ln a hard
	ln -s a soft
	before=$(sum a)
	for other in a hard soft ./a; do
		run ! make-cache -q --force -C a -B $other
		[ "$before" = "$(sum a)" ]
	done
}

@test "a name that is an option or a substitute is only a name" {
	cp a ./--force
	run -0 cache-super-show -- --force
	# shellcheck disable=SC2016 # must not expand
	dir='a b;$(touch gone)'
	mkdir "$dir"
	cp a "$dir/a"
	run -0 cache-super-show "$dir/a"
	[ ! -e gone ]
}
