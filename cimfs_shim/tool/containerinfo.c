/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * containerinfo.c - a container as a whole, for cimtool info
 */
#include "tool.h"

static const char *sealed_text(const struct cim_container_info *info)
{
	if (info->seal_elsewhere)
		return "yes (the seal isn't here: a device that veritysetup shows)";
	return info->sealed ? "yes" : info->to_be_sealed ? "not yet" : "no";
}

static void print_size(const char *what, uint64_t bytes)
{
	char size[32];

	printf("%-13s %s\n", what, size_text(bytes, size, sizeof(size)));
}

/* That of a VHD, which isn't the container's. */
static bool has_footer(const char *name, const struct cim_container_info *info)
{
	const char *base;
	char *dir = split_image(name, &base); /* all of it, if '/' is its end */
	struct footer footer;

	footer_look(&footer, *base ? name : dir);
	free(dir);
	return footer.found && (uint64_t)footer.at >= info->size;
}

static void print_images(struct cim_store *store)
{
	const struct cim_store_file *f;

	for (size_t i = 0; (f = cim_store_get(store, i)) != NULL; i++) {
		if (f->kind != CIM_KIND_IMAGE)
			continue;
		fputs("  ", stdout);
		put_escaped(stdout, f->name);
		puts(f->flags & CIM_STORE_BROKEN ? " (unreadable)" : "");
	}
}

static void print_text(const char *name, const struct cim_container_info *info,
		       struct cim_store *store)
{
	char *root = hex_text(info->root_hash, sizeof(info->root_hash));

	printf("%-13s ", "Container:");
	put_escaped(stdout, name);
	puts(info->device ? " (a device)" : "");
	print_size("Size:", info->size);
	print_size("Used:", info->used);
	print_size("Lost:", info->lost);
	print_size(info->device ? "Device:" : "File:", info->file_size);
	if (has_footer(name, info))
		printf("%-13s yes\n", "VHD footer:");
	printf("%-13s %s\n", "Sealed:", sealed_text(info));
	if (info->sealed && !info->seal_elsewhere)
		printf("%-13s %s\n", "Root hash:", root);
	printf("%-13s %llu\n", "Files:", (unsigned long long)info->files);
	printf("%-13s %llu\n", "Images:", (unsigned long long)info->images);
	print_images(store);
	free(root);
}

static void json_put_images(json_t *o, struct cim_store *store)
{
	const struct cim_store_file *f;

	for (size_t i = 0; (f = cim_store_get(store, i)) != NULL; i++) {
		json_t *one;

		if (f->kind != CIM_KIND_IMAGE)
			continue;
		one = json_object();
		json_put_text(one, "image", f->name);
		json_put_bool(one, "broken", f->flags & CIM_STORE_BROKEN);
		json_append(o, "images", one);
	}
}

static void print_json(const char *name, const struct cim_container_info *info,
		       struct cim_store *store)
{
	json_t *o = json_object();

	json_put_text(o, "container", name);
	json_put_bool(o, "device", info->device);
	json_put_int(o, "size", info->size);
	json_put_int(o, "used", info->used);
	json_put_int(o, "lost", info->lost);
	json_put_int(o, "file_size", info->file_size);
	json_put_bool(o, "vhd_footer", has_footer(name, info));
	json_put_bool(o, "to_be_sealed", info->to_be_sealed);
	json_put_bool(o, "sealed", info->sealed);
	json_put_bool(o, "seal_elsewhere", info->seal_elsewhere);
	if (info->sealed && !info->seal_elsewhere)
		json_put_hex(o, "root_hash", info->root_hash, sizeof(info->root_hash));
	json_put_int(o, "files", info->files);
	json_put_images(o, store);
	json_print(stdout, o);
}

int container_info(struct tool *t, const char *path)
{
	struct cim_container_info info = {CIM_SIZED(info)};
	struct cim_store *store = NULL;
	struct cim_error err = {0};

	if (t->source_count || t->verified)
		return tool_usage(t, "'%s' is a container: no --source, no --root-hash", path);
	if (cim_container_get_info(NULL, path, &info, &err) ||
	    cim_store_open(NULL, path, false, &store, &err))
		return tool_fail_cim(t, "look at", path, &err);
	(t->json ? print_json : print_text)(path, &info, store);
	cim_store_close(store);
	return EXIT_OK;
}

bool image_is_sealed(const char *image)
{
	struct cim_container_info info = {CIM_SIZED(info)};
	const char *name;
	char *place = split_image(image, &name);
	const bool sealed = image_in_file(image) &&
			    !cim_container_get_info(NULL, place, &info, NULL) && info.sealed;

	free(place);
	return sealed;
}
