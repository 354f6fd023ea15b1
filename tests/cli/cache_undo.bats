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
	[[ $stderr == *"b: sector"*"is not as the undo file knows it"* ]]
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
	[[ $stderr == *"b: no undo file"* ]]
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
