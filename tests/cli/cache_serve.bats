# SPDX-License-Identifier: GPL-2.0-only
# cache-serve and the plugin of nbdkit, asked by the clients that people have.

setup() {
	load ../lib/common
	T=$BATS_TEST_TMPDIR
	PLUGIN=$BUILD/nbdkit-cache-tools-plugin.so
	I=$BUILD/images
	# a plugin with sanitizers in it cannot be loaded into a program without
	! nm -D "$BUILD/bin/cache-tools" | grep -q __asan || NO_SERVER="sanitizers"
}

need() {
	local p
	[ -z "${NO_SERVER:-}" ] || skip "nbdkit cannot load the plugin: $NO_SERVER"
	[ -e "$PLUGIN" ] || skip "built without nbdkit-plugin-dev"
	# before a python that does not know Debian's modules
	PATH=$BUILD/bin:$BUILD/tests:/usr/bin:$PATH
	for p in nbdkit "$@"; do
		command -v "$p" > /dev/null || skip "no $p"
	done
}

# What tests/images says that the backing device has when all dirty data has come home.
WB_CRASH=8ef017e399462b2847e1eb9f89d844b09ba8553e03e085561b6e43db3cd63c53
WB_CLEAN=2360fe4aa54855b6a7267865c2008b42e1170de459fbbdcf5b393617b1fd4b53

@test "nbdcopy copies the merged device, and it has every acknowledged block" {
	need nbdcopy
	for want in wb-crash:$WB_CRASH wb-clean:$WB_CLEAN; do
		name=${want%:*}
		before=$(sum "$I/$name.cache" "$I/$name.back1")
		# shellcheck disable=SC2016 # the command's own
		run -0 cache-serve "$I/$name.cache" "$I/$name.back1" -- sh -c 'nbdcopy "$uri" - | sha256sum'
		[ "$output" = "${want#*:}  -" ]
		[ "$before" = "$(sum "$I/$name.cache" "$I/$name.back1")" ]
	done
}

@test "qemu-img reads the same through the plugin alone, whatever it asks for at once" {
	need qemu-img
	cd "$I" || return
	# shellcheck disable=SC2016 # nbdkit's
	run -0 nbdkit -U - "$PLUGIN" wb-clean.cache backing=wb-clean.back1 --run \
		"qemu-img convert -f raw -O raw \$uri '$T/raw'"
	[ "$(sha256sum < "$T/raw")" = "$WB_CLEAN  -" ]
	# shellcheck disable=SC2016 # nbdkit's
	run -0 nbdkit -U - "$PLUGIN" wb-clean.cache backing=wb-clean.back1 --run \
		"qemu-img compare -f raw -F raw \$uri '$T/raw'"
}

@test "reads that are no whole sectors are right" {
	need nbdsh python3
	cd "$I" || return
	nbdkit -U - "$PLUGIN" wb-crash.cache backing=wb-crash.back1 --run "nbdcopy \$uri '$T/raw'"
	# shellcheck disable=SC2016 # nbdkit's
	nbdkit -U - "$PLUGIN" wb-crash.cache backing=wb-crash.back1 --run 'nbdsh -u "$uri" -c "
import sys, random
random.seed(1)
raw = open(\"'"$T/raw"'\", \"rb\").read()
for i in range(300):
    n = random.randrange(1, 9000)
    at = random.randrange(0, len(raw) - n)
    assert h.pread(n, at) == raw[at:at + n], (n, at)
"'
}

@test "extents ascend and cover the device, and a hole reads as zeros" {
	need nbdinfo nbdcopy
	cd "$I" || return
	nbdkit -U - "$PLUGIN" wb-crash.cache backing=wb-crash.back1 --run \
		"nbdinfo --map --json \$uri > '$T/map'; nbdcopy \$uri '$T/raw'"
	[ "$(jq -r 'reduce .[] as $e (0; if . == $e.offset then . + $e.length else error end)' "$T/map")" = 201318400 ]
	[ "$(jq -r '[.[].type] | unique | join(",")' "$T/map")" = 0,3 ]
	jq -r '.[] | select(.type == 3) | "\(.offset / 512) \(.length / 512)"' "$T/map" | head -n 60 |
		while read -r at n; do
			dd if="$T/raw" bs=512 skip="$at" count="$n" status=none
		done | tr -d '\0' > "$T/data"
	[ ! -s "$T/data" ]
}

@test "the server is read-only, for several connections, and says its block size" {
	need nbdinfo
	# shellcheck disable=SC2016 # the command's own
	run -0 cache-serve "$I/wb-crash.cache" "$I/wb-crash.back1" -- sh -c 'nbdinfo --json "$uri"'
	[ "$(jq -c '.exports[0] | [.["is_read_only"], .can_multi_conn, ."block_size_preferred"]' <<< "$output")" = '[true,true,4096]' ]
	# shellcheck disable=SC2016 # the command's own
	run ! cache-serve "$I/wb-crash.cache" "$I/wb-crash.back1" -- sh -c 'nbdcopy /etc/passwd "$uri"'
}

@test "a flash volume is served by its UUID, of its size, zeros where nothing is" {
	need nbdcopy
	run -0 bash -c "cache-serve -q -J '$I/flash-vol.cache' | jq -r '.volumes[] | select(.flags == \"flash\") | \"\(.uuid) \(.size_sectors)\"'"
	read -r uuid sectors <<< "$output"
	# shellcheck disable=SC2016 # the command's own
	run -0 cache-serve "$I/flash-vol.cache" --volume "$uuid" -- sh -c 'nbdcopy "$uri" "$1"' x "$T/raw"
	[ "$(stat -c %s "$T/raw")" = $((sectors * 512)) ]
	# and what writeback exports is the same
	truncate -s 0 "$T/export"
	cache-writeback "$I/flash-vol.cache" --export "$T/exported" --volume "$uuid" > /dev/null
	cmp -n $((sectors * 512)) "$T/raw" "$T/exported"
}

@test "an overlay takes writes and neither device gets them" {
	need nbdsh python3
	cp "$I/wb-clean.cache" "$I/wb-clean.back1" "$T"
	before=$(sum "$T/wb-clean.cache" "$T/wb-clean.back1")
	# shellcheck disable=SC2016 # the command's own
	run -0 cache-serve --overlay "$T/wb-clean.cache" "$T/wb-clean.back1" -- \
		nbdsh -c 'import os; h.connect_uri(os.environ["uri"]); h.pwrite(b"x" * 4096, 8192); assert h.pread(4096, 8192) == b"x" * 4096'
	[ "$before" = "$(sum "$T/wb-clean.cache" "$T/wb-clean.back1")" ]
}

@test "it prints where it is and what to do, and a signal ends it and removes the socket" {
	need nbdinfo
	cache-serve --socket "$T/s" "$I/wb-clean.cache" "$I/wb-clean.back1" > "$T/out" 3>&- &
	pid=$!
	for _ in $(seq 200); do
		grep -q '^or:' "$T/out" && break
		sleep 0.05
	done
	grep -qF "nbdcopy 'nbd+unix:///?socket=$T/s' disk.img" "$T/out"
	nbdinfo --size "nbd+unix:///?socket=$T/s"
	run -1 --separate-stderr cache-serve --socket "$T/s" "$I/wb-clean.cache" "$I/wb-clean.back1"
	[[ "$stderr" == "cache-serve: $T/s: is there already: "* ]]
	kill -TERM $pid
	wait $pid
	[ ! -e "$T/s" ]
}

@test "a command's failure is ours, and the server ends with it" {
	need
	run -1 cache-serve --socket "$T/s" "$I/wb-clean.cache" "$I/wb-clean.back1" -- false
	[ ! -e "$T/s" ]
	run -1 cache-serve --socket "$T/s" "$I/wb-clean.cache" "$I/wb-clean.back1" -- no-such-program
	[[ "$output" == *"no-such-program: cannot be run: "* ]]
	[ ! -e "$T/s" ]
}

@test "what cannot be served is refused in one line, and nothing is started" {
	image wb-clean.cache
	poke "$IMG" 'root.set[0].csum=flip'
	cache-image save -q "$I/wb-clean.cache" "$T/image" 2> /dev/null || cp "$I/wb-clean.cache" "$T/image"
	head -c 30000000 "$I/wb-clean.back1" > "$T/short"
	cp "$I/wb-clean.back1" "$T/other"
	chmod u+w "$T/other"
	poke "$T/other" sb.uuid=00000000-0000-0000-0000-000000000009
	while IFS='|' read -r args words; do
		# shellcheck disable=SC2086 # words
		run -1 --separate-stderr cache-serve -n $args
		echo "$args: $stderr"
		[[ "$stderr" == "cache-serve: "*"$words"* ]]
		[ "${#stderr_lines[@]}" = 1 ]
		[ -z "$output" ]
	done <<END
$I/two-backs.cache $I/wb-clean.back1|belongs to another cache set
$I/wb-clean.back1 $I/wb-clean.cache|a backing device, expected a cache device
$I/wb-clean.cache $I/wb-clean.cache|a cache device, expected a backing device
$IMG $I/wb-clean.back1|damaged: look with cache-fsck -n
$I/wb-clean.cache $T/other|the uuid table of the cache does not have it
$I/wb-clean.cache $T/short|the cache has extents of it up to
$I/wb-clean.cache --volume 00000000-0000-0000-0000-000000000001|no flash volume has this UUID
$I/fresh.cache $I/wb-clean.back1|belongs to another cache set
END
	run -1 --separate-stderr cache-serve -n "$T/image" "$I/wb-clean.back1"
	[[ "$stderr" == *"a metadata image: it has no data to serve" ]] || skip "built without zstd"
}

@test "without nbdkit it says so" {
	mkdir "$T/bin"
	ln -s "$(command -v bash)" "$T/bin/bash"
	run -1 --separate-stderr env PATH="$T/bin" "$BUILD/bin/cache-serve" "$I/wb-clean.cache" "$I/wb-clean.back1"
	[ "$stderr" = "cache-serve: nbdkit is not installed" ]
}

@test "the document of a dry run has what is served" {
	run -0 bash -c "cache-serve -n -J '$I/wb-crash.cache' '$I/wb-crash.back1' |
		jq -c '[.extents > 4000, .cached_sectors, .dirty_sectors, .sectors]'"
	[ "$output" = "[true,69536,41288,393200]" ]
}
