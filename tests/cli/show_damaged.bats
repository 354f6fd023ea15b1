# SPDX-License-Identifier: GPL-2.0-only
# The show applets on every damage that cache-fsck has a name for: tests/fsck.

# The words of a damage file that concern the cache device; the others do nothing.
words() {
	base() { image "$1.cache"; }
	format() { rm -f "$IMG" && truncate -s "$1" "$IMG" && make-cache -q -C "${@:2}" "$IMG"; }
	poke() { command poke "$IMG" "$@"; }
	size() { truncate -s "$1" "$IMG"; }
	back() { :; }
	poke_back() { :; }
	unreadable() { :; }
}

setup() {
	load ../lib/common
	words
}

# A view that reads all, of each applet, one document behind the other.
show_all() {
	local call status
	for call in "prios --recovered" "journal -k" "keys --raw" "keys --owner 40" "uuids -a"; do
		status=0
		# shellcheck disable=SC2086 # options
		timeout 60 cache-show-${call%% *} ${call#"${call%% *}"} -J "$IMG" || status=$?
		[ "$status" -le 1 ] || return
	done
}

@test "whatever is damaged, every view ends, is JSON, and changes nothing" {
	for dir in "$ROOT"/tests/fsck/*/; do
		rm -f "$IMG"
		# shellcheck disable=SC1091 # the damage
		. "$dir/damage" > /dev/null
		[ -e "$IMG" ] || continue
		cp --sparse=always "$IMG" "$IMG.before"	# cheaper than hashes
		echo "$dir"
		show_all > "$IMG.json" 2> "$IMG.err"
		jq -se 'length == 5 and all(.schema == 1)' "$IMG.json" > /dev/null
		cmp "$IMG" "$IMG.before"
	done
}

# What the loading itself must notice; fsck alone finds the rest.
@test "what the reading of a structure can notice is noticed, with its code" {
	for dir in "$ROOT"/tests/fsck/{sb,prio,node,root,child}_*/; do
		code=$(sed -n 's/^code //p' "$dir/expect")
		row=$(grep "^PROBLEM($code," "$ROOT/include/libcache/problems.def")
		case $code in *_UNREADABLE) continue ;; esac
		[[ "$row" == *" CORRUPT,"* ]] || continue
		rm -f "$IMG"
		# shellcheck disable=SC1091 # the damage
		. "$dir/damage" > /dev/null
		[ -e "$IMG" ] || continue	# of a backing device
		run -1 --separate-stderr cache-show-keys "$IMG"
		echo "$code: $stderr"
		[[ "$stderr" == *"$code (0x"* ]]
	done
}

@test "buckets that a device does not have take no memory" {
	! grep -q -e -fsanitize "$BUILD/flags" || skip "sanitizers take memory of their own"
	make_image
	command poke "$IMG" sb.nbuckets=2000000000
	for call in cache-super-show "cache-fsck -n" "cache-fsck -y" cache-show-prios cache-show-keys \
		cache-show-journal cache-show-uuids cache-map "cache-image save -n"; do
		# shellcheck disable=SC2086 # options
		run maxrss 40000 $call "$IMG"
		echo "$call: $output"
		kib=$(grep -o '[0-9]* KiB at most' <<< "$output")
		[ "${kib%% *}" -le 40000 ]
	done
}
