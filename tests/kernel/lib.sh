# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# What the scenarios share: formatting, running a plan, what was acknowledged. The caller sets
# $kernel (folder of an unpacked kernel) and $work (a folder that may be filled); for the
# scenarios that take kernels in turn, $kernels (one folder per line).

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$top/tests/kernel
export BUILD=${BUILD:-$top/build}
bin=$(readlink -f "$BUILD")/bin
tests=$(readlink -f "$BUILD")/tests

# release KERNELDIR: such as 6.1.0-56-cloud-amd64
release() {
	cat "$1/release"
}

# blank FILE SIZE
blank() {
	rm -f "$1"
	truncate -s "$2" "$1"
}

# format OPTION... : our formatter
format() {
	"$bin/make-cache" -q "$@"
}

# run_plan LOG PLAN END [CUT_MS] DISK... : runs a plan in one guest; AT_MOMENT is a command
# that `boot -m` runs at MOMENTS moments of each set, by default once
run_plan() {
	local log=$1 plan=$2 end=$3 cut=$4; shift 4
	"$here/boot" -k "$kernel" -t "${LIMIT:-400}" -l "$log" -p "$plan" \
		-m "${AT_MOMENT:-}" -e MOMENTS="${AT_MOMENT:+${MOMENTS:-1}}" \
		-e END="$end" -e CUT_MS="$cut" "$here/guest/workload.sh" "$@" > /dev/null
}

# disk N: the name that the guest gives to its disk number N, from 0
disk() {
	printf "vd\\x$(printf %x $((97 + $1)))"
}

# acked LOG SEED: how many writes of SEED the guest was told are durable
acked() {
	awk -v s="$2" '$1 == "ack" && $2 == s && $3 > n { n = $3 } END { print n + 0 }' "$1"
}

# words LINE KEY...: those of its KEY=VALUE, in the order of the line
words() {
	local line=$1; shift
	tr ' ' '\n' <<< "$line" | grep -E "^($(IFS='|'; echo "$*"))=" | paste -sd' '
}

# check_line NAME CACHEDISK BACKDISK LINE: a plan for guest/crashed.sh; LINE is that of the workload's plan
check_line() {
	local line=$4 total
	total=$(words "$line" writes)
	echo "$1 $2 $3 $(cut -d' ' -f3 <<< "$line") $(words "$line" span blocks acked)" \
		"total=${total#*=}"
}

# not_right LOG PLAN: the names of the plan whose check is missing or found wrong blocks
not_right() {
	local name seed
	while read -r name _ _ seed _; do
		grep -q "^check $seed: .* 0 wrong\$" "$1" || echo "$name"
	done < "$2"
}

# said LOG NAME: the kernel's words of one set
said() {
	sed -n "/^=== WORDS $2\$/,/^=== END WORDS/p" "$1" | sed '1d;$d'
}

# hprint BYTES: as the driver prints sizes, so that text can be compared
hprint() {
	awk -v v="$1" 'BEGIN {
		split("k M G T P", unit, " ")
		do { u++; t = v % 1024; v = int(v / 1024) } while (v >= 1000)
		printf "%d.%d%s\n", v, int(t * 10 / 1024), unit[u]
	}'
}

# json FILE KEY: the first number or string of that key
json() {
	grep -o "\"$2\": *\"\{0,1\}[^,\"}]*" "$1" | head -1 | sed 's/.*: *"\{0,1\}//'
}

# look OPTION... IMAGE: cache-fsck looks, with the kernel at hand in mind
look() {
	local by=()
	! "$bin/cache-fsck" --help | grep -q -e --kernel= || by=(--kernel "$(release "$kernel")")
	"$bin/cache-fsck" -n "${by[@]}" "$@"
}

# fsck_clean IMAGE: cache-fsck finds nothing, but that a busy small ring may hang
fsck_clean() {
	local found
	[ -x "$bin/cache-fsck" ] || return 0
	found=$(look -f "$1" 2>&1) && return
	grep -E ' \(0x[0-9a-f]{4}\): ' <<< "$found" | grep -qv ': JOURNAL_RING_' &&
		problem "fsck of $1: $found"
	return 0
}

# problem TEXT: notes what is wrong; the scenario goes on
problems=0
problem() {
	echo "# $*"
	problems=$((problems + 1))
}

# need APPLET... : the scenario is skipped without them
need() {
	for applet; do
		[ -x "$bin/$applet" ] || [ -x "$tests/$applet" ] && continue
		echo "= no $applet yet"
		exit 77
	done
}

# slot_dirty FILE SLOT: dirty_sectors of a slot in cache-show-uuids' JSON
slot_dirty() {
	tr -d ' \n' < "$1" | grep -o "\"slot\":$2,[^}]*" | grep -o '"dirty_sectors":[0-9]*' |
		cut -d: -f2
}

# bad_codes FILE: codes of the findings, in cache-fsck's JSON, that are more than notes
bad_codes() {
	tr -d ' \n' < "$1" | grep -o '"code":"[^}]*"severity":"[a-z]*"' |
		grep -v '"severity":"note"' | cut -d'"' -f4 | sort -u | paste -sd' '
}

# as_foreseen FORESEEN DID: the kernel did what was foreseen. "may-hang" leaves both ways
# open; "damage" is a start that may return wrong blocks.
as_foreseen() {
	case $1:$2 in
	"$2:$2" | may-hang:hangs | may-hang:starts | damage:starts) return 0 ;;
	esac
	return 1
}

# expected ROW: what this kernel does with the damage of a tests/fsck folder
expected() {
	(. "$top/tests/fsck/words.bash" &&
		expected_kernel "$top/tests/fsck/$1" "$(release "$kernel")")
}

# same_verdict IMAGE VERDICTS [CODE]: cache-fsck foresees what the kernel did with a set that
# a kernel wrote, so that it starts or hangs, and calls a set that starts clean, but for CODE.
same_verdict() {
	local image=$1 did why foreseen result bad out=$work/${1##*/}.fsck
	IFS=$'\t' read -r did why < <(awk -F'\t' -v i="$image" '$1 == i { print $2 "\t" $3 }' "$2")
	look -f -J "$image" > "$out"
	foreseen=$(json "$out" kernel) result=$(json "$out" result)
	[[ $did =~ ^(starts|hangs)$ ]] && as_foreseen "$foreseen" "$did" ||
		problem "$image: the kernel $did, foreseen $foreseen${why:+: $why}"
	bad=$(bad_codes "$out")
	[ "$foreseen:$did" != starts:starts ] || [ "$result" = clean ] || [ "$bad" = "${3:-}" ] ||
		problem "$image: starts, but is not clean: $bad"
}

# make_row NAME: the image of a tests/fsck folder, as $work/NAME.cache and .back; $row is
# what judge takes, $eio the sector that cannot be read
make_row() {
	local d
	TMP=$work/tmp
	mkdir -p "$TMP"
	rm -f "$TMP"/*
	devs=() eio= row=
	(cd "$top" && PATH=$bin:$tests:$PATH && . tests/fsck/words.bash &&
		. "tests/fsck/$1/damage" > /dev/null &&
		printf '%s\n' "${eio%%,*}" "${devs[@]}" > "$TMP/devs") || return 1
	{ read -r eio; mapfile -t devs; } < "$TMP/devs"
	for d in "${devs[@]}"; do
		mv "$d" "$work/$1.${d##*/}"
		row+=${row:+,}$work/$1.${d##*/}
	done
	row+=${eio:+@$eio}
}

# judge_by_two OUT ARG...: two guests beside each other, for both mostly wait
judge_by_two() {
	local out=$1 half; shift
	half=$(($# / 2))
	[ $half = 0 ] ||
		"$here/judge" -k "$kernel" -l "$out.log1" "${@:1:half}" > "$out.1" &
	"$here/judge" -k "$kernel" -l "$out.log2" "${@:half+1}" > "$out.2"
	wait
	cat "$out".[12] > "$out"
}

# tools_tree DIR: our program in DIR/tools, by all of its names, and what it is linked with
tools_tree() {
	local lib
	mkdir -p "$1/tools"
	cp -P "$bin"/* "$1/tools"
	ldd "$bin/cache-tools" | grep -o '/[^ ]*' | while read -r lib; do
		mkdir -p "$1${lib%/*}"
		cp -L "$lib" "$1$lib"
	done
}

# started_right LOG PLAN: of each set of the plan guest/writeback.sh has said that it is clean, or
# runs without its cache, has nothing dirty and no wrong block. Of a flash volume only the last
# is asked.
started_right() {
	local name cache device want part did
	while read -r name cache device _; do
		part=$(sed -n "/^=== STATE $name\$/,/^=== STATE/p" "$1")
		want=clean
		[ "$cache" != - ] || want="no cache"
		if [ "$device" != flash ]; then
			did=$(sed -n "s/^state $name //p" <<< "$part")
			[ "$did" = "$want" ] || problem "$name: the state is $did, expected $want"
			did=$(sed -n "s/^dirty $name //p" <<< "$part")
			[ "${did%k}" = 0.0 ] || [ "${did%k}" = 0 ] || problem "$name: $did dirty"
		fi
		grep -q '^check .* 0 wrong$' <<< "$part" ||
			problem "$name: $(grep -E '^wrong|^===' <<< "$part" | head -3 | paste -sd' ')"
	done < "$2"
}
