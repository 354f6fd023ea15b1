# SPDX-License-Identifier: GPL-2.0-only
# README.md shows what a stranger will see.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p build
	ln -s "$BUILD/images" build/images
	chmod u+w .
}

# The commands of the tour, and below each what README says that it prints.
tour() { sed -n '/^## A tour/,/^## On a running/s/^    //p' "$ROOT/README.md"; }

@test "each command of the tour prints what README says, and nothing else" {
	[ "$(tour | grep -c '^\$ cache-fsck')" -ge 2 ]
	while IFS= read -r line; do
		case $line in
		'$ PATH='*) ;;
		'$ '*)
			echo "$line"
			eval "${line#\$ }" 2>&1 || true
			chmod -f u+w ./*.img || true
			;;
		esac
	done < <(tour) > seen
	diff -u <(tour | grep -v '^\$ PATH=') seen
}

running() { sed -n '/^## On a running/,/^## My cache/s/^    //p' "$ROOT/README.md"; }

@test "each command of the section on running machines prints what README says" {
	"$ROOT/tests/lib/sysfs" "$ROOT/tests/status/6.1" sys
	# the machine is the one of the record
	cache-status() { command cache-status --sysfs sys "$@"; }
	[ "$(running | grep -c '^\$ ')" -ge 5 ]
	while IFS= read -r line; do
		[[ $line == '$ '* ]] || continue
		echo "$line"
		eval "${line#\$ }" 2>&1
	done < <(running) > seen
	diff -u <(running) <(sed '/^$/d' seen)
	cmp wb-crash.svg "$ROOT/doc/wb-crash.svg"
	[ -s bcache.prom ]
	[ -s wb-crash.html ]
}
