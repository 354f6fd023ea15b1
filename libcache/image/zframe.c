// SPDX-License-Identifier: GPL-2.0-only
#include "image/zframe.h"

#include <errno.h>
#include <stdlib.h>

#ifdef CACHE_HAVE_ZSTD
#include <zstd.h>

#define LEVEL	3	/* zstd's own default: more gains little on keys, and is slower */

struct cache_zframe {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	void *buf;
	size_t nbytes;
};

bool cache_zframe_is_there(void)
{
	return true;
}

size_t cache_zframe_bound(size_t nbytes)
{
	return ZSTD_compressBound(nbytes);
}

struct cache_zframe *cache_zframe_new(size_t max_bytes)
{
	struct cache_zframe *z = calloc(1, sizeof(*z));

	if (!z)
		return NULL;
	z->nbytes = ZSTD_compressBound(max_bytes);
	z->buf = malloc(z->nbytes);
	z->pack = ZSTD_createCCtx();
	z->unpack = ZSTD_createDCtx();
	if (!z->buf || !z->pack || !z->unpack ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->pack, ZSTD_c_compressionLevel, LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(z->pack, ZSTD_c_checksumFlag, 1))) {
		cache_zframe_free(z);
		return NULL;
	}
	return z;
}

void cache_zframe_free(struct cache_zframe *z)
{
	if (!z)
		return;
	ZSTD_freeCCtx(z->pack);
	ZSTD_freeDCtx(z->unpack);
	free(z->buf);
	free(z);
}

int cache_zframe_pack(struct cache_zframe *z, const void *from, size_t nbytes,
		      const void **frame, size_t *frame_bytes)
{
	size_t n = ZSTD_compress2(z->pack, z->buf, z->nbytes, from, nbytes);

	if (ZSTD_isError(n))
		return -ENOMEM;
	*frame = z->buf;
	*frame_bytes = n;
	return 0;
}

int cache_zframe_unpack(struct cache_zframe *z, const void *frame, size_t frame_bytes, void *to,
			size_t nbytes)
{
	/* what the frame itself says of its length is asked before memory is filled */
	if (ZSTD_getFrameContentSize(frame, frame_bytes) != nbytes ||
	    ZSTD_decompressDCtx(z->unpack, to, nbytes, frame, frame_bytes) != nbytes)
		return -EBADMSG;
	return 0;
}

#else

bool cache_zframe_is_there(void)
{
	return false;
}

size_t cache_zframe_bound(size_t nbytes)
{
	return nbytes;
}

struct cache_zframe *cache_zframe_new(size_t max_bytes)
{
	return NULL;
}

void cache_zframe_free(struct cache_zframe *z)
{
}

int cache_zframe_pack(struct cache_zframe *z, const void *from, size_t nbytes,
		      const void **frame, size_t *frame_bytes)
{
	return -EOPNOTSUPP;
}

int cache_zframe_unpack(struct cache_zframe *z, const void *frame, size_t frame_bytes, void *to,
			size_t nbytes)
{
	return -EOPNOTSUPP;
}

#endif
