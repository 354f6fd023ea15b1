# SPDX-License-Identifier: GPL-2.0-only
# Registers the disks of each line of the plan, a cache or a backing device or both, and
# says what the kernel made of the last of them. A register that hangs holds the driver's
# one lock, so the guest ends there and the host goes on with the next line in a fresh
# one; a panic ends it by itself.
# shellcheck shell=sh

# Sectors the disk moved so far: a start that is slow still moves some.
moved() {
	awk -v d="$1" '$3 == d { print $6 + $10 }' /proc/diskstats
}

# Ticks that the processors were idle, and all ticks: a busy host gives us few of them, and
# then a start that computes is silent for long.
ticks() {
	awk '/^cpu / { print $5 + $6, $2 + $3 + $4 + $5 + $6 + $7 + $8 }' /proc/stat
}

# idle BEFORE ALL AFTER ALL: most of the time between two of these nobody computed
idle() {
	[ $((5 * ($3 - $1))) -ge $((2 * ($4 - $2))) ]
}

blocked_stacks() {
	for p in /proc/[0-9]*; do
		read -r name < $p/comm
		case $name in
		init | sh | bcache_* | kworker*) ;;
		*) continue ;;
		esac
		grep -q '\[bcache\]' $p/stack 2>/dev/null || continue
		echo "--- $name"
		grep -v entry_SYSCALL $p/stack | cut -d' ' -f2 | head -12
	done
}

# Hangs: neither back nor any I/O for QUIET quarters of a second while nobody computes.
await_register() {
	quiet=0 last=-1 before=$(ticks)
	for _ in $(seq 240); do
		usleep 250000
		[ -e rc ] && return 0
		now=$(moved $1) after=$(ticks)
		! idle $before $after || quiet=$((quiet + 1))
		[ "$now" = "$last" ] || quiet=0
		last=$now before=$after
		[ $quiet -lt ${QUIET:-24} ] || return 1
	done
	return 1
}

# verdict DISK CACHE: a backing device of a set is not attached, or is, and starts
verdict() {
	if dmesg | grep -q 'disabling caching'; then
		echo disables
	elif [ "$(cat rc)" != 0 ] || [ ! -e /sys/block/$1/bcache ]; then
		echo refuses
	elif dmesg | grep -qE "Couldn't find uuid|block size less than|Error:|error creating"; then
		echo refuses
	else
		echo starts
	fi
}

# A line of the kernel's in the middle of ours would spoil it.
say() {
	dmesg -n 1
	usleep 50000
	echo "$*"
	dmesg -n 7
}

# judge LINE DISK...
judge() {
	line=$1; shift
	say "=== JUDGE $line"
	for d; do
		rm -f rc
		(register $d 2> /dev/null; echo $? > rc) &
		if ! await_register $d; then
			blocked_stacks
			say "=== VERDICT $line hangs"
			exit 0
		fi
		usleep 500000
		word=$(verdict $d)
		[ $word = starts ] || break
	done
	stop_all || word=hangs
	say "=== VERDICT $line $word"
	[ $word != hangs ] || exit 0
	usleep 200000
}

n=0
while read -r disks; do
	dmesg -c > /dev/null
	judge $n $disks
	n=$((n + 1))
done < plan
