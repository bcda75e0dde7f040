/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * progress.c - a line on the terminal that tells how far the work is
 *
 * On stderr, at most ten times a second; the clock is asked for every tick only, and ticks come a
 * file or a piece of data apart. "json" writes an object a line instead, for a program that draws
 * its own.
 */
#include "tool.h"

#include <unistd.h>

static struct progress *shown;

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void progress_start(struct progress *p, struct tool *t, const char *what)
{
	memset((void *)p, 0, sizeof(*p));
	p->t = t;
	p->what = what;
	p->json = t->progress == PROGRESS_JSON;
	p->on = t->progress == PROGRESS_JSON || t->progress == PROGRESS_LINE ||
		(t->progress == PROGRESS_AUTO && !t->quiet && isatty(STDERR_FILENO));
	p->start_ms = now_ms();
	/* What is done at once needs no progress line. */
	p->next_ms = p->start_ms + 100;
}

double progress_seconds(const struct progress *p)
{
	return (double)(now_ms() - p->start_ms) / 1000;
}

void progress_clear(void)
{
	if (worker_here() || !shown || !shown->shown)
		return;
	shown->shown = false;
	fputs("\r\033[K", stderr);
}

static void show(struct progress *p, const char *what, uint64_t done, uint64_t total, bool is_bytes)
{
	char size[32], whole[32];

	if (p->json) {
		fprintf(stderr, "{\"phase\": \"%s\", \"files\": %llu, \"bytes\": %llu", what,
			(unsigned long long)p->files, (unsigned long long)p->bytes);
		if (done || total)
			fprintf(stderr, ", \"done\": %llu, \"total\": %llu",
				(unsigned long long)done, (unsigned long long)total);
		fputs("}\n", stderr);
		return;
	}
	shown = p;
	p->shown = true;
	if (done && total && is_bytes)
		fprintf(stderr, "\r\033[K%s: %s of %s", what, size_text(done, size, sizeof(size)),
			size_text(total, whole, sizeof(whole)));
	else if (done && total)
		fprintf(stderr, "\r\033[K%s: %llu of %llu", what, (unsigned long long)done,
			(unsigned long long)total);
	else if (done)
		fprintf(stderr, "\r\033[K%s: %llu items", what, (unsigned long long)done);
	else if (p->total_files)
		fprintf(stderr, "\r\033[K%s: %llu of %llu files, %s", what,
			(unsigned long long)p->files, (unsigned long long)p->total_files,
			size_text(p->bytes, size, sizeof(size)));
	else
		fprintf(stderr, "\r\033[K%s: %llu files, %s", what, (unsigned long long)p->files,
			size_text(p->bytes, size, sizeof(size)));
}

static bool due(struct progress *p)
{
	uint64_t now;

	if (!p->on || worker_here())
		return false;
	now = now_ms();
	if (now < p->next_ms)
		return false;
	p->next_ms = now + 100;
	return true;
}

void progress_tick(struct progress *p)
{
	if (due(p))
		show(p, p->what, 0, 0, false);
}

void progress_end(struct progress *p)
{
	progress_clear();
	/* A program that reads along gets the last state for certain. */
	if (p->on && p->json)
		show(p, p->what, 0, 0, false);
	if (shown == p)
		shown = NULL;
	p->on = false;
}

/* Shows what the library does, and stops it on a signal. */
static int callback(void *ctx, const struct cim_progress *progress)
{
	static const char *const phases[] = {
		[CIM_PHASE_COMMIT] = "commit", [CIM_PHASE_VERIFY] = "verify",
		[CIM_PHASE_COPY] = "copy",     [CIM_PHASE_MERGE] = "merge",
		[CIM_PHASE_SEAL] = "seal",
	};
	struct progress *p = ctx;

	if (tool_signal)
		return 1;
	if (due(p))
		show(p, phases[progress->phase], progress->done, progress->total,
		     progress->phase == CIM_PHASE_COPY || progress->phase == CIM_PHASE_SEAL);
	return 0;
}

struct cim_env progress_env(struct progress *p)
{
	struct cim_env env = *cim_env_default();

	env.struct_size = sizeof(env);
	env.progress = callback;
	env.progress_ctx = p;
	return env;
}
