# SPDX-License-Identifier: GPL-2.0-only
# packaging/systemd/cache-save: superblocks and metadata images, the newest of each kept.

setup() {
	load ../lib/common
	cd "$BATS_TEST_TMPDIR" || return
	printf '%s\n' "SAVE_DIR=$PWD/kept" 'SAVE_KEEP="2"' > config
	cp --sparse=always "$BUILD/images/wb-crash.cache" "$BUILD/images/wb-crash.back1" .
}

save() { sh "$ROOT/packaging/systemd/cache-save" --config config "$@"; }
# old N: N older copies of both kinds
old() {
	local i dir
	for dir in kept/*; do
		for ((i = 1; i <= $1; i++)); do
			: > "$dir/2020010${i}T000000Z.super"
			: > "$dir/2020010${i}T000000Z.image"
		done
	done
}

@test "superblocks of all devices are saved, and metadata images of caches, and can be used" {
	before=$(sum wb-crash.*)
	run -0 save wb-crash.cache wb-crash.back1
	[ -z "$output" ]
	[ "$before" = "$(sum wb-crash.*)" ]
	[ "$(find kept -name '*.super' | wc -l)" = 2 ]
	[ "$(find kept -name '*.image' | wc -l)" = 1 ]
	run -0 cache-fsck -n --kernel 6.1 kept/*/*.image
	for f in kept/*/*.super; do
		run cache-super-show --restore "$f" -n wb-crash.cache
		[[ "$output" != *"no backup"* ]]
	done
	[ -z "$(find kept -perm /077)" ]
}

@test "the newest of each kind are kept, and what is no copy stays" {
	save wb-crash.cache wb-crash.back1
	old 4
	touch kept/notes
	for d in kept/*/; do touch "$d/mine" "$d/20200101T000000Z.super.keep"; done
	run -0 save wb-crash.cache
	for kind in super image; do
		run -0 find kept/*/ -name "*Z.$kind" -path "*$(cache-super-show -J wb-crash.cache | jq -r .uuid)*"
		[ "${#lines[@]}" = 2 ]
		[[ "$output" != *2020010[123]* ]]
	done
	[ -e kept/notes ]
	[ "$(find kept -name mine | wc -l)" = 2 ]
	[ "$(find kept -name '*.keep' | wc -l)" = 2 ]
}

@test "a device that cannot be saved is named, and its older copies stay" {
	save wb-crash.cache
	old 4
	count=$(find kept -type f | wc -l)
	truncate -s 0 gone
	run -1 save gone
	[[ "$output" == *"cache-save: gone: not all of it was saved" ]]
	printf 'x' | dd of=wb-crash.cache bs=1 seek=4120 conv=notrunc status=none
	run -1 save wb-crash.cache
	[ "$count" = "$(find kept -type f | wc -l)" ]
}

@test "SAVE_IMAGE=no saves superblocks alone, and wrong settings are named" {
	echo SAVE_IMAGE=no >> config
	run -0 save wb-crash.cache
	[ "$(find kept -type f | wc -l)" = 1 ]
	printf '%s\n' SAVE_KEEP=none SAVE_IMAGE=1 >> config
	run -0 save wb-crash.cache
	[[ "$output" == *'SAVE_KEEP is "none", expected 1 to 9999; 14 are kept'* ]]
	[[ "$output" == *'SAVE_IMAGE is "1", expected yes or no; yes is used'* ]]
	[ "$(wc -l <<< "$output")" = 2 ]
}
