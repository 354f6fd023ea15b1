#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-only
# prios.pl DEVICE - "bucket TAB prio TAB gen" of every bucket, decoded without libcache,
# to have something to compare with. Trusts the device: no checksum is looked at.
use strict;
use warnings;
no warnings "portable";	# 64-bit words

open my $dev, '<:raw', $ARGV[0] or die "$ARGV[0]: $!\n";

sub bytes {
	my ($at, $n) = @_;
	seek $dev, $at, 0;
	read($dev, my $buf, $n) == $n or die "short read at $at\n";
	return $buf;
}

my ($set, $nbuckets, $block, $bucket, $first, $njournal) =
	unpack 'x56 Q< x120 Q< S< S< x8 S< S<', bytes(4096, 208);
$_ *= 512 for $block, $bucket;

# the newest entry names the first prio bucket
my ($newest, $at) = (0, 0);
for my $b ($first .. $first + $njournal - 1) {
	for (my $o = 0; $o < $bucket; $o += $block) {
		my ($magic, $seq, $prio) = unpack 'x8 Q< Q< x152 Q<', bytes($b * $bucket + $o, 240);
		next if $magic != ($set ^ 0x245235c1a3625032) || $seq <= $newest;
		($newest, $at) = ($seq, $prio);
	}
}

my $area = $bucket < 4 << 20 ? $bucket : 4 << 20;
my $per = int(($area - 40) / 3);
for (my $b = 0; $b < $nbuckets;) {
	my $set = bytes($at * $bucket, $area);
	for (my $i = 0; $i < $per && $b < $nbuckets; $i++, $b++) {
		print join("\t", $b, unpack 'S<C', substr $set, 40 + 3 * $i, 3), "\n";
	}
	$at = unpack 'x32 Q<', $set;
}
