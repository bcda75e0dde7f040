/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_rebuild.c - consistent images rebuilt over what is left of them, on the system's own files
 *
 * Natively and under Wine, for the two differ in what may be done to a file that is open and
 * locked. t_consistent.c has all the cases, in memory; here are those that touch the system: files
 * that are there are kept, replaced, held by somebody, and looked for by who deletes orphans.
 */
#include "tap.h"
#include "libcim_advanced.h"
#include "libcim_env.h"

#include <errno.h>
#ifdef _WIN32
#include <direct.h>
#define make_directory(path) _mkdir(path)
#else
#include <sys/stat.h>
#define make_directory(path) mkdir(path, 0777)
#endif

static struct cim_error err;
static const struct cim_vfs *vfs;
static char top[1024];

enum { FILES = 7, SIZE = 100000 };

/* A directory with its listing. */
struct place {
	char path[1200];
	char names[FILES + 20][64];
	unsigned count;
};

static enum cim_status add_name(void *arg, const char *name)
{
	struct place *place = (struct place *)arg;

	if (place->count < FILES + 20)
		snprintf(place->names[place->count++], sizeof(place->names[0]), "%s", name);
	return CIM_OK;
}

static cim_vfs_dir *open_place(const struct place *place)
{
	cim_vfs_dir *dir = NULL;
	long os_error;

	if (vfs->open_dir(vfs->ctx, place->path, 0, &dir, &os_error))
		bail("can't open %s: %ld", place->path, os_error);
	return dir;
}

static void list(struct place *place)
{
	cim_vfs_dir *dir = open_place(place);
	long os_error;

	place->count = 0;
	if (vfs->list(vfs->ctx, dir, add_name, place, &os_error))
		bail("can't list %s: %ld", place->path, os_error);
	vfs->close_dir(vfs->ctx, dir);
}

static struct place *fresh(const char *name)
{
	static struct place place;

	memset(&place, 0, sizeof(place));
	snprintf(place.path, sizeof(place.path), "%s/%s", top, name);
	if (make_directory(place.path))
		bail("can't make %s: %s", place.path, strerror(errno));
	return &place;
}

/* The name of a file, by its beginning and end. */
static const char *find(struct place *place, const char *start, const char *end)
{
	list(place);
	for (unsigned i = 0; i < place->count; i++) {
		const char *name = place->names[i];

		if (!strncmp(name, start, strlen(start)) && strlen(name) >= strlen(end) &&
		    !strcmp(name + strlen(name) - strlen(end), end))
			return name;
	}
	return "";
}

static void spoil(struct place *place, const char *name)
{
	char path[1400];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", place->path, name);
	f = fopen(path, "r+b");
	if (!f || fseek(f, -1, SEEK_END) || fputc('?', f) == EOF || fputc('?', f) == EOF ||
	    fclose(f))
		bail("can't change %s", path);
}

static void drop_image(struct place *place)
{
	cim_vfs_dir *dir = open_place(place);
	long os_error;

	if (vfs->remove(vfs->ctx, dir, "x.cim", &os_error))
		bail("can't remove the image: %ld", os_error);
	vfs->close_dir(vfs->ctx, dir);
}

static struct cim_writer *begin(struct place *place)
{
	static uint8_t bytes[SIZE];
	struct cim_metadata meta = {CIM_SIZED(meta), .size = SIZE};
	struct cim_stream *stream = NULL;
	struct cim_writer *w;

	for (unsigned i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(i * 2654435761u >> 24);
	if (cim_writer_open(NULL, place->path, NULL, "x.cim", CIM_WRITE_CONSISTENT, &w, &err) ||
	    cim_writer_add(w, cim_str8("file"), &meta, &stream, &err) ||
	    cim_stream_write(stream, bytes, SIZE, NULL, &err))
		bail("%s: %s", err.op, err.cause);
	cim_stream_close(stream);
	return w;
}

static void is_commit(struct cim_writer *w, enum cim_status want, const char *name)
{
	enum cim_status status = cim_writer_commit(w, &err);

	if (!is_str(cim_status_name(status), cim_status_name(want), "%s", name) && status)
		diag("%s", err.cause);
}

static int on_finding(void *ctx, const struct cim_finding *finding)
{
	(void)ctx;
	if (finding->severity != CIM_NOTE)
		diag("%s: %s", finding->structure, finding->message);
	return 0;
}

/* All seven files, and a sound image. */
static void is_whole(struct place *place, const char *name)
{
	struct cim_image *image = NULL;
	struct cim_verify_result result = {CIM_SIZED(result)};
	enum cim_status status;
	char path[1400];

	list(place);
	is_int(place->count, FILES, "%s: the image and its six files", name);
	snprintf(path, sizeof(path), "%s/x.cim", place->path);
	status = cim_image_open(NULL, path, &image, &err);
	if (!status)
		status = cim_image_verify(image, CIM_VERIFY_DEEP, on_finding, NULL, &result, &err);
	if (status)
		diag("%s", err.cause);
	is_int(status, CIM_OK, "%s: it can be read", name);
	is_int((int64_t)result.errors, 0, "%s: it is sound", name);
	cim_image_close(image);
}

static void rebuild(struct place *place, const char *name)
{
	struct cim_writer *w = begin(place);

	is_commit(w, CIM_OK, name);
	cim_writer_close(w);
	is_whole(place, name);
}

static void test_kept_and_replaced(void)
{
	static const char *const starts[] = {"region_", "objectid_"};
	static const char *const ends[] = {"_0", "_1", "_2"};
	struct place *place = fresh("rebuilt");

	rebuild(place, "from nothing");
	drop_image(place);
	rebuild(place, "over the same files");
	for (int i = 0; i < 6; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s", find(place, starts[i / 3], ends[i % 3]));
		spoil(place, name);
		drop_image(place);
		rebuild(place, name);
	}
}

/* Files held by somebody. Who holds one for long costs a second. */
static void test_held(void)
{
	static const char *const starts[] = {"region_", "objectid_"};
	static const char *const ends[] = {"_0", "_1", "_2"};
	static const struct {
		int file;
		bool alone;
	} cases[] = {{0, false}, {1, false}, {2, false}, {4, false},
		     {0, true},	 {2, true},  {3, true}};
	struct place *place = fresh("held");
	cim_vfs_file *file;
	cim_vfs_dir *dir;
	long os_error;

	rebuild(place, "from nothing");
	for (size_t n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
		const int i = cases[n].file;
		const bool alone = cases[n].alone, region = i < 3;
		struct cim_writer *w;
		char name[64];

		drop_image(place);
		snprintf(name, sizeof(name), "%s", find(place, starts[!region], ends[i % 3]));
		dir = open_place(place);
		if (vfs->hold(vfs->ctx, dir, name, 0, alone, &file, &os_error))
			bail("can't hold %s: %ld", name, os_error);
		w = begin(place);
		/* A region file of the same bytes is shared; an object ID file is replaced. */
		is_commit(w, !alone && region ? CIM_OK : CIM_E_SHARING,
			  alone ? "a file that somebody holds alone"
				: "a file that somebody shares");
		vfs->close(vfs->ctx, file);
		vfs->close_dir(vfs->ctx, dir);
		if (alone || !region)
			is_commit(w, CIM_OK, "once more, when he has let go");
		cim_writer_close(w);
		is_whole(place, name);
	}
}

/* A store that has looked before the session began takes its files for orphans. */
static void test_stale_store(void)
{
	struct place *place = fresh("stale");
	const struct cim_store_file *file;
	struct cim_store *store;
	struct cim_writer *w;
	unsigned orphans = 0, left = 0;

	rebuild(place, "from nothing");
	drop_image(place);
	if (cim_store_open(NULL, place->path, false, &store, &err))
		bail("%s", err.cause);
	w = begin(place);
	is_commit(w, CIM_OK, "the orphans are taken into use");
	cim_writer_close(w);
	for (size_t i = 0; (file = cim_store_get(store, i)) != NULL; i++) {
		orphans += !file->owners;
		left += cim_store_remove(store, file->name, &err) == CIM_E_SHARING;
	}
	ok(orphans == 6 && left == 6, "of %u former orphans %u can't be removed: %s", orphans, left,
	   err.cause);
	is_whole(place, "after that");
	drop_image(place);
	left = 0;
	for (size_t i = 0; (file = cim_store_get(store, i)) != NULL; i++)
		left += cim_store_remove(store, file->name, &err) != CIM_OK;
	cim_store_close(store);
	list(place);
	ok(!left && !place->count, "without the image all %u can; %u files are left", orphans,
	   place->count);
}

int main(void)
{
	const char *dir = getenv("TEST_TMP");

	vfs = cim_env_default()->vfs;
	if (!dir)
		bail("TEST_TMP is not set");
	snprintf(top, sizeof(top), "%s/rebuild%s", dir,
#ifdef _WIN32
		 "-windows"
#else
		 ""
#endif
	);
	if (make_directory(top))
		bail("can't make %s: %s", top, strerror(errno));
	test_kept_and_replaced();
	test_held();
	test_stale_store();
	return tap_done();
}
