# SPDX-License-Identifier: GPL-2.0-only

setup() {
	load ../lib/common
	image wb-crash.cache
}

# The cell in row BUCKET of -a, by column 2 prio 3 gen 4 mark 5 sectors.
cell() { cache-show-prios -a "$IMG" 2> /dev/null | awk -F'\t' -v b="$1" -v c="$2" '$1 == b { print $c }'; }

@test "-a is one row per bucket, five cells between TABs, every mark a known word" {
	cache-show-prios -a "$IMG" > "$IMG.out"
	[ "$(wc -l < "$IMG.out")" = 8192 ]
	awk -F'\t' 'NF != 5 || $1 != NR - 1 { exit 1 }' "$IMG.out"
	[ "$(cut -f4 "$IMG.out" | sort -u | tr '\n' ' ')" = \
		"btree clean dirty free journal prio superblock uuid " ]
}

@test "--raw trusts only the chain: a tree that is gone does not matter" {
	cache-show-prios -a --raw "$IMG" > "$IMG.want"
	poke "$IMG" root=zero
	run -0 --separate-stderr cache-show-prios -a --raw "$IMG"
	[ "$output" = "$(< "$IMG.want")" ]
	[ "$(cut -f4,5 "$IMG.want" | sort -u)" = "$(printf -- '-\t-')" ]
	run -1 cache-show-prios -a "$IMG"
}

@test "runs cover every bucket once and sum up to the rows" {
	cache-show-prios -J "$IMG" > "$IMG.json"
	[ "$(jq '[.runs[].count] | add' "$IMG.json")" = 8192 ]
	jq -e '[.runs[] | .first] == ([foreach .runs[] as $r (0; . + $r.count; . - $r.count)])' "$IMG.json"
	[ "$(jq '[.runs[].sectors_used] | add' "$IMG.json")" = \
		"$(cache-show-prios -a "$IMG" | awk -F'\t' '{ n += $5 } END { print n }')" ]
	jq -r '.runs[] | . as $r | range(.count) | [$r.first + ., $r.prio, $r.gen, $r.mark] | @tsv' \
		"$IMG.json" | cmp - <(cache-show-prios -a "$IMG" | cut -f1-4)
}

@test "the histogram counts every bucket from the first that can be allocated" {
	cache-show-prios -J "$IMG" > "$IMG.json"
	[ "$(jq '[.histogram[].count] | add' "$IMG.json")" = 8190 ]
	jq -e 'all(.histogram[]; .count == .metadata_buckets + .dirty_buckets + .clean_buckets + .free_buckets)' "$IMG.json"
}

@test "--recovered gives the gens that keys have raised" {
	image registered.cache
	raised=$(cache-show-prios -J "$IMG" | jq .raised)
	[ "$raised" -gt 0 ]
	differ=$(diff <(cache-show-prios -a "$IMG" | cut -f1,3) \
		      <(cache-show-prios -a --recovered "$IMG" | cut -f1,3) | grep -c '^>')
	[ "$raised" = "$differ" ]
}

@test "--raw and --recovered exclude each other" {
	run -2 cache-show-prios --raw --recovered "$IMG"
}

@test "what a damaged prio_set covers is a dash, the rest is shown" {
	poke "$IMG" raw:prio[1].seq=9
	run -1 --separate-stderr cache-show-prios -a "$IMG"
	[[ "$stderr" == *"PRIO_CSUM (0x0304)"* ]]
	[ "$(cell 0 3)" = 0 ]
	[ "$(cell 3000 2)" = - ]
	[ "$(cell 3000 3)" = - ]
	[ "$(cell 8000 3)" != - ]
	run -1 --separate-stderr cache-show-prios -J "$IMG"
	[ "$(jq -r '.problems[0].code' <<< "$output")" = PRIO_CSUM ]
}

@test "a gen that no prio_set tells is taken from keys with --recovered" {
	poke "$IMG" raw:prio[1].seq=9
	dirty=$(cache-show-prios -a "$IMG" 2> /dev/null | awk -F'\t' '$3 == "-" && $4 == "dirty" { print $1; exit }')
	run -1 --separate-stderr cache-show-prios -a --recovered "$IMG"
	[[ "$(awk -F'\t' -v b="$dirty" '$1 == b { print $3 }' <<< "$output")" =~ ^[0-9]+$ ]]
}

@test "a chain that loops is told and ends" {
	poke "$IMG" prio[1].next_bucket=prio0
	run -1 --separate-stderr cache-show-prios "$IMG"
	[[ "$stderr" == *PRIO_LOOP* ]]
	[[ "$output" == *"Prio chain:             5093 5218"* ]]
}

@test "a wrong superblock checksum is told, and what is behind it still shown" {
	poke "$IMG" raw:sb.label=x
	run -1 --separate-stderr cache-show-prios -a "$IMG"
	[[ "$stderr" == *SB_CSUM* ]]
	[ "${#lines[@]}" = 8192 ]
}

@test "a superblock that cannot be used ends it" {
	poke "$IMG" sb.bucket_size=0
	run -1 --separate-stderr cache-show-prios "$IMG"
	[ -z "$output" ]
	[[ "$stderr" == *"no superblock that could be used"* ]]
}

@test "without a journal nothing leads to the prios" {
	poke "$IMG" journal.wipe=1
	run -1 --separate-stderr cache-show-prios "$IMG"
	[[ "$stderr" == *JOURNAL_EMPTY* ]]
	[[ "$stderr" == *"no journal entry was found"* ]]
}

@test "a reader that goes away ends it without a message" {
	cache-show-prios -a "$IMG" 2> "$IMG.err" | head -n 1 > /dev/null
	[ ! -s "$IMG.err" ]
}

@test "-v tells notes too, and they are no fault" {
	poke "$IMG" sb.discard=1
	run -0 --separate-stderr cache-show-prios -v "$IMG"
	[[ "$stderr" == *"note: "* ]]
}

@test "--bytes gives exact bytes" {
	sectors=$(cell 76 5)
	run -0 cache-show-prios --bytes "$IMG"
	[[ "$output" =~ 76\ +1\ +[0-9]+\ +[0-9]+\ dirty\ +$((sectors * 512)) ]]
}
