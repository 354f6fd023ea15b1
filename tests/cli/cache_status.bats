# SPDX-License-Identifier: GPL-2.0-only
# cache-status on trees of sysfs that were recorded in a guest: tests/status/KERNEL.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	SET=5e70f000-0000-4000-8000-000000000001
	"$ROOT/tests/lib/sysfs" "$ROOT/tests/status/6.1" sys
	D=sys/fs/bcache/$SET
}

status() { cache-status --sysfs sys "$@"; }

# each kernel of which a tree was recorded
each_kernel() {
	local tree
	for tree in "$ROOT"/tests/status/*; do
		rm -rf sys
		"$ROOT/tests/lib/sysfs" "$tree" sys
		"$@" "${tree##*/}"
	done
}

sound_metrics() {
	for prefix in bcache node_bcache; do
		status --priorities --prometheus --metric-prefix $prefix > metrics
		"$ROOT/tests/lib/exposition" metrics
	done
}

# The number in a file of the driver, as it should come out
human() { numfmt --from=iec --round=down "$(sed 's/\.0k$/K/; s/k$/K/; s/^0\.0K/0/' "$1")"; }

whole_state() {
	status -J --priorities > doc
	# shellcheck disable=SC2016
	jq -e --arg set "$SET" --argjson dirty "$(human "$D/bdev0/dirty_data")" \
		--argjson hits "$(< "$D"/bdev0/stats_total/cache_hits)" \
		--argjson available "$(< "$D"/cache_available_percent)" '
		.cache_sets | length == 1 and (.[0] |
		.set_uuid == $set and .cache_available_percent == $available and
		.bucket_bytes == 16384 and .write_amplification > 1 and
		(.caches[0] | .device == "vda" and .nbuckets == 2048 and .policy == "lru" and
			.unused_percent + .clean_percent + .dirty_percent + .metadata_percent <= 100) and
		(.backing_devices | length == 2) and
		(.backing_devices[0] | .label == "home" and .bcache == "bcache0" and
			.state == "dirty" and .cache_mode == "writeback" and
			(.dirty_bytes - $dirty | fabs) < 2048 and .windows.total.hits == $hits and
			.clean_in_seconds > 0) and
		(.backing_devices[1] | .state == "clean" and .clean_in_seconds == 0) and
		(.volumes[0] | .bcache == "bcache3" and .size_sectors == 16384))' doc
	jq -e '.without_set | length == 1 and .[0].device == "vdd" and .[0].state == "no cache"' doc
	[ "$(jq '.cache_sets[0].backing_devices[0].windows.total.readaheads' doc)" != null ] ||
		[ "$1" != 5.10 ]
}

@test "the state of a set is shown from what each kernel has" {
	each_kernel whole_state
}

@test "metrics of each kernel are valid, under either prefix" {
	each_kernel sound_metrics
}

@test "promtool accepts the metrics of each kernel" {
	command -v promtool > /dev/null || skip "promtool is not installed (package prometheus)"
	check() { status --priorities --prometheus | promtool check metrics; }
	each_kernel check
}

@test "metrics have the names that dashboards of node_exporter know" {
	"$ROOT/tests/lib/sysfs" "$ROOT/tests/status/5.10" old
	cache-status --sysfs old --priorities --prometheus --metric-prefix node_bcache > metrics
	for name in average_key_size_sectors btree_cache_size_bytes btree_nodes \
	    btree_read_average_duration_seconds cache_available_percent cache_read_races_total \
	    congested root_usage_percent tree_depth active_journal_entries; do
		grep -q "^node_bcache_$name{uuid=\"$SET\"} [0-9]" metrics
	done
	for name in bypassed_bytes_total cache_{hits,misses,bypass_hits,bypass_misses}_total \
	    cache_{miss_collisions,readaheads}_total dirty_data_bytes dirty_target_bytes writeback_rate \
	    writeback_rate_{proportional,integral}_term writeback_change; do
		grep -q "^node_bcache_$name{uuid=\"$SET\",backing_device=\"bdev0\"} -\?[0-9]" metrics
	done
	for name in io_errors metadata_written_bytes_total written_bytes_total \
	    priority_stats_{unused,metadata}_percent; do
		grep -q "^node_bcache_$name{uuid=\"$SET\",cache_device=\"cache0\"} [0-9]" metrics
	done
}

@test "priority_stats is read only when asked for" {
	cache=$(readlink -f "$D"/cache0)
	status -J | jq -e '.cache_sets[0].caches[0] | has("unused_percent") | not'
	! status --prometheus | grep priority_stats || false
	rm "$cache/priority_stats"
	status -J --priorities | jq -e '.cache_sets[0].caches[0].unused_percent == null'
}

@test "any file may be absent, no regular file, empty or garbage" {
	status -J > whole
	find sys -type f > files
	while read -r f; do
		mv "$f" kept
		status -J > one
		mkfifo "$f"
		status > text
		rm "$f"
		case $((n++ % 3)) in
		0) : > "$f" ;;
		1) random_bytes 5000 > "$f" ;;
		2) echo "nan k -.5 99999999999999999999Y" > "$f" ;;
		esac
		status --priorities --prometheus > metrics
		mv kept "$f"
	done < <(grep -v 'stats_\(day\|hour\|five\)\|internal/b.*_\(average\|last\|max\)' files)
	status -J | cmp - whole
}

@test "a device or a set that is going leaves the rest" {
	rm "$D"/bdev1
	ln -s ../../../nowhere/bcache "$D"/bdev1
	status -J | jq -e '.cache_sets[0].backing_devices | length == 1'
	rm "$D"/*/* "$D"/cache* "$D"/bdev* "$D"/volume* "$D"/*_* -f 2> /dev/null || true
	rm -rf sys/devices sys/block
	find "$D" -type f -delete
	run -0 --separate-stderr status
	[ "$output" = "no cache set is running" ]
	run -0 status --prometheus
}

@test "a set that vanishes while it is read is no error" {
	(for _ in $(seq 40); do mv "$D" away; mv away "$D"; done) &
	for _ in $(seq 20); do
		status -J | jq -e '.cache_sets | length <= 1' > /dev/null
	done
	wait
}

@test "a machine without the driver is told so" {
	mkdir -p none
	run -1 --separate-stderr cache-status --sysfs none
	[ -z "$output" ]
	[ "$stderr" = "cache-status: none/fs/bcache is not there: the bcache driver is not loaded" ]
	run -1 --separate-stderr cache-status --sysfs nowhere
	[[ "$stderr" == *"nowhere: No such file"* ]]
	mkdir -p none/fs/bcache
	run -0 cache-status --sysfs none
	[ "$output" = "no cache set is running" ]
}

@test "a folder that may not be read is named" {
	[ "$(id -u)" != 0 ] || skip "root may read everything"
	chmod 0 sys/fs/bcache
	run -1 --separate-stderr status
	[[ "$stderr" == *"fs/bcache: Permission denied" ]]
	chmod 755 sys/fs/bcache
}

@test "a set is found by its UUID and by each of its devices, and nothing else is shown" {
	cp -r "$D" sys/fs/bcache/00000000-0000-4000-8000-0000000000ff
	rm sys/fs/bcache/00000000-*/{cache,bdev,volume}*
	status -J | jq -e '.cache_sets | length == 2'
	for name in $SET "UUID=$SET" vda /dev/vdb bcache0 /dev/bcache3 LABEL=home \
	    UUID=5e70f000-0000-4000-8000-00000000000c; do
		status -J "$name" |
			jq -e '[.cache_sets[].set_uuid] == ["'"$SET"'"] and .without_set == []'
	done
	status -J vdd | jq -e '.cache_sets == [] and (.without_set | length == 1)'
	for name in vdx ./vda LABEL= LABEL=nobody UUID= "" /etc/passwd; do
		run -1 --separate-stderr status "$name"
		[ "$stderr" = "cache-status: $name: no running cache set has it" ]
		[ -z "$output" ]
	done
}

@test "a text file is replaced whole, for everybody to read, or left alone" {
	mkdir out
	umask 022
	status --textfile out/bcache.prom
	"$ROOT/tests/lib/exposition" out/bcache.prom
	[ "$(stat -c %a out/bcache.prom)" = 644 ]
	[ "$(ls -A out)" = bcache.prom ]
	echo old > out/bcache.prom
	exec 7< out/bcache.prom
	status --textfile out/bcache.prom
	[ "$(cat <&7)" = old ]
	run -1 --separate-stderr status --textfile nowhere/bcache.prom
	[[ "$stderr" == "cache-status: nowhere/bcache.prom: cannot be written: No such file"* ]]
	for odd in out /dev/null; do
		run -1 --separate-stderr status --textfile $odd
		[[ "$stderr" == *"$odd: is there and no regular file" ]]
	done
	ln -s bcache.prom out/link
	run -1 status --textfile out/link
	[ -L out/link ]
}

@test "a text file on a full disk keeps the old metrics" {
	echo old > full.prom
	(ulimit -f 1; trap '' XFSZ; ! status --textfile full.prom 2> error)
	[[ "$(< error)" == *"full.prom: cannot be written: File too large" ]]
	[ "$(< full.prom)" = old ]
	[ -z "$(find . -name '.full*')" ]
}

@test "--watch shows what happened meanwhile, and a counter that fell has no growth" {
	bdev=$(readlink -f "$D"/bdev0)
	(sleep 0.5; echo 304 > "$bdev/stats_total/cache_hits"; echo 1 > "$bdev/stats_total/cache_misses") &
	status -J --watch 1 --count 1 > doc
	wait
	jq -e '.samples[0] | .seconds >= 1 and (.growth[] | select(.name == "bdev0") |
		.hits_per_second > 50 and .hits_per_second <= 100 and .misses_per_second == null)' doc
	run -0 status --watch 1 --count 1
	[[ "$output" == *"HITS/s"*"bdev0"* ]]
}

@test "--watch ends with the driver, and its document is whole" {
	(sleep 0.5; mv sys/fs/bcache sys/gone) &
	run -1 --separate-stderr status -J --watch 1
	jq -e '.error.message | contains("not loaded")' <<< "$output"
	wait
}

@test "--watch that is ended leaves a whole document" {
	cache-status --sysfs sys -J --watch 3600 > doc &
	sleep 0.5
	kill -TERM $!
	wait $!
	jq -e '.samples == []' doc
}

@test "--devices reads the journal and the gens from the cache devices, and writes nothing" {
	image ring-full.cache
	mkdir dev
	ln -s "$IMG" dev/vda
	before=$(sum "$IMG")
	status --devices=dev -J > doc
	jq -e '.cache_sets[0].caches[0] |
		.journal_ring_buckets == 16 and .journal_ring_free_buckets == 2 and .gen_lag_max == 7' doc
	run -0 --separate-stderr status --devices=dev
	[[ "$output" == *"RING-FREE GEN-LAG"* ]]
	status --devices=dev --prometheus > metrics
	"$ROOT/tests/lib/exposition" metrics
	grep -q '^bcache_journal_ring_free_buckets{.*cache_device="cache0"} 2$' metrics
	[ "$before" = "$(sum "$IMG")" ]
}

@test "a device that cannot be read is a warning, and one in disorder shows what is known" {
	mkdir dev
	run -0 --separate-stderr status --devices=dev
	[[ "$stderr" == "cache-status: dev/vda: warning: cannot open: No such file or directory" ]]
	[[ "$output" != *RING-FREE* && "$output" == *BACKING* ]]
	status --devices=dev -J 2> warned | jq -e '.cache_sets[0].caches[0].journal_ring_free_buckets == null'
	image wb-crash.cache a
	poke a 'leaf[3].set[0].csum=1'
	ln -s ../a dev/vda
	status --devices=dev -J | jq -e '.cache_sets[0].caches[0].journal_ring_free_buckets > 0'
	status -J | jq -e '.cache_sets[0].caches[0].gen_lag_max == null'
}

@test "options that exclude each other are usage errors" {
	for args in "--count 2" "--watch 0" "--watch x" "--watch 1 --prometheus" \
	    "--prometheus --textfile f" "--json --prometheus" "--metric-prefix 9x" \
	    "--metric-prefix a-b" "--metric-prefix="; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr status $args
		[ -z "$output" ] || [ "${args#--json}" != "$args" ]
	done
}

@test "bcache-status has the options and labels of the script" {
	run -0 bcache-status --sysfs sys
	[ "${lines[0]}" = "--- bcache ---" ]
	[ "${lines[1]}" = "UUID                        $SET" ]
	for label in "Block Size                  4.0 KiB" "Congested?                  False" \
	    "Total Cache Size            32.0 MiB" "Replacement Policy          [lru] fifo random" \
	    "Cache Mode                  (Various)" "Total Hits  "; do
		grep -qF -- "$label" <<< "$output"
	done
	[[ "$output" != *"Last Hour"* && "$output" != *"Device File"* ]]
	run -0 bcache-status --sysfs sys -f -h -d -t -s
	grep -q "^Last 5min Hits  " <<< "$output"
	grep -q "^  Last Day Bypassed  " <<< "$output"
	grep -qx "  bcache Device File        /dev/bcache0" <<< "$output"
	[ "$(grep -c '^--- Backing Device ---' <<< "$output")" = 2 ]
	[ "$(bcache-status --sysfs sys -a -s)" = "$output" ]
}

@test "bcache-status -r and -g tell the driver, and nothing else writes" {
	echo > "$D"/clear_stats
	echo > "$D"/internal/trigger_gc
	find sys -type f -exec sha256sum {} + > before
	bcache-status --sysfs sys -a -s > /dev/null
	status --priorities > /dev/null
	find sys -type f -exec sha256sum {} + | cmp - before
	bcache-status --sysfs sys -g > /dev/null
	[ "$(< "$D"/internal/trigger_gc)" = 1 ]
	[ -z "$(< "$D"/clear_stats)" ]
	bcache-status --sysfs sys -r > /dev/null
	[ "$(< "$D"/clear_stats)" = 1 ]
}
