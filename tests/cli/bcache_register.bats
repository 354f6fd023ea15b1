# SPDX-License-Identifier: GPL-2.0-only
# bcache-register: what is given to the kernel, what is kept from it, and what it says. The kernel
# is a folder, in which the file that registers is a plain one.

setup() {
	load ../lib/common
	# where LD_PRELOAD is used, the sanitizer is not the first library
	export ASAN_OPTIONS="$ASAN_OPTIONS:verify_asan_link_order=0"
	cd "$BATS_TEST_TMPDIR" || return
	M=$BATS_TEST_TMPDIR/machine
	mkdir -p "$M"/{sys/fs/bcache,dev,run,etc/default}
	: > "$M/sys/fs/bcache/register"
	: > "$M/dev/kmsg"
}

# register DEV [OPTION...]: under Linux 6.1
register() { bcache-register --root "$M" --kernel "${KERNEL:-6.1}" "${@:2}" "$1"; }

given() { cat "$M/sys/fs/bcache/register"; }
config() { printf '%s\n' "$@" > "$M/etc/default/cache-tools"; }

@test "sound cache and backing devices are given to the kernel, without a message" {
	for i in fresh.cache registered.cache wb-crash.cache wb-crash.back1 churn-lru.cache; do
		image $i
		before=$(sum "$IMG")
		: > "$M/sys/fs/bcache/register"
		run -0 register "$IMG" --kmsg
		[ -z "$output" ]
		[ "$(given)" = "$IMG" ]
		[ ! -s "$M/dev/kmsg" ]
		[ "$before" = "$(sum "$IMG")" ]
	done
}

@test "a set whose start may hang is refused, with the reason and what to do" {
	image ring-full.cache
	before=$(sum "$IMG")
	run -1 --separate-stderr register "$IMG"
	[ -z "$(given)" ]
	[ -z "$output" ]
	[ "$(wc -l <<< "$stderr")" = 1 ]
	[[ "$stderr" == "bcache-register: $IMG: not registered: the kernel may hang at its start: JOURNAL_RING_TIGHT (0x020e): "* ]]
	[[ "$stderr" == *"repair with: cache-fsck -p $IMG; then: bcache-register $IMG" ]]
	[ "$before" = "$(sum "$IMG")" ]
}

@test "what cache-fsck says a kernel would do decides, for each kernel" {
	refused=0
	for i in "$BUILD"/images/*.cache; do
		for KERNEL in 5.10 6.1 7.3; do
			verdict=$(cache-fsck -n -J --kernel $KERNEL "$i" | jq -r .kernel)
			: > "$M/sys/fs/bcache/register"
			register "$i" 2> err && given=yes || given=no
			echo "$i $KERNEL $verdict $given $(cat err)"
			case $verdict in
			starts | refuses) [ "$given" = yes ] ;;
			*) [ "$given" = no ] && refused=$((refused + 1)) ;;
			esac
			[ "$given" = no ] || [ "$(given)" = "$i" ]
		done
	done
	[ $refused -ge 3 ]
}

@test "a set that the kernel would disable is refused" {
	for damage in 'prio[0].magic=flip' journal.wipe=1 'journal[newest].root.bucket=nbuckets'; do
		image registered.cache
		poke "$IMG" "$damage"
		[ "$(cache-fsck -n -J --kernel 6.1 "$IMG" | jq -r .kernel)" = disables ]
		run -1 register "$IMG"
		[[ "$output" == *"not registered: the kernel would disable the set: "* ]]
		[ -z "$(given)" ]
	done
}

@test "a set whose start may return wrong data is registered, with a warning" {
	for i in bucket_falsely_freed extent_shared journal_hidden; do
		# shellcheck disable=SC1090
		(cd "$ROOT" && TMP=$BATS_TEST_TMPDIR && . tests/fsck/words.bash && . "tests/fsck/$i/damage" > /dev/null &&
			cp "${devs[0]}" "$IMG") || continue
		cache-fsck -n -J --kernel 6.1 "$IMG" > found || :
		[ "$(jq -r .kernel < found)" = starts ] && grep -q '"verdict": "damage"' found || continue
		run -0 register "$IMG"
		[[ "$output" == *"warning: the kernel will start the set, but may return wrong data: "* ]]
		return
	done
	false
}

@test "a superblock that the kernel refuses by itself is left to it, with a warning" {
	make_image --buckets 1024
	poke "$IMG" sb.nbuckets=3
	[ "$(cache-fsck -n -J --kernel 6.1 "$IMG" | jq -r .kernel)" = refuses ]
	run -0 register "$IMG"
	[[ "$output" == *"warning: the kernel will refuse it: "* ]]
	[ "$(given)" = "$IMG" ]
}

@test "-n says the same and registers nothing" {
	image fresh.cache
	run -0 register "$IMG" -n
	[ -z "$output$(given)" ]
	image ring-full.cache
	run -1 register "$IMG" -n
	[[ "$output" == *"not registered: "* ]]
}

@test "--force registers without a check" {
	image ring-full.cache
	run -0 register "$IMG" --force
	[ -z "$output" ]
	[ "$(given)" = "$IMG" ]
}

@test "the kernel's log gets a refusal once, and anew after the set was right" {
	image ring-full.cache
	for _ in 1 2 3; do
		run -1 register "$IMG" --kmsg
	done
	[ "$(wc -l < "$M/dev/kmsg")" = 1 ]
	[[ "$(< "$M/dev/kmsg")" == "<3>bcache-register: $IMG: not registered: the kernel may hang"* ]]
	image fresh.cache
	run -0 register "$IMG" --kmsg
	image ring-full.cache
	: > "$M/dev/kmsg"
	run -1 register "$IMG" --kmsg
	[ "$(wc -l < "$M/dev/kmsg")" = 1 ]
}

@test "several messages of one boot are each in the log once" {
	config CHECK_SECONDS=0
	image ring-full.cache
	for _ in 1 2 3; do
		run -1 register "$IMG" --kmsg
	done
	[ "$(wc -l < "$M/dev/kmsg")" = 2 ]
}

@test "a check that takes too long ends in time, and the device is registered and named" {
	config CHECK_SECONDS=1
	image fresh.cache
	run -0 env TEST_SLOW=0 LD_PRELOAD="$BUILD/tests/slow.so" \
		timeout 20 bcache-register --root "$M" --kernel 6.1 "$IMG"
	[[ "$output" == *"warning: registered without a check, which took longer than 1 s" ]]
	[ "$(given)" = "$IMG" ]
}

@test "damage that was found before the time was up counts" {
	config CHECK_SECONDS=1
	image registered.cache
	poke "$IMG" 'prio[0].magic=flip'
	read -r sector _ < <(poke "$IMG" where=root)
	# not the places farther on where another file system would be recognised
	run -1 env TEST_SLOW="$sector-$((sector + 15))" LD_PRELOAD="$BUILD/tests/slow.so" \
		timeout 20 bcache-register --root "$M" --kernel 6.1 "$IMG"
	[[ "$output" == *"not registered: the kernel would disable the set: PRIO_MAGIC "* ]]
	[ -z "$(given)" ]
}

@test "what was refused in this boot stays refused while a check cannot end" {
	config CHECK_SECONDS=1
	image ring-full.cache
	run -1 register "$IMG" --kmsg
	for _ in 1 2; do
		run -1 env TEST_SLOW=0 LD_PRELOAD="$BUILD/tests/slow.so" \
			timeout 20 bcache-register --root "$M" --kernel 6.1 --kmsg "$IMG"
		[[ "$output" == *"not registered: the kernel may hang at its start: JOURNAL_RING_TIGHT"* ]]
	done
	[ -z "$(given)" ]
	[ "$(wc -l < "$M/dev/kmsg")" = 1 ]
	cache-fsck -p -q "$IMG" > out 2>&1 || [ $? = 1 ]
	run -0 register "$IMG"
	: > "$M/sys/fs/bcache/register"
	run -0 env TEST_SLOW=0 LD_PRELOAD="$BUILD/tests/slow.so" \
		timeout 20 bcache-register --root "$M" --kernel 6.1 "$IMG"
	[ "$(given)" = "$IMG" ]
}

@test "REPAIR=yes repairs while udev has its shared lock, and not while a writer has its own" {
	config REPAIR=yes
	image ring-full.cache
	before=$(sum "$IMG")
	run -1 flock -x "$IMG" bcache-register --root "$M" --kernel 6.1 "$IMG"
	[[ "$output" == *"locked by another program"*"not registered: "* ]]
	[ "$before" = "$(sum "$IMG")" ]
	run -0 flock -s "$IMG" bcache-register --root "$M" --kernel 6.1 "$IMG"
	[ "$(given)" = "$IMG" ]
	[ "$before" != "$(sum "$IMG")" ]
}

@test "MAY_HANG=register gives the kernel what only may hang, with a warning" {
	config '# comment' '' 'MAY_HANG="register"'
	image ring-full.cache
	run -0 register "$IMG"
	[[ "$output" == *"warning: the kernel may hang at its start: JOURNAL_RING_TIGHT"* ]]
	[ "$(given)" = "$IMG" ]
}

@test "CHECK=no registers without a check" {
	config CHECK=no
	image ring-full.cache
	run -0 register "$IMG"
	[ -z "$output" ]
	[ "$(given)" = "$IMG" ]
}

@test "REPAIR=yes repairs what would be refused, keeps an undo file, and registers it" {
	config REPAIR=yes
	image ring-full.cache
	before=$(sum "$IMG")
	run -0 register "$IMG" --kmsg
	[ "$(given)" = "$IMG" ]
	grep -q 'repaired by cache-fsck -p; what was there is in .*/run/cache-tools/img.undo0$' "$M/dev/kmsg"
	[ "$before" != "$(sum "$IMG")" ]
	cache-undo "$M/run/cache-tools/img.undo0" "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
}

@test "REPAIR=yes leaves a sound set alone, and -n repairs nothing" {
	config REPAIR=yes
	image wb-crash.cache
	before=$(sum "$IMG")
	run -0 register "$IMG"
	[ "$before" = "$(sum "$IMG")" ]
	image ring-full.cache
	before=$(sum "$IMG")
	run -1 register "$IMG" -n
	[ "$before" = "$(sum "$IMG")" ]
	[ ! -e "$M/run/cache-tools" ]
}

@test "wrong settings are named, one line each, and the boot goes on" {
	config CHECK=maybe CHECK_SECONDS=1h MAY_HANG=1 'REPAIR=' nonsense TYPO=1 SAVE_KEEP=x
	image fresh.cache
	run -0 register "$IMG"
	[ "$(wc -l <<< "$output")" = 6 ]
	[[ "$output" == *'line 1: CHECK is "maybe", expected yes or no; the default is used'* ]]
	[[ "$output" == *'line 2: CHECK_SECONDS is "1h", expected 1 to 60'* ]]
	[ "$(given)" = "$IMG" ]
	mkdir "$M/dir" && rm "$M/etc/default/cache-tools" && mv "$M/dir" "$M/etc/default/cache-tools"
	run -0 register "$IMG"
	[[ "$output" == *"Is a directory; the default is used" ]]
	rmdir "$M/etc/default/cache-tools"
	random_bytes 300000 > "$M/etc/default/cache-tools"
	run -0 register "$IMG"
}

@test "a kernel without bcache, a device without it and one that is gone: one line each" {
	image fresh.cache
	run -1 register "$IMG.gone"
	[ "$output" = "bcache-register: $IMG.gone: not registered: No such file or directory" ]
	truncate -s 1M other
	run -1 register other
	[ "$output" = "bcache-register: other: not registered: it has no superblock of bcache" ]
	[ -z "$(given)" ]
	rm "$M/sys/fs/bcache/register"
	run -1 register "$IMG"
	[ "$output" = "bcache-register: $IMG: not registered: the kernel has no bcache: load the module with: modprobe bcache" ]
	mkdir "$M/sys/fs/bcache/register"
	run -1 register "$IMG"
	[[ "$output" == *"not registered: the kernel says: "*"; more is in its log" ]]
}

@test "a superblock that cannot be read is no reason to say that there is none" {
	image fresh.cache
	run -1 env TEST_EIO=0,100000 LD_PRELOAD="$BUILD/tests/eio.so" \
		bcache-register --root "$M" --kernel 6.1 "$IMG"
	[[ "$output" == "bcache-register: $IMG: not registered: "*"Input/output error"* ]]
	[ "$(wc -l <<< "$output")" = 1 ]
}

@test "a device that a mapping holds is not registered, one that is registered is left alone" {
	[ "$(id -u)" = 0 ] || skip "needs root for a loop device"
	image fresh.cache
	loop=$(losetup --show -f "$IMG" 2> /dev/null) || skip "no loop device to be had"
	id=$(lsblk -dno MAJ:MIN "$loop" | tr -d ' ')
	mkdir -p "$M/sys/dev/block/$id/holders" "$M/sys/block/dm-7/dm"
	ln -s ../../../../block/dm-7 "$M/sys/dev/block/$id/holders/dm-7"
	run -1 register "$loop"
	held=$output
	rm -r "$M/sys/dev/block/$id/holders"
	mkdir "$M/sys/dev/block/$id/bcache"
	run -0 register "$loop" --kmsg
	losetup -d "$loop"
	[[ "$held" == "bcache-register: $loop: not registered: held by "* ]]
	[ -z "$output$(given)" ]
	[ ! -s "$M/dev/kmsg" ]
}

@test "JSON has what was found and what was done" {
	image ring-full.cache
	run -1 --separate-stderr register "$IMG" -J
	jq -e '.schema == 1 and .refused and (.registered | not) and .kernel == "may-hang" and
		(.reason | startswith("JOURNAL_RING_TIGHT"))' <<< "$output"
	[ -z "$stderr" ]
	image fresh.cache
	run -0 register "$IMG" -J
	jq -e '.registered and .checked and .kernel == "starts" and .reason == null' <<< "$output"
}
