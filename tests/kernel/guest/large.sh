# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# A large set: vda its cache, vdb an archive with our programs. How long cache-fsck says that the
# start takes, then how long it does, neither from the page cache.

now() {
	cut -d' ' -f1 /proc/uptime
}

tar -x -f /dev/vdb -C / || exit 1
export PATH=$PATH:/tools
cache-fsck -n -t /dev/vda || exit 1
echo 3 > /proc/sys/vm/drop_caches
begin=$(now)
register vda
wait_for /sys/block/vda/bcache/set || exit 1
echo "started $begin $(now)"
echo "=== WORDS large"
words vda
echo "=== END WORDS"
