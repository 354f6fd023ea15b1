# SPDX-License-Identifier: GPL-2.0-only
# cache-map: pictures of sets that a kernel wrote, of damaged and of large ones.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	WB=$BUILD/images/wb-crash.cache
}

# page FILE: it stands alone, and is what a browser can parse
page() {
	[ "$(stat -c %s "$1")" -lt 2000000 ]
	! grep -oE '(src|href|url)[=(]"?[^ >]*' "$1" | grep -vE 'url\(#|href="data:,"' || return
	! grep -E 'https?://|@import' "$1" || return
	python3 - "$1" << 'END'
import html.parser, json, re, sys
text = open(sys.argv[1], encoding="utf-8").read()
class P(html.parser.HTMLParser):
    ids = set()
    def handle_starttag(self, tag, attrs):
        i = dict(attrs).get("id")
        assert not i or i not in self.ids, i
        self.ids.add(i)
P().feed(text)
cells = json.loads(re.search(r'id="cells">(.*?)</script>', text, re.S).group(1))
total = int(re.search(r"<th>buckets<td>(\d+)", text).group(1))
assert sum(c[1] for c in cells if c) == total, "cells do not add up"
assert all(sum(c[4:9]) == c[1] for c in cells if c), "a cell does not add up"
END
}

@test "the sums of a picture are those of cache-show-prios" {
	for image in wb-crash two-backs flash-vol churn-lru; do
		for role in dirty clean free btree; do
			want=$(cache-show-prios -a "$BUILD/images/$image.cache" | awk -F'\t' -v r=$role '$4 == r' | wc -l)
			[ "$(cache-map -J "$BUILD/images/$image.cache" | jq ".buckets[0].${role}_buckets")" = "$want" ]
			[ "$(cache-map -J "$BUILD/images/$image.cache" | jq "[.cells[].${role}_buckets] | add")" = "$want" ]
		done
	done
}

@test "a picture in letters is as wide as asked for and has every role in its legend" {
	for width in 1 20 80 200; do
		run -0 cache-map --color never --width $width "$WB"
		[ "$(sed '/^by mark/,$d' <<< "$output" | awk '{ print length }' | sort -rn | head -n 1)" -le $width ]
		[[ "$output" == *"D dirty            2915 buckets"* ]]
	done
	run -0 cache-map --order hilbert --width 20 "$WB"
	[ "$(sed '/^by mark/,$d' <<< "$output" | awk '{ print length }' | sort -u)" = 16 ]
}

@test "a terminal has the colours that it says it has, and none with NO_COLOR" {
	command -v script > /dev/null || skip "no script(1)"
	on_terminal() { script -qec "$* cache-map --width 20 $WB 2> /dev/null" /dev/null < /dev/null; }
	on_terminal env -u NO_COLOR TERM=xterm COLORTERM=truecolor | grep -q $'\033\\[38;2;213;94;0m'
	on_terminal env -u NO_COLOR -u COLORTERM TERM=xterm-256color | grep -q $'\033\\[38;5;'
	on_terminal env -u NO_COLOR -u COLORTERM TERM=xterm | grep -q $'\033\\[9[0-7]m'
	for none in "NO_COLOR=1 TERM=xterm" TERM=dumb "-u TERM"; do
		# shellcheck disable=SC2086
		! on_terminal env $none | grep -q $'\033' || return
	done
	! cache-map "$WB" | grep -q $'\033' || return
	LC_ALL=C cache-map --color truecolor "$WB" > text
	! grep -q $'\xe2' text || return
	cache-map --color truecolor "$WB" | grep -q $'\xe2\x96\x80'
}

@test "every picture is drawn in either order" {
	for order in linear hilbert; do
		for by in prio mark gen dirty used; do
			cache-map --by $by --order $order --svg one.svg "$WB"
			python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("one.svg")'
			cache-map --by $by --order $order "$WB" > /dev/null
		done
		cache-map --order $order --html one.html "$WB"
		page one.html
	done
}

@test "pages of all images stand alone, are small and add up" {
	for image in "$BUILD"/images/*.cache; do
		cache-map --html page.html "$image" > /dev/null || [ $? = 1 ]
		page page.html
	done
}

@test "a page of 4 Mi buckets has less than 2 MB" {
	truncate -s $((4194304 * 64))k big || skip "no file of 256 GiB here"
	make-cache -q -C -b 64k big > /dev/null
	poke big start=0 'uuid[0].uuid=00000000-0000-4000-8000-000000000001' 'extents[1]=20000'
	cache-map --html big.html big
	page big.html
	grep -q '<th>buckets<td>4194304' big.html
}

@test "of a damaged set what is known is drawn, the rest hatched and counted" {
	image wb-crash.cache
	poke "$IMG" 'leaf[3].set[0].csum=1' 'prio[1].csum=1'
	run -1 --separate-stderr cache-map --color never "$IMG"
	[[ "$stderr" == *NODE_CSUM* && "$stderr" == *PRIO_CSUM* ]]
	[[ "$output" == *"? not known"* && "$output" != *"free"* ]]
	run -1 cache-map --html page.html "$IMG"
	page page.html
	grep -q '<li>NODE_CSUM' page.html
	grep -q "start<td>disables" page.html
	grep -q 'url(#hatch-mark)' page.html
	grep -q 'buckets it is not known what they hold' page.html
	poke "$IMG" journal.wipe=1
	run -1 --separate-stderr cache-map --color never "$IMG"
	[[ "$output" == *"? not known        8126 buckets"* ]]
	[[ "$output" == *"J journal          64 buckets"* ]]
}

@test "a set that has not run is drawn" {
	make_image --buckets 1024
	run -0 cache-map --color never "$IMG"
	[[ "$output" == *"free"* && "$output" != *"not known"* ]]
	cache-map --html page.html "$IMG"
	page page.html
}

@test "--diff shows the buckets that changed" {
	run -0 cache-map --color never --diff "$WB" "$WB"
	[[ "$output" == *"by change"* ]]
	cache-map -J --diff "$WB" "$WB" | jq -e '[.cells[].changed_buckets] | add == 0'
	now=$BUILD/images/rewrite-61.cache was=$BUILD/images/rewrite-61-earlier.cache
	changed=$(diff <(cache-show-prios -a "$was" | cut -f1,3,4) <(cache-show-prios -a "$now" | cut -f1,3,4) |
		grep -c '^>')
	[ "$changed" -gt 0 ]
	cache-map -J --diff "$was" "$now" | jq -e "[.cells[].changed_buckets] | add == $changed"
	cache-map --diff "$was" --html page.html "$now"
	page page.html
	grep -q "<p>$changed buckets changed" page.html
	run -1 --separate-stderr cache-map --diff "$BUILD/images/fresh.cache" "$WB"
	[[ "$stderr" == *"not an image of the same device"* ]]
}

@test "backing devices that are named give the sizes of their maps" {
	truncate -s 64M back
	make-cache -q -B back > /dev/null
	cache-map --html page.html "$BUILD/images/two-backs.cache" back
	run -1 --separate-stderr cache-map "$WB" "$WB"
	[[ "$stderr" == *"is no backing device" ]]
	run -1 --separate-stderr cache-map back
	[[ "$stderr" == *"this is a backing device; give the cache device of its set" ]]
}

@test "a picture never overwrites a device, and a failed one leaves the old" {
	image wb-crash.cache
	before=$(sum "$IMG")
	run -1 --separate-stderr cache-map --svg "$IMG" "$IMG"
	[[ "$stderr" == *"is the device that is drawn" ]]
	run -1 cache-map --html /dev/null "$IMG"
	mkdir dir
	run -1 cache-map --svg dir "$IMG"
	run -1 --separate-stderr cache-map --svg nowhere/x.svg "$IMG"
	[[ "$stderr" == *"nowhere/x.svg: cannot be written: No such file"* ]]
	[ "$before" = "$(sum "$IMG")" ]
	[ "$(cache-map --svg - "$IMG" | tail -n 1)" = "</svg>" ]
}

@test "names and labels cannot break out of a page" {
	image two-backs.cache "./<b>&\"'x"
	cache-map --html page.html "./<b>&\"'x"
	page page.html
	! grep -q '<b>' page.html || return
	cache-map --svg one.svg "./<b>&\"'x"
	python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("one.svg")'
}

@test "options that exclude each other are usage errors" {
	for args in "--svg x --html y" "--svg x --json" "--by change" "--by no" "--order no" "--width 0" \
	    "--color no"; do
		# shellcheck disable=SC2086
		run -2 cache-map $args "$WB"
	done
}

@test "a browser opens a page without an error on its console" {
	command -v chromium > /dev/null || skip "chromium is not installed (package chromium)"
	image wb-crash.cache
	poke "$IMG" 'leaf[3].set[0].csum=1'
	run -1 cache-map --html page.html "$IMG"
	HOME=$PWD timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage \
		--enable-logging=stderr --dump-dom "file://$PWD/page.html" > dom 2> log < /dev/null ||
		skip "chromium does not run here"
	! grep CONSOLE log || return
	[ "$(grep -c '<figure id=' dom)" = 5 ]
}

@test "notes are printed with -v alone" {
	run -0 --separate-stderr cache-map "$BUILD/images/fresh.cache"
	[ -z "$stderr" ]
	run -0 --separate-stderr cache-map -v "$BUILD/images/fresh.cache"
	[[ "$stderr" == *"SB_NOT_SYNCED"*"note:"* ]]
}
