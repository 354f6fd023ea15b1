/* SPDX-License-Identifier: GPL-2.0-only */
/* The door to zstd: one frame packed, one unpacked. */
#ifndef LIBCACHE_ZFRAME_H
#define LIBCACHE_ZFRAME_H

#include <stdbool.h>
#include <stddef.h>

struct cache_zframe;

bool cache_zframe_is_there(void);

/* Contexts and memory for frames of up to @max_bytes of content; NULL: no memory, or no zstd. */
struct cache_zframe *cache_zframe_new(size_t max_bytes);
void cache_zframe_free(struct cache_zframe *z);

/* @from becomes a frame with a checksum, valid until the next call. 0 or -ENOMEM. */
int cache_zframe_pack(struct cache_zframe *z, const void *from, size_t nbytes,
		      const void **frame, size_t *frame_bytes);

/* Exactly @nbytes come out of @frame. 0; -EBADMSG when it is damaged or holds another number. */
int cache_zframe_unpack(struct cache_zframe *z, const void *frame, size_t frame_bytes, void *to,
			size_t nbytes);

/* The most bytes that a frame of @nbytes can take. */
size_t cache_zframe_bound(size_t nbytes);

#endif
