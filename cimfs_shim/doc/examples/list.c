/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.c - list IMAGE: size and path of all that is in an image
 *
 * cc list.c $(pkg-config --cflags --libs libcim) -o list
 *
 * Where libcim is not in a directory of the system: building.md 2.
 */
#include <inttypes.h>
#include <libcim.h>
#include <stdio.h>

/* Names, which causes quote too, may hold what would do harm on a terminal. */
static void put_shown(FILE *f, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	for (; *p; p++) {
		if (*p < ' ' || *p == 127)
			fprintf(f, "\\x%02X", *p);
		else if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0) /* U+0080 to U+009F */
			fprintf(f, "\\xC2\\x%02X", *++p);
		else
			putc(*p, f);
	}
}

static int failed(const struct cim_error *err)
{
	fprintf(stderr, "%s ", err->op);
	put_shown(stderr, *err->path ? err->path : err->image);
	fputs(": ", stderr);
	put_shown(stderr, err->cause);
	putc('\n', stderr);
	return 1;
}

static int list(struct cim_image *image)
{
	const struct cim_walk_item *item;
	struct cim_walk *walk;
	struct cim_error err;
	enum cim_status status;

	if (cim_walk_open(image, cim_image_get_info(image)->root_id, &walk, &err))
		return failed(&err);
	while (!(status = cim_walk_next(walk, &item, &err)) && item) {
		printf("%12" PRIu64 " /", item->info->size);
		put_shown(stdout, item->path);
		putchar('\n');
	}
	cim_walk_close(walk);
	return status ? failed(&err) : 0;
}

int main(int argc, char **argv)
{
	struct cim_image *image;
	struct cim_error err;
	int result;

	if (argc != 2) {
		fprintf(stderr, "Usage: list IMAGE\n");
		return 2;
	}
	if (cim_image_open(NULL, argv[1], &image, &err))
		return failed(&err);
	result = list(image);
	cim_image_close(image);
	if (fflush(stdout)) {
		perror("list");
		return 1;
	}
	return result;
}
