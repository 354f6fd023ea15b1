# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
	image wb-crash.cache
}

# Sum of the sectors that a call shows.
sectors() { cache-show-keys -J "$@" | jq '[.keys[].sectors] | add // 0'; }
count() { cache-show-keys -J "$@" | jq '.keys | length'; }

@test "one row per key, under the names of the columns" {
	run -0 cache-show-keys "$IMG"
	[[ "${lines[0]}" =~ ^LEVEL\ +NODE\ +INODE\ +START\ +END\ +SECTORS\ +DIRTY\ +PTR\ +BUCKET\ +GEN\ +STALE$ ]]
	[ "${#lines[@]}" = 8693 ]
}

@test "--tsv gives the cells of the table between TABs, and those of JSON" {
	cache-show-keys "$IMG" | tail -n +2 | awk -v OFS='\t' '{ $1 = $1; print }' > "$IMG.table"
	cache-show-keys --tsv "$IMG" | cmp - "$IMG.table"
	cache-show-keys -J "$IMG" |
		jq -r '.keys[] | [.[] | if . == true then "yes" elif . == false then "no" else . // "-" end] | @tsv' |
		cmp - "$IMG.table"
	cache-show-keys --tsv --nodes "$IMG" | awk -F'\t' 'NF != 10 { exit 1 }'
	run -2 cache-show-keys --tsv -J "$IMG"
	run -2 cache-show-keys --tsv --owner 7 "$IMG"
}

@test "effective keys do not overlap and lie in their buckets" {
	cache-show-keys -J "$IMG" | jq -r '.keys[] | [.inode, .start, .end, .sectors, .ptr, .bucket] | @tsv' |
		awk '$1 == i && $2 < e || $3 - $2 != $4 || int($5 / 16) != $6 { exit 1 } { i = $1; e = $3 }'
}

@test "--dirty and its complement add up" {
	[ "$(sectors --dirty "$IMG")" = 41288 ]
	[ "$(cache-show-keys -J "$IMG" | jq '[.keys[] | select(.dirty | not).sectors] | add')" = $((69536 - 41288)) ]
}

@test "--inode picks a device" {
	image two-backs.cache
	a=$(sectors --inode 0 "$IMG") b=$(sectors --inode 1 "$IMG")
	[ $((a + b)) = 44776 ]
	[ "$a" -gt 0 ] && [ "$b" -gt 0 ]
	[ "$(count --inode 2 "$IMG")" = 0 ]
}

@test "--range gives every key that touches it and no other" {
	all=$(cache-show-keys -J "$IMG" | jq '[.keys[] | select(.start < 2000 and .end > 1000)] | length')
	[ "$all" -gt 0 ]
	[ "$(count --range 1000-2000 "$IMG")" = "$all" ]
	[ "$(count --range 16-24 "$IMG")" = 1 ]
	[ "$(count --range 24-25 "$IMG")" = 0 ]
}

@test "--level 1 gives the live children, one for each leaf" {
	[ "$(count --level 1 "$IMG")" = 73 ]
	[ "$(cache-show-keys --nodes -J "$IMG" | jq '[.nodes[] | select(.level == 0)] | length')" = 73 ]
}

@test "--raw shows every set, freeing keys and hidden keys too" {
	cache-show-keys --raw -J "$IMG" > "$IMG.json"
	jq -e 'any(.keys[]; .level == 1 and .end == 0 and .inode == 0)' "$IMG.json"
	jq -e 'any(.keys[]; .block > 0)' "$IMG.json"
	[ "$(jq '[.keys[] | select(.level == 0)] | length' "$IMG.json")" -ge 8692 ]
}

@test "keys of the journal override those of the tree" {
	image wb-clean.cache
	cache-show-keys -J "$IMG" | jq -e 'any(.keys[]; .node == null)'
	k='{inode=0,offset=2000000,size=8,bucket=dirty0,dirty=1}'
	before=$(sectors "$IMG")
	poke "$IMG" journal.append="$k"
	[ "$(sectors "$IMG")" = $((before + 8)) ]
	[ "$(count --range 1999992-2000000 "$IMG")" = 1 ]
}

@test "stale extents are left out unless asked for" {
	bucket=$(cache-show-keys -J "$IMG" | jq '.keys[] | select(.dirty | not).bucket' | head -n 1)
	n=$(cache-show-keys -J "$IMG" | jq "[.keys[] | select(.bucket == $bucket)] | length")
	poke "$IMG" "prio.gen[$bucket]=+3"
	[ "$(count "$IMG")" = $((8692 - n)) ]
	cache-show-keys --stale -J "$IMG" |
		jq -e "[.keys[] | select(.bucket == $bucket and .stale == 3)] | length == $n"
}

@test "--owner names the role of every kind of bucket" {
	while IFS=$'\t' read -r bucket _ _ mark _; do
		run -0 cache-show-keys --owner "$bucket" "$IMG"
		grep -q "^Role: *$mark\$" <<< "$output"
	done < <(cache-show-prios -a "$IMG" | sort -u -t$'\t' -k4,4)
}

@test "--owner of data gives the extents that lie there" {
	want=$(cache-show-keys -J "$IMG" | jq -c '[.keys[] | select(.bucket == 76)]')
	[ "$(cache-show-keys --owner 76 -J "$IMG" | jq -c .keys)" = "$want" ]
}

@test "--owner of a sector gives the one extent that covers it" {
	cache-show-keys --owner 1224s -J "$IMG" > "$IMG.json"
	[ "$(jq .bucket "$IMG.json")" = 76 ]
	jq -e '.keys | length == 1 and .[0].ptr <= 1224 and .[0].ptr + .[0].sectors > 1224' "$IMG.json"
}

@test "--owner of a node gives its level and range" {
	root=$(cache-show-journal -J "$IMG" | jq .newest.root)
	cache-show-keys --owner "$root" -J "$IMG" | jq -e '.role == "btree" and .level == 1 and .inode == 1048575'
}

@test "--owner of the journal gives the entries there, of the chain its place" {
	cache-show-keys --owner 3 -J "$IMG" | jq -e '.role == "journal" and (.entries | length == 2)'
	cache-show-keys --owner 5218 -J "$IMG" | jq -e '.role == "prio" and .member == 1 and .first_bucket == 2717'
}

@test "--owner past the device is an error" {
	run -1 cache-show-keys --owner 8192 "$IMG"
	run -1 cache-show-keys --owner 131072s "$IMG"
	run -0 cache-show-keys --owner 131071s "$IMG"
}

@test "values that are none are usage errors" {
	for args in "--range 5" "--range 9-5" "--range a-b" "--owner 7x" "--owner s" "--inode x" \
		    "--level -1" "--raw --nodes" "--raw --stale" "--owner 3 --dirty"; do
		# shellcheck disable=SC2086 # options
		run -2 cache-show-keys $args "$IMG"
	done
}

@test "a damaged leaf costs its own keys and no others" {
	lost=$(cache-show-keys --nodes -J "$IMG" | jq '[.nodes[] | select(.level == 0)][0].node')
	n=$(cache-show-keys -J "$IMG" | jq "[.keys[] | select(.node == $lost)] | length")
	[ "$n" -gt 0 ]
	poke "$IMG" raw:leaf[0].set[0].csum=0x123456789
	run -1 --separate-stderr cache-show-keys -J "$IMG"
	[[ "$stderr" == *"NODE_CSUM (0x0513)"* ]]
	[ "$(jq '.keys | length' <<< "$output")" = $((8692 - n)) ]
	[ "$(jq -r '.problems[0].code' <<< "$output")" = NODE_CSUM ]
}

@test "every show applet counts its load to its end with -C, and draws no bar where it is not asked to" {
	for a in cache-show-keys cache-show-journal cache-show-prios cache-show-uuids; do
		"$a" -C 3 "$IMG" 3> "$IMG.lines" > "$IMG.rows" 2> "$IMG.err"
		[ ! -s "$IMG.err" ]
		grep -qxE "2 [0-9]+ [0-9]+ $IMG" "$IMG.lines"
		awk '$1 != p && p ~ /^(2|3)$/ && c != m { exit 1 } { p = $1; c = $2; m = $3 }' "$IMG.lines"
		"$a" "$IMG" | diff - "$IMG.rows"
		run -2 "$a" -C 9 "$IMG"
	done
}
