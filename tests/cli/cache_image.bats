# SPDX-License-Identifier: GPL-2.0-only
# cache-image: metadata-only images, saved, read in the place of a device, scrambled, restored.

setup() {
	load ../lib/common
	T=$BATS_TEST_TMPDIR
	run -0 cache-image -n save "$BUILD/images/fresh.cache" "$T/none" ||
		skip "built without zstd"
}

# What a program says of the device $1, whatever its name.
say() { "${@:2}" "$1" 2>&1 | sed "s,$1,DEV,g"; }

@test "every applet that reads says of an image what it says of the device" {
	for name in wb-crash flash-vol ring-full; do
		dev=$BUILD/images/$name.cache
		cache-image save -q "$dev" "$T/$name"
		while read -ra applet; do
			diff <(say "$dev" "${applet[@]}") <(say "$T/$name" "${applet[@]}")
		done <<'END'
cache-fsck -n -v
cache-fsck -y --dry-run --seed 1
cache-super-show -a
cache-show-prios -a
cache-show-prios --raw
cache-show-journal -k
cache-show-keys
cache-show-keys --raw
cache-show-keys --nodes
cache-show-keys --owner 300
cache-show-uuids -a
cache-alloc -c 100 --seed 1
END
	done
}

@test "an image of a backing device is one of its superblock" {
	cache-image save -q "$BUILD/images/wb-clean.back1" "$T/image"
	diff <(say "$BUILD/images/wb-clean.back1" cache-fsck -n) <(say "$T/image" cache-fsck -n)
	run -0 bash -c "cache-image save -n -J '$BUILD/images/wb-clean.back1' '$T/x' | jq .saved_sectors"
	[ "$output" -le 16 ]
}

@test "saving changes nothing, and -n makes no file" {
	image churn-lru.cache
	before=$(sum "$IMG")
	run -0 --separate-stderr cache-image save -n "$IMG" "$T/image"
	[[ "$output" == *"image size"* ]]
	[ ! -e "$T/image" ]
	run -0 --separate-stderr cache-image save "$IMG" "$T/image"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "an image has no data and is small" {
	image wb-crash.cache
	cache-image save -q "$IMG" "$T/image"
	[ "$(stat -c %s "$T/image")" -lt 200000 ]
	cache-image restore -q "$T/image" "$T/back"
	# what every extent points to is a hole
	cache-show-keys "$IMG" | awk '$8 ~ /^[0-9]+$/ && $6 > 0 { print $8, $6 }' | head -n 300 |
		while read -r sector n; do
			dd if="$T/back" bs=512 skip="$sector" count="$n" status=none
		done | tr -d '\0' > "$T/data"
	[ ! -s "$T/data" ]
}

@test "any zstd unpacks an image, and its frames are those of the table" {
	command -v zstd > /dev/null || skip "no zstd"
	run -0 bash -c "cache-image save -J '$BUILD/images/wb-clean.cache' '$T/image' | jq .saved_sectors"
	zstd -q -d -c --format=zstd < "$T/image" > "$T/raw"
	[ "$(stat -c %s "$T/raw")" = $((output * 512)) ]
	run -0 bash -c "zstd -l -v '$T/image' 2>&1"
	[[ "$output" == *"Frames"* ]]
}

@test "a restored image is the device but for its data" {
	image wb-clean.cache
	cache-image save -q "$IMG" "$T/image"
	run -0 --separate-stderr cache-image restore "$T/image" "$T/back"
	[[ "$stderr" == *"attach no backing device"* ]]
	[ "$(stat -c %s "$T/back")" = "$(stat -c %s "$IMG")" ]
	diff <(say "$IMG" cache-fsck -n -v) <(say "$T/back" cache-fsck -n -v)
	# and an image of that is the same one
	cache-image save -q "$T/back" "$T/again"
	cmp "$T/image" "$T/again"
}

@test "a restore asks before it overwrites, and can be taken back" {
	image wb-clean.cache
	cp "$BUILD/images/wb-crash.cache" "$T/other"
	chmod u+w "$T/other"
	truncate -s 64M "$T/other"
	before=$(sum "$T/other")
	cache-image save -q "$IMG" "$T/image"
	run -1 --separate-stderr cache-image restore "$T/image" "$T/other"
	[[ "$stderr" == *"has bcache at byte 4120"*"not overwritten without --force" ]]
	run -0 cache-image restore -n "$T/image" "$T/other"
	[ "$before" = "$(sum "$T/other")" ]
	run -0 cache-image restore --force -z "$T/undo" "$T/image" "$T/other"
	cache-show-uuids "$T/other" > "$T/uuids"
	diff "$T/uuids" <(cache-show-uuids "$IMG")
	run -0 cache-undo "$T/undo" "$T/other"
	[ "$before" = "$(sum "$T/other")" ]
}

@test "a device that is too small is refused before it is written" {
	cache-image save -q "$BUILD/images/wb-clean.cache" "$T/image"
	truncate -s 60M "$T/small"
	run -1 --separate-stderr cache-image restore "$T/image" "$T/small"
	[ "$stderr" = "cache-image: $T/small: has 122880 sectors, the device that was saved 131072" ]
	[ -z "$(tr -d '\0' < "$T/small")" ]
}

@test "an image is not overwritten, nor the device, nor does a failure leave one" {
	image fresh.cache
	echo mine > "$T/mine"
	run -1 --separate-stderr cache-image save "$IMG" "$T/mine"
	[ "$stderr" = "cache-image: $T/mine: is there already and no image, not overwritten without --force" ]
	[ "$(< "$T/mine")" = mine ]
	run -1 --separate-stderr cache-image save --force "$IMG" "$IMG"
	[ "$stderr" = "cache-image: $IMG: is the device itself" ]
	run -0 cache-image save --force "$IMG" "$T/mine"
	run -0 cache-image save "$BUILD/images/registered.cache" "$T/mine"
	run -1 cache-image save "$IMG" "$T/no/such"
	run -1 --separate-stderr cache-image save "$T/mine" "$T/image"
	[[ "$stderr" == *"a metadata image already: copy it" ]]
	run -1 --separate-stderr bash -c "ulimit -f 20; trap '' XFSZ; cache-image save '$BUILD/images/wb-crash.cache' '$T/full'"
	[[ "$stderr" == "cache-image: "*"cannot write the image: File too large" ]]
	[ "$(find "$T" -name 'full*')" = "" ]
}

@test "a truncated image is refused in one line, wherever it was cut" {
	cache-image save -q "$BUILD/images/wb-clean.cache" "$T/image"
	size=$(stat -c %s "$T/image")
	for cut in 20 56 57 1000 $((size / 2)) $((size - 9)) $((size - 1)); do
		head -c "$cut" "$T/image" > "$T/cut"
		run -1 --separate-stderr cache-image restore "$T/cut" "$T/back"
		[[ "$stderr" == "cache-image: $T/cut: not a "*"metadata image"* ]]
		[ "${#stderr_lines[@]}" = 1 ]
		[ ! -e "$T/back" ]
		[ "$cut" -ge 56 ] || continue
		run -8 --separate-stderr cache-fsck -n "$T/cut"
		[[ "$stderr" == "cache-fsck: $T/cut: not a whole metadata image: it ends before its table" ]]
	done
}

@test "a newer version and a damaged table or frame are refused, and nothing is written" {
	cache-image save -q "$BUILD/images/wb-clean.cache" "$T/image"
	cp "$T/image" "$T/new"
	printf '\2' | dd of="$T/new" bs=1 seek=24 conv=notrunc status=none
	run -1 --separate-stderr cache-image restore "$T/new" "$T/back"
	[ "$stderr" = "cache-image: $T/new: a metadata image of version 2, newer than 1, which this program knows" ]
	cp "$T/image" "$T/table"
	n=$(cache-image save -n -J "$BUILD/images/wb-clean.cache" "$T/none" | jq .frames)
	# behind the table: its tail of 24 bytes, and the seek table
	printf '\377' | dd of="$T/table" bs=1 seek=$(($(stat -c %s "$T/image") - 24 - 17 - 8 * n - 3)) \
		conv=notrunc status=none
	run -1 --separate-stderr cache-image restore "$T/table" "$T/back"
	[[ "$stderr" == *"its table is damaged" ]]
	cp "$T/image" "$T/frame"
	printf '\377\377' | dd of="$T/frame" bs=1 seek=30000 conv=notrunc status=none
	truncate -s 64M "$T/blank"
	run -1 --separate-stderr cache-image restore "$T/frame" "$T/blank"
	[[ "$stderr" == "cache-image: $T/frame: read of "*" failed: "* ]]
	[ -z "$(tr -d '\0' < "$T/blank")" ]
}

@test "what writes refuses an image" {
	cache-image save -q "$BUILD/images/wb-clean.cache" "$T/image"
	before=$(sum "$T/image")
	for call in "make-cache --force" "cache-alloc -c 1 --commit" "cache-fsck -y --clear-discard --fold-journal"; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr $call "$T/image"
		[ "$status" != 0 ]
		[[ "$stderr" == *"$T/image: a metadata image: nothing but cache-image writes one"* ]]
	done
	[ "$before" = "$(sum "$T/image")" ]
}

@test "a scrambled image has no UUID, label or position of the device, and its findings" {
	image two-backs.cache
	cache-image save -q --scramble --seed 7 "$IMG" "$T/image"
	cache-image restore -q "$T/image" "$T/back"
	# as text and as bytes, the set's first 8 bytes too, which are in every magic
	{ cache-super-show "$IMG"; cache-show-uuids -a "$IMG"; } |
		grep -oE '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' | sort -u > "$T/uuids"
	[ "$(wc -l < "$T/uuids")" -ge 4 ]
	hex=$(xxd -p "$T/back" | tr -d '\n')
	while read -r uuid; do
		uuid=${uuid//-/}
		[[ "$hex" != *"${uuid:0:16}"* ]]
	done < "$T/uuids"
	[ "$(cache-show-keys "$T/back" | wc -l)" = "$(cache-show-keys "$IMG" | wc -l)" ]
	shift=$(paste <(cache-show-keys "$IMG") <(cache-show-keys "$T/back") |
		awk '$6 ~ /^[0-9]+$/ { print $15 - $5, $8 == $18 }' | sort -u)
	[ "$(wc -l <<< "$shift")" = 1 ]
	[ "${shift% *}" -gt 0 ]
	# the same seed gives the same image, another one another
	cache-image save -q --scramble --seed 7 "$IMG" "$T/same"
	cmp "$T/image" "$T/same"
	cache-image save -q --scramble --seed 8 "$IMG" "$T/other"
	run ! cmp -s "$T/image" "$T/other"
}

@test "the seed is told, and the document has what the text has" {
	run -0 bash -c "cache-image save --scramble -J '$BUILD/images/registered.cache' '$T/image'"
	seed=$(jq .seed <<< "$output")
	[ "$(jq -c '[.schema, .scrambled, .dry_run, .nproblems]' <<< "$output")" = '[1,true,false,0]' ]
	[ "$(jq .image_bytes <<< "$output")" = "$(stat -c %s "$T/image")" ]
	cache-image save -q --scramble --seed "$seed" "$BUILD/images/registered.cache" "$T/same"
	cmp "$T/image" "$T/same"
	run -0 bash -c "cache-image restore -J '$T/image' '$T/back' 2> /dev/null"
	[ "$(jq -c '[.scrambled, .sectors]' <<< "$output")" = '[true,32768]' ]
}

@test "sectors that cannot be read are counted, and cannot be read from the image" {
	image wb-clean.cache
	bad=$(poke "$IMG" where=root)
	export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
	run -0 --separate-stderr env TEST_EIO="${bad/ /,}" LD_PRELOAD="$BUILD/tests/eio.so" \
		cache-image save "$IMG" "$T/image"
	[[ "$stderr" == *"warning: "*" sectors cannot be read, neither from the device nor from the image" ]]
	run -4 cache-fsck -n "$T/image"
	[[ "$output" == *"_UNREADABLE"* ]]
}

@test "damage of each kind has the same findings in an image, scrambled or not" {
	# a slice of tests/fsck/imaged, all of which is in make check-long
	run -0 "$ROOT/tests/fsck/imaged" bucket_owners child_range extent_shared journal_gap \
		journal_torn node_csum prio_csum sb_csum uuid_twice
	[ "$(grep -c '^ok ' <<< "$output")" -ge 8 ]
}

@test "save and restore, and what belongs to each, are the whole usage" {
	for words in "save x" "restore x" "show x y" "save x y z" "save -z u x y" \
		     "restore --scramble x y" "save --seed 1 x y"; do
		# shellcheck disable=SC2086 # words
		run -2 --separate-stderr cache-image $words
		[ -z "$output" ]
	done
}
