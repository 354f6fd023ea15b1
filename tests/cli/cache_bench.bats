# SPDX-License-Identifier: GPL-2.0-only
# cache-bench: what its arguments mean; what it measures is in unit/test_bench.c

setup() { load ../lib/common; }

@test "numbers may end in k, m or g, 1024 times more each" {
  run -0 cache-bench --json --nbuckets 8k --count 3K
  [ "$(jq .nbuckets <<< "$output")" = 8192 ]
  [ "$(jq .count <<< "$output")" = 3072 ]
  run -2 cache-bench --nbuckets 8q
  run -2 cache-bench --nbuckets k
  run -2 cache-bench --nbuckets 0k
  run -2 cache-bench --nbuckets 4g
}

@test "--gc shows a row for each driver, the same again, and the newest waits least" {
  run -0 cache-bench --json --gc --kernel all --nbuckets 64k
  [ "$(jq -c '[.kernels[].kernel]' <<< "$output")" = '["5.10","6.1","6.12","6.18","7.2"]' ]
  [ "$(jq '.kernels[0].stalls > 0 and .kernels[4].stalled_ns < .kernels[0].stalled_ns' <<< "$output")" = true ]
  first=$output
  run -0 cache-bench --json --gc --kernel all --nbuckets 64k
  [ "$output" = "$first" ]
  run -0 cache-bench --json --gc --kernel 6.1.0-56-amd64 --policy fifo "$BUILD/images/wb-crash.cache"
  [ "$(jq -c '[.kernels[].kernel, .nbuckets, .btree_nodes]' <<< "$output")" = '["6.1",8192,74]' ]
  [ "$(jq '.kernels[0].count > 0' <<< "$output")" = true ]
}

@test "a kernel before bcache, of no known form, or without --gc is a usage error" {
  run -2 cache-bench --gc --kernel 2.6.32
  [[ "$output" == *"bcache came with 3.10"* ]]
  run -2 cache-bench --gc --kernel penguin
  run -2 cache-bench --kernel 6.1
  run -2 cache-bench --gc --sectors
}

@test "--html writes the latencies as a page, and refuses what is no regular file" {
	cd "$BATS_TEST_TMPDIR" || return
	cache-bench -c 20k --nbuckets 64k --reference --html page.html > /dev/null
	python3 - page.html << 'END'
import html.parser, re, sys
text = open(sys.argv[1], encoding="utf-8").read()
html.parser.HTMLParser().feed(text)
assert not re.search("https?://|<script", text)
rows = re.findall(r'<tr><td class="n">[^<]+<td class="n">(\d+)<td class="n">(\d+)</tr>', text)
counts = [int(n) for n in re.findall(r'allocator<td class="n">(\d+)', text)]
# of the fast ones each 64th is timed and counts for 64
for i in (0, 1):
    assert abs(sum(int(r[i]) for r in rows) - counts[i]) <= 64 + counts[i] // 50, (rows, counts)
# throughput: a line and two columns for each run, and time goes on
assert len(re.findall(r'<path fill="none" stroke="#[0-9a-f]+" [^>]* d="M0 200(V[\d.]+H[\d.]+){20,64}"', text)) == 2
for path in re.findall(r'd="M0 200((?:V[\d.]+H[\d.]+)+)"', text):
    at = [float(x) for x in re.findall(r'H([\d.]+)', path)]
    assert at == sorted(at) and 0 < at[-1] <= 1000, at
assert len(re.findall(r'<tr>(?:<td[^>]*>[^<]*){4}</tr>', text)) >= 20
END
	run -1 --separate-stderr cache-bench -c 1k --html /dev/null
	[[ "$stderr" == *"/dev/null: is there and no regular file" ]]
	run -2 cache-bench --gc --html x
}

@test "compare --html has both runs, whatever the files say" {
	cd "$BATS_TEST_TMPDIR" || return
	cache-bench -J -c 20k --nbuckets 64k > "<b>"
	cache-bench -J -c 20k --nbuckets 64k --seed 2 > b
	# what each part did adds up to the whole
	jq -e '[foreach .throughput[] as $t ([0, 0]; [$t.until_seconds, ($t.until_seconds - .[0]) * $t.allocs_per_second];
		.[1])] | add / 20480 | . > 0.99 and . < 1.01' b
	for bad in '[{"until_seconds": 2, "allocs_per_second": 3}, {"until_seconds": 1, "allocs_per_second": 9}]' \
	    '[{"until_seconds": 1e300, "allocs_per_second": -4}, {"until_seconds": "x"}]'; do
		jq ".throughput = $bad" b > c
		cache-bench compare b c --html page.html > /dev/null
	done
	jq -e '.histogram | length > 1 and all(.from_ns > 0 and .allocations > 0)' b
	cache-bench compare "<b>" b --html page.html > /dev/null
	grep -q '<tr><th>&lt;b&gt;<td class="n">20480' page.html
	! grep -q '<b>' page.html || return
	for bad in '"x"' '{}' '[1, "x", {"from_ns": 0, "allocations": 1}, {"from_ns": 1e300, "allocations": -4}]' \
	    '[{"from_ns": 8, "allocations": 1e300}]'; do
		jq ".histogram = $bad | .latency_ns = $bad | .throughput = $bad" b > c
		cache-bench compare b c --html page.html > /dev/null
	done
	cache-bench compare c c --html page.html > /dev/null
}
