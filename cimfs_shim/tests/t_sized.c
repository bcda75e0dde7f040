/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structures of the caller's, of another version of libcim.h than the library's. */
#include "../core/sized.h"
#include "kit.h"

#define NEW_MEMBER 16 /* bytes that a later version has more */

/* ---- the copy that the library makes ---- */

static const struct sized {
	const char *name;
	size_t least, size;
	size_t members[32]; /* their ends; 0 ends the list */
} sized[] = {
#define END(m) CIM_END_OF(TYPE, m)
#define TYPE   struct cim_env
	{"environment",
	 CIM_LEAST_ENV,
	 sizeof(TYPE),
	 {END(struct_size), END(mem), END(vfs), END(random), END(random_ctx), END(now_ms),
	  END(sleep_ms), END(clock_ctx), END(progress), END(progress_ctx), END(mutex_new),
	  END(mutex_free), END(mutex_lock), END(mutex_unlock), END(thread_ctx), END(sha256),
	  END(sha256_ctx)}},
#undef TYPE
#define TYPE struct cim_vfs
	{"file system",
	 CIM_LEAST_VFS,
	 sizeof(TYPE),
	 {END(struct_size),   END(ctx),		  END(fold_names),
	  END(windows_paths), END(no_containers), END(only_containers),
	  END(open_dir),      END(close_dir),	  END(sync_dir),
	  END(open),	      END(close),	  END(size),
	  END(pread),	      END(pwrite),	  END(truncate),
	  END(sync),	      END(lock),	  END(is_locked),
	  END(rename),	      END(remove),	  END(list),
	  END(map),	      END(hold),	  END(next_data),
	  END(is_named),      END(is_device),	  END(error_text),
	  END(corrupt_text)}},
#undef TYPE
#define TYPE struct cim_metadata
	{"metadata",
	 CIM_LEAST_METADATA,
	 sizeof(TYPE),
	 {END(struct_size), END(attributes), END(other_flags), END(size), END(creation_time),
	  END(last_write_time), END(change_time), END(last_access_time), END(security),
	  END(security_size), END(ea), END(ea_size), END(reparse), END(reparse_size), END(keep),
	  END(keep_attributes)}},
#undef TYPE
#define TYPE struct cim_source
	{"source", CIM_LEAST_SOURCE, sizeof(TYPE), {END(struct_size), END(ctx), END(pread)}},
#undef TYPE
#define TYPE struct cim_structure_visitor
	{"visitor",
	 CIM_LEAST_VISITOR,
	 sizeof(TYPE),
	 {END(struct_size), END(ctx), END(structure), END(field), END(bytes), END(broken)}},
#undef TYPE
#define TYPE struct cim_file_info
	{"file info",
	 CIM_LEAST_FILE_INFO,
	 sizeof(TYPE),
	 {END(struct_size),	END(file_id),	  END(parent_id),	 END(attributes),
	  END(flags),		END(ea_size),	  END(reparse_tag),	 END(creation_time),
	  END(last_write_time), END(change_time), END(last_access_time), END(size),
	  END(is_directory),	END(is_sparse),	  END(is_pe_image),	 END(has_security),
	  END(has_ea),		END(has_reparse), END(has_streams),	 END(priv)}},
#undef TYPE
#define TYPE struct cim_data
	{"data",
	 CIM_LEAST_DATA,
	 sizeof(TYPE),
	 {END(struct_size), END(size), END(sparse), END(pe), END(priv)}},
#undef TYPE
#define TYPE struct cim_run
	{"run",
	 CIM_LEAST_RUN,
	 sizeof(TYPE),
	 {END(struct_size), END(kind), END(len), END(offset), END(native), END(priv)}},
#undef TYPE
#define TYPE struct cim_segment
	{"segment",
	 CIM_LEAST_SEGMENT,
	 sizeof(TYPE),
	 {END(struct_size), END(offset), END(len), END(stored), END(place), END(in_object)}},
#undef TYPE
#define TYPE struct cim_verify_result
	{"verify result",
	 CIM_LEAST_VERIFY,
	 sizeof(TYPE),
	 {END(struct_size), END(errors), END(streams), END(streams_digest), END(metadata),
	  END(metadata_digest)}},
#undef TYPE
#define TYPE struct cim_writer_stats
	{"stats",
	 CIM_LEAST_STATS,
	 sizeof(TYPE),
	 {END(struct_size), END(files), END(streams), END(bytes), END(stored_bytes),
	  END(dropped_flags)}},
#undef TYPE
#define TYPE struct cim_container_info
	{"container info",
	 CIM_LEAST_CONTAINER,
	 sizeof(TYPE),
	 {END(struct_size), END(to_be_sealed), END(sealed), END(seal_elsewhere), END(device),
	  END(size), END(file_size), END(used), END(lost), END(files), END(images),
	  END(data_blocks), END(root_hash)}},
#undef TYPE
#undef END
};

/* A caller's structure of @size bytes, none of them 0 and none behind them its own. */
static uint8_t *callers(size_t size)
{
	uint8_t *given = (uint8_t *)malloc(size);

	memset(given, 0x5a, size);
	memcpy(given, &size, sizeof(size));
	return given;
}

/* A library that knows @known bytes, and has known @least in its first release. */
static void take(const struct sized *s, size_t known, size_t least, size_t given_size,
		 enum cim_status want)
{
	struct cim_error err = {0};
	uint8_t own[512], expected[512] = {0}, *given = callers(given_size);

	memset(own, 0xa5, sizeof(own));
	is_int(cim_take_sized(own, known, least, given, s->name, &err), want,
	       "%s: %u bytes for a library that knows %u of at least %u", s->name,
	       (unsigned)given_size, (unsigned)known, (unsigned)least);
	if (want) {
		ok(strstr(err.cause, s->name) != NULL, "which is named: %s", err.cause);
		memset(expected, 0xa5, known);
	} else {
		memcpy(expected, given, given_size);
		memcpy(expected, &known, sizeof(known));
	}
	is_mem(own, expected, known, want ? "nothing is copied" : "the rest is 0");
	ok(own[known] == 0xa5, "nothing is written behind it");
	free(given);
}

/* The other way: what a library that knows @known bytes tells a caller of @given_size. */
static void give(const struct sized *s, size_t known, size_t least, size_t given_size,
		 enum cim_status want)
{
	struct cim_error err = {0};
	uint8_t *given = callers(given_size), *expected = callers(given_size), own[512];
	const size_t told = known < given_size ? known : given_size;

	memset(own, 0xa5, sizeof(own));
	if (!want)
		memset(expected + sizeof(size_t), 0xa5, told - sizeof(size_t));
	is_int(cim_blank_sized(given, own, known, least, s->name, &err), want,
	       "%s: %u bytes from a library that knows %u of at least %u", s->name,
	       (unsigned)given_size, (unsigned)known, (unsigned)least);
	if (want)
		ok(strstr(err.cause, s->name) != NULL, "which is named: %s", err.cause);
	is_mem(given, expected, given_size,
	       want ? "nothing is given" : "what both know is given, and struct_size stays");
	free(given);
	free(expected);
}

static void copies(void)
{
	for (size_t i = 0; i < sizeof(sized) / sizeof(sized[0]); i++) {
		const struct sized *s = &sized[i];
		size_t end = 0;

		for (size_t m = 0; m < 32 && s->members[m]; m++) {
			end = s->members[m];
			take(s, s->size, end, end, CIM_OK);
			take(s, s->size, end + 1, end, CIM_E_INVALID);
			give(s, s->size, end, end, CIM_OK);
			give(s, s->size, end + 1, end, CIM_E_INVALID);
		}
		is_int(end, s->least, "%s: the last member is in the least size", s->name);
		take(s, s->size + NEW_MEMBER, s->least, s->size, CIM_OK);
		take(s, s->size, s->least, s->size + 1, CIM_E_UNSUPPORTED);
		give(s, s->size + NEW_MEMBER, s->least, s->size, CIM_OK);
		give(s, s->size, s->least, s->size + NEW_MEMBER, CIM_OK);
	}
}

/* ---- through the library's functions ---- */

static enum cim_status use_env(struct kit *k, const void *env)
{
	struct cim_image *image;
	struct cim_writer *writer;
	struct cim_store *store;
	enum cim_status status = cim_image_open(env, "mem/x.cim", &image, &k->err);

	is_int(cim_writer_open(env, "mem", NULL, "new.cim", 0, &writer, &k->err), status,
	       "as a session");
	cim_writer_close(writer);
	is_int(cim_store_open(env, "mem", false, &store, &k->err), status, "as a store");
	cim_store_close(store);
	cim_image_close(image);
	return status;
}

static enum cim_status use_vfs(struct kit *k, const void *vfs)
{
	struct cim_env env = k->env;

	env.vfs = (const struct cim_vfs *)vfs;
	return use_env(k, &env);
}

static enum cim_status use_metadata(struct kit *k, const void *metadata)
{
	struct cim_writer *writer = begin(k, NULL, "new.cim");
	enum cim_status status = cim_writer_add(
		writer, cim_str8("file"), (const struct cim_metadata *)metadata, NULL, &k->err);

	cim_writer_close(writer);
	return status;
}

static enum cim_status use_source(struct kit *k, const void *source)
{
	struct cim_metadata metadata = meta_file(4);
	struct cim_writer *writer = begin(k, NULL, "new.cim");
	struct cim_stream *stream;
	enum cim_status status;

	must(k, cim_writer_add(writer, cim_str8("file"), &metadata, &stream, &k->err));
	status = cim_stream_fill(stream, (const struct cim_source *)source, &k->err);
	cim_stream_close(stream);
	cim_writer_close(writer);
	return status;
}

static enum cim_status use_visitor(struct kit *k, const void *visitor)
{
	return cim_structures_visit(&k->env, "mem/x.cim", NULL, 0, NULL,
				    (const struct cim_structure_visitor *)visitor, NULL, &k->err);
}

static enum cim_status source_pread(void *ctx, uint64_t offset, void *buf, size_t len,
				    struct cim_error *err)
{
	(void)ctx;
	(void)offset;
	(void)err;
	memset(buf, 'x', len);
	return CIM_OK;
}

static void use(struct kit *k, const char *name, const void *structure, size_t size,
		enum cim_status (*with)(struct kit *k, const void *given))
{
	const size_t small = size - 1, later = size + NEW_MEMBER;
	uint8_t *given = (uint8_t *)calloc(1, later);

	memcpy(given, structure, size);
	is_int(with(k, given), CIM_OK, "%s: of this version", name);
	memcpy(given, &later, sizeof(later));
	is_int(with(k, given), CIM_OK, "%s: of a later one, its new member not set", name);
	given[later - 1] = 1;
	is_int(with(k, given), CIM_E_UNSUPPORTED, "%s: and set", name);
	memcpy(given, &small, sizeof(small));
	is_int(with(k, given), CIM_E_INVALID, "%s: less than the first release has", name);
	memset(given, 0, sizeof(size));
	is_int(with(k, given), CIM_E_INVALID, "%s: its size was not set", name);
	free(given);
}

static void uses(void)
{
	struct kit k = kit_new();
	struct cim_metadata metadata = meta_file(4);
	struct cim_source source = {CIM_SIZED(source), NULL, source_pread};
	struct cim_structure_visitor visitor = {CIM_SIZED(visitor)};
	struct cim_writer *writer = begin(&k, NULL, "x.cim");

	put(&k, writer, "file", "text");
	finish(&k, writer);
	use(&k, "environment", &k.env, sizeof(k.env), use_env);
	use(&k, "file system", k.env.vfs, sizeof(*k.env.vfs), use_vfs);
	use(&k, "metadata", &metadata, sizeof(metadata), use_metadata);
	use(&k, "source", &source, sizeof(source), use_source);
	use(&k, "visitor", &visitor, sizeof(visitor), use_visitor);
	kit_free(&k);
}

/* ---- what they fill in ---- */

/* An image, its one file and this file's data, and a session. */
struct scene {
	struct kit k;
	struct cim_image *image;
	struct cim_writer *writer;
	struct cim_file_info info;
	struct cim_data data;
};

static struct scene scene_new(void)
{
	struct scene s = {.k = kit_new(), .info = {CIM_SIZED(s.info)}, .data = {CIM_SIZED(s.data)}};
	struct cim_writer *writer = begin(&s.k, NULL, "x.cim");
	uint32_t id;

	put(&s.k, writer, "file", "text");
	finish(&s.k, writer);
	s.writer = begin(&s.k, NULL, "y.cim");
	put(&s.k, s.writer, "file", "text");
	s.image = open_image(&s.k, "x.cim");
	must(&s.k, cim_image_lookup(s.image, cim_str8("file"), &id, &s.k.err));
	must(&s.k, cim_image_stat(s.image, id, &s.info, &s.k.err));
	must(&s.k, cim_image_get_data(s.image, id, cim_str8(""), &s.data, &s.k.err));
	return s;
}

static void scene_free(struct scene *s)
{
	cim_image_close(s->image);
	cim_writer_close(s->writer);
	kit_free(&s->k);
}

static enum cim_status fill_info(struct scene *s, void *out)
{
	return cim_image_stat(s->image, s->info.file_id, (struct cim_file_info *)out, &s->k.err);
}

static enum cim_status fill_info_of_session(struct scene *s, void *out)
{
	return cim_writer_stat(s->writer, cim_str8("file"), (struct cim_file_info *)out, &s->k.err);
}

static enum cim_status fill_data(struct scene *s, void *out)
{
	return cim_image_get_data(s->image, s->info.file_id, cim_str8(""), (struct cim_data *)out,
				  &s->k.err);
}

static enum cim_status fill_file_data(struct scene *s, void *out)
{
	return cim_image_get_file_data(s->image, &s->info, cim_str8(""), (struct cim_data *)out,
				       &s->k.err);
}

static enum cim_status fill_run(struct scene *s, void *out)
{
	return cim_image_get_run(s->image, &s->data, 1, 2, (struct cim_run *)out, &s->k.err);
}

static enum cim_status fill_segment(struct scene *s, void *out)
{
	return cim_image_get_segment(s->image, &s->data, 1, (struct cim_segment *)out, &s->k.err);
}

static enum cim_status fill_stats(struct scene *s, void *out)
{
	return cim_writer_get_stats(s->writer, (struct cim_writer_stats *)out, &s->k.err);
}

static enum cim_status fill_verified(struct scene *s, void *out)
{
	return cim_image_verify(s->image, CIM_VERIFY_DEEP, NULL, NULL,
				(struct cim_verify_result *)out, &s->k.err);
}

/* A structure of @size bytes whose 64-bit member at @at is to be @want. */
static void fill(struct scene *s, const char *name, size_t size, size_t at, uint64_t want,
		 enum cim_status (*with)(struct scene *s, void *out))
{
	const size_t later = size + NEW_MEMBER, small = size - 1;
	uint8_t *out = callers(later), *untouched = callers(later);
	uint64_t got;

	is_int(with(s, out), CIM_OK, "%s: of a later version", name);
	memcpy(&got, out + at, sizeof(got));
	is_hex(got, want, "its member");
	is_mem(out, &later, sizeof(later), "struct_size stays");
	is_mem(out + size, untouched + size, NEW_MEMBER, "and what isn't known");
	memcpy(untouched, &small, sizeof(small));
	memcpy(out, untouched, later);
	is_int(with(s, out), CIM_E_INVALID, "%s: less than the first release has", name);
	ok(*s->k.err.op && strstr(s->k.err.cause, "struct_size"), "%s: %s", s->k.err.op,
	   s->k.err.cause);
	is_mem(out, untouched, later, "nothing is filled in");
	memset(out, 0, sizeof(size));
	is_int(with(s, out), CIM_E_INVALID, "%s: its size was not set", name);
	free(out);
	free(untouched);
}

static void fills(void)
{
	struct scene s = scene_new();
	const struct cim_file_info *i = &s.info;

	fill(&s, "info", sizeof(*i), offsetof(struct cim_file_info, size), 4, fill_info);
	fill(&s, "info of a session", sizeof(*i), offsetof(struct cim_file_info, size), 4,
	     fill_info_of_session);
	fill(&s, "data", sizeof(s.data), offsetof(struct cim_data, size), 4, fill_data);
	fill(&s, "a file's data", sizeof(s.data), offsetof(struct cim_data, size), 4,
	     fill_file_data);
	fill(&s, "run", sizeof(struct cim_run), offsetof(struct cim_run, len), 2, fill_run);
	fill(&s, "segment", sizeof(struct cim_segment), offsetof(struct cim_segment, len), 3,
	     fill_segment);
	fill(&s, "verify result", sizeof(struct cim_verify_result),
	     offsetof(struct cim_verify_result, streams), 1, fill_verified);
	fill(&s, "stats", sizeof(struct cim_writer_stats), offsetof(struct cim_writer_stats, bytes),
	     4, fill_stats);
	scene_free(&s);
}

/* What was filled in comes back too small, or by a caller who didn't set its copy's size. */
static void given_back(void)
{
	struct scene s = scene_new();
	const struct cim_file_info info = {.file_id = s.info.file_id};
	const struct cim_data data = {.size = 4};
	struct cim_run run = {CIM_SIZED(run)};
	struct cim_data out = {CIM_SIZED(out)};
	struct cim_segment segment = {CIM_SIZED(segment)};
	struct cim_iter *iter;
	struct cim_error err;
	char buf[4];
	size_t got;

	is_int(cim_image_get_file_data(s.image, &info, cim_str8(""), &out, &err), CIM_E_INVALID,
	       "data by such an info");
	is_int(cim_image_get_file_blob(s.image, &info, CIM_BLOB_SECURITY, NULL, 0, &got, &err),
	       CIM_E_INVALID, "a security descriptor");
	is_int(cim_iter_file_streams(s.image, &info, &iter, &err), CIM_E_INVALID, "streams");
	is_int(cim_image_read(s.image, &data, 0, buf, 4, &got, &err), CIM_E_INVALID,
	       "reading such data");
	is_int(cim_image_get_run(s.image, &data, 0, 4, &run, &err), CIM_E_INVALID, "a run of it");
	is_int(run.native, -1, "is none");
	is_int(cim_image_get_segment(s.image, &data, 0, &segment, &err), CIM_E_INVALID,
	       "a segment of it");
	must(&s.k, cim_image_get_run(s.image, &s.data, 0, 4, &run, &s.k.err));
	run.struct_size--;
	cim_run_put(s.image, &run);
	is_int(run.len, 4, "such a run is left alone");
	run.struct_size++;
	cim_run_put(s.image, &run);
	scene_free(&s);
}

/* What a handle was opened with may go, or become something else. */
static void copies_are_used(void)
{
	struct kit k = kit_new();
	struct cim_vfs vfs = k.m->vfs;
	struct cim_env env = k.env;
	struct cim_image *image;
	struct cim_writer *writer;
	struct cim_store *store;

	env.vfs = &vfs;
	must(&k, cim_writer_open(&env, "mem", NULL, "x.cim", 0, &writer, &k.err));
	memset(&vfs, 0, sizeof(vfs));
	put(&k, writer, "file", "text");
	ok(finish(&k, writer), "a session ends without its caller's file system");
	vfs = k.m->vfs;
	must(&k, cim_image_open(&env, "mem/x.cim", &image, &k.err));
	must(&k, cim_store_open(&env, "mem", false, &store, &k.err));
	memset(&vfs, 0, sizeof(vfs));
	memset(&env, 0, sizeof(env));
	is_int(cim_image_verify(image, CIM_VERIFY_DEEP, NULL, NULL, NULL, &k.err), CIM_OK,
	       "an image is read without it");
	cim_image_close(image);
	is_int(cim_store_remove(store, "x.cim", &k.err), CIM_OK, "a store removes without it");
	cim_store_close(store);
	kit_free(&k);
}

static void no_file_system(void)
{
	struct kit k = kit_new();
	struct cim_env env = k.env;
	struct cim_image *image;

	env.vfs = NULL;
	gives(&k, cim_image_open(&env, "mem/x.cim", &image, &k.err), CIM_E_POINTER);
	is_str(k.err.cause, "the environment has no file system", "why");
	kit_free(&k);
}

int main(void)
{
	copies();
	uses();
	fills();
	given_back();
	copies_are_used();
	no_file_system();
	return tap_done();
}
