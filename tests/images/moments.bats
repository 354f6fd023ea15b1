# SPDX-License-Identifier: GPL-2.0-only
# The images of which it is known what was written: two moments of each set, one at half of
# its writes and one at the end (see README.md).

setup() {
	load ../lib/common
	PLANS=$ROOT/tests/images
}

MOMENTS="rewrite-61 rewrite-61-earlier churn-510 churn-510-earlier flash-73 flash-73-earlier"

@test "every block that was acknowledged is right at both moments, and none is newer than it may be" {
	for name in $MOMENTS; do
		run -0 judge "$PLANS/$name.plan" "$BUILD/images/$name.cache" "$BUILD/images/$name.back1"
		echo "$name: $output"
		[ "$(grep -c '^check .* 0 wrong$' <<< "$output")" = "$(wc -l < "$PLANS/$name.plan")" ]
	done
}

@test "the later moment, judged by what the earlier one had, has newer blocks" {
	for name in rewrite-61 churn-510 flash-73; do
		run -0 judge "$PLANS/$name-earlier.plan" "$BUILD/images/$name.cache" "$BUILD/images/$name.back1"
		[[ "$output" != *" 0 blocks newer"* ]]
		run -1 judge "$PLANS/$name.plan" "$BUILD/images/$name-earlier.cache" "$BUILD/images/$name-earlier.back1"
	done
}

@test "both moments are of one set, and its whole ring was overwritten between them" {
	for name in rewrite-61 churn-510 flash-73; do
		for moment in "$name-earlier" "$name"; do
			cache-super-show -J "$BUILD/images/$moment.cache" | jq -r .uuid
			cache-show-journal -J "$BUILD/images/$moment.cache" | jq -r .replay.last_seq
		done > "$IMG.facts"
		{ read -r u1; read -r s1; read -r u2; read -r s2; } < "$IMG.facts"
		echo "$name: $u1 at $s1, $u2 at $s2"
		[ "$u1" = "$u2" ]
		((s2 > s1 + 32))
	done
}

@test "prios and gens of both moments are those of an independent decoder" {
	for name in $MOMENTS; do
		cache-show-prios -a --raw "$BUILD/images/$name.cache" | cut -f1-3 |
			cmp - <("$ROOT/tests/lib/prios.pl" "$BUILD/images/$name.cache")
	done
}

@test "dirty amounts are the kernel's own dirty_data" {
	for name in rewrite-61 churn-510 flash-73; do
		while read -r slot _ amount _; do
			sectors=$(cache-show-uuids -J "$BUILD/images/$name.cache" |
				jq ".uuids[] | select(.slot == ${slot#bdev}).dirty_sectors")
			tenths=$((sectors * 10 / 2048))
			echo "$name $slot: $sectors sectors, the kernel says $amount"
			[ "$((tenths / 10)).$((tenths % 10))M" = "${amount#dirty=}" ]
		done < <(grep '^bdev' "$PLANS/$name.txt")
	done
}
