# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
	C=$BATS_TEST_TMPDIR/cache B=$BATS_TEST_TMPDIR/back
}

pair() {
	image "$1.cache" "$C"
	image "$1.back1" "$B"
}
of() { cache-super-show -J "$1" | jq -r ".$2"; }
uuid_of() { of "$1" uuid; }
slots() { cache-show-uuids -a -J "$C" | jq -r ".uuids[] | \"\(.slot) \(.flags) \(.uuid) \(.label) \(.dirty_sectors)\""; }
# refused WORDS ARG...: one line with these words, nothing written
refused() {
	local words=$1 before; shift
	before=$(sum "$C" "$B")
	run -1 --separate-stderr cache-tune "$@"
	[ "$before" = "$(sum "$C" "$B")" ]
	[[ "$stderr" == *"$words"* ]]
	[ "$(wc -l <<< "$stderr")" = 1 ]
}

@test "label and cache mode of a backing device change, with -n they do not, and cache-undo gives them back" {
	pair wb-clean
	before=$(sum "$C" "$B")
	run -0 cache-tune -n --label=new --cache-mode=writearound "$B"
	[[ "$output" == *"nothing was written"* ]]
	[ "$before" = "$(sum "$C" "$B")" ]
	run -0 cache-tune -z "$B.undo" --label=new --cache-mode=writearound "$B"
	[ "$(of "$B" label) $(of "$B" cache_mode)" = "new writearound" ]
	[ "$(of "$B" state)" = dirty ]
	run -0 cache-fsck -n "$C" "$B"
	run -0 cache-tune --label=new "$B"
	[[ "$output" == *"nothing to change" ]]
	cache-undo -q "$B.undo" "$B"
	[ "$before" = "$(sum "$C" "$B")" ]
}

@test "with both devices the uuid table follows label and UUID, and all dirty data stays" {
	pair wb-clean
	new=11111111-2222-3333-4444-555555555555
	run -1 cache-tune --uuid=$new "$B"
	[[ "$output" == *"name its cache device too"* ]]
	run -0 cache-tune --uuid=$new --label=data "$B" "$C"
	[ "$(uuid_of "$B")" = $new ]
	[ "$(slots)" = "0 backing $new data 35352" ]
	run -0 cache-fsck -n --kernel all "$C" "$B"
	run -0 cache-tune --uuid=random "$C"
	[ "$(uuid_of "$C")" != "$(uuid_of "$B")" ]
}

@test "detach is refused while dirty data is left, and says how to write it back" {
	pair wb-clean
	refused "cache-writeback --detach $C $B" --detach "$C" "$B"
	refused "cache-writeback --detach CACHE $B" --detach "$B"
	cache-writeback "$C" "$B"
	run -0 cache-tune --detach "$C" "$B"
	[ "$(of "$B" state) $(of "$B" set_uuid)" = "none 00000000-0000-0000-0000-000000000000" ]
	[[ "$(slots)" == "0 retired "* ]]
	run -0 cache-fsck -n --kernel all "$C" "$B"
	[ "$(cache-fsck -n -J "$C" | jq .summary.cached_sectors)" = 0 ]
}

@test "attach names the set by its UUID or by a cache device, and not over another one" {
	pair wb-clean
	image registered.cache "$C.2"
	refused "detach it first" --attach="$C.2" "$B"
	cache-writeback --detach "$C" "$B"
	run -0 cache-tune --attach="$C.2" "$B"
	[ "$(of "$B" state) $(of "$B" set_uuid)" = "none $(of "$C.2" set_uuid)" ]
	run -0 cache-tune --attach="$(of "$C" set_uuid)" "$C" "$B"
	[ "$(of "$B" set_uuid)" = "$(of "$C" set_uuid)" ]
	refused "expected a cache device" --attach="$B" "$B"
}

@test "a stale backing device is cleared, its older dirty data only with --force" {
	pair wb-clean
	refused "its state is dirty, expected stale" --clear-inconsistent "$B"
	poke "$B" sb.state=3
	refused "older than what it has" --clear-inconsistent "$C" "$B"
	run -0 cache-tune --clear-inconsistent --force "$C" "$B"
	[ "$(of "$B" state)" = none ]
	run -0 cache-fsck -n --kernel all "$C" "$B"
	[ "$(cache-fsck -n -J "$C" | jq .summary.dirty_sectors)" = 0 ]
}

# orphan: as the kernel leaves it that attached the device anew: its slot is retired
orphan() {
	pair wb-clean
	cache-tune -q --label=mine "$C" "$B" > "$B.log"
	was=$(sum "$C" "$B")
	uuid=$(uuid_of "$B")
	poke "$C" 'uuid[0].uuid=a03ef8ed-3ee1-b878-c850-fc5ecb16cd99' || return
	poke "$B" sb.state=0
}

@test "relink shows its proof first, and gives the dirty data of a retired slot back to its device" {
	orphan
	[[ "$(slots)" == "0 retired "* ]]
	before=$(sum "$C" "$B")
	run -0 cache-tune -n --relink="$uuid" "$C" "$B"
	[[ "${lines[0]}" == 'slot 0 (chosen): label "mine" (that of the device), attached first '* ]]
	[[ "${lines[1]}" == "slot 0: 17.2 MiB dirty in "*" they fit" ]]
	[ "$before" = "$(sum "$C" "$B")" ]
	run -1 cache-tune --relink="$uuid" "$C" "$B"
	[[ "$output" == *"give -y"* ]]
	[ "$before" = "$(sum "$C" "$B")" ]
	run -0 cache-tune -y --relink="$uuid" "$C" "$B"
	[ "$(slots)" = "0 backing $uuid mine 35352" ]
	run -0 cache-fsck -n --kernel all "$C" "$B"
	run -0 cache-writeback "$C" "$B"
	[ "$(tail -c +8193 "$B" | sha256sum | cut -d' ' -f1)" = \
		2360fe4aa54855b6a7267865c2008b42e1170de459fbbdcf5b393617b1fd4b53 ]
}

@test "relink refuses without proof, a device that is too small, and another UUID" {
	orphan
	cache-tune -q --label=other "$B" > "$B.log"
	refused "nothing proves that slot 0" -y --relink="$uuid" "$C" "$B"
	refused "is not that of --relink" -y --relink=11111111-2222-3333-4444-555555555555 "$C" "$B"
	run -0 cache-tune -y --force --relink="$uuid" "$C" "$B"
	orphan
	truncate -s 20M "$B"
	refused "has dirty data up to sector" -y --relink="$uuid" "$C" "$B"
	pair wb-clean
	refused "its own slot has 35352 dirty sectors" -y --relink="$uuid" "$C" "$B"
}

@test "what only one kind of device has is refused for the other" {
	pair wb-clean
	refused "only a backing device has that" --cache-mode=writeback "$C"
	refused "only a backing device has that" --detach "$C"
	refused "was given twice" --label=x "$B" "$B"
	cp "$B" "$B.2"
	refused "this is a second backing device" --label=x "$B" "$B.2"
	image registered.cache "$C.2"
	refused "belongs to another cache set" --detach "$C.2" "$B"
}

@test "a backing device that is gone is dropped: one line says what goes with it, dirty data only with --force" {
	image two-backs.cache "$C"
	: > "$B"
	read -r uuid dirty < <(cache-show-uuids -J "$C" | jq -r '.uuids[0] | "\(.uuid) \(.dirty_sectors)"')
	other=$(slots | sed -n 2p)
	before=$(sum "$C")
	run -0 cache-tune -n --drop="$uuid" "$C"
	[[ "${lines[0]}" == "slot 0: backing device $uuid, label \"\", attached last "*" MiB dirty in "*" extents, "*" clean; the dirty data would be lost" ]]
	refused "$dirty sectors of it are dirty and are nowhere else" -y --drop="$uuid" "$C"
	refused "no terminal to ask on" --force --drop="$uuid" "$C"
	run -0 cache-tune -J -n --drop="$uuid" "$C"
	[ "$(jq -r '[.drop.slot, .drop.device_uuid, .drop.dirty_sectors, .changed] | join(" ")' <<< "$output")" = "0 $uuid $dirty false" ]
	[ "$before" = "$(sum "$C")" ]
	run -0 cache-tune -y --force -z "$B.undo" --drop="$uuid" "$C"
	[[ "$(slots | head -n 1)" == "0 retired "*" 0" ]]
	[ "$(slots | sed -n 2p)" = "$other" ]
	run -0 cache-fsck -n --kernel all "$C"
	cache-undo -q "$B.undo" "$C"
	[ "$before" = "$(sum "$C")" ]
}

@test "what is not gone, or is no backing device, is not dropped" {
	pair wb-clean
	refused "no slot of the set has this UUID" -y --drop=11111111-2222-3333-4444-555555555555 "$C"
	refused "the cache device alone is needed" -y --drop="$(uuid_of "$B")" "$C" "$B"
	refused "the cache device alone is needed" -y --drop="$(uuid_of "$B")" "$B"
	image flash-vol.cache "$C"
	flash=$(cache-show-uuids -J "$C" | jq -r '.uuids[] | select(.flags == "flash") | .uuid')
	refused "is a flash volume" -y --force --drop="$flash" "$C"
	run -2 cache-tune --drop=x "$C"
	run -2 cache-tune --drop="$flash" --label=x "$C"
}

@test "Ctrl-C before the first write changes nothing; later the change is completed" {
	pair wb-clean
	cut() {
		env TEST_SIGINT="$1" TEST_SIGINT_SENT="$B.sent" LD_PRELOAD="$BUILD/tests/sigint.so" \
			ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0" cache-tune "${@:2}"
	}
	# the first write of the process is that of the undo file
	before=$(sum "$C" "$B")
	run -1 --separate-stderr cut 1 --label=x -z "$B.undo" "$C" "$B"
	[[ "$stderr" == *"cancelled, nothing was changed" ]]
	[ "$before" = "$(sum "$C" "$B")" ]
	[ ! -e "$B.undo" ]
	run -0 cut 1 --label=x "$C" "$B"
	[ -e "$B.sent" ]
	[ "$(cache-super-show -J "$B" | jq -r .label)" = x ]
	[[ "$(slots)" == "0 backing "*" x "* ]]
	run -0 cache-fsck -n "$C" "$B"
}
