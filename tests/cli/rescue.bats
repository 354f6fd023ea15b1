# SPDX-License-Identifier: GPL-2.0-only
# Every command of cache-rescue(7), word for word, on a set in the state that its section is for.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	PAGE=$ROOT/man/cache-rescue.7
	export CACHE=cache BACKING=back UUID
	: > ran
}

pair() {
	image "$1.cache" cache
	image "$1.back1" back
	UUID=$(cache-super-show -J back | jq -r .uuid)
}
# commands SECTION: those of a section of the page
commands() {
	sed 's/\\-/-/g' "$PAGE" | awk -v s="$1" '/^\.S[HS] / { on = substr($0, 5) == s }
		/^\.EX/ { inside = 1; next } /^\.EE/ { inside = 0 } on && inside'
}
# follow SECTION STATUS...: its commands end so
follow() {
	local section=$1 line status n=0; shift
	while IFS= read -r line; do
		status=0
		bash -c "$line" < /dev/null > out 2>&1 || status=$?
		echo "$line: $status"
		cat out
		[ "$status" = "$1" ]
		shift
		n=$((n + 1))
	done < <(commands "$section")
	[ $n -gt 0 ]
	[ $# = 0 ]
}
data() { tail -c +8193 back | sha256sum | cut -d' ' -f1; }
right() { [ "$(data)" = 8ef017e399462b2847e1eb9f89d844b09ba8553e03e085561b6e43db3cd63c53 ]; }
state() { cache-super-show -J back | jq -r .state; }

@test "copies, an image of the metadata, and a look" {
	pair wb-crash
	before=$(sum cache back)
	follow "Copy first" 0 0 0
	cmp cache cache.copy
	cmp back backing.copy
	[ -s cache.image ]
	follow "Look" 0 0 0
	[ "$before" = "$(sum cache back)" ]
}

@test "nothing is wrong: written back, and taken back" {
	pair wb-crash
	before=$(sum cache)
	super=$(head -c 8192 back | sha256sum)
	follow "Nothing is wrong" 0 0
	right
	follow "TAKE IT BACK" 0 0
	[ "$before" = "$(sum cache)" ]
	[ "$super" = "$(head -c 8192 back | sha256sum)" ]
}

@test "a start that hangs" {
	image ring-full.cache cache
	follow "The start hangs or may hang" 1 0
}

@test "a damaged set is repaired, and its dirty data can then be written back" {
	pair wb-crash
	poke cache 'raw:leaf[20].set[0].csum=1'
	before=$(sum cache back)
	run commands "The cache set is damaged"
	[ "${#lines[@]}" = 3 ]
	bash -c "${lines[0]}" || [ $? = 4 ]
	[ -s lost.tsv ]
	[ "$before" = "$(sum cache back)" ]
	bash -c "${lines[1]}" || [ $? = 1 ]
	bash -c "${lines[2]}"
	follow "Nothing is wrong" 0 0
}

@test "read errors, a disk that is moved, and an export" {
	pair wb-crash
	follow "Look at the dirty data before it is written anywhere" 0
	[ -s overlay ]
	follow "The cache device has read errors" 0
	right
	pair wb-crash
	follow "The disk is to be moved without its cache" 0 0
	right
	[ "$(state)" = none ]
}

@test "a copy of the merged disk" {
	[ -e "$BUILD/nbdkit-cache-tools-plugin.so" ] || skip "built without nbdkit-plugin-dev"
	! nm -D "$BUILD/bin/cache-tools" | grep -q __asan || skip "nbdkit cannot load sanitizers"
	for tool in nbdkit nbdcopy; do
		command -v $tool > /dev/null || skip "no $tool"
	done
	pair wb-crash
	before=$(sum cache back)
	follow "Read the data without writing to any device" 0
	[ "$(sha256sum < disk.copy)" = \
		"8ef017e399462b2847e1eb9f89d844b09ba8553e03e085561b6e43db3cd63c53  -" ]
	[ "$before" = "$(sum cache back)" ]
}

@test "a damaged set that must not be written to" {
	pair wb-crash
	poke cache 'raw:leaf[20].set[0].csum=1'
	before=$(sum cache)
	follow "The set is damaged and must not be written to" 1 1
	[ "$before" = "$(sum cache)" ]
	[ "$(state)" = none ]
}

@test "dirty data of a device that the kernel has detached" {
	pair wb-crash
	cache-tune -q --label=mine cache back > out
	poke cache 'uuid[0].uuid=a03ef8ed-3ee1-b878-c850-fc5ecb16cd99'
	poke back sb.state=0
	follow "The kernel has detached the backing device from a failing cache" 0 0 0
	right
}

@test "every command of the page is in a section that a test follows" {
	all=$(awk '/^\.EX/ { on = 1; next } /^\.EE/ { on = 0 } on' "$PAGE" | wc -l)
	n=0
	while read -r section; do
		n=$((n + $(commands "$section" | wc -l)))
	done < <(sed -n 's/.*follow "\(.*\)" .*/\1/p; s/.*run commands "\(.*\)".*/\1/p' \
		"$BATS_TEST_FILENAME" | sort -u)
	[ "$n" = "$all" ]
}
