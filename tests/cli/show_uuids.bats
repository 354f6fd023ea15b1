# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
	image flash-vol.cache
}

@test "devices and volumes are told apart, a volume has its size" {
	cache-show-uuids -J "$IMG" > "$IMG.json"
	[ "$(jq -c '[.uuids[].flags]' "$IMG.json")" = '["backing","flash"]' ]
	[ "$(jq -c '[.uuids[].size]' "$IMG.json")" = '[null,49152]' ]
	jq -e 'all(.uuids[]; .first_reg > 1500000000 and .last_reg >= .first_reg)' "$IMG.json"
}

@test "the uuids are those of the backing devices" {
	image wb-crash.cache
	uuid=$(grep '^UUID:' "$ROOT/tests/images/wb-crash.txt" | tail -n 1 | awk '{ print $2 }')
	[ "$(cache-show-uuids -J "$IMG" | jq -r '.uuids[0].uuid')" = "$uuid" ]
}

@test "amounts are words, exact with --bytes" {
	run -0 cache-show-uuids "$IMG"
	[[ "${lines[0]}" =~ ^SLOT\ UUID\ +LABEL\ FLAGS\ +FIRST_REG\ +LAST_REG\ +SIZE\ +CACHED\ +DIRTY$ ]]
	[[ "$output" == *"24.0 MiB"* ]]
	run -0 cache-show-uuids --bytes "$IMG"
	[[ "$output" == *25165824* ]]
}

@test "retired slots are shown with -a, and always when they hold data" {
	image fresh.cache
	image registered.cache
	poke "$IMG" uuid[1].uuid=a03ef8ed-3ee1-b878-c850-fc5ecb16cd99
	[ "$(cache-show-uuids -J "$IMG" | jq '.uuids | length')" = 1 ]
	[ "$(cache-show-uuids -aJ "$IMG" | jq -r '.uuids[1].flags')" = retired ]
	image wb-crash.cache
	poke "$IMG" uuid[0].uuid=a03ef8ed-3ee1-b878-c850-fc5ecb16cd99
	[ "$(cache-show-uuids -J "$IMG" | jq -c '.uuids[0] | [.flags, .uuid, .dirty_sectors]')" = \
		'["retired",null,41288]' ]
}

@test "control characters of a label are not sent to the terminal" {
	poke "$IMG" "uuid[0].label=$(printf 'a\033[31mb')"
	run -0 cache-show-uuids "$IMG"
	[[ "$output" != *$'\033'* ]]
	cache-show-uuids -J "$IMG" | jq -e .schema
}

@test "a table that is garbage is told, and amounts still add up" {
	poke "$IMG" uuid.table=garbage
	run -1 --separate-stderr cache-show-uuids -J "$IMG"
	[[ "$stderr" == *UUID_GARBAGE* ]]
	[ "$(jq '[.uuids[].cached_sectors] | add' <<< "$output")" = 34016 ]
}
