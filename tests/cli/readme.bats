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
tour() { sed -n '/^## A tour/,/^## My cache/s/^    //p' "$README"; }

@test "each command of the tour prints what README says, and nothing else" {
	README=$BATS_TEST_DIRNAME/../../README.md
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
