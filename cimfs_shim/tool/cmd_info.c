/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_info.c - cimtool info: an image as a whole
 */
#include "tool.h"

#include <errno.h>
#include <sys/stat.h>

struct counts {
	uint64_t directories;
	uint64_t files;
	uint64_t links;
	uint64_t reparse;
	uint64_t sparse;
	uint64_t streams;
	uint64_t bytes;
	uint64_t stream_bytes;
};

/* What is counted, and the means for it. */
struct count {
	struct tool *t;
	struct cim_image *image;
	const char *name;
	struct cim_idset *seen;	   /* files */
	struct cim_budget *budget; /* of stream tables */
	struct counts *counts;
};

static int count_streams(struct count *c, const struct cim_file_info *info)
{
	const struct cim_entry *entry;
	struct cim_error err = {0};
	struct cim_iter *iter;
	struct cim_place place;
	enum cim_status status;

	if (cim_file_place(c->image, info, CIM_PART_STREAMS, &place, &err) ||
	    cim_budget_spend(c->budget, &place, &err) ||
	    cim_iter_file_streams(c->image, info, &iter, &err))
		return tool_fail_cim(c->t, "read", c->name, &err);
	while (!(status = cim_iter_next(iter, &entry, &err)) && entry) {
		c->counts->streams++;
		c->counts->stream_bytes += entry->data->size;
	}
	cim_iter_close(iter);
	return status ? tool_fail_cim(c->t, "read", c->name, &err) : EXIT_OK;
}

static int count_item(struct count *c, const struct cim_file_info *info)
{
	struct counts *counts = c->counts;
	struct cim_error err = {0};
	bool again = false;

	if (!info->is_directory && cim_idset_add(c->seen, info->file_id, &again, &err))
		return tool_fail_cim(c->t, "read", c->name, &err);
	if (again) {
		counts->links++;
		return EXIT_OK;
	}
	counts->directories += info->is_directory;
	counts->files += !info->is_directory;
	counts->bytes += info->size;
	counts->reparse += info->has_reparse;
	counts->sparse += info->is_sparse;
	return info->has_streams ? count_streams(c, info) : EXIT_OK;
}

static int count_all(struct count *c, uint32_t root)
{
	const struct cim_walk_item *item;
	struct cim_error err = {0};
	struct cim_walk *walk;
	enum cim_status status = CIM_OK;
	int code = EXIT_OK;

	if (cim_walk_open(c->image, root, &walk, &err))
		return tool_fail_cim(c->t, "read", c->name, &err);
	while (!code && !(status = cim_walk_next(walk, &item, &err)) && item)
		code = count_item(c, item->info);
	if (status)
		code = tool_fail_cim(c->t, "read", c->name, &err);
	cim_walk_close(walk);
	return code;
}

static int count(struct tool *t, struct cim_image *image, const char *name, uint32_t root,
		 struct counts *counts)
{
	struct count c = {.t = t, .image = image, .name = name, .counts = counts};
	struct cim_error err = {0};
	int code;

	if (cim_idset_open(image, &c.seen, &err) || cim_budget_open(image, &c.budget, &err))
		return tool_fail_cim(t, "read", name, &err);
	code = count_all(&c, root);
	cim_budget_close(c.budget);
	cim_idset_close(c.seen);
	return code;
}

/* The region files of a set. */
struct set_files {
	uint64_t bytes;
	uint32_t unreadable;
};

static struct set_files look_at_set(struct cim_image *image, const struct cim_region_set *set)
{
	struct set_files files = {0};
	uint64_t one;

	for (uint32_t i = 0; i < set->count; i++) {
		if (cim_image_region_size(image, set->first + i, &one, NULL))
			files.unreadable++;
		else
			files.bytes += one;
	}
	return files;
}

/* What counting came across is told; whatever else isn't there is a warning. */
static void warn_of_regions(struct tool *t, struct cim_image *image, const char *name)
{
	const struct cim_region_set *set;
	struct cim_error err = {0};
	uint64_t size;

	for (uint32_t i = 0; (set = cim_image_get_set(image, i)); i++) {
		for (uint32_t k = 0; k < set->count; k++) {
			if (cim_image_region_size(image, set->first + k, &size, &err))
				tool_warn(t, "read", name, NULL, "%s", err.cause);
		}
	}
}

/* The images that it began as: each fork or append added a region set. */
static uint32_t parents_of(const struct cim_image_info *info)
{
	return info->set_count && !info->source_count ? info->set_count - 1 : 0;
}

/* Where in a merged image's sets the sources end, while one goes through the sets. */
struct source_sets {
	uint32_t source;
	uint32_t end;
};

/* The source of which set @index, asked for in order, is the own one, the last; NULL: there is
 * none.
 */
static const struct cim_merged_source *source_of(struct cim_image *image, struct source_sets *at,
						 uint32_t index)
{
	const struct cim_merged_source *source;

	while (at->end <= index && (source = cim_image_get_source(image, at->source))) {
		at->end += source->set_count;
		at->source++;
	}
	return at->end == index + 1 && at->source ? cim_image_get_source(image, at->source - 1)
						  : NULL;
}

static void print_set(struct cim_image *image, const struct cim_region_set *set, bool own,
		      const struct cim_merged_source *source)
{
	const struct set_files files = look_at_set(image, set);
	char guid[CIM_GUID_TEXT];
	char size[32];
	char *root;

	cim_guid_format(&set->guid, guid);
	printf("%-13s %s, %u region%s, %s",
	       own	? "Region set:"
	       : source ? "Source set:"
			: "Parent set:",
	       guid, set->count, plural(set->count), size_text(files.bytes, size, sizeof(size)));
	if (files.unreadable)
		printf(" (without %u that can't be read)", files.unreadable);
	putchar('\n');
	if (!source || !source->verified)
		return;
	root = hex_text(source->root_hash, sizeof(source->root_hash));
	printf("  %-11s %s\n", "Root hash:", root);
	free(root);
}

static void print_text(struct cim_image *image, const char *name, const struct cim_image_info *info,
		       const struct counts *counts)
{
	const struct cim_region_set *set;
	struct source_sets at = {0};
	char size[32];

	printf("%-13s ", "Image:");
	put_escaped(stdout, name);
	printf("\n%-13s %u.%u\n", "Version:", info->version_major, info->version_minor);
	printf("%-13s %s\n", "Sealed:", image_is_sealed(name) ? "yes" : "no");
	if (info->source_count)
		printf("%-13s %u\n", "Sources:", info->source_count);
	else
		printf("%-13s %u\n", "Parents:", parents_of(info));
	for (uint32_t i = 0; (set = cim_image_get_set(image, i)); i++)
		print_set(image, set, i + 1 == info->set_count, source_of(image, &at, i));
	printf("%-13s %u (room for %llu files)\n", "File tables:", info->table_count,
	       (unsigned long long)info->table_count * CIM_FILES_PER_TABLE);
	if (!counts)
		return;
	printf("%-13s %llu\n", "Directories:", (unsigned long long)counts->directories);
	printf("%-13s %llu, %s\n", "Files:", (unsigned long long)counts->files,
	       size_text(counts->bytes, size, sizeof(size)));
	printf("%-13s %llu\n", "Hard links:", (unsigned long long)counts->links);
	printf("%-13s %llu, %s\n", "Alt. streams:", (unsigned long long)counts->streams,
	       size_text(counts->stream_bytes, size, sizeof(size)));
	printf("%-13s %llu\n", "Reparse:", (unsigned long long)counts->reparse);
	printf("%-13s %llu\n", "Sparse:", (unsigned long long)counts->sparse);
}

static void json_put_source(json_t *o, const struct cim_merged_source *source)
{
	json_put_bool(o, "source", source != NULL);
	if (source && source->verified)
		json_put_hex(o, "root_hash", source->root_hash, sizeof(source->root_hash));
}

static void json_put_sets(json_t *o, struct cim_image *image, const struct cim_image_info *info)
{
	const struct cim_region_set *set;
	struct source_sets at = {0};

	for (uint32_t i = 0; (set = cim_image_get_set(image, i)); i++) {
		const struct set_files files = look_at_set(image, set);
		json_t *one = json_object();
		char guid[CIM_GUID_TEXT];

		cim_guid_format(&set->guid, guid);
		json_put_text(one, "guid", guid);
		json_put_int(one, "regions", set->count);
		json_put_int(one, "bytes", files.bytes);
		if (files.unreadable)
			json_put_int(one, "unreadable", files.unreadable);
		json_put_bool(one, "own", i + 1 == info->set_count);
		if (info->source_count)
			json_put_source(one, source_of(image, &at, i));
		json_append(o, "region_sets", one);
	}
}

static void json_put_counts(json_t *o, const struct counts *counts)
{
	json_put_int(o, "directories", counts->directories);
	json_put_int(o, "files", counts->files);
	json_put_int(o, "hard_links", counts->links);
	json_put_int(o, "bytes", counts->bytes);
	json_put_int(o, "alternate_streams", counts->streams);
	json_put_int(o, "alternate_stream_bytes", counts->stream_bytes);
	json_put_int(o, "reparse_points", counts->reparse);
	json_put_int(o, "sparse_files", counts->sparse);
}

static void print_json(struct cim_image *image, const char *name, const struct cim_image_info *info,
		       const struct counts *counts)
{
	json_t *o = json_object();

	json_put_text(o, "image", name);
	json_put_int(o, "version_major", info->version_major);
	json_put_int(o, "version_minor", info->version_minor);
	json_put_bool(o, "sealed", image_is_sealed(name));
	json_put_int(o, "parents", parents_of(info));
	if (info->source_count)
		json_put_int(o, "sources", info->source_count);
	json_put_sets(o, image, info);
	json_put_int(o, "file_tables", info->table_count);
	json_put_int(o, "root_id", info->root_id);
	if (counts)
		json_put_counts(o, counts);
	json_print(stdout, o);
}

struct info_options {
	bool no_count;
};

static const struct arg_option options[] = {
	{.name = "no-count",
	 ARG_SETS(struct info_options, no_count),
	 .help = "only what the header tells, without walking the tree"},
	OPEN_OPTIONS,
	{0},
};

static int run(struct tool *t, int argc, char **argv)
{
	struct info_options o = {0};
	struct counts counts = {0};
	const struct cim_image_info *info;
	struct cim_image *image;
	const char *name;
	int code = tool_args(t, argc, argv, &o, 1, 1, "IMAGE is missing");

	if (code)
		return code;
	name = argv[optind];
	if (is_container(name))
		return container_info(t, name);
	image = tool_open(t, name, &code);
	if (!image)
		return code;
	info = cim_image_get_info(image);
	if (!o.no_count)
		code = count(t, image, name, info->root_id, &counts);
	if (!code)
		warn_of_regions(t, image, name);
	(t->json ? print_json : print_text)(image, name, info, o.no_count || code ? NULL : &counts);
	cim_image_close(image);
	return code;
}

const struct command cmd_info = {
	.name = "info",
	.usage = "[OPTION]... IMAGE|CONTAINER",
	.summary = "tell about an image, or a container, as a whole",
	.about =
		"Shows the format version, the region sets with the bytes of their files (parents, "
		"and sources of a merged image, are shared with other images), and what the image "
		"holds, if all of that can be read. Of a container: the images in it, how much of "
		"it "
		"is used, and how much lost, for what was used once is never used again; whether "
		"it "
		"is sealed, and its root hash.",
	.options = options,
	.run = run,
};
