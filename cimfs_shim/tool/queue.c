/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue.c - work for several threads, its results in order
 *
 * The main thread walks a tree and puts a piece of work for each item into the queue; other threads
 * do the pieces in any order; the main thread takes the results in the order in which it put them.
 * So whatever --threads says, output, messages and the calls that make an image are the same, and
 * something that needs all before it to be done (a directory's times) is a piece that consists of
 * its end only. What is said meanwhile goes into reports (see tool.h): each piece's own, and one of
 * the main thread's, which is told before the piece that it puts next.
 *
 * With one thread there is no other thread and no report: a piece is done when it is put. Else the
 * queue has a bound; behind it the main thread waits for the oldest piece. After a failure, no
 * piece is begun any more.
 */
#include "tool.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

/* A queue shorter than this is for nothing. */
#define ENOUGH 32
/* A sleeping thread is woken for so many pieces, or when the main thread waits. */
#define ENOUGH_TO_WAKE 8
/* What all the pieces may hold. */
#define MAX_BYTES ((size_t)8 << 20)

enum piece_state {
	PIECE_WAITS,
	PIECE_RUNS,
	PIECE_DONE,
	PIECE_SKIPPED,
};

struct piece {
	struct piece *next;
	void *work; /* the caller's */
	size_t bytes;
	struct report report;
	enum piece_state state;
};

struct queue {
	struct tool *t;
	const struct queue_ops *ops;
	void *ctx;
	struct progress *progress;
	size_t limit;
	size_t count;
	size_t bytes;
	struct report report; /* the main thread's */
	int code;	      /* of the piece that failed */
	unsigned threads;     /* 0: all is done where it is put */
	struct thread *thread;
	void *own; /* for the main thread, if it does all */

	pthread_mutex_t lock; /* guards what follows, and the states */
	pthread_cond_t more;
	pthread_cond_t done;
	struct piece *head;
	struct piece *tail;
	struct piece *todo; /* the first that nobody has taken yet */
	size_t waiting;	    /* how many nobody has taken */
	unsigned idle;
	struct piece *awaited; /* by the main thread */
	bool stop;	       /* begin nothing */
	bool end;
};

struct thread {
	struct queue *queue;
	pthread_t id;
	void *own;
};

unsigned queue_threads(const struct tool *t)
{
	unsigned n = tool_threads(t);

	return n > 1 ? n : 0;
}

unsigned tool_threads(const struct tool *t)
{
	cpu_set_t set;
	int n;

	if (t->threads)
		return t->threads;
	n = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set);
	return n > 1 ? (unsigned)n : 1;
}

/* ---- the threads ---- */

static void do_one(struct thread *thread)
{
	struct queue *queue = thread->queue;
	struct piece *piece = queue->todo;
	bool skip = queue->stop || tool_signal;

	queue->todo = piece->next;
	queue->waiting--;
	piece->state = PIECE_RUNS;
	pthread_mutex_unlock(&queue->lock);
	if (!skip) {
		report_to(&piece->report);
		queue->ops->run(thread->own, piece->work);
		report_to(NULL);
	}
	pthread_mutex_lock(&queue->lock);
	piece->state = skip ? PIECE_SKIPPED : PIECE_DONE;
	if (piece == queue->awaited)
		pthread_cond_signal(&queue->done);
}

static void *thread_main(void *arg)
{
	struct thread *thread = arg;
	struct queue *queue = thread->queue;

	worker_begin();
	pthread_mutex_lock(&queue->lock);
	while (!queue->end) {
		while (queue->todo && queue->todo->state != PIECE_WAITS)
			queue->todo = queue->todo->next;
		if (queue->todo) {
			do_one(thread);
		} else {
			queue->idle++;
			pthread_cond_wait(&queue->more, &queue->lock);
			queue->idle--;
		}
	}
	pthread_mutex_unlock(&queue->lock);
	return NULL;
}

static void start_threads(struct queue *queue, unsigned count, uint8_t *own, size_t own_size)
{
	sigset_t all;
	sigset_t before;

	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->more, NULL);
	pthread_cond_init(&queue->done, NULL);
	queue->thread = xcalloc(count, sizeof(*queue->thread));
	/* Signals are the main thread's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned i = 0; i < count; i++) {
		struct thread *thread = &queue->thread[i];

		thread->queue = queue;
		thread->own = own + i * own_size;
		if (pthread_create(&thread->id, NULL, thread_main, thread))
			break;
		queue->threads++;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

struct queue *queue_open(struct tool *t, const struct queue_ops *ops, void *ctx, void *own,
			 size_t own_size, unsigned count, size_t limit, struct progress *progress)
{
	struct queue *queue = xcalloc(1, sizeof(*queue));
	struct rlimit files;

	queue->t = t;
	queue->ops = ops;
	queue->ctx = ctx;
	queue->progress = progress;
	queue->own = own;
	queue->limit = limit;
	/* What waits may hold files and directories open. */
	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur / 8 < limit)
		queue->limit = (size_t)(files.rlim_cur / 8);
	if (count && queue->limit >= ENOUGH)
		start_threads(queue, count, own, own_size);
	if (queue->threads)
		report_to(&queue->report);
	return queue;
}

/* ---- the main thread ---- */

static void check_memory(void)
{
	/* A thread is out of it: that is our end too. */
	if (worker_lacks_memory())
		alloc_failed();
}

static bool is_done(const struct piece *piece)
{
	return piece->state == PIECE_DONE || piece->state == PIECE_SKIPPED;
}

/* Wait until a piece is done; with the lock. */
static void wait_for(struct queue *queue, struct piece *piece)
{
	/* Nothing more will come for the time being. */
	if (queue->idle && queue->waiting)
		pthread_cond_broadcast(&queue->more);
	queue->awaited = piece;
	while (!is_done(piece)) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&queue->done, &queue->lock, &until);
		check_memory();
		progress_tick(queue->progress);
	}
	queue->awaited = NULL;
}

static void fail(struct queue *queue, int code)
{
	queue->code = code;
	pthread_mutex_lock(&queue->lock);
	queue->stop = true;
	pthread_mutex_unlock(&queue->lock);
}

static void finish_head(struct queue *queue)
{
	struct piece *piece;
	int code;

	pthread_mutex_lock(&queue->lock);
	piece = queue->head;
	wait_for(queue, piece);
	queue->head = piece->next;
	if (!queue->head)
		queue->tail = NULL;
	if (queue->todo == piece)
		queue->todo = piece->next;
	pthread_mutex_unlock(&queue->lock);
	queue->count--;
	queue->bytes -= piece->bytes;
	if (!queue->code && piece->state == PIECE_SKIPPED)
		fail(queue, tool_interrupted());
	if (queue->code) {
		report_free(&piece->report);
		queue->ops->drop(piece->work);
	} else {
		report_to(NULL);
		report_tell(queue->t, &piece->report);
		code = queue->ops->finish(queue->ctx, piece->work);
		report_to(&queue->report);
		if (code)
			fail(queue, code);
	}
	free(piece);
}

static bool head_is_done(struct queue *queue)
{
	bool done;

	pthread_mutex_lock(&queue->lock);
	done = queue->head && is_done(queue->head);
	pthread_mutex_unlock(&queue->lock);
	return done;
}

/*
 * The queue is full. To be woken for each piece would cost more than many a piece: sleep until half
 * of them are likely to be done.
 */
static void make_room(struct queue *queue)
{
	struct piece *piece;

	pthread_mutex_lock(&queue->lock);
	piece = queue->head;
	for (size_t i = queue->count / 2; i && piece->next; i--)
		piece = piece->next;
	wait_for(queue, piece);
	pthread_mutex_unlock(&queue->lock);
	do {
		finish_head(queue);
	} while (queue->count > queue->limit || queue->bytes > MAX_BYTES || head_is_done(queue));
}

int queue_put(struct queue *queue, void *work, bool run)
{
	return queue_put_large(queue, work, run, 0);
}

int queue_put_large(struct queue *queue, void *work, bool run, size_t bytes)
{
	struct piece *piece;

	if (!queue->threads) {
		if (run)
			queue->ops->run(queue->own, work);
		return queue->ops->finish(queue->ctx, work);
	}
	check_memory();
	piece = xcalloc(1, sizeof(*piece));
	piece->work = work;
	piece->bytes = bytes;
	piece->report = queue->report;
	memset(&queue->report, 0, sizeof(queue->report));
	piece->state = run ? PIECE_WAITS : PIECE_DONE;
	pthread_mutex_lock(&queue->lock);
	if (queue->tail)
		queue->tail->next = piece;
	else
		queue->head = piece;
	queue->tail = piece;
	if (!queue->todo && run)
		queue->todo = piece;
	queue->waiting += run;
	if (queue->idle && queue->waiting >= ENOUGH_TO_WAKE)
		pthread_cond_signal(&queue->more);
	pthread_mutex_unlock(&queue->lock);
	queue->count++;
	queue->bytes += bytes;
	if (queue->count > queue->limit || queue->bytes > MAX_BYTES)
		make_room(queue);
	return queue->code;
}

int queue_drain(struct queue *queue)
{
	while (queue->count)
		finish_head(queue);
	if (queue->threads && !queue->code)
		report_tell(queue->t, &queue->report);
	return queue->code;
}

static void end_threads(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->end = true;
	pthread_cond_broadcast(&queue->more);
	pthread_mutex_unlock(&queue->lock);
	for (unsigned i = 0; i < queue->threads; i++)
		pthread_join(queue->thread[i].id, NULL);
}

int queue_close(struct queue *queue, int code)
{
	if (queue->thread) {
		queue_drain(queue);
		report_to(NULL);
		report_free(&queue->report);
		end_threads(queue);
		pthread_cond_destroy(&queue->done);
		pthread_cond_destroy(&queue->more);
		pthread_mutex_destroy(&queue->lock);
	}
	if (queue->code)
		code = queue->code;
	free(queue->thread);
	free(queue);
	return code;
}
