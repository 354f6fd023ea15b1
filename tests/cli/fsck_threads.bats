#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-only
# cache-fsck --threads: the same findings in the same order. tests/fsck/threads compares all damages.
# And -t, which measures.

bats_require_minimum_version 1.5.0

setup() {
  load ../lib/common
  IMG=$BATS_TEST_TMPDIR/large
  truncate -s 8G "$IMG"
  make-cache -q -C -b 64k "$IMG"
  poke "$IMG" start=0 uuid[0].uuid=00000000-0000-4000-8000-000000000001 scattered=300000
}

@test "findings and sums of a large set are the same for any number of threads" {
  poke "$IMG" 'raw:leaf[3].set[0].csum=flip'
  for n in 1 2 4 64; do
    run -4 cache-fsck -n -v --threads "$n" "$IMG"
    echo "$output" > "$BATS_TEST_TMPDIR/with-$n"
  done
  grep -q 'NODE_CSUM' "$BATS_TEST_TMPDIR/with-1"
  for n in 2 4 64; do
    cmp "$BATS_TEST_TMPDIR/with-1" "$BATS_TEST_TMPDIR/with-$n"
  done
}

@test "a set that is made and read with threads is clean" {
  run -0 cache-fsck -n --threads 3 "$IMG"
  [[ "$output" == *"300000 extents"* ]]
}

@test "an impossible number of threads is refused" {
  for n in 0 65 x -1; do
    run -16 cache-fsck -n --threads="$n" "$IMG"
    [[ "$output" == *threads* ]]
  done
}

@test "-t says where the time went, how fast, and how long the kernel will take" {
  for n in 1 2; do
    run -0 cache-fsck -n -t --threads "$n" "$IMG"
    [[ "$output" == *"checked in "*" s, threads: $n"* ]]
    [[ "$output" == *": read "*" s, checksum "*" s, merge "*" s, marks "*" s, extents "*" GB/s"* ]]
    [[ "$output" == *"next start takes about "*" s on this machine, of which checksums "*" s"* ]]
  done
  run -0 cache-fsck -n -t --json --threads 2 "$IMG"
  echo "$output" | jq -e '.timing | .threads == 2 and .read_seconds > 0 and .checksum_seconds > 0 and
    .merge_seconds > 0 and .mark_seconds > 0 and .extent_seconds > 0 and .bytes_per_second > 0 and
    .start_checksum_seconds > 0 and .start_seconds > .start_checksum_seconds'
}

@test "-t changes nothing that is found, on a damaged set either" {
  poke "$IMG" 'raw:leaf[3].set[0].csum=flip' 'raw:leaf[7].set[0].seq=0'
  for n in 1 2; do
    run -4 cache-fsck -n -v --threads "$n" "$IMG"
    echo "$output" > "$BATS_TEST_TMPDIR/plain"
    run -4 cache-fsck -n -v -t --threads "$n" "$IMG"
    echo "$output" | grep -v -e 'checked in' -e 'checksum .* merge' -e 'next start' > "$BATS_TEST_TMPDIR/timed"
    cmp "$BATS_TEST_TMPDIR/plain" "$BATS_TEST_TMPDIR/timed"
  done
}

@test "without -t there is no timing, and a set that cannot be loaded has none" {
  run -0 cache-fsck -n -J "$IMG"
  [[ "$output" != *timing* ]]
  poke "$IMG" raw:sb.magic=flip
  run cache-fsck -n -t -J "$IMG"
  [[ "$output" != *timing* ]]
}
