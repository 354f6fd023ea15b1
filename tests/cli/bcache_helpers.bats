# SPDX-License-Identifier: GPL-2.0-only
# The programs of bcache-tools that udev calls: probe-bcache, bcache-export-cached,
# bcache-keep-symlinks.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
}

# old NAME: the program of bcache-tools
old() {
	[ -x "/lib/udev/$1" ] || skip "bcache-tools is not installed"
	[ ! -L "/lib/udev/$1" ] || skip "the $1 that is installed is ours"
	echo "/lib/udev/$1"
}

# same ARG...: output and status are those of the old probe-bcache
same() {
	local status=0 want
	want=$("$OLD" "$@" 2> /dev/null) || status=$?
	run -"$status" --separate-stderr probe-bcache "$@"
	echo "$* wanted: $want got: $output"
	[ "$output" = "$want" ]
}

@test "probe-bcache has the output of the old one, whatever is on the device" {
	OLD=$(old probe-bcache)
	files=()
	for i in fresh.cache wb-crash.back1 flash-vol.cache; do
		image $i "$i"
		image $i "$i.offset"
		poke "$i.offset" sb.offset=9
		image $i "$i.magic"
		printf 'x' | dd of="$i.magic" bs=1 seek=4120 conv=notrunc status=none
		files+=("$i" "$i.offset" "$i.magic")
	done
	random_bytes 100000 > random
	truncate -s 1M zeros
	truncate -s 0 empty
	truncate -s 20M fs
	mkfs.ext4 -q fs 2> /dev/null || :
	for f in "${files[@]}" random zeros empty fs missing /dev/null .; do
		same "$f"
		same -o udev "$f"
	done
	same "${files[@]}"
	same -o udev "${files[@]}"
	same -o csv fresh.cache
	same
}

@test "probe-bcache prints what a udev rule imports" {
	make_image --uuid 11111111-2222-3333-4444-555555555555
	poke "$IMG" sb.offset=9
	run -0 probe-bcache -o udev "$IMG"
	[ "${lines[0]}" = ID_FS_UUID=11111111-2222-3333-4444-555555555555 ]
	[ "${lines[1]}" = ID_FS_UUID_ENC=11111111-2222-3333-4444-555555555555 ]
	[ "${lines[2]}" = ID_FS_TYPE=bcache ]
	[ ${#lines[@]} = 3 ]
	run -0 probe-bcache "$IMG"
	[ "$output" = '11111111-2222-3333-4444-555555555555: UUID="" TYPE="bcache"' ]
}

# a machine on which bcache0 lies on the file $1, and on a cache
machine() {
	mkdir -p m/sys/class/block/bcache0/slaves/{sdb,sdc} m/dev
	cp "$BUILD/images/fresh.cache" m/dev/sdb
	cp --sparse=always "$1" m/dev/sdc
}

@test "bcache-export-cached names the backing device, also one with a data offset" {
	for offset in "" "-o 64"; do
		rm -rf m back
		truncate -s 20M back
		# shellcheck disable=SC2086
		make-cache -q -U 11111111-2222-3333-4444-555555555555 $offset -B back > /dev/null
		machine back
		run -0 bcache-export-cached --root m /dev/bcache0
		[ "$output" = CACHED_UUID=11111111-2222-3333-4444-555555555555 ]
		cache-tune -q --label=home m/dev/sdc
		run -0 bcache-export-cached --root m /dev/bcache0
		[ "${lines[1]}" = CACHED_LABEL=home ]
	done
}

@test "a label cannot add a line of its own, or end up as another path" {
	truncate -s 20M back
	make-cache -q -B back > /dev/null
	machine back
	label=$'a\nDM_NAME=x y\\z'
	printf '%s' "$label" | dd of=m/dev/sdc bs=1 seek=$((4096 + 72)) conv=notrunc status=none
	run -0 bcache-export-cached --root m /dev/bcache0
	[ ${#lines[@]} = 2 ]
	[ "${lines[1]}" = 'CACHED_LABEL=a\x0aDM_NAME=x\x20y\x5cz' ]
}

@test "bcache-export-cached has nothing to say of other devices" {
	for d in /dev/sda /dev/nothing x; do
		run -0 bcache-export-cached --root m "$d"
		[ -z "$output" ]
	done
}

@test "bcache-keep-symlinks names the links that a device has" {
	mkdir -p m/dev/bcache/by-uuid m/dev/bcache/by-label
	: > m/dev/bcache0
	: > m/dev/bcache1
	ln -s ../../bcache1 m/dev/bcache/by-uuid/1111
	ln -s ../../bcache0 m/dev/bcache/by-uuid/2222
	ln -s ../../bcache0 m/dev/bcache/by-label/home
	run -0 bcache-keep-symlinks --root m "$PWD/m/dev/bcache0"
	[ "$output" = $'BCACHE_CACHED_UUID=2222\nBCACHE_CACHED_LABEL=home' ]
	run -0 bcache-keep-symlinks --root m "$PWD/m/dev/bcache2"
	[ -z "$output" ]
	run -0 bcache-keep-symlinks --root nowhere /dev/bcache0
	[ -z "$output" ]
}

@test "all of them answer --help and --version" {
	for a in probe-bcache bcache-export-cached bcache-keep-symlinks; do
		run -0 "$a" --help
		[[ "$output" == "Usage: $a "* ]]
		run -0 "$a" --version
		[[ "$output" == "$a (cache-tools) "* ]]
	done
}
