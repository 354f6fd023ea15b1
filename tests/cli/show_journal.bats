# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
	image wb-clean.cache
}

@test "one row per entry, in order of seq, with what it says" {
	run -0 cache-show-journal "$IMG"
	[[ "$output" == *"SEQ LAST_SEQ BUCKET OFFSET BYTES KEYS LEVEL ROOT REPLAY"* ]]
	cache-show-journal -J "$IMG" > "$IMG.json"
	[ "$(jq '.entries | length' "$IMG.json")" = 122 ]
	jq -e '.entries | all(.bytes >= 240 and .offset % 8 == 0)' "$IMG.json"
	[ "$(jq -c '.entries[2]' "$IMG.json")" = '{"seq":"0x3","last_seq":"0x3","bucket":2,"offset":16,"bytes":336,"nkeys":4,"level":0,"root":63,"replayed":false}' ]
}

@test "-k gives the keys, and those to be replayed add up" {
	cache-show-journal -kJ "$IMG" > "$IMG.json"
	[ "$(jq '[.entries[].nkeys] | add' "$IMG.json")" = "$(jq '.keys | length' "$IMG.json")" ]
	[ "$(jq '[.entries[] | select(.replayed).nkeys] | add' "$IMG.json")" = 750 ]
	[ "$(jq .replay.nkeys "$IMG.json")" = 750 ]
}

@test "the range, the newest entry and free ring buckets are told" {
	run -0 cache-show-journal "$IMG"
	[[ "$output" == *"32 buckets from bucket 1, 26 free"* ]]
	[[ "$output" == *"750 keys in entries 104 to 122"* ]]
	[[ "$output" == *"takes 122 for the newest, and finds all"* ]]
}

@test "a missing entry is a gap" {
	poke "$IMG" "journal[110]=zero"
	run -1 --separate-stderr cache-show-journal "$IMG"
	[[ "$stderr" == *"JOURNAL_GAP"* ]]
	[[ "$output" == *"Missing:                entries 110 to"* ]]
	run -1 --separate-stderr cache-show-journal -J "$IMG"
	[ "$(jq -r '.gaps[0].start_seq' <<< "$output")" = 0x6e ]
}

@test "keys that do not tile are told, and those before them shown" {
	image churn-lru.cache
	poke "$IMG" "journal[newest].key[last].ptrs=7"
	run -1 --separate-stderr cache-show-journal -k "$IMG"
	[[ "$stderr" == *"JOURNAL_TILING"* ]]
}

@test "an empty ring of a set that has run is an error" {
	poke "$IMG" journal.wipe=1
	run -1 --separate-stderr cache-show-journal "$IMG"
	[[ "$stderr" == *JOURNAL_EMPTY* ]]
	[[ "$output" == *"Entries:                0"* ]]
}

@test "entries of an old set behind a fresh superblock are shown and are a fault" {
	poke "$IMG" sb.sync=0
	run -1 --separate-stderr cache-show-journal "$IMG"
	[[ "$stderr" == *SB_OLD_RING* ]]
	[[ "$output" == *"Newest seq:             122"* ]]
}
