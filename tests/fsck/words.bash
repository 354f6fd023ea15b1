# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
# The words of a damage file: for the check here, and for the kernel's verdict. The
# caller sets $TMP and $BUILD, empties devs, base and eio, and has poke in its PATH.

# The cache is made first, a backing device beside it.
take() { cp --reflink=auto --sparse=always "$BUILD/images/$1" "$2" && devs+=("$2"); }
base() { base=$1 && take "$1.cache" "$TMP/cache"; }
back() { take "$1.back1" "$TMP/back"; }
format() { truncate -s "$1" "$TMP/cache" && devs+=("$TMP/cache") &&
	   make-cache -q -C "${@:2}" "$TMP/cache"; }
poke() { command poke "$TMP/cache" "$@"; }
poke_back() { command poke "$TMP/back" "$@"; }
size() { truncate -s "$1" "${devs[-1]}"; }
# The cache will fail to read this bucket.
unreadable() { eio=$(command poke "$TMP/cache" where="$1") && eio=${eio/ /,}; }

# expected_kernel FOLDER [VERSION]: what Linux of that version, such as 6.1.0-56-amd64, does
# with the damage: of the lines "kernel VERDICT [since=VERSION]" the last that holds for it.
# Without a version the first.
expected_kernel() {
	awk -v version="${2:-0}" '
		function number(v,   part) {
			split(v, part, /[^0-9]/)
			return part[1] * 1000 + part[2]
		}
		$1 == "kernel" {
			sub(/^since=/, "", $3)
			if (verdict == "" || (version && number(version) >= number($3)))
				verdict = $2
		}
		END { print verdict }' "$1/expect"
}
