/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * t_container_os.c - containers on the system's own files
 *
 * Natively and under Wine, for the two differ in what may be done to a file that is open and
 * locked. t_container.c has all the cases, in memory; here are those that touch the system: a
 * container gets its name while it is open, is removed so, written where it lies, locked by
 * several, and is the same bytes on both.
 */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L
#endif
#include "../core/container.h"
#include "libcim_advanced.h"
#include "libcim_env.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>
#ifndef _WIN32
#include <pthread.h>
#include <unistd.h>
#endif

static struct cim_error err;
static char top[1024], container[1200];

static enum cim_status is(enum cim_status got, enum cim_status want, const char *what)
{
	if (!ok(got == want, "%s: %s", what, cim_status_name(want)))
		diag("  got %s: %s: %s", cim_status_name(got), err.op, err.cause);
	return got;
}

static enum cim_status open_session(const char *existing, const char *name, unsigned flags,
				    struct cim_writer **w)
{
	return cim_writer_open(NULL, container, existing, name, flags, w, &err);
}

static struct cim_writer *begin(const char *existing, const char *name, unsigned flags)
{
	struct cim_writer *w = NULL;

	if (is(open_session(existing, name, flags, &w), CIM_OK, "a session begins"))
		bail("no session to go on with");
	return w;
}

static void put(struct cim_writer *w, const char *path, const void *data, size_t len)
{
	struct cim_metadata meta = {CIM_SIZED(meta), .size = (int64_t)len};
	struct cim_stream *stream = NULL;

	if (cim_writer_add(w, cim_str8(path), &meta, &stream, &err) ||
	    cim_stream_write(stream, data, len, NULL, &err))
		ok(false, "%s is written: %s", path, err.cause);
	cim_stream_close(stream);
}

static void finish(struct cim_writer *w, const char *what)
{
	is(cim_writer_commit(w, &err), CIM_OK, what);
	cim_writer_close(w);
}

static struct cim_image *open_image(const char *name)
{
	struct cim_image *image = NULL;
	char path[1300];

	snprintf(path, sizeof(path), "%s/%s", container, name);
	is(cim_image_open(NULL, path, &image, &err), CIM_OK, name);
	return image;
}

static void reads_as(const char *name, const char *path, const void *want, size_t size)
{
	struct cim_image *image = open_image(name);
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_verify_result result = {CIM_SIZED(result)};
	char *buf = (char *)malloc(size + 1);
	static struct cim_str none;
	uint32_t id = 0;
	size_t got = 0;

	if (!image || cim_image_lookup(image, cim_str8(path), &id, &err) ||
	    cim_image_get_data(image, id, none, &data, &err) ||
	    cim_image_read(image, &data, 0, buf, size + 1, &got, &err))
		diag("  %s: %s", path, err.cause);
	ok(got == size && !memcmp(buf, want, size), "%s of %s reads as it was written", path, name);
	is(cim_image_verify(image, CIM_VERIFY_DEEP, NULL, NULL, &result, &err), CIM_OK, "verify");
	ok(!result.errors, "nothing is wrong with it");
	free(buf);
	cim_image_close(image);
}

static bool is_there(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (file)
		fclose(file);
	return file;
}

static uint8_t bytes[300000];

static void test_sessions(void)
{
	struct cim_writer *w, *second;
	struct cim_image *image;
	struct cim_store *store;

	snprintf(container, sizeof(container), "%s/c.bcim", top);
	is(open_session(NULL, "a.cim", 0, &w), CIM_E_PATH_NOT_FOUND, "there is no container");
	w = begin(NULL, "a.cim", CIM_WRITE_CONTAINER);
	put(w, "data", bytes, sizeof(bytes));
	ok(is_there(container), "it is made");
	cim_writer_close(w);
	ok(!is_there(container), "and goes without a commit");
	w = begin(NULL, "a.cim", CIM_WRITE_CONTAINER);
	put(w, "data", bytes, sizeof(bytes));
	is(open_session(NULL, "b.cim", 0, &second), CIM_E_SHARING, "a second session");
	finish(w, "commit");
	reads_as("a.cim", "data", bytes, sizeof(bytes));
	image = open_image("A.cim");
	w = begin("a.cim", NULL, 0);
	put(w, "text", "more", 4);
	finish(w, "an extension while the image is read");
	reads_as("a.cim", "text", "more", 4);
	cim_image_close(image);
	image = open_image("a.cim");
	is(cim_image_hold(image, CIM_HOLD_TRY, NULL, &err), CIM_OK, "hold it");
	w = begin("a.cim", NULL, 0);
	put(w, "late", "x", 1);
	is(cim_writer_commit(w, &err), CIM_E_SHARING, "a commit over an image that is mounted");
	cim_image_close(image);
	finish(w, "and when it isn't any more");
	for (int i = 0; i < 2; i++) { /* what the first has made the second finds, and shares */
		w = begin("a.cim", i ? "twin.cim" : "fork.cim", CIM_WRITE_CONSISTENT);
		put(w, "same", bytes, 10000);
		finish(w, "a consistent fork");
	}
	is(cim_store_open(NULL, container, true, &store, &err), CIM_OK, "upkeep");
	is(cim_store_remove(store, "twin.cim", &err), CIM_OK, "remove an image");
	is(cim_store_sync(store, &err), CIM_OK, "and publish that");
	cim_store_close(store);
	reads_as("fork.cim", "same", bytes, 10000);
}

/* The same calls make the same bytes, whatever system they are made on. */
static void test_same_bytes(void)
{
	static const uint8_t want[CIM_CONT_DIGEST] = {0x71, 0xd4, 0x3b, 0x05, 0xd4, 0xf2,
						      0x94, 0x0f, 0x69, 0xa5, 0xb2, 0xdb,
						      0x42, 0x95, 0x7b, 0x9d};
	static uint8_t whole[4 << 20];
	uint8_t digest[CIM_CONT_DIGEST];
	struct cim_writer *w;
	char text[2 * CIM_CONT_DIGEST + 1];
	size_t size = 0;
	FILE *file;

	snprintf(container, sizeof(container), "%s/same.bcim", top);
	w = begin(NULL, "one.cim", CIM_WRITE_CONTAINER | CIM_WRITE_CONSISTENT);
	put(w, "a", bytes, sizeof(bytes));
	put(w, "b", "text", 4);
	put(w, "c", bytes, sizeof(bytes));
	finish(w, "one");
	w = begin("one.cim", "two.cim", CIM_WRITE_CONSISTENT);
	put(w, "d", bytes + 1000, 20000);
	finish(w, "two");
	file = fopen(container, "rb");
	if (file) {
		size = fread(whole, 1, sizeof(whole), file);
		fclose(file);
	}
	cim_cont_digest(whole, size, digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	ok(!memcmp(digest, want, sizeof(digest)), "the container is the bytes that it was: %s",
	   text);
}

/* Sealed while it is read; by the same root hash on both systems. */
static void test_sealing(void)
{
	static const char want[] =
		"721ebb28351dce18b83266df962dcd1dc46cac7ef9101d0abd9e1a632177f7b6";
	struct cim_container_info info = {CIM_SIZED(info)};
	struct cim_image *image, *verified = NULL;
	struct cim_writer *w;
	uint8_t root[CIM_ROOT_HASH];
	char text[2 * CIM_ROOT_HASH + 1], path[1300];

	snprintf(container, sizeof(container), "%s/seal.bcim", top);
	snprintf(path, sizeof(path), "%s/one.cim", container);
	w = begin(NULL, "one.cim", CIM_WRITE_CONTAINER | CIM_WRITE_SEALABLE | CIM_WRITE_CONSISTENT);
	put(w, "a", bytes, sizeof(bytes));
	finish(w, "one");
	image = open_image("one.cim");
	w = begin("one.cim", "two.cim", CIM_WRITE_CONSISTENT);
	is(cim_container_seal(NULL, container, root, NULL, &err), CIM_E_SHARING,
	   "seal under a session");
	finish(w, "two");
	is(cim_container_seal(NULL, container, root, NULL, &err), CIM_OK, "seal while it is read");
	cim_image_close(image);
	for (size_t i = 0; i < sizeof(root); i++)
		snprintf(text + 2 * i, 3, "%02x", root[i]);
	is_str(text, want, "the root hash is what it was");
	is(cim_container_get_info(NULL, container, &info, &err), CIM_OK, "look at it");
	ok(info.sealed && !memcmp(info.root_hash, root, sizeof(root)), "it is sealed");
	is(open_session(NULL, "x.cim", CIM_WRITE_CONTAINER, &w), CIM_E_ACCESS, "a session");
	reads_as("two.cim", "a", bytes, sizeof(bytes));
	is(cim_image_open_verified(NULL, path, NULL, 0, root, &verified, &err), CIM_OK,
	   "open it by the root hash");
	cim_image_close(verified);
	root[5] ^= 1;
	is(cim_image_open_verified(NULL, path, NULL, 0, root, &verified, &err), CIM_E_CORRUPT,
	   "open it by another");
}

#ifndef _WIN32
enum { FORKS = 26, THREADS = 4, ROUNDS = 400, PART = 9000 };

struct job {
	struct cim_image *image;
	unsigned seed, wrong;
};

/* A file of one of the forks, by reading and where it lies in the container. */
static bool reads_part(struct cim_image *image, unsigned n)
{
	struct cim_data data = {CIM_SIZED(data)};
	struct cim_run run = {CIM_SIZED(run)};
	static const struct cim_str none;
	uint8_t buf[PART + 1];
	size_t got = 0;
	uint32_t id;
	char name[16];
	bool good;

	snprintf(name, sizeof(name), "f%u", n);
	if (cim_image_lookup(image, cim_str8(name), &id, NULL) ||
	    cim_image_get_data(image, id, none, &data, NULL) ||
	    cim_image_read(image, &data, 0, buf, sizeof(buf), &got, NULL) || got != PART ||
	    memcmp(buf, bytes + n * 100, PART) ||
	    cim_image_get_run(image, &data, 10, PART, &run, NULL))
		return false;
	good = run.kind == CIM_RUN_FILE && run.len && run.len <= PART - 10 &&
	       pread((int)run.native, buf, (size_t)run.len, (off_t)run.offset) ==
		       (ssize_t)run.len &&
	       !memcmp(buf, bytes + n * 100 + 10, (size_t)run.len);
	cim_run_put(image, &run);
	return good;
}

static void *read_parts(void *arg)
{
	struct job *job = (struct job *)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		job->seed = job->seed * 1103515245 + 12345;
		job->wrong += !reads_part(job->image, job->seed / 65536 % FORKS);
	}
	return NULL;
}

/* Of more sets than files may be open at a time. */
static void test_threads(void)
{
	pthread_t threads[THREADS];
	struct job jobs[THREADS];
	struct cim_image *image;
	char name[2][16] = {"", ""};
	unsigned wrong = 0;

	snprintf(container, sizeof(container), "%s/many.bcim", top);
	for (unsigned i = 0; i < FORKS; i++) {
		struct cim_writer *w;
		char path[16];

		snprintf(name[i % 2], sizeof(name[0]), "%u.cim", i);
		snprintf(path, sizeof(path), "f%u", i);
		w = begin(i ? name[!(i % 2)] : NULL, name[i % 2], CIM_WRITE_CONTAINER);
		put(w, path, bytes + i * 100, PART);
		finish(w, name[i % 2]);
	}
	image = open_image(name[(FORKS - 1) % 2]);
	for (unsigned i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){image, i, 0};
		if (pthread_create(&threads[i], NULL, read_parts, &jobs[i]))
			bail("no thread");
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		wrong += jobs[i].wrong;
	}
	ok(!wrong, "%u threads read %u files each: %u of them wrong", (unsigned)THREADS,
	   (unsigned)ROUNDS, wrong);
	cim_image_close(image);
}
#endif

/* For whom nothing but a container will do. */
static void test_only_containers(void)
{
	struct cim_env env = *cim_env_default();
	struct cim_vfs vfs = *env.vfs;
	struct cim_writer *w = NULL;
	struct cim_image *image = NULL;
	char path[1300];

	vfs.only_containers = true;
	env.vfs = &vfs;
	snprintf(container, sizeof(container), "%s/only.bcim", top);
	is(cim_writer_open(&env, container, NULL, "a.cim", 0, &w, &err), CIM_E_PATH_NOT_FOUND,
	   "only containers: none is made without being asked for");
	is(cim_writer_open(&env, container, NULL, "a.cim", CIM_WRITE_CONTAINER, &w, &err), CIM_OK,
	   "only containers: one is made");
	put(w, "f", bytes, 10);
	finish(w, "only containers: its image is committed");
	snprintf(path, sizeof(path), "%s/a.cim", container);
	is(cim_image_open(&env, path, &image, &err), CIM_OK, "only containers: it is read");
	cim_image_close(image);
	is(cim_writer_open(&env, top, NULL, "a.cim", CIM_WRITE_CONTAINER, &w, &err), CIM_E_CORRUPT,
	   "only containers: a directory, for a session that may make one");
	is(cim_writer_open(&env, top, NULL, "a.cim", 0, &w, &err), CIM_E_CORRUPT,
	   "only containers: a directory, for one that may not");
	snprintf(path, sizeof(path), "%s/no.cim", top);
	is(cim_image_open(&env, path, &image, &err), CIM_E_CORRUPT,
	   "only containers: a directory, to read an image");
	w = NULL;
	is(cim_writer_open(NULL, top, NULL, "plain.cim", 0, &w, &err), CIM_OK,
	   "for others it is one");
	finish(w, "only containers: an image in a directory");
	snprintf(path, sizeof(path), "%s/plain.cim/a.cim", top);
	is(cim_image_open(&env, path, &image, &err), CIM_E_CORRUPT,
	   "only containers: a file that is none");
	snprintf(path, sizeof(path), "%s/none.bcim/a.cim", top);
	is(cim_image_open(&env, path, &image, &err), CIM_E_PATH_NOT_FOUND,
	   "only containers: nothing there");
}

int main(void)
{
	const char *dir = getenv("TEST_TMP");

	if (!dir)
		bail("TEST_TMP is not set");
	snprintf(top, sizeof(top), "%s", dir);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((i * 2654435761u) >> 13);
	test_sessions();
	test_same_bytes();
	test_sealing();
	test_only_containers();
#ifndef _WIN32
	test_threads();
#endif
	return tap_done();
}
