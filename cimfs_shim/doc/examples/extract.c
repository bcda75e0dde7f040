/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extract.c - extract IMAGE PATH FILE: copy a file, or PATH:STREAM, out of an image to a new FILE
 *
 * cc extract.c $(pkg-config --cflags --libs libcim) -o extract
 *
 * Where libcim is not in a directory of the system: building.md 2.
 */
#include <libcim.h>
#include <stdio.h>

static int failed(const struct cim_error *err)
{
	fprintf(stderr, "%s %s: %s\n", err->op, *err->path ? err->path : err->image, err->cause);
	return 1;
}

static int copy(struct cim_image *image, const struct cim_data *data, FILE *file)
{
	static char buf[65536];
	uint64_t offset = 0;
	struct cim_error err;
	size_t got;

	do {
		if (cim_image_read(image, data, offset, buf, sizeof(buf), &got, &err))
			return failed(&err);
		if (fwrite(buf, 1, got, file) != got) {
			perror("write");
			return 1;
		}
		offset += got;
	} while (got);
	return 0;
}

static int extract(struct cim_image *image, const char *path, const char *name)
{
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_str stream;
	struct cim_error err;
	uint32_t id;
	FILE *file;
	int result;

	if (cim_image_lookup_stream(image, cim_str8(path), &id, &stream, &err) ||
	    cim_image_get_data(image, id, stream, &data, &err))
		return failed(&err);
	file = fopen(name, "wbx");
	if (!file) {
		perror(name);
		return 1;
	}
	result = copy(image, &data, file);
	if (fclose(file) && !result) {
		perror(name);
		result = 1;
	}
	if (result)
		remove(name);
	return result;
}

int main(int argc, char **argv)
{
	struct cim_image *image;
	struct cim_error err;
	int result;

	if (argc != 4) {
		fprintf(stderr, "Usage: extract IMAGE PATH FILE\n");
		return 2;
	}
	if (cim_image_open(NULL, argv[1], &image, &err))
		return failed(&err);
	result = extract(image, argv[2], argv[3]);
	cim_image_close(image);
	return result;
}
