/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_cat.c - cimtool cat: the bytes of a file or a stream to standard output
 */
#include "tool.h"

#define BUFFER (1u << 18)

static int copy_out(const struct tool_path *from, const struct cim_data *data)
{
	struct cim_error err = {0};
	char *buf = xmalloc(BUFFER);
	uint64_t offset = 0;
	int code = EXIT_OK;
	size_t got;

	for (;;) {
		if (cim_image_read(from->image, data, offset, buf, BUFFER, &got, &err)) {
			code = tool_fail_at(from->t, "read", from->name, from->path, &err);
			break;
		}
		/* What went wrong with stdout is told at the end. */
		if (!got || !tool_out(from->t, buf, got))
			break;
		offset += got;
	}
	free(buf);
	return code;
}

static int cat(const struct tool_path *from)
{
	struct cim_error err = {0};
	struct cim_file_info info = {CIM_SIZED(info)};
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_str stream;
	enum cim_status status;
	uint32_t id;
	int code = tool_lookup(from->t, from->image, from->name, from->path, &id, &stream);

	if (code)
		return code;
	status = cim_image_stat(from->image, id, &info, &err);
	if (!status && info.is_directory && !stream.units)
		return tool_fail(from->t, "read", from->name, *from->path ? from->path : "/",
				 "a directory");
	if (!status)
		status = cim_image_get_data(from->image, id, stream, &data, &err);
	if (!status)
		return copy_out(from, &data);
	return tool_fail_at(from->t, "read", from->name, from->path, &err);
}

static const struct arg_option options[] = {OPEN_OPTIONS, {0}};

static int run(struct tool *t, int argc, char **argv)
{
	return tool_each_path(t, argc, argv, cat);
}

const struct command cmd_cat = {
	.name = "cat",
	.usage = "[OPTION]... IMAGE PATH[:STREAM]...",
	.summary = "write a file or stream to standard output",
	.about = "Writes the bytes of files, or of their alternate streams, one after another.",
	.options = options,
	.run = run,
};
