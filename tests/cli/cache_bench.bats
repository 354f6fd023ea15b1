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
