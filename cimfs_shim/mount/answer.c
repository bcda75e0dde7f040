/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * answer.c - what cimfs.dll is told about its call
 *
 * The exit code says how it went (WINE_EXIT + a status). A file that the DLL names, or else stderr,
 * gets the words: of success where the volume is, of failure the cause in one line.
 */
#include "mount.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "volume.h"

/* The status file's text; false: also without a file. */
static bool write_status(const char *file, const char *text)
{
	return file && write_whole(file, "%s\n", text);
}

/* Of success: "ok BACKEND DIRECTORY", and perhaps a line "note TEXT". Where there is a status file
 * stderr gets nothing: it is that of a Windows program, which tells the cause in its own way. */
int volume_answer(const struct volume *v, enum backend backend, const char *status_file)
{
	char *text = xasprintf("ok %s %s%s%s", backend_name(backend), v->root,
			       v->note ? "\nnote " : "", v->note ? v->note : "");

	if (!write_status(status_file, text) && v->note)
		say("%s", v->note);
	free(text);
	return EXIT_OK;
}

/* Of failure: one line, the cause; and that the caller is of another version, if it is, which may
 * be the cause of it. */
int volume_refuse(enum cim_status status, const char *op, const char *what,
		  const struct cim_error *err, const struct wine_call *call)
{
	const bool differs = call->version && strcmp(call->version, cim_version()) != 0;
	char *text = xasprintf("%s%s%s%s%s%s%s%s", err->path, *err->path ? ": " : "",
			       *err->cause ? err->cause : cim_status_text(status),
			       differs ? " (cimfs-mount is of version " : "",
			       differs ? cim_version() : "", differs ? ", cimfs.dll of " : "",
			       differs ? call->version : "", differs ? ": install both anew)" : "");

	if (!write_status(call->status, one_line(text)))
		say("%s %s: %s", op, what, text);
	free(text);
	return WINE_EXIT + (int)status;
}
