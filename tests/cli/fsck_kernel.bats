# SPDX-License-Identifier: GPL-2.0-only
# What cache-fsck says of each kernel: --kernel VERSION, running, all.

setup() {
	load ../lib/common
	image rewrite-61.cache
}

# front_gap: entries at the front of the journal of a set that discards, as a discard leaves them
front_gap() { poke "$IMG" sb.discard=1 'journal[315]=zero' 'journal[316]=zero'; }
# kernels ARG...: what each kernel does, in one line
kernels() { cache-fsck -n -J "$@" "$IMG" | jq -rc .kernels; }

@test "every era is named in JSON, and they agree on a set that is right" {
	[ "$(kernels --kernel all)" = '{"5.10":"starts","6.1":"starts","6.12":"starts","6.18":"starts","7.2":"starts"}' ]
	[ "$(kernels --kernel 6.1.0-56-amd64)" = '{"6.1":"starts"}' ]
	[ "$(kernels --kernel 7.1.3)" = '{"6.18":"starts","7.2":"starts"}' ]
	[ "$(kernels --kernel 4.15)" = '{"4.15":"starts"}' ]
	run -0 cache-fsck -n --kernel all "$IMG"
	[[ "$output" != *"by kernel"* ]]
}

@test "a gap at the front of the journal: clean before 7.2, not after, and the worst decides" {
	front_gap
	run -0 cache-fsck -n --kernel 6.18.5 "$IMG"
	run -4 cache-fsck -n --kernel 7.3.4 "$IMG"
	[[ "$output" == *JOURNAL_NOT_FORGIVEN* ]]
	[[ "$output" == *"will disable this cache set"* ]]
	run -4 cache-fsck -n --kernel all "$IMG"
	[[ "$output" == *"by kernel: 5.10, 6.1, 6.12, 6.18: starts; 7.2: disables"* ]]
	[[ "$output" != *"an oops"* ]]
	[ "$(cache-fsck -n -J --kernel all "$IMG" | jq -r .kernel)" = disables ]
}

@test "a plain -y closes the gap, -p too, and then every kernel starts the set" {
	front_gap
	cp --sparse=always "$IMG" "$IMG.p"
	run -1 cache-fsck -y --kernel all "$IMG"
	run -0 cache-fsck -n --kernel all "$IMG"
	run -1 cache-fsck -p --kernel 7.2 "$IMG.p"
	run -0 cache-fsck -n --kernel all "$IMG.p"
}

@test "on a device that supports no discards every kernel refuses the gap" {
	front_gap
	dev=$(losetup -f --show "$IMG" 2> /dev/null) || skip "no loop device to be had"
	limit=/sys/block/${dev##*/}/queue/discard_max_bytes
	echo 0 2> /dev/null > "$limit" && [ "$(cat "$limit")" = 0 ] || {
		losetup -d "$dev"
		skip "the loop device's discards cannot be switched off"
	}
	run cache-fsck -n --kernel all "$dev"
	losetup -d "$dev"
	[ "$status" = 4 ]
	[[ "$output" == *"no driver does, since this device takes no discards"* ]]
	[[ "$output" != *"by kernel"* ]]
}

@test "what is given up before its root is read is an oops on some kernels, and that is said of them" {
	poke "$IMG" 'prio[0].csum=flip'
	run -4 cache-fsck -n --kernel all "$IMG"
	[[ "$output" == *"have an oops there: repair it before its first start"* ]]
	run -4 cache-fsck -n --kernel 6.1.60 "$IMG"
	[[ "$output" == *"an oops"* ]]
	run -4 cache-fsck -n --kernel 6.1.0-56-amd64 "$IMG"
	[[ "$output" == *"an oops"* ]]
	run -4 cache-fsck -n --kernel 7.2 "$IMG"
	[[ "$output" != *"an oops"* ]]
}

@test "a kernel of no known form, or before bcache: one line; a newer one counts as the newest" {
	for bad in "" x 6 6.1.x 2.6.32 3.9; do
		run -16 --separate-stderr cache-fsck -n --kernel "$bad" "$IMG"
		[ -z "$output" ]
		[[ "${stderr_lines[0]}" == "cache-fsck: "* ]]
	done
	run -0 --separate-stderr cache-fsck -n --kernel 9.1 "$IMG"
	[[ "$stderr" == *"newer than every kernel that was examined"* ]]
	[ "$(kernels --kernel 9.1 2> /dev/null)" = '{"7.2":"starts"}' ]
}

@test "-v says what is not certain of a release" {
	run -0 --separate-stderr cache-fsck -n -v --kernel 6.13.2 "$IMG"
	[[ "$stderr" == *"not examined"* ]]
	run -0 --separate-stderr cache-fsck -n --kernel 6.13.2 "$IMG"
	[ -z "$stderr" ]
}

@test "an unknown replacement policy: -p leaves it, -y says that it sets another" {
	poke "$IMG" sb.replacement=3
	before=$(sum "$IMG")
	run -4 cache-fsck -p "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
	run -1 cache-fsck -y "$IMG"
	[[ "$output" == *"a newer kernel may know the old policy"* ]]
}
