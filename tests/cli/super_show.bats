# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
}

# Both tools on $1 with the rest as options: same stdout, stderr and status.
same_as_peer() {
	local file=$1 theirs
	shift
	theirs=$(peer bcache-super-show)
	"$theirs" "$@" "$file" > "$IMG.out1" 2> "$IMG.err1" && status1=0 || status1=$?
	bcache-super-show "$@" "$file" > "$IMG.out2" 2> "$IMG.err2" && status2=0 || status2=$?
	# what getopt says begins with the path it was called by
	sed -i "s,^$theirs:,bcache-super-show:," "$IMG.err1"
	diff "$IMG.out1" "$IMG.out2" && diff "$IMG.err1" "$IMG.err2" && [ "$status1" = "$status2" ]
}

@test "as bcache-super-show it prints what the peer prints of kernel-written images" {
	for i in "$BUILD"/images/*; do
		same_as_peer "$i"
	done
}

@test "as bcache-super-show it prints what the peer prints of freshly formatted devices" {
	make=$(peer make-bcache)
	for args in "-C" "-C -b 64k -w 512 --discard" \
		    "-C --cache_replacement_policy=fifo" "-C --cache_replacement_policy=random" \
		    "-B" "-B --writeback" "-B -o 2048" "-C -b 1M"; do
		rm -f "$IMG"
		truncate -s 256M "$IMG"
		# shellcheck disable=SC2086 # options
		"$make" $args "$IMG" > /dev/null
		same_as_peer "$IMG"
	done
}

@test "as bcache-super-show it encodes labels as the peer does" {
	for label in lab_el.1-2 'a%b/c d' Grün "$(printf 'a\033b')" 31-bytes-31-bytes-31-bytes-31-b; do
		make_image
		poke "$IMG" "sb.label=$label"	# make-cache takes no control characters
		same_as_peer "$IMG"
	done
}

@test "as bcache-super-show it fails as the peer does" {
	for damage in raw:sb.label=x raw:sb.seq=7 raw:sb.offset=9 sb.offset=9 sb.version=2 \
		      sb.version=9 sb.replacement=5; do
		image fresh.cache
		poke "$IMG" "$damage"
		same_as_peer "$IMG"
		same_as_peer "$IMG" -f
	done
	for v in '\001' '\377'; do	# magic
		image fresh.cache
		printf '%b' "$v" | dd of="$IMG" bs=1 seek=4120 conv=notrunc status=none
		same_as_peer "$IMG"
	done
}

@test "as bcache-super-show it ends as the peer does when there is nothing to read" {
	: > "$IMG.empty"
	same_as_peer "$IMG.missing"
	same_as_peer "$IMG.empty"
	same_as_peer "$IMG" -x
	same_as_peer "$IMG" "$IMG"
}

@test "a flipped label byte is a checksum problem, shown on stderr alone" {
	make_image
	poke "$IMG" raw:sb.label=x
	before=$(sum "$IMG")
	run -1 --separate-stderr cache-super-show "$IMG"
	[[ "$stderr" == *"superblock checksum"* ]]
	[ -z "$output" ]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "-f goes on past a bad checksum, and still says and ends so" {
	make_image
	poke "$IMG" raw:sb.label=x
	run -1 --separate-stderr cache-super-show -f "$IMG"
	[[ "$output" == *"dev.label"*"x"* ]]
	[[ "$output" == *"[expected "* ]]
	[[ "$stderr" == *"superblock checksum"* ]]
}

@test "a superblock that is right ends 0 and its text is the peer's" {
	run -0 --separate-stderr cache-super-show "$BUILD/images/wb-clean.cache"
	[ -z "$stderr" ]
	[ "$output" = "$(bcache-super-show "$BUILD/images/wb-clean.cache")" ]
}

@test "-a adds its lines after the peer's" {
	cache-super-show "$BUILD/images/wb-clean.cache" > "$IMG.1"
	cache-super-show -a "$BUILD/images/wb-clean.cache" > "$IMG.2"
	head -n "$(wc -l < "$IMG.1")" "$IMG.2" | diff "$IMG.1" -
	grep -q '^dev.cache.journal	32 \[buckets 1 to 32\]$' "$IMG.2"
}

@test "JSON carries every field of a cache device" {
	run -0 cache-super-show -J "$BUILD/images/wb-clean.cache"
	[ "$(jq -r 'keys_unsorted[0]' <<< "$output")" = schema ]
	[ "$(jq -c '[.type, .version, .csum.valid, .bucket_sectors, .nbuckets, .first_bucket,
		(.journal_buckets | length), .replacement, .sync, .discard, .problems]' \
		<<< "$output")" = '["cache",3,true,32,4096,1,32,"lru",true,false,[]]' ]
	[ "$(jq -r .csum.stored <<< "$output")" = 0x7df3357cf5d3872e ]
}

@test "JSON carries every field of a backing device" {
	run -0 cache-super-show -J "$BUILD/images/wb-clean.back1"
	[ "$(jq -c '[.type, .data_offset_sectors, .cache_mode, .state]' <<< "$output")" = \
	  '["backing",16,"writeback","dirty"]' ]
}

@test "JSON names each broken rule, and the status says so" {
	make_image
	poke "$IMG" sb.nbuckets=0
	run -1 cache-super-show -J "$IMG"
	[ "$(jq -r '.problems[0].code' <<< "$output")" = SB_NBUCKETS_MIN ]
}

@test "what is no bcache device is an error that says so" {
	random_bytes 1048576 > "$IMG"
	run -1 --separate-stderr cache-super-show "$IMG"
	[ -z "$output" ]
	[[ "$stderr" == "cache-super-show: $IMG: not a bcache device"* ]]
	run -1 cache-super-show -J "$IMG"
	[[ "$(jq -r .error.message <<< "$output")" == "not a bcache device"* ]]
}
