/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.c - every call's frame: into the session and out of it
 *
 * A session's calls are serialised by its lock. What state lets in which call is described in
 * sessionfiles.c. The first write that fails leaves a poison: its error, with the operation and the
 * path of the call that it comes from, which is what every later call answers.
 */
#include "session.h"
#include "path.h"

void cim_session_lock(struct cim_writer *writer)
{
	writer->env.mutex_lock(writer->env.thread_ctx, writer->lock);
}

void cim_session_unlock(struct cim_writer *writer)
{
	writer->env.mutex_unlock(writer->env.thread_ctx, writer->lock);
}

enum cim_status cim_session_enter(struct cim_writer *writer, bool streaming, struct cim_error **err)
{
	if (CIM_ANY_NULL(*err, NULL, writer))
		return CIM_E_POINTER;
	cim_session_lock(writer);
	writer->callers_error = *err;
	writer->own_error = (struct cim_error){0}; /* a source needn't fill in all of it */
	*err = &writer->own_error;
	if (writer->committed)
		return cim_fail(*err, CIM_E_INVALID, "the session has been committed");
	if (writer->poison.status) {
		**err = writer->poison;
		return writer->poison.status;
	}
	if (writer->stream && !streaming)
		return cim_fail(*err, CIM_E_SHARING, "a stream is open");
	return CIM_OK;
}

enum cim_status cim_session_poison(struct cim_writer *writer, enum cim_status status,
				   const struct cim_error *err)
{
	if (status && !writer->poison.status) {
		writer->poison = *err;
		writer->poison.status = status;
	}
	return status;
}

static void annotate(struct cim_writer *writer, const char *op, struct cim_str path,
		     enum cim_status status, struct cim_error *err)
{
	if (path.utf8 || path.utf16)
		cim_error_str(err, path);
	cim_error_where(err, status, op, writer->path);
}

void cim_session_annotate(struct cim_writer *writer, enum cim_status status, const char *op,
			  struct cim_str path, struct cim_error *err)
{
	struct cim_error *poison = &writer->poison;
	const bool fresh = poison->status && !writer->poison_annotated;

	if (fresh)
		annotate(writer, op, path, poison->status, poison);
	writer->poison_annotated |= fresh;
	/* What answers a former call's poison has that one's operation and path. */
	if (status && (fresh || status != poison->status))
		annotate(writer, op, path, status, err);
}

enum cim_status cim_session_leave(struct cim_writer *writer, enum cim_status status, const char *op,
				  struct cim_str path, struct cim_error *err)
{
	if (!writer)
		return cim_error_where(err, status, op, NULL);
	cim_session_annotate(writer, status, op, path, err);
	cim_fail_as(writer->callers_error, status, err);
	cim_session_unlock(writer);
	return status;
}

enum cim_status cim_session_call_paths(struct cim_writer *writer, const char *op,
				       cim_session_paths_call *call, struct cim_str text,
				       struct cim_str other_text, struct cim_error *err)
{
	struct cim_path path = {0}, other = {0};
	enum cim_status status;

	status = cim_session_enter(writer, false, &err);
	if (!status)
		status = cim_path_parse(&writer->env, text, CIM_PATH_NO_STREAM, &path, err);
	if (!status)
		status = cim_path_parse(&writer->env, other_text, CIM_PATH_NO_STREAM, &other, err);
	if (!status)
		status = call(writer, &path, &other, err);
	cim_path_free(&other);
	cim_path_free(&path);
	return cim_session_leave(writer, status, op, text, err);
}
