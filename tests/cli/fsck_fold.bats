# SPDX-License-Identifier: GPL-2.0-only
# cache-fsck --fold-journal: the journal replayed into a new tree and left empty.

setup() {
	load ../lib/common
	image rewrite-61.cache
}

of() { cache-fsck -n -J "$IMG" | jq -r ".summary.$1"; }

@test "a clean set: every extent stays, nothing is left to replay, and cache-undo gives it back" {
	before=$(sum "$IMG") dirty=$(of dirty_sectors) cached=$(of cached_sectors)
	[ "$(of journal_keys)" -gt 0 ]
	run -1 cache-fsck -p --fold-journal -z "$IMG.undo" "$IMG"
	run -0 cache-fsck -n --kernel all "$IMG"
	[ "$(of journal_keys)" = 0 ]
	[ "$(of dirty_sectors)" = "$dirty" ]
	[ "$(of cached_sectors)" = "$cached" ]
	cache-undo -q "$IMG.undo" "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "an empty journal is left as it is, and so is one that is only looked at" {
	before=$(sum "$IMG")
	run -0 cache-fsck -n --fold-journal "$IMG"
	run -0 cache-fsck -y --dry-run --fold-journal "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
	cache-fsck -q -p --fold-journal "$IMG" || [ $? = 1 ]
	before=$(sum "$IMG")
	run -0 cache-fsck -p --fold-journal "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "a set whose start may hang is repaired by it as by -p alone" {
	image ring-full.cache
	run -1 cache-fsck -p --fold-journal "$IMG"
	run -0 cache-fsck -n --kernel all "$IMG"
	[ "$(of journal_keys)" = 0 ]
}
