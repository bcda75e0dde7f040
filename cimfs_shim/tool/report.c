/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * report.c - what the program says when something goes wrong, and how it ends
 *
 * One line a failure: "cimtool: OPERATION IMAGE: PATH: CAUSE". Names in it are escaped, so that an
 * image can't play tricks with a terminal. Losses (what could not be stored or restored) may be as
 * many as there are files; they are counted and told in one line a kind, or each with --verbose.
 * What several threads say at once is kept in reports and told in the order of their work.
 */
#include "tool.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "../host/standard.h"

static _Thread_local struct report *reporting;

static void (*cleanup_fn)(void *arg);
static void *cleanup_arg;

/* ---- reports ---- */

struct report *report_to(struct report *report)
{
	struct report *before = reporting;

	reporting = report;
	return before;
}

static struct report_line *add_line(struct report *report)
{
	struct report_line *line;

	report->lines = xgrow(report->lines, &report->room, report->count, sizeof(*report->lines));
	line = &report->lines[report->count++];
	memset(line, 0, sizeof(*line));
	return line;
}

/* Of one kind of loss only the first is told, so only that needs to be kept. */
static void report_loss(struct report *report, const struct tool *t, struct loss *loss,
			const char *path, const char *cause)
{
	struct report_line *line;

	for (size_t i = 0; i < report->count && !t->verbose; i++) {
		if (report->lines[i].loss == loss) {
			report->lines[i].count++;
			return;
		}
	}
	line = add_line(report);
	line->loss = loss;
	line->path = xstrdup(path);
	line->text = xstrdup(cause);
	line->count = 1;
}

static void say(const char *line, size_t len)
{
	progress_clear();
	fflush(stdout);
	fwrite(line, 1, len, stderr);
}

void report_tell(struct tool *t, struct report *report)
{
	struct report *before = report_to(NULL);

	for (size_t i = 0; i < report->count; i++) {
		const struct report_line *line = &report->lines[i];

		if (line->loss) {
			loss_add(t, line->loss, line->path, line->text);
			line->loss->count += line->count - 1;
		} else {
			t->warnings += line->warning;
			say(line->text, strlen(line->text));
		}
	}
	report_to(before);
	report_free(report);
}

void report_free(struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		free(report->lines[i].path);
		free(report->lines[i].text);
	}
	free(report->lines);
	memset(report, 0, sizeof(*report));
}

/* ---- messages ---- */

/* The line as it is told; the warnings are counted then. */
static void put_line(struct tool *t, const char *prefix, bool warning, const char *op,
		     const char *image, const char *path, const char *fmt, va_list args)
{
	struct text line = {0};
	char *cause = xvasprintf(fmt, args);

	text_puts(&line, prefix);
	if (op && *op)
		text_puts(&line, op);
	if (image && *image) {
		if (op && *op)
			text_puts(&line, " ");
		text_escape(&line, image, strlen(image), 0);
	}
	if ((op && *op) || (image && *image))
		text_puts(&line, ": ");
	if (path && *path) {
		text_escape(&line, path, strlen(path), 0);
		text_puts(&line, ": ");
	}
	text_escape(&line, cause, strlen(cause), ESCAPE_BACKSLASH_NOT);
	text_puts(&line, "\n");
	free(cause);
	if (reporting) {
		struct report_line *kept = add_line(reporting);

		kept->text = line.s;
		kept->warning = warning;
		return;
	}
	if (warning)
		t->warnings++;
	say(line.s, line.len);
	text_free(&line);
}

int tool_fail(struct tool *t, const char *op, const char *image, const char *path, const char *fmt,
	      ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(t, "cimtool: ", false, op, image, path, fmt, args);
	va_end(args);
	return EXIT_FAILED;
}

int tool_fail_errno(struct tool *t, const char *op, const char *image, const char *path)
{
	/* Of a name that is empty, which else would be left out, and another blamed. */
	return tool_fail(t, op, image && !*image ? "''" : image, path && !*path ? "''" : path, "%s",
			 strerror(errno));
}

void tool_warn(struct tool *t, const char *op, const char *image, const char *path, const char *fmt,
	       ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(t, "cimtool: warning: ", true, op, image, path, fmt, args);
	va_end(args);
}

void tool_note(struct tool *t, const char *op, const char *image, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put_line(t, "cimtool: warning: ", false, op, image, NULL, fmt, args);
	va_end(args);
}

void tool_verbose(struct tool *t, const char *fmt, ...)
{
	va_list args;

	if (!t->verbose)
		return;
	va_start(args, fmt);
	put_line(t, "cimtool: ", false, NULL, NULL, NULL, fmt, args);
	va_end(args);
}

int tool_fail_cim(struct tool *t, const char *op, const char *image, const struct cim_error *err)
{
	/* The library writes paths in Windows' way; here they have '/', as the user types them. */
	char path[sizeof(err->path) + 1];
	char *p = path;

	if (tool_signal)
		return tool_interrupted();
	if (err->path[0] && err->path[0] != '\\' && err->path[0] != '/' && err->path[0] != '.')
		*p++ = '/';
	for (const char *s = err->path; *s; s++)
		*p++ = *s == '\\' ? '/' : *s;
	*p = '\0';
	tool_fail(t, op ? op : err->op, image ? image : err->image, path, "%s",
		  err->cause[0] ? err->cause : cim_status_text(err->status));
	return exit_of(err->status);
}

int tool_fail_at(struct tool *t, const char *op, const char *image, const char *path,
		 struct cim_error *err)
{
	snprintf(err->path, sizeof(err->path), "%s", path);
	return tool_fail_cim(t, op, image, err);
}

int tool_fail_file(struct tool *t, const char *op, const char *image, const char *file,
		   const struct cim_error *err)
{
	/* The system's error comes with what was tried, and at which file. */
	tool_fail(t, op, image, err->os_error ? NULL : file, "%s", err->cause);
	return exit_of(err->status);
}

int tool_fail_dir(struct tool *t, const char *op, const char *image, const struct cim_error *err)
{
	if (err->status != CIM_E_SHARING || !err->os_error)
		return tool_fail_cim(t, op, image, err);
	return tool_fail(
		t, op, image, NULL,
		err->os_error == EBUSY
			? "the device is in use: another session is writing there, or it is mounted"
			: "another session is writing in the directory");
}

void tool_tell_unlocked(struct tool *t, const char *op, const char *image)
{
	tool_note(t, op, image,
		  "the file system has no locks: see that nothing else writes in the directory");
}

void tool_tell_footer(struct tool *t, const char *op, const char *image)
{
	tool_note(t, op, image, "the VHD footer behind the container is cut off");
}

/* ---- losses ---- */

void loss_add(struct tool *t, struct loss *loss, const char *path, const char *cause)
{
	if (reporting) {
		report_loss(reporting, t, loss, path, cause);
		return;
	}
	if (t->verbose)
		tool_warn(t, NULL, NULL, path, "%s: %s", loss->what, cause);
	if (!loss->count++) {
		loss->first = xstrdup(path);
		loss->cause = xstrdup(cause);
	}
}

void loss_report(struct tool *t, struct loss *loss, const char *op, const char *image)
{
	if (!loss->count)
		return;
	if (t->verbose)
		;
	else if (loss->count == 1)
		tool_warn(t, op, image, loss->first, "%s: %s", loss->what, loss->cause);
	else
		tool_warn(t, op, image, loss->first, "%s: %s (and %lu more)", loss->what,
			  loss->cause, loss->count - 1);
	loss_forget(loss);
}

void loss_forget(struct loss *loss)
{
	free(loss->first);
	free(loss->cause);
	loss->first = loss->cause = NULL;
	loss->count = 0;
}

/* ---- the end ---- */

bool tool_out(struct tool *t, const void *data, size_t len)
{
	errno = 0;
	if (fwrite(data, 1, len, stdout) == len)
		return true;
	if (!t->out_errno)
		t->out_errno = errno;
	return false;
}

/* The end of a line about what else went wrong. */
static void tell_done(const struct tool *t)
{
	fprintf(stderr, "%s%s\n", t->done ? "; " : "", t->done ? t->done : "");
}

/* By the signal itself: a shell that learns no more than a number goes on with its loop. */
static void end_by_signal(const struct tool *t)
{
	fprintf(stderr, "cimtool %s: interrupted by %s", t->command->name, tool_signal_name());
	tell_done(t);
	raise(tool_signal); /* whose action is the default again */
}

int tool_finish(struct tool *t, int code)
{
	int lost;

	progress_clear();
	lost = standard_end();
	if (lost) {
		if (t->out_errno)
			lost = t->out_errno;
		fprintf(stderr, "cimtool: write to standard output: %s",
			lost > 0 ? strerror(lost) : "failed");
		tell_done(t);
		/* The status is that of the work, and telling is all the work of most commands. */
		if (t->command->compares && code != tool_interrupted())
			code = 2; /* whatever it had found */
		else if (!t->done && (code == EXIT_OK || code == EXIT_WARNINGS))
			code = EXIT_FAILED;
	}
	if (t->sources_missing &&
	    (t->warnings || code == EXIT_CORRUPT || (t->command->compares && code == 2)))
		fprintf(stderr, "cimtool: not all that the image was merged from is beside it; "
				"--source=IMAGE tells where the rest is\n");
	if (code == EXIT_OK && t->warnings)
		code = EXIT_WARNINGS;
	if (code == EXIT_WARNINGS && t->strict)
		code = EXIT_FAILED;
	if (tool_signal && code == 128 + tool_signal)
		end_by_signal(t);
	return code;
}

int tool_interrupted(void)
{
	progress_clear();
	return 128 + (int)tool_signal;
}

/* ---- memory ---- */

void tool_set_cleanup(void (*fn)(void *arg), void *arg)
{
	cleanup_fn = fn;
	cleanup_arg = arg;
}

void tool_no_memory(void)
{
	worker_no_memory();
	if (cleanup_fn)
		cleanup_fn(cleanup_arg);
}
