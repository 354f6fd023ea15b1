# SPDX-License-Identifier: GPL-2.0-only
# The JSON of every applet, held to doc/cache-tools.schema.json.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
}

schema() { "$ROOT/tests/lib/schema" "$@"; }

need_schema() {
	python3 -c 'import jsonschema' 2> /dev/null || skip "no python3-jsonschema"
}

@test "what every applet prints with --json is as the schema has it" {
	need_schema
	mkdir docs
	"$ROOT/tests/lib/documents" docs
	[ "$(find docs -name '*.json' | wc -l)" -gt 200 ]
	for a in $(applets); do
		ls docs/*-"$a".json > /dev/null
	done
	schema docs/*.json
}

@test "every document names its device, and every error its code" {
	mkdir docs
	"$ROOT/tests/lib/documents" docs
	for f in docs/*.json; do
		case $f in *cache-bench* | *cache-status*) continue ;; esac
		jq -e '.device or .error.code or (.devices | length > 0)' "$f" > /dev/null || { echo "$f"; false; }
	done
	run -1 cache-bench -J -c 10 missing
	run -0 bash -c "cache-bench -J -c 1k '$BUILD/images/wb-clean.cache' | jq -e .device"
}

@test "the schema knows every field of a finding, and a type for each name once" {
	need_schema
	while read -r field; do
		case $field in
		*:x) echo "${field%:x}_word" ;;
		seq:s) echo seq ;;
		*:s) echo "${field%:s}_seq" ;;
		*) echo "$field" ;;
		esac
	done < <(grep -o '{[a-z_]*\(:[a-z]\)\?}' "$ROOT/include/libcache/problems.def" | tr -d '{}') |
		grep -v '_word$\|_seq$' | sort -u > fields
	schema --names > names
	[ -z "$(comm -23 fields names)" ]
}

@test "the schema refuses what is not in it" {
	need_schema
	echo '{"schema": 1, "device": "x", "nbuckets": 4}' > good
	schema good
	while read -r doc; do
		echo "$doc" > bad
		run -1 schema bad
	done <<'END'
{"device": "x", "schema": 1}
{"schema": 2}
{"device": "x"}
{"schema": 1, "nbuckets": "4"}
{"schema": 1, "nbuckets": -4}
{"schema": 1, "nbuckets": 1.5}
{"schema": 1, "seq": 4}
{"schema": 1, "seq": "4"}
{"schema": 1, "no_such_name": 1}
{"schema": 1, "findings": [{"no_such_name": 1}]}
{"schema": 1, "device": 1}
{"schema": 1, "uuid": "x"}
{"schema": 1, "device": "x", "device": "y"}
END
}
