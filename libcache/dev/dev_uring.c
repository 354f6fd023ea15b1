// SPDX-License-Identifier: GPL-2.0-only
/*
 * The only file that uses liburing: many reads in flight. Small node reads become several times
 * faster; if the kernel refuses io_uring the caller reads one by one.
 */
#include "dev/dev_ops.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <time.h>

#include "base/types.h"

#define DEPTH 128

struct cache_uring {
	struct io_uring ring;
};

static int ring_new(struct cache_uring **ringp)
{
	struct cache_uring *r;

	if (*ringp)
		return 0;
	r = malloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	if (io_uring_queue_init(DEPTH, &r->ring, 0)) {
		free(r);
		return -ENOSYS;
	}
	*ringp = r;
	return 0;
}

/* How many were submitted; the others keep -EAGAIN, so that the caller repeats them. */
static int submit(struct cache_uring *r, int fd, struct cache_dev_req *reqs, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

		io_uring_prep_read(sqe, fd, reqs[i].buf,
				   reqs[i].nsectors * CACHE_SECTOR_BYTES,
				   reqs[i].sector * CACHE_SECTOR_BYTES);
		io_uring_sqe_set_data(sqe, &reqs[i]);
	}
	return io_uring_submit(&r->ring);
}

/*
 * Waits for the next completion. Until then the kernel may write into the caller's memory, and
 * closing the ring does not wait for reads that a disk already works on. So no error ends the
 * wait: it becomes slower, and the ring is marked @spoilt.
 */
static struct io_uring_cqe *next_answer(struct cache_uring *r, bool *spoilt)
{
	static const struct timespec moment = { .tv_nsec = 1000000 };
	struct io_uring_cqe *cqe;
	int ret;

	while ((ret = io_uring_wait_cqe(&r->ring, &cqe))) {
		if (ret == -EINTR)
			continue;
		*spoilt = true;
		nanosleep(&moment, NULL);
	}
	return cqe;
}

static void reap(struct cache_uring *r, int n, bool *spoilt)
{
	while (n-- > 0) {
		struct io_uring_cqe *cqe = next_answer(r, spoilt);
		struct cache_dev_req *req = io_uring_cqe_get_data(cqe);

		if (cqe->res < 0)
			req->result = cqe->res;
		else if ((uint64_t)cqe->res == req->nsectors * CACHE_SECTOR_BYTES)
			req->result = 0;
		io_uring_cqe_seen(&r->ring, cqe);
	}
}

int cache_uring_read_many(struct cache_uring **ring, int fd,
			  struct cache_dev_req *reqs, unsigned n)
{
	int ret = ring_new(ring);

	for (unsigned i = 0; i < n; i++)
		reqs[i].result = -EAGAIN;
	for (unsigned i = 0; i < n && !ret; i += DEPTH) {
		unsigned batch = n - i < DEPTH ? n - i : DEPTH;
		int taken = submit(*ring, fd, reqs + i, batch);
		bool spoilt = taken != (int)batch;

		reap(*ring, taken, &spoilt);
		if (!spoilt)
			continue;
		/*
		 * Entries that were not submitted would be submitted later: make a new ring
		 * next time.
		 */
		cache_uring_free(*ring);
		*ring = NULL;
		break;
	}
	return ret;
}

void cache_uring_free(struct cache_uring *ring)
{
	if (!ring)
		return;
	io_uring_queue_exit(&ring->ring);
	free(ring);
}
