/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * create.c - create DIRECTORY NAME FILE...: make the image DIRECTORY/NAME, with these files in it
 *
 * cc create.c $(pkg-config --cflags --libs libcim) -o create
 *
 * Where libcim is not in a directory of the system: building.md 2.
 */
#include <fcntl.h>
#include <libcim.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int failed(const struct cim_error *err)
{
	fprintf(stderr, "%s %s: %s\n", err->op, *err->path ? err->path : err->image, err->cause);
	return 1;
}

/* Seconds since 1970 as 100 ns units since 1601. */
static int64_t filetime(int64_t seconds)
{
	return (seconds + 11644473600) * 10000000;
}

static int copy(int fd, struct cim_stream *stream)
{
	static char buf[65536];
	struct cim_error err;
	ssize_t got;

	while ((got = read(fd, buf, sizeof(buf))) > 0) {
		if (cim_stream_write(stream, buf, (size_t)got, NULL, &err))
			return failed(&err);
	}
	if (got < 0) {
		perror("read");
		return 1;
	}
	return 0;
}

static int add(struct cim_writer *writer, const char *path, int fd)
{
	const char *slash = strrchr(path, '/');
	struct cim_metadata metadata = {CIM_SIZED(metadata), .attributes = CIM_ATTR_ARCHIVE};
	struct cim_stream *stream;
	struct cim_error err;
	struct stat st;
	int result;

	if (fstat(fd, &st)) {
		perror(path);
		return 1;
	}
	metadata.size = st.st_size;
	metadata.last_write_time = filetime(st.st_mtime);
	metadata.creation_time = metadata.change_time = metadata.last_access_time =
		metadata.last_write_time;
	if (cim_writer_add(writer, cim_str8(slash ? slash + 1 : path), &metadata, &stream, &err))
		return failed(&err);
	result = copy(fd, stream);
	cim_stream_close(stream);
	return result;
}

static int add_all(struct cim_writer *writer, char **paths)
{
	int result = 0;

	for (; *paths && !result; paths++) {
		int fd = open(*paths, O_RDONLY);

		if (fd < 0) {
			perror(*paths);
			return 1;
		}
		result = add(writer, *paths, fd);
		close(fd);
	}
	return result;
}

int main(int argc, char **argv)
{
	struct cim_writer *writer;
	struct cim_error err;
	int result;

	if (argc < 3) {
		fprintf(stderr, "Usage: create DIRECTORY NAME FILE...\n");
		return 2;
	}
	if (cim_writer_open(NULL, argv[1], NULL, argv[2], 0, &writer, &err))
		return failed(&err);
	result = add_all(writer, argv + 3);
	if (!result && cim_writer_commit(writer, &err))
		result = failed(&err);
	cim_writer_close(writer); /* without a commit nothing stays behind */
	return result;
}
