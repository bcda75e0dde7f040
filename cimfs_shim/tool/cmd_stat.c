/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cmd_stat.c - cimtool stat: all that an image knows about one item
 */
#include "tool.h"

struct item {
	struct tool *t;
	struct cim_image *image;
	const char *name;
	const char *path;
	uint32_t id;
	struct cim_file_info info;
	struct blob security;
	struct blob ea;
	struct blob reparse;
	char *target; /* of a merge link; NULL: it is none */
};

static int fail_read(const struct item *item, struct cim_error *err)
{
	return tool_fail_at(item->t, "read", item->name, item->path, err);
}

/* A blob as hex under a label. */
static void print_hex(const char *label, const struct blob *blob)
{
	char *hex = hex_text(blob->data, blob->size);

	printf("%-12s %s\n", label, hex);
	free(hex);
}

static const char *kind_of(const struct cim_file_info *info)
{
	if (info->is_directory)
		return "directory";
	return info->is_sparse	   ? "file, sparse (all zero, nothing stored)"
	       : info->is_pe_image ? "file, stored as a PE image"
				   : "file";
}

static void print_security(const struct item *item)
{
	struct text sddl = {0};

	if (!item->info.has_security)
		printf("%-12s none\n", "Security:");
	else if (sddl_format(&sddl, item->security.data, item->security.size))
		printf("%-12s %s\n", "Security:", sddl.len ? sddl.s : "");
	else
		print_hex("Security:", &item->security);
	text_free(&sddl);
}

static void print_ea(const struct item *item)
{
	struct ea_entry entry;
	size_t offset = 0;
	int got;

	while ((got = ea_next(item->ea.data, item->ea.size, &offset, &entry)) == 1) {
		struct text name = {0};
		char *hex = hex_text(entry.value, entry.value_len);

		text_escape(&name, entry.name, entry.name_len, 0);
		printf("%-12s %s = %s%s\n", "EA:", name.s, hex,
		       entry.flags & 0x80 ? " (needed)" : "");
		text_free(&name);
		free(hex);
	}
	if (got < 0)
		print_hex("EA (broken):", &item->ea);
}

static void print_reparse(const struct item *item)
{
	const char *tag = reparse_tag_name(item->info.reparse_tag);
	char *target = reparse_target(item->reparse.data, item->reparse.size);

	printf("%-12s 0x%08x%s%s%s, %zu bytes\n", "Reparse tag:", item->info.reparse_tag,
	       tag ? " (" : "", tag ? tag : "", tag ? ")" : "", item->reparse.size);
	if (target) {
		printf("%-12s ", "Target:");
		put_target(stdout, target);
		putchar('\n');
	} else {
		print_hex("Reparse:", &item->reparse);
	}
	free(target);
}

static void print_text(const struct item *item)
{
	const struct cim_file_info *info = &item->info;
	char when[TIME_TEXT];
	char letters[8];

	printf("%-12s ", "Path:");
	put_escaped(stdout, item->path);
	printf("\n%-12s %s\n", "Type:", kind_of(info));
	printf("%-12s %llu\n", "Size:", (unsigned long long)info->size);
	printf("%-12s %s (0x%x, stored flags 0x%x)\n",
	       "Attributes:", attribute_letters(info->attributes, letters),
	       (unsigned)info->attributes, info->flags);
	if (info->marks)
		printf("%-12s %s\n", "Mark:", mark_name(info->marks));
	if (item->target) {
		printf("%-12s ", "Leads to:");
		put_target(stdout, item->target);
		putchar('\n');
	}
	if (info->parent_id)
		printf("%-12s %u (parent %u)\n", "File ID:", info->file_id, info->parent_id);
	else
		printf("%-12s %u (its parent isn't stored)\n", "File ID:", info->file_id);
	printf("%-12s %s\n", "Created:", filetime_text(info->creation_time, when));
	printf("%-12s %s\n", "Written:", filetime_text(info->last_write_time, when));
	printf("%-12s %s\n", "Changed:", filetime_text(info->change_time, when));
	printf("%-12s %s\n", "Accessed:", filetime_text(info->last_access_time, when));
	print_security(item);
	if (info->has_ea)
		print_ea(item);
	if (info->has_reparse)
		print_reparse(item);
}

/* Where the pieces of an expanded PE image lie: of the item's data, or of one of its streams. */
static int each_segment(const struct item *item, const struct cim_data *data, json_t *into)
{
	struct cim_segment segment = {CIM_SIZED(segment)};
	struct cim_error err = {0};
	uint64_t offset = 0;

	while (data->pe && offset < data->size && !ferror(stdout)) {
		if (cim_image_get_segment(item->image, data, offset, &segment, &err))
			return fail_read(item, &err);
		if (into) {
			json_t *o = json_object();

			json_put_int(o, "offset", segment.offset);
			json_put_int(o, "size", segment.len);
			json_put_int(o, "region", cim_region_index(segment.place));
			json_put_int(o, "region_offset", cim_region_byte(segment.place));
			json_put_int(o, "expanded_offset", segment.in_object);
			json_append(into, "segments", o);
		} else {
			printf("%-12s 0x%llx, %llu bytes: at 0x%llx when expanded, in region %u at "
			       "0x%llx\n",
			       "Segment:", (unsigned long long)segment.offset,
			       (unsigned long long)segment.len,
			       (unsigned long long)segment.in_object,
			       (unsigned)cim_region_index(segment.place),
			       (unsigned long long)(segment.place & CIM_MAX_STREAM));
		}
		offset += segment.len;
	}
	return EXIT_OK;
}

/* The same of the item's own data. */
static int own_segments(const struct item *item, json_t *into)
{
	struct cim_error err = {0};
	struct cim_data data = {CIM_SIZED(data)};

	if (!item->info.is_pe_image)
		return EXIT_OK;
	if (cim_image_get_file_data(item->image, &item->info, (struct cim_str){0}, &data, &err))
		return fail_read(item, &err);
	return each_segment(item, &data, into);
}

static void json_security(json_t *o, const struct item *item)
{
	struct text sddl = {0};

	if (!item->info.has_security)
		return;
	if (sddl_format(&sddl, item->security.data, item->security.size))
		json_put_text(o, "sddl", sddl.len ? sddl.s : "");
	json_put_hex(o, "security", item->security.data, item->security.size);
	text_free(&sddl);
}

static void json_ea(json_t *o, const struct item *item)
{
	struct ea_entry entry;
	size_t offset = 0;

	if (!item->info.has_ea)
		return;
	while (ea_next(item->ea.data, item->ea.size, &offset, &entry) == 1) {
		char *name = xstrndup(entry.name, entry.name_len);
		json_t *ea = json_object();

		json_put_text(ea, "name", name);
		json_put_int(ea, "flags", entry.flags);
		json_put_hex(ea, "value", entry.value, entry.value_len);
		json_append(o, "eas", ea);
		free(name);
	}
	json_put_hex(o, "ea", item->ea.data, item->ea.size);
}

static void json_reparse(json_t *o, const struct item *item)
{
	const char *tag = reparse_tag_name(item->info.reparse_tag);
	char *target;

	if (!item->info.has_reparse)
		return;
	target = reparse_target(item->reparse.data, item->reparse.size);
	json_put_int(o, "reparse_tag", item->info.reparse_tag);
	if (tag)
		json_put_text(o, "reparse_tag_name", tag);
	if (target)
		json_put_text(o, "target", target);
	json_put_hex(o, "reparse", item->reparse.data, item->reparse.size);
	free(target);
}

static json_t *json_of(const struct item *item)
{
	const struct cim_file_info *info = &item->info;
	json_t *o = json_object();
	char letters[8];

	json_put_text(o, "path", item->path);
	json_put_text(o, "type", info->is_directory ? "directory" : "file");
	json_put_int(o, "size", info->size);
	json_put_bool(o, "sparse", info->is_sparse);
	json_put_bool(o, "pe_image", info->is_pe_image);
	json_put_text(o, "attributes", attribute_letters(info->attributes, letters));
	json_put_int(o, "attribute_bits", info->attributes);
	json_put_int(o, "flags", info->flags);
	if (info->marks)
		json_put_text(o, "mark", mark_name(info->marks));
	if (item->target)
		json_put_text(o, "target", item->target);
	json_put_int(o, "file_id", info->file_id);
	json_put_int(o, "parent_id", info->parent_id);
	json_put_time(o, "creation", info->creation_time);
	json_put_time(o, "last_write", info->last_write_time);
	json_put_time(o, "change", info->change_time);
	json_put_time(o, "last_access", info->last_access_time);
	json_security(o, item);
	json_ea(o, item);
	json_reparse(o, item);
	return o;
}

static int each_stream(const struct item *item, json_t *into)
{
	struct cim_error err = {0};
	struct cim_iter *iter;
	const struct cim_entry *entry;
	enum cim_status status;
	int code = EXIT_OK;

	if (!item->info.has_streams)
		return EXIT_OK;
	if (cim_iter_file_streams(item->image, &item->info, &iter, &err))
		return tool_fail_cim(item->t, "read", item->name, &err);
	while (!(status = cim_iter_next(iter, &entry, &err)) && entry && !code) {
		json_t *o = NULL;

		if (into) {
			o = json_object();
			json_put_text(o, "name", entry->utf8);
			json_put_int(o, "size", entry->data->size);
			json_put_bool(o, "sparse", entry->data->sparse);
			json_put_bool(o, "pe_image", entry->data->pe);
		} else {
			printf("%-12s ", "Stream:");
			put_escaped(stdout, entry->utf8);
			printf(" (%llu byte%s%s)\n", (unsigned long long)entry->data->size,
			       plural(entry->data->size),
			       entry->data->sparse ? ", sparse"
			       : entry->data->pe   ? ", stored as a PE image"
						   : "");
		}
		code = each_segment(item, entry->data, o);
		if (into)
			json_append(into, "streams", o);
	}
	cim_iter_close(iter);
	return status ? tool_fail_cim(item->t, "read", item->name, &err) : code;
}

static int load(struct item *item)
{
	struct cim_error err = {0};

	if (cim_image_stat(item->image, item->id, &item->info, &err) ||
	    blob_read(item->image, &item->info, CIM_BLOB_SECURITY, &item->security, &err) ||
	    blob_read(item->image, &item->info, CIM_BLOB_EA, &item->ea, &err) ||
	    blob_read(item->image, &item->info, CIM_BLOB_REPARSE, &item->reparse, &err))
		return fail_read(item, &err);
	if (item->info.marks & CIM_MARK_MERGE_LINK) {
		item->target = merge_link_target(item->image, NULL, &item->info, &err);
		return item->target ? EXIT_OK : fail_read(item, &err);
	}
	return EXIT_OK;
}

static int show(struct item *item)
{
	int code = load(item);

	if (!code) {
		json_t *o = item->t->json ? json_of(item) : NULL;

		if (!o)
			print_text(item);
		code = own_segments(item, o);
		if (!code)
			code = each_stream(item, o);
		if (o)
			json_print(stdout, o);
	}
	blob_free(&item->security);
	blob_free(&item->ea);
	blob_free(&item->reparse);
	free(item->target);
	return code;
}

static int stat_path(const struct tool_path *path)
{
	struct item item = {
		.t = path->t,
		.image = path->image,
		.name = path->name,
		.path = path->path,
		.info = {CIM_SIZED(item.info)},
	};
	int code = tool_lookup(item.t, item.image, item.name, item.path, &item.id, NULL);

	if (code)
		return code;
	if (path->shown && !item.t->json)
		putchar('\n');
	return show(&item);
}

static const struct arg_option options[] = {OPEN_OPTIONS, {0}};

static int run(struct tool *t, int argc, char **argv)
{
	t->show_marked = true;
	return tool_each_path(t, argc, argv, stat_path);
}

const struct command cmd_stat = {
	.name = "stat",
	.usage = "[OPTION]... IMAGE PATH...",
	.summary = "tell all about an item",
	.about = "Shows kind, size, attributes, the four times (UTC), the security descriptor in "
		 "SDDL "
		 "(in hex if it is malformed), extended attributes, reparse tag and target, and "
		 "streams. Of a file or stream that is stored as an expanded PE image, each "
		 "segment: its offset in the file and its length, its offset in the expanded "
		 "image, and the region of the image (by its index, see \"cimtool dump --struct\") "
		 "with the offset in it.",
	.options = options,
	.run = run,
};
