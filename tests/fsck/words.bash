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
