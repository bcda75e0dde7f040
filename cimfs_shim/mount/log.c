/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * log.c - where the program says what went wrong
 *
 * Before it serves that is stderr. After that nobody may be there to read, and a broken image must
 * not fill a disk with messages: a process that tries again and again, or a walk over a thousand
 * bad files, gets its errors every time, but the log gets at most LINES in a PERIOD, then a count
 * of what was left out. The same thing twice in a row is told once in a PERIOD.
 */
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINES  20
#define PERIOD 60 /* seconds */

static struct {
	pthread_mutex_t lock;
	int fd; /* -1: syslog */
	bool stamp;
	time_t start;
	unsigned lines;
	unsigned long left_out;
	char last[600];
} out = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO};

static const char *program = "cimfs-mount";

void log_as(const char *name)
{
	program = name;
}

void say(const char *fmt, ...)
{
	char text[1400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fprintf(stderr, "%s: %s\n", program, one_line(text));
}

void say_cim(const char *op, const char *image, const struct cim_error *err)
{
	const char *cause = *err->cause ? err->cause : cim_status_text(err->status);

	say("%s %s%s%s: %s", op, image, *err->path ? ": " : "", err->path, cause);
}

void log_open(const char *where)
{
	out.fd = STDERR_FILENO;
	if (!where)
		return;
	out.fd = *where ? open(where, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
	out.stamp = out.fd >= 0;
	if (out.fd < 0)
		openlog(program, LOG_PID, LOG_DAEMON);
}

void log_close(void)
{
	if (out.fd >= 0 && out.fd != STDERR_FILENO)
		close(out.fd);
	out.fd = STDERR_FILENO;
	out.stamp = false;
}

static void put(const char *text)
{
	char line[800];
	char stamp[40] = "";
	int len;

	if (out.fd < 0) {
		syslog(LOG_ERR, "%s", text);
		return;
	}
	if (out.stamp) {
		time_t now = time(NULL);
		struct tm tm;

		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ ", gmtime_r(&now, &tm));
	}
	len = snprintf(line, sizeof(line), "%s%s: %s\n", stamp, program, text);
	if (len >= (int)sizeof(line)) {
		len = sizeof(line) - 1;
		line[len - 1] = '\n';
	}
	/* One write a line, so that those of several servers don't mix. Nobody to tell of a
	 * failure. */
	(void)!write(out.fd, line, (size_t)len);
}

/* A new period: first what was left out in the last. */
static void start_period(time_t now)
{
	char note[80];

	if (out.left_out) {
		snprintf(note, sizeof(note), "%lu more messages were left out", out.left_out);
		put(note);
	}
	out.start = now ? now : 1;
	out.lines = 0;
	out.left_out = 0;
	out.last[0] = '\0';
}

void log_line(const char *fmt, ...)
{
	struct timespec now;
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	one_line(text);
	clock_gettime(CLOCK_MONOTONIC, &now);

	pthread_mutex_lock(&out.lock);
	if (now.tv_sec - out.start >= PERIOD || !out.start)
		start_period(now.tv_sec);
	if (!strcmp(text, out.last) || out.lines == LINES) {
		out.left_out++;
	} else {
		out.lines++;
		memcpy(out.last, text, sizeof(text));
		put(text);
	}
	pthread_mutex_unlock(&out.lock);
}

int log_status(enum cim_status status, const struct cim_error *err, uint32_t file_id)
{
	switch (status) {
	case CIM_OK:
		return 0;
	case CIM_E_FILE_NOT_FOUND:
		return ENOENT;
	case CIM_E_PATH_NOT_FOUND:
		return ENOTDIR;
	case CIM_E_NO_MEMORY:
		return ENOMEM;
	default:
		log_line("%s: file %u: %s: %s", err->image, file_id, err->op, err->cause);
		return EIO;
	}
}
