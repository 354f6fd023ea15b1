# SPDX-License-Identifier: GPL-2.0-only
# What reaches a terminal: text from disks, paths and command lines in any locale, closed
# descriptors, progress.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	T=$BATS_TEST_TMPDIR
}

LABELS=(
	'données'			# Latin
	'日本語ラベル'			# wide
	$'e\u0301a\u0308'		# combining
	$'\xe9\xff\xc3'			# not UTF-8
	$'a\u202eb\u2066c\u200fd'	# bidi controls
	$'a\u009bb\033[31mc\177d'	# C1, escape, delete
	$'a\u0378b\ue000c'		# unassigned, private
	$'a\nb\tc\rd'
	$'\u1100\u1161\uac00'		# letters of a syllable
)

# as_a_terminal_wants FILE: no control character but line break and TAB, none that reorders
as_a_terminal_wants() {
	python3 - "$1" <<'END'
import sys, unicodedata
text = open(sys.argv[1], "rb").read().decode("utf-8")
bad = [c for c in text if c not in "\n\t" and
       (unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or
        unicodedata.bidirectional(c) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI") or
        c in "\u200e\u200f\u061c\ufeff")]
sys.exit("%s has %r" % (sys.argv[1], bad) if bad else 0)
END
}

# locales that this machine has: C, UTF-8, and others if there are any
some_locales() {
	echo C
	echo C.UTF-8
	locale -a 2> /dev/null | grep -iE '8859|euc|koi8' | head -n 2
}

@test "every applet that shows a label ends on it, in every locale" {
	image flash-vol.cache a
	for label in "${LABELS[@]}"; do
		poke a "uuid[0].label=$label" "sb.label=$label"
		for l in $(some_locales); do
			LC_ALL=$l timeout 20 cache-show-uuids a > out
			[ "$(wc -l < out)" = 3 ]
			as_a_terminal_wants out
			[ "$l" != C ] || ! LC_ALL=C grep -q '[^ -~]' out
			LC_ALL=$l timeout 20 cache-show-uuids -J a > out
			jq -e '.uuids | length == 2' out
			as_a_terminal_wants out
			LC_ALL=$l timeout 20 cache-super-show a > out
			as_a_terminal_wants out
			LC_ALL=$l timeout 20 cache-super-show -J a > out
			jq -e .label out
			as_a_terminal_wants out
		done
	done
}

@test "a label that the locale can show is shown as it is, another one escaped" {
	image flash-vol.cache a
	poke a "uuid[0].label=données"
	LC_ALL=C.UTF-8 cache-show-uuids a | grep -F ' données '
	LC_ALL=C cache-show-uuids a | grep -F ' donn\xc3\xa9es '
	[ "$(LC_ALL=C cache-show-uuids -J a | jq -r '.uuids[0].label')" = "données" ]
}

@test "columns stay aligned beside wide and combining characters" {
	image flash-vol.cache a
	poke a "uuid[0].label=$(printf '日本e\u0301')"
	cache-show-uuids a > out
	python3 - <<'END'
import unicodedata
def width(s):
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in s)
rows = open("out").read().splitlines()
at = {width(r[:r.index(w)]) for r, w in zip(rows, ("FLAGS", "backing", "flash"))}
assert len(at) == 1, at
END
}

@test "what make-cache says of what it found is escaped, and its question too" {
	truncate -s 40M a
	mkswap -L x a > /dev/null 2>&1 || skip "no mkswap"
	for label in "${LABELS[@]}"; do
		printf '%-16.16s' "${label:0:7}" | dd of=a bs=1 seek=1052 count=16 conv=notrunc status=none
		for l in $(some_locales); do
			LC_ALL=$l make-cache a > out 2> err < /dev/null && false
			as_a_terminal_wants err
			LC_ALL=$l make-cache -n a > out 2> err < /dev/null
			as_a_terminal_wants err
			as_a_terminal_wants out
		done
	done
}

@test "a path is escaped by every applet, in results and in errors" {
	name=$'a\033[31mb\nc\u202ed'
	image flash-vol.cache "$name"
	for a in $(applets); do
		for path in "$name" "$name.missing"; do
			case $a in
			cache-alloc) args=("$path" -c 1) ;;
			cache-bench) args=(-c 100 "$path") ;;
			cache-clone)
				truncate -s 100M target
				args=(-n "$path" target) ;;
			cache-fsck) args=(-n "$path") ;;
			cache-image) args=(save "$path" "saved.$RANDOM") ;;
			cache-undo) args=(-n "$path" "$path") ;;
			make-cache) args=(-n "$path") ;;
			*) args=("$path") ;;
			esac
			"$a" "${args[@]}" > out 2> err < /dev/null || :
			as_a_terminal_wants out
			as_a_terminal_wants err
			[ "$path" = "$name" ] || [ "$(wc -l < err)" = 1 ]
			"$a" "${args[@]}" -J > out 2> err < /dev/null || :
			jq -e .schema out
			as_a_terminal_wants out
		done
		"$a" --no-such="$name" > out 2> err < /dev/null && false
		as_a_terminal_wants err
	done
	cache-tools "$name" 2> err && false
	as_a_terminal_wants err
}

@test "the device that a backup or an undo file names is escaped" {
	name=$'a\033[31mb\u009b2J'
	image flash-vol.cache "$name"
	cache-super-show --save backup "$name"
	mv "$name" a
	poke a sb.label=changed
	cache-super-show --restore backup -n a > out 2> err || :
	as_a_terminal_wants out
	as_a_terminal_wants err
	cp a "$name"
	cache-alloc --commit -z undo -c 2 "$name" > out 2> err
	as_a_terminal_wants err
	cache-undo -n undo "$name" > out 2> err
	as_a_terminal_wants out
	as_a_terminal_wants err
}

@test "a label with a line break or an escape sequence is refused" {
	truncate -s 40M a
	cp a before
	for label in $'a\nb' $'\033]0;x\007' $'a\tb' $'a\177' $'a\u009b'; do
		run -2 --separate-stderr make-cache -l "$label" a
		[[ $stderr == *"control character"* ]]
		cmp a before
	done
	run -0 make-cache -q -l "données 日本" a
	[ "$(cache-super-show -J a | jq -r .label)" = "données 日本" ]
}

@test "a usage error under --json is one document, wherever the option stands" {
	for args in "--no-such -J" "-J --no-such" "--json --no-such" "--no-such --js" "-qJ --no-such"; do
		for a in $(applets); do
			status=0
			# shellcheck disable=SC2086 # words
			"$a" $args > out 2> err || status=$?
			[ "$status" = "$([ "$a" = cache-fsck ] && echo 16 || echo 2)" ]
			jq -e '.schema == 1 and .error.code == "EINVAL" and (.error.message | test("no-such"))' out
			grep -q no-such err
		done
	done
	run -0 cache-super-show --help
	run -2 --separate-stderr cache-super-show -- -J -q
	[ -z "$output" ]
}

@test "nothing meant for people is written to a device or an undo file" {
	image wb-crash.cache a
	cp a before
	for closed in '>&-' '2>&-' '<&-' '>&- 2>&-' '<&- >&- 2>&-'; do
		bash -c "cache-fsck -n a $closed" > out 2> err < /dev/null || :
		cmp a before
		bash -c "cache-fsck -v -n a $closed" > out 2> err < /dev/null || :
		cmp a before
		poke a prio[0].csum=1
		cp a damaged
		rm -f undo
		bash -c "cache-fsck -y -v -z undo a $closed" > out 2> err < /dev/null || :
		! grep -aq 'a: \|cache-fsck' undo
		cache-undo -q undo a
		cmp a damaged
		cp before a
	done
	for a in $(applets); do
		case $a in
		cache-alloc) args=(a -c 1 -v) ;;
		cache-bench) args=(-c 100 a) ;;
		cache-fsck) args=(-n a) ;;
		cache-undo) args=(-n a a) ;;
		make-cache) args=(-n a) ;;
		*) args=(a) ;;
		esac
		"$a" "${args[@]}" >&- 2>&- <&- || :
		cmp a before
	done
}

@test "a result for a closed stdout is a failure" {
	image wb-clean.cache a
	run -1 bash -c 'cache-super-show a >&-'
	[[ $output == *"cannot write the result"* ]]
	run -8 bash -c 'cache-fsck -n a >&-'
}

@test "-C takes only a descriptor that is open for writing" {
	image wb-clean.cache a
	for fd in 99 4294967296 4294967299 18446744073709551615 -1 x ''; do
		run -16 --separate-stderr cache-fsck -n -C "$fd" a
		[[ $stderr == *"file descriptor"* ]]
	done
	run -16 bash -c 'exec cache-fsck -n -C 7 a 7< a'
	run -16 bash -c 'exec cache-fsck -n -C 2 a 2>&-'
	run -0 bash -c 'exec cache-fsck -n -C 7 a 7> lines'
	grep -Eqx '[0-9]+ [0-9]+ [0-9]+ a' lines
	! grep -Evx '[0-9]+ [0-9]+ [0-9]+ a' lines
}

# every applet that reads a whole cache, as it is called: long_calls IMAGE
long_calls() {
	cp "$1" b
	cache-alloc -q -c 4 --commit -z undo b > made
	truncate -s 100M c
	cat <<-END
		cache-clone -C 9 $1 c
		cache-alloc -c 8 -C 9 $1
		cache-alloc --sectors -c 16k -C 9 $1
		cache-alloc -c 8 --commit -C 9 $1
		cache-bench -c 200k --nbuckets 64k --reference -C 9
		cache-bench --gc --kernel all --nbuckets 64k -C 9
		cache-bench -c 200k -C 9 $1
		cache-fsck -n -C 9 $1
		cache-image save -C 9 $1 saved
		cache-map -C 9 $1
		cache-map --html - -C 9 $1
		cache-show-journal -C 9 $1
		cache-show-keys -C 9 $1
		cache-show-prios -C 9 $1
		cache-show-uuids -C 9 $1
		cache-undo -y -C 9 undo b
		cache-writeback -n -C 9 $1
		make-cache --force --progress-fd 9 --cset-uuid 00000000-0000-4000-8000-00000000abcd $1
	END
}

@test "every applet that can take long tells a program how far it is" {
	image churn-lru.cache a
	long_calls a > calls
	while read -r call; do
		echo "== $call"
		# shellcheck disable=SC2086 # words
		$call 9> lines > out 2> err < /dev/null || { cat err; false; }
		grep -Eqx '[1-9][0-9]* [0-9]+ [0-9]+ [a-z]+' lines
		! grep -Evx '[1-9][0-9]* [0-9]+ [0-9]+ [a-z]+' lines
		awk '$2 > $3 { exit 1 }' lines
	done < calls
	# those that are their own passes, beside the loading
	[ "$(wc -l < calls)" = 18 ]
	for a in $(applets); do
		case $a in
		bcache-register | cache-serve | cache-status | cache-super-show | cache-tune) ;;
		*) grep -q "^$a " calls ;;
		esac
	done
}

@test "a bar is drawn on a terminal and gone at the end, in every applet that can take long" {
	command -v script > /dev/null || skip "no script(1)"
	image churn-lru.cache a
	long_calls a | sed -E 's/-(C|-progress-fd) 9/-\1 0/' > calls
	while read -r call; do
		echo "== $call"
		script -qec "$call > out < /dev/null" typescript < /dev/null > /dev/null
		tr '\r' '\n' < typescript | grep -aE '^[a-z]+ +\[[# ]*\] +[0-9]+%'
		# whatever came after the last bar, the bar was taken away before
		grep -aq $'\r\x1b\\[K' typescript
	done < calls
}

@test "-C 0 draws the bar, as wide as the terminal" {
	command -v script > /dev/null || skip "no script(1)"
	image churn-lru.cache a
	for columns in 40 80 150; do
		for quiet in '' -q -J; do
			script -qec "stty cols $columns; cache-fsck -n $quiet -C 0 a" typescript < /dev/null > /dev/null
			tr '\r' '\n' < typescript | sed 's/\x1b\[K//g' | grep -E '^[a-z]+ +\[[# ]*\] +[0-9]+%' > bars
			[ -s bars ]
			! grep -E ".{$columns}" bars
			! grep ' ns left' bars
		done
	done
	# no terminal, no bar
	cache-fsck -n -C 0 a 2> err
	[ ! -s err ]
}

@test "sizes and counts take the same units everywhere" {
	truncate -s 40M a b
	make-cache -q -B b -o 2048s
	[ "$(cache-super-show -J b | jq .data_offset_sectors)" = 2048 ]
	make-cache -q --force -B b -o 1m
	[ "$(cache-super-show -J b | jq .data_offset_sectors)" = 2048 ]
	make-cache -q --force -B b -o 2048
	[ "$(cache-super-show -J b | jq .data_offset_sectors)" = 2048 ]
	run -2 make-cache -q --force -B b -o 2049b
	run -2 make-cache -q --force -B b -o 8193.25k
	image wb-clean.cache a
	[ "$(cache-alloc -J -c 1k a | jq .count)" = 1024 ]
	run -2 cache-alloc -c 1q a
	[ "$(cache-bench -J -c 2k --nbuckets 4k | jq -c '[.count, .nbuckets]')" = '[2048,4096]' ]
	cache-show-keys a --range 0-1m > one
	cache-show-keys a --range 0-2048 > two
	cache-show-keys a --range 0s-2048s | cmp - two
	cmp one two
}

@test "the nearest name is suggested" {
	while read -r typed want; do
		run -2 cache-tools "$typed"
		[[ $output == *"did you mean $want?"* ]] || { echo "$typed: $output"; false; }
	done <<'END'
make-bcach make-bcache
make-cach make-cache
mkcache make-cache
fsck cache-fsck
cache-fcsk cache-fsck
cache-show-key cache-show-keys
show-prio cache-show-prios
cache-show-uuid cache-show-uuids
super-show cache-super-show
bcache-super-sow bcache-super-show
cache-super-sow cache-super-show
fsck-bcache fsck.bcache
undo cache-undo
END
}

@test "a time has its zone" {
	image registered.cache a
	TZ=Asia/Kathmandu cache-show-uuids a | grep -E '[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8} \+0545'
	TZ=UTC cache-show-uuids a | grep -E '[0-9:]{8} \+0000'
}
