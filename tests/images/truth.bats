# SPDX-License-Identifier: GPL-2.0-only
# What is true of the images that a real kernel wrote (see README.md), and what the
# kernel itself said of them (NAME.txt).

setup() {
	load ../lib/common
	SAID=$ROOT/tests/images
}

IMAGES="registered wb-crash wb-clean churn-lru flash-vol two-backs ring-full"

# truth NAME: seq last_seq keys | nodes by level | cached dirty | gens that are not 0 | chain
truth() {
	case $1 in
	registered) echo "2 1 0|1|8 0|8|18" ;;
	wb-crash) echo "419 418 0|73 1|69536 41288|5251|5093 5218 5294 5234" ;;
	wb-clean) echo "122 104 750|12 1|35360 35352|1291|1313" ;;
	churn-lru) echo "2319 2297 223|24 1|30320 0|2030|1259" ;;
	two-backs) echo "144 129 664|15 1|44776 44744|1543|1564" ;;
	flash-vol) echo "124 109 711|13 1|34016 34000|1288|1309" ;;
	esac
}

journal_facts() {
	cache-show-journal -J "$1" | jq -r '[.replay.last_seq, .replay.first_seq] | join(" ")' |
		while read -r seq last; do printf '%d %d ' "$seq" "$last"; done
	cache-show-journal -J "$1" | jq -r .replay.nkeys
}
node_facts() {
	cache-show-keys --nodes -J "$1" |
		jq -r '[.nodes | group_by(.level)[] | length] | map(tostring) | join(" ")'
}
extent_facts() {
	cache-show-keys -J "$1" |
		jq -r '"\([.keys[].sectors] | add // 0) \([.keys[] | select(.dirty).sectors] | add // 0)"'
}
gen_facts() { cache-show-prios -a --raw "$1" | cut -f3 | grep -cv '^0$'; }
chain_facts() { cache-show-prios -J --raw "$1" | jq -r '.chain | map(tostring) | join(" ")'; }

@test "every number that is known of the images is found" {
	for name in ${IMAGES/ring-full/}; do
		i=$BUILD/images/$name.cache
		got="$(journal_facts "$i")|$(node_facts "$i")|$(extent_facts "$i")|$(
			gen_facts "$i")|$(chain_facts "$i")"
		echo "$name: $got"
		[ "$got" = "$(truth "$name")" ]
	done
}

@test "the sums of cache-show-uuids are those of its keys" {
	for name in $IMAGES; do
		i=$BUILD/images/$name.cache
		[ "$(cache-show-uuids -J "$i" |
			jq -r '"\([.uuids[].cached_sectors] | add) \([.uuids[].dirty_sectors] | add)"')" = \
			"$(extent_facts "$i")" ]
	done
}

@test "prios and gens are those of an independent decoder" {
	for name in $IMAGES; do
		i=$BUILD/images/$name.cache
		"$ROOT/tests/lib/prios.pl" "$i" > "$IMG.want"
		for opt in "" --raw; do
			cache-show-prios -a $opt "$i" | cut -f1-3 | cmp - "$IMG.want"
		done
	done
}

# What a kernel's line says; figures are cut to a tenth of a MiB or KiB.
said() { sed -n "s/^$2//p" "$SAID/$1.txt"; }

@test "dirty amounts are the kernel's own dirty_data, to the last digit it shows" {
	for name in $IMAGES; do
		slot=0
		while read -r _ _ amount; do
			want=${amount#dirty=}
			[ -n "$want" ] || continue	# a flash volume has none
			sectors=$(cache-show-uuids -J "$BUILD/images/$name.cache" |
				jq ".uuids[$slot].dirty_sectors")
			case $want in
			*M) got=$((sectors * 10 / 2048)) ;;
			*k) got=$((sectors * 10 / 2)) ;;
			esac
			echo "$name slot $slot: $sectors sectors, the kernel says $want"
			[ "$((got / 10)).$((got % 10))" = "${want%[kM]}" ]
			slot=$((slot + 1))
		done < <(grep ^/sys/block/bcache "$SAID/$name.txt")
	done
}

# The kernel looked while the set ran. After a stop in order the marks agree whole;
# at a crash its clean buckets include those just handed out, not yet filled.
@test "priority_stats of a set that was stopped has the kernel's percentages" {
	for name in registered wb-clean; do
		cache-show-prios "$BUILD/images/$name.cache" > "$IMG.out"
		for what in Unused Clean Dirty Metadata; do
			grep -xF "$(grep "^$what:" "$SAID/$name.txt")" "$IMG.out"
		done
	done
	for name in $IMAGES; do
		cache-show-prios "$BUILD/images/$name.cache" > "$IMG.out"
		grep -xF "$(grep ^Dirty: "$SAID/$name.txt")" "$IMG.out"
	done
}

# Prios on disk are those of the last prio write: a few rescales younger, and what was
# read since then has moved a rank or two.
@test "ages in priority_stats are the kernel's, less a few rescales" {
	for name in wb-crash wb-clean churn-lru; do
		cache-show-prios "$BUILD/images/$name.cache" > "$IMG.out"
		paste <(grep -E '^(Average|Quantiles):' "$SAID/$name.txt" | tr -cs 0-9 '\n') \
			<(grep -E '^(Average|Quantiles):' "$IMG.out" | tr -cs 0-9 '\n') |
			awk 'NF == 2 { n++; if ($1 < $2 || $1 > $2 + 12) bad = 1 }
			     END { exit n != 32 || bad }'
	done
}

@test "a set that never ran is said to be one, and is no fault" {
	for applet in prios journal keys uuids; do
		run -0 "cache-show-$applet" "$BUILD/images/fresh.cache"
		[[ "$output" == *"has not run yet"* ]]
		run -0 "cache-show-$applet" --json "$BUILD/images/fresh.cache"
		[ "$(jq .synced <<< "$output")" = false ]
	done
}

@test "a backing device is refused in one line" {
	for applet in prios journal keys uuids; do
		run -1 --separate-stderr "cache-show-$applet" "$BUILD/images/wb-clean.back1"
		[ -z "$output" ]
		[ "${#stderr_lines[@]}" = 1 ]
		[[ "$stderr" == *"backing device"* ]]
	done
}

@test "nothing is wrong with any of them, and looking leaves them alone" {
	before=$(sum "$BUILD"/images/*)
	for name in $IMAGES; do
		for applet in prios journal keys uuids; do
			run -0 --separate-stderr "cache-show-$applet" "$BUILD/images/$name.cache"
			[ -z "$stderr" ]
		done
	done
	[ "$before" = "$(sum "$BUILD"/images/*)" ]
}

@test "every view is one JSON document, schema first, its numbers decimal" {
	for name in fresh $IMAGES; do
		for call in cache-show-prios "cache-show-prios -a" "cache-show-prios --raw" \
			    "cache-show-prios --recovered" cache-show-journal \
			    "cache-show-journal -k" cache-show-keys "cache-show-keys --raw" \
			    "cache-show-keys --nodes" "cache-show-keys --level 1" \
			    "cache-show-keys --owner 40" cache-show-uuids "cache-show-uuids -a"; do
			$call -J "$BUILD/images/$name.cache" > "$IMG.json"
			jq -se "length == 1 and .[0].schema == 1 and
				(.[0] | keys_unsorted[0]) == \"schema\"" "$IMG.json" > /dev/null
		done
	done
}
