/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Structures that the caller fills in, of another version of libcim.h than the library's. */
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
	  END(mutex_free), END(mutex_lock), END(mutex_unlock), END(thread_ctx)}},
#undef TYPE
#define TYPE struct cim_vfs
	{"file system",
	 CIM_LEAST_VFS,
	 sizeof(TYPE),
	 {END(struct_size), END(ctx),	    END(fold_names), END(open_dir), END(close_dir),
	  END(sync_dir),    END(open),	    END(close),	     END(size),	    END(pread),
	  END(pwrite),	    END(truncate),  END(sync),	     END(lock),	    END(is_locked),
	  END(rename),	    END(remove),    END(list),	     END(native),   END(hold),
	  END(next_data),   END(error_text)}},
#undef TYPE
#define TYPE struct cim_metadata
	{"metadata",
	 CIM_LEAST_METADATA,
	 sizeof(TYPE),
	 {END(struct_size), END(attributes), END(other_flags), END(size), END(creation_time),
	  END(last_write_time), END(change_time), END(last_access_time), END(security),
	  END(security_size), END(ea), END(ea_size), END(reparse), END(reparse_size)}},
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

static void copies(void)
{
	for (size_t i = 0; i < sizeof(sized) / sizeof(sized[0]); i++) {
		const struct sized *s = &sized[i];
		size_t end = 0;

		for (size_t m = 0; m < 32 && s->members[m]; m++) {
			end = s->members[m];
			take(s, s->size, end, end, CIM_OK);
			take(s, s->size, end + 1, end, CIM_E_INVALID);
		}
		is_int(end, s->least, "%s: the last member is in the least size", s->name);
		take(s, s->size + NEW_MEMBER, s->least, s->size, CIM_OK);
		take(s, s->size, s->least, s->size + 1, CIM_E_UNSUPPORTED);
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
	return cim_structures_visit(&k->env, "mem/x.cim",
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

int main(void)
{
	copies();
	uses();
	copies_are_used();
	return tap_done();
}
