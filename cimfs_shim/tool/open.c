/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open.c - the first step of every command that reads
 */
#include "tool.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* One file by two names; by FUSE they may have inode numbers of their own. */
static bool same_file(const struct stat *a, const struct stat *b, bool by_time)
{
	return a->st_dev == b->st_dev &&
	       (a->st_ino == b->st_ino ||
		(by_time && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
		 a->st_mtim.tv_nsec == b->st_mtim.tv_nsec));
}

const char *tool_spelling(struct cim_store *store, const char *dir, const char *name)
{
	const struct cim_store_file *f;
	const char *found = NULL;
	struct stat asked;
	struct stat st;
	int fd;

	for (size_t i = 0; (f = cim_store_get(store, i)) != NULL; i++) {
		if (!strcmp(f->name, name))
			return name;
	}
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstatat(fd, name, &asked, 0))
		goto close_fd;
	for (size_t i = 0; (f = cim_store_get(store, i)) != NULL; i++) {
		const bool alike = !strcasecmp(f->name, name);

		if (f->kind == CIM_KIND_IMAGE && (alike || !found) &&
		    !fstatat(fd, f->name, &st, 0) && same_file(&asked, &st, alike))
			found = f->name;
	}
close_fd:
	if (fd >= 0)
		close(fd);
	return found ? found : name;
}

int take_root_hash(void *tool, void *into, const struct arg_option *option, char *hex)
{
	struct tool *t = tool;

	(void)into;
	(void)option;
	t->verified = arg_bytes(hex, t->root_hash, sizeof(t->root_hash));
	return t->verified ? EXIT_OK
			   : tool_usage(t, "--root-hash is 64 hexadecimal digits, not '%s'", hex);
}

const uint8_t *tool_root_hash(const struct tool *t)
{
	return t->verified ? t->root_hash : NULL;
}

/* @sources: how many of those that were named. */
static enum cim_status open_with(struct tool *t, const struct cim_env *env, const char *path,
				 size_t sources, struct cim_image **image, struct cim_error *err)
{
	const char *const *named = (const char *const *)t->sources;
	const uint8_t *root = tool_root_hash(t);

	if (root)
		return cim_image_open_verified(env, path, named, sources, root, image, err);
	if (sources)
		return cim_image_open_merged(env, path, named, sources, image, err);
	return cim_image_open(env, path, image, err);
}

/* With all that is needed to read it. Where a command is about one image, that must be a merged one
 * if sources were named. */
static enum cim_status open_all(struct tool *t, const struct cim_env *env, const char *path,
				struct cim_image **image, struct cim_error *err)
{
	enum cim_status status = open_with(t, env, path, 0, image, err);
	bool merged;

	if (status)
		return status;
	merged = cim_image_get_info(*image)->source_count != 0;
	t->merged_opened |= merged;
	t->sources_missing |= merged && !t->source_count && image_lacks_sets(*image);
	if (!t->source_count || (!merged && t->several))
		return CIM_OK;
	cim_image_close(*image);
	return open_with(t, env, path, t->source_count, image, err);
}

enum cim_status tool_open_as(struct tool *t, const struct cim_env *env, const char *path,
			     struct cim_image **image, struct cim_error *err)
{
	enum cim_status status = open_all(t, env, path, image, err);

	if (!status && t->show_marked)
		cim_image_show_marked(*image, true);
	return status;
}

int tool_fail_no_image(struct tool *t, const char *op, const char *image, const char *path)
{
	if (image_in_file(path))
		return tool_fail(t, op, image, NULL, "no such image in the container");
	if (access(path, F_OK))
		return tool_fail_errno(t, op, image, NULL);
	tool_fail(t, op, image, NULL, "not an image");
	return EXIT_CORRUPT;
}

int tool_fail_open(struct tool *t, const char *op, const char *image, const struct cim_error *err)
{
	for (size_t i = 0; i < t->source_count; i++)
		if (!strcmp(t->sources[i], err->image))
			image = t->sources[i];
	if (image_before(image))
		return tool_fail_path(t, op, image);
	return tool_fail_cim(t, op, image, err);
}

struct cim_image *tool_open(struct tool *t, const char *path, int *code)
{
	char *real = tool_image_path(t, "open image", path, code);
	struct cim_error err = {0};
	struct cim_image *image = NULL;

	if (real && tool_open_as(t, NULL, real, &image, &err))
		*code = tool_fail_open(t, "open image", path, &err);
	free(real);
	return image;
}

int tool_each_path(struct tool *t, int argc, char **argv, int (*one)(const struct tool_path *))
{
	struct tool_path path = {.t = t};
	int code = tool_args(t, argc, argv, NULL, 2, ANY_NUMBER, "IMAGE and PATH are needed");

	if (code)
		return code;
	path.name = argv[optind++];
	path.image = tool_open(t, path.name, &code);
	if (!path.image)
		return code;
	for (; optind < argc && !ferror(stdout); optind++) {
		int result;

		path.path = argv[optind];
		result = one(&path);
		if (result)
			code = result;
		else
			path.shown = true;
	}
	cim_image_close(path.image);
	return code;
}

int tool_check_sources(struct tool *t)
{
	if (!t->source_count || t->merged_opened)
		return EXIT_OK;
	return tool_fail(t, t->command->name, NULL, NULL,
			 "none of the images is a merged one, which --source is for");
}

int tool_lookup(struct tool *t, struct cim_image *image, const char *name, const char *path,
		uint32_t *id, struct cim_str *stream)
{
	struct cim_error err = {0};
	struct text clean = {0};
	enum cim_status status;
	int code = EXIT_OK;

	/* "dir/" is what a shell completes. */
	text_puts(&clean, path);
	while (clean.len > 1 && clean.s[clean.len - 1] == '/')
		text_cut(&clean, clean.len - 1);
	if (stream)
		status = cim_image_lookup_stream(image, cim_str8(clean.s), id, stream, &err);
	else
		status = cim_image_lookup(image, cim_str8(clean.s), id, &err);
	if (stream && stream->units) /* it is to outlive the copy */
		stream->utf8 = path + (stream->utf8 - clean.s);
	if (status)
		code = tool_fail_at(t, "find", name, clean.s, &err);
	text_free(&clean);
	return code;
}
