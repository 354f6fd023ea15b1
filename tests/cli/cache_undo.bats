# SPDX-License-Identifier: GPL-2.0-only
# -z and cache-undo: what a writing applet did can be taken back, byte for byte.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	xz -dc "$ROOT/tests/images/registered.cache.xz" >a
	xz -dc "$ROOT/tests/images/churn-lru.cache.xz" >b
	cp a a.before
	cp b b.before
}

@test "a format of two devices is taken back byte for byte" {
	run -0 --separate-stderr make-cache --force -z undo -C a -B b -o 2048
	# shellcheck disable=SC2154 # set by run
	[[ $stderr == *"take it back with: cache-undo undo a"* ]]
	[[ $stderr == *"take it back with: cache-undo undo.2 b"* ]]
	run -1 cmp -s a a.before
	run -0 cache-undo undo a
	cmp a a.before
	run -0 cache-undo undo.2 b
	cmp b b.before
}

@test "undoing twice is undoing once" {
	make-cache -q --force -z undo a
	run -0 cache-undo undo a
	run -0 cache-undo undo a
	cmp a a.before
}

@test "an undo can be undone" {
	make-cache -q --force -z undo a
	cp a formatted
	run -0 cache-undo -q -z redo undo a
	cmp a a.before
	run -0 cache-undo redo a
	cmp a formatted
}

@test "a dry run writes nothing and says how much it would" {
	make-cache -q --force -z undo a
	before=$(sha256sum a undo)
	run -0 cache-undo -n undo a
	[[ $output == *"would put back:"* ]]
	run -0 cache-undo -n --json undo a
	[[ $output == *'"dry_run": true'* ]]
	[ "$before" = "$(sha256sum a undo)" ]
}

@test "another device, and one that was written to since, are refused without -f" {
	make-cache -q --force -z undo a
	run -1 --separate-stderr cache-undo undo b
	[[ $stderr == *"b: sector"*"has other content than the undo file says"* ]]
	cmp b b.before
	printf x | dd of=a bs=1 seek=5000 conv=notrunc status=none
	cp a changed
	run -1 cache-undo undo a
	cmp a changed
	run -0 --separate-stderr cache-undo -f undo a
	[[ $stderr == *"warning"* ]]
	cmp a a.before
}

@test "what is no undo file is refused" {
	run -1 --separate-stderr cache-undo b a
	[[ $stderr == *"b: not an undo file"* ]]
	run -1 cache-undo missing a
	run -2 cache-undo b
	run -2 cache-undo b a a
	cmp a a.before
}

@test "an undo file that is there already stops the format before it begins" {
	: >undo.2
	run -1 --separate-stderr make-cache --force -z undo -C a -B b
	[[ $stderr == *"cannot make the undo file undo.2: File exists"* ]]
	cmp a a.before
	cmp b b.before
	[ ! -e undo ]
}

# The size of a closing record: without it the file is that of a writer that was killed.
cut_end() {
	truncate -s -32 "$1"
}

@test "the file of a run that was killed works, and one that lacks more is refused with -f too" {
	make-cache -q --force -z undo a
	cp a formatted
	cut_end undo
	run -0 cache-undo -n undo a
	[[ $output == *"writer killed:"*yes* ]]
	for cut in 1 512 4096 8000; do
		cp -p undo short
		truncate -s -$cut short
		run -1 --separate-stderr cache-undo -f short a
		[[ $stderr == *"the undo file is incomplete"* ]]
		cmp a formatted
	done
	run -0 cache-undo undo a
	cmp a a.before
}

@test "it says what the file was made for, by which program and when" {
	SET=$(cache-super-show b | sed -n 's/^dev.uuid[[:space:]]*//p')
	make-cache -q --force -z undo b
	run -0 cache-undo -n --json undo b
	[[ $output == *'"made_for": "b"'* ]]
	[[ $output == *"\"made_for_uuid\": \"$SET\""* ]]
	[[ $output == *'"program": "make-cache"'* ]]
	[[ $output =~ '"made": "20'[0-9-]+T[0-9:]+Z ]]
	[[ $output == *'"killed": false'* ]]
}

@test "on a terminal it asks before it writes, and -y does not" {
	make-cache -q --force -z undo a
	cp a formatted
	run -1 script -qec "cache-undo undo a" typescript <<<n
	[[ $output == *"that make-cache overwrote on a at 20"*"(y/N)"* ]]
	cmp a formatted
	run -0 script -qec "cache-undo undo a" typescript <<<y
	cmp a a.before
	cp formatted a
	run -0 script -qec "cache-undo -y undo a" typescript <<<n
	cmp a a.before
}

@test "a file that another user can write is refused without -f" {
	make-cache -q --force -z undo a
	cp a formatted
	for mode in 0620 0602; do
		chmod $mode undo
		run -1 --separate-stderr cache-undo undo a
		[[ $stderr == *"undo: another user can write to the undo file"* ]]
		cmp a formatted
	done
	run -0 --separate-stderr cache-undo -f undo a
	[[ $stderr == *"warning: "*"another user can write"* ]]
	cmp a a.before
}
