/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sink.c - one item or stream into a session
 */
#include "write.h"

#include <errno.h>
#include <unistd.h>

#include "../host/error.h"

/* Fill a stream, or leave it: what is never written takes the sparse form. */
static enum cim_status fill(struct cim_stream *stream, const struct cim_source *source,
			    struct cim_error *err)
{
	enum cim_status status = CIM_OK;

	if (source)
		status = cim_stream_fill(stream, source, err);
	cim_stream_close(stream);
	return status;
}

enum cim_status sink_item(struct session *s, const uint16_t *path, size_t units,
			  const struct cim_metadata *metadata, const struct cim_source *source,
			  struct cim_error *err)
{
	struct cim_str name = {.utf16 = path, .units = units};
	struct cim_stream *stream = NULL;
	enum cim_status status;

	status = cim_writer_add(s->writer, name, metadata, source ? &stream : NULL, err);
	if (!status && source)
		status = fill(stream, source, err);
	s->items += !status && units;
	return status;
}

enum cim_status sink_link(struct session *s, const uint16_t *path, size_t units, const uint16_t *to,
			  size_t to_units, struct cim_error *err)
{
	enum cim_status status =
		cim_writer_link(s->writer, (struct cim_str){.utf16 = path, .units = units},
				(struct cim_str){.utf16 = to, .units = to_units}, err);

	s->items += !status;
	return status;
}

enum cim_status sink_merge_link(struct session *s, const uint16_t *path, size_t units,
				const uint16_t *to, size_t to_units, struct cim_error *err)
{
	return cim_writer_merge_link(s->writer, (struct cim_str){.utf16 = path, .units = units},
				     (struct cim_str){.utf16 = to, .units = to_units}, err);
}

uint16_t *stream_path(const uint16_t *path, size_t units, const uint16_t *name, size_t name_units)
{
	uint16_t *full = xmalloc((units + 1 + name_units) * sizeof(*full));

	if (units)
		memcpy(full, path, units * sizeof(*full));
	full[units] = ':';
	memcpy(full + units + 1, name, name_units * sizeof(*full));
	return full;
}

enum cim_status sink_stream(struct session *s, const uint16_t *path, size_t units,
			    const uint16_t *stream_name, size_t stream_units, uint64_t size,
			    const struct cim_source *source, struct cim_error *err)
{
	uint16_t *full = stream_path(path, units, stream_name, stream_units);
	struct cim_str name = {.utf16 = full, .units = units + 1 + stream_units};
	struct cim_stream *stream;
	enum cim_status status;

	status = cim_writer_add_stream(s->writer, name, size, &stream, err);
	if (!status)
		status = fill(stream, size ? source : NULL, err);
	free(full);
	return status;
}

/* Where the next data are from @offset on. */
static void find_data(struct file_source *f, uint64_t offset)
{
	off_t data = lseek(f->fd, (off_t)offset, SEEK_DATA);
	off_t end = data < 0 ? data : lseek(f->fd, data, SEEK_HOLE);

	f->from = offset;
	f->data = (uint64_t)data;
	f->data_end = (uint64_t)end;
	if (data < 0 && errno == ENXIO)
		f->data = f->data_end = UINT64_MAX; /* a hole up to the end */
	else if (end <= data)
		f->holes = false; /* the file system can't tell after all */
}

/* pread(), but a hole's zeros are not brought into the page cache first. */
static ssize_t read_piece(struct file_source *f, uint8_t *p, size_t len, uint64_t offset)
{
	if (f->holes && (offset < f->from || offset >= f->data_end))
		find_data(f, offset);
	if (f->holes && offset < f->data) {
		if (len > f->data - offset)
			len = (size_t)(f->data - offset);
		memset(p, 0, len);
		return (ssize_t)len;
	}
	if (f->holes && len > f->data_end - offset)
		len = (size_t)(f->data_end - offset);
	return pread(f->fd, p, len, (off_t)offset);
}

static enum cim_status read_file(void *ctx, uint64_t offset, void *buf, size_t len,
				 struct cim_error *err)
{
	struct file_source *f = ctx;
	uint8_t *p = buf;

	while (len) {
		/* Piece by piece, so that a signal doesn't wait for a gigabyte. */
		size_t piece = len < (1u << 20) ? len : 1u << 20;
		ssize_t got = read_piece(f, p, piece, offset);

		if (tool_signal) {
			if (err)
				snprintf(err->cause, sizeof(err->cause), "interrupted");
			return CIM_E_ABORTED;
		}
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			f->failed = errno;
			return err ? fail_errno(err, "read") : cim_status_from_os(errno);
		}
		if (!got) {
			f->shrank = true;
			memset(p, 0, len);
			return CIM_OK;
		}
		p += got;
		offset += (uint64_t)got;
		len -= (size_t)got;
		/* What is hashed first and stored then is read twice but is the same bytes. */
		if (offset > f->counted) {
			f->session->progress.bytes += offset - f->counted;
			f->counted = offset;
		}
		progress_tick(&f->session->progress);
	}
	return CIM_OK;
}

static enum cim_status read_memory(void *ctx, uint64_t offset, void *buf, size_t len,
				   struct cim_error *err)
{
	const uint8_t *data = ctx;

	(void)err;
	memcpy(buf, data + offset, len);
	return CIM_OK;
}

struct cim_source memory_source(const void *data)
{
	return (struct cim_source){.struct_size = sizeof(struct cim_source),
				   .ctx = (void *)data,
				   .pread = read_memory};
}

struct cim_source file_source(struct file_source *f)
{
	return (struct cim_source){
		.struct_size = sizeof(struct cim_source), .ctx = f, .pread = read_file};
}
