/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.c - Windows' links as Linux's
 *
 * A link is reparse data of the tags SYMLINK and MOUNT_POINT (a junction). What its target means:
 *
 * - relative (a\b, ..\c): a/b, ../c;
 *
 * - rooted (\a\b): the image's root, by as many ".." as the link lies deep, so that it holds
 * wherever the mount stands;
 *
 * - of a drive (\??\C:\a): by hand as \a, for an image is mostly of what was a drive; under Wine
 *   DOSDEVICES/c:/a, what it means there;
 *
 * - of a volume (\??\Volume{G}\a): by hand, or if G is this volume, as \a; else
 * DOSDEVICES/volume{g}/a;
 *
 * - of a server (\??\UNC\s\t\a): by hand //s/t/a; under Wine DOSDEVICES/unc/s/t/a.
 *
 * A ".." never leads out of the image, as on Windows. Anything else (another device, a buffer that
 * is malformed, a target longer than Linux can hold) has no form here: the item then shows as the
 * file or directory that it is, and its reparse data as system.ntfs_reparse_data.
 */
#include "mount.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../host/reparse.h"

/* The target as it grows. */
struct target {
	char text[PATH_MAX];
	size_t len;
	bool unfit; /* it has no form here, for being too long, say */
};

static void add(struct target *t, const char *s, size_t len)
{
	if (len >= sizeof(t->text) - t->len) {
		t->unfit = true;
		return;
	}
	memcpy(t->text + t->len, s, len);
	t->len += len;
	t->text[t->len] = '\0';
}

static void add_component(struct target *t, const char *s, size_t len)
{
	if (t->len && t->text[t->len - 1] != '/')
		add(t, "/", 1);
	add(t, s, len);
}

/*
 * The components of a Windows path, appended. @level: how many directories lie above the place it
 * starts at; a ".." that would go further up is dropped. SIZE_MAX: no limit.
 */
static void add_path(const struct server *s, struct target *t, const uint16_t *path, size_t units,
		     size_t level)
{
	char name[LINUX_NAME];
	size_t i = 0;

	while (i < units) {
		size_t start = i;
		size_t n;

		while (i < units && path[i] != '\\')
			i++;
		n = i - start;
		i++;
		if (!n || (n == 1 && path[start] == '.'))
			continue;
		if (n == 2 && path[start] == '.' && path[start + 1] == '.') {
			if (!level)
				continue;
			if (level != SIZE_MAX)
				level--;
			add_component(t, "..", 2);
			continue;
		}
		if (n > CIM_MAX_NAME) {
			t->unfit = true;
			return;
		}
		if (level != SIZE_MAX)
			level++;
		name_to_linux(s, path + start, n, name);
		add_component(t, name, strlen(name));
	}
}

/* A path from the image's root. */
static void add_rooted(const struct server *s, struct target *t, const uint16_t *path, size_t units,
		       uint32_t depth)
{
	for (uint32_t i = 0; i < depth && !t->unfit; i++)
		add_component(t, "..", 2);
	add_path(s, t, path, units, 0);
}

/* Does the path begin with @prefix, ASCII case ignored? */
static bool begins(const uint16_t *path, size_t units, const char *prefix)
{
	size_t i;

	for (i = 0; prefix[i]; i++) {
		if (i >= units || path[i] > 127 ||
		    tolower(path[i]) != tolower((unsigned char)prefix[i]))
			return false;
	}
	return true;
}

static bool is_drive(const uint16_t *path, size_t units)
{
	return units >= 2 && path[0] < 128 && isalpha(path[0]) && path[1] == ':' &&
	       (units == 2 || path[2] == '\\');
}

/* Bytes of "Volume{GUID}", 0 if the path doesn't begin so; *guid is its text. */
static size_t volume_prefix(const uint16_t *path, size_t units, char guid[CIM_GUID_TEXT])
{
	const size_t all = 7 + 36 + 1;
	struct cim_guid parsed;

	if (units < all || !begins(path, units, "Volume{") || path[all - 1] != '}' ||
	    (units > all && path[all] != '\\'))
		return 0;
	for (size_t i = 0; i < 36; i++)
		guid[i] = path[7 + i] < 128 ? (char)path[7 + i] : '?';
	guid[36] = '\0';
	if (!cim_guid_parse(guid, &parsed))
		return 0;
	cim_guid_format(&parsed, guid);
	return all;
}

/* A path of the NT namespace, behind "\??\". false: it has no form here. */
static bool add_absolute(struct server *s, struct target *t, const uint16_t *path, size_t units,
			 uint32_t depth)
{
	const char *dos = s->options->volume ? volume_dosdevices(s->options->volume) : NULL;
	char guid[CIM_GUID_TEXT];
	char name[64];
	size_t skip;

	if (is_drive(path, units)) {
		if (!dos) {
			add_rooted(s, t, path + 2, units - 2, depth);
			return true;
		}
		snprintf(name, sizeof(name), "%c:", tolower(path[0]));
		skip = 2;
	} else if ((skip = volume_prefix(path, units, guid))) {
		if (!dos || !strcmp(guid, volume_guid(s->options->volume))) {
			add_rooted(s, t, path + skip, units - skip, depth);
			return true;
		}
		snprintf(name, sizeof(name), "volume{%s}", guid);
	} else if (begins(path, units, "UNC\\")) {
		snprintf(name, sizeof(name), "unc");
		skip = 3;
		if (!dos) {
			add(t, "//", 2);
			add_path(s, t, path + skip, units - skip, SIZE_MAX);
			return true;
		}
	} else {
		return false;
	}
	add(t, dos, strlen(dos));
	add_component(t, name, strlen(name));
	add_path(s, t, path + skip, units - skip, SIZE_MAX);
	return true;
}

static bool translate(struct server *s, struct target *t, const uint16_t *path, size_t units,
		      bool relative, uint32_t depth)
{
	for (size_t i = 0; i < units; i++) {
		if (!path[i])
			return false;
	}
	if (relative && path[0] == '\\') {
		add_rooted(s, t, path, units, depth);
	} else if (relative) {
		add_path(s, t, path, units, depth);
	} else {
		const size_t skip = begins(path, units, "\\??\\") || begins(path, units, "\\\\?\\")
					    ? 4
					    : 0;

		if (!add_absolute(s, t, path + skip, units - skip, depth))
			return false;
	}
	/* What leads from the root to the root. */
	if (!t->len)
		add(t, ".", 1);
	return true;
}

/* Does the item show as a link, if its reparse data have a form here? */
static bool is_link(const struct server *s, const struct cim_file_info *info)
{
	return s->options->reparse == REPARSE_LINKS && info->has_reparse &&
	       (info->reparse_tag == CIM_TAG_SYMLINK || info->reparse_tag == CIM_TAG_MOUNT_POINT);
}

/* The target that reparse data stand for. false: no memory. */
static bool get_target(struct server *s, struct target *t, const uint8_t *data, size_t size,
		       uint32_t depth)
{
	struct reparse_link link;
	uint16_t *path;

	if (!cim_blob_valid(CIM_BLOB_REPARSE, data, size) ||
	    !reparse_parse_link(data, size, &link) || !link.target.units) {
		t->unfit = true;
		return true;
	}
	path = malloc(link.target.units * sizeof(*path));
	if (!path)
		return false;
	reparse_name_units(&link.target, path);
	if (!translate(s, t, path, link.target.units, link.relative, depth))
		t->unfit = true;
	free(path);
	return true;
}

char *link_target(struct server *s, const struct cim_file_info *info, uint32_t depth, int *error)
{
	struct cim_error err = {0};
	struct target *t = NULL;
	uint8_t *data = NULL;
	char *result = NULL;
	size_t size;
	enum cim_status status;

	*error = 0;
	if (!is_link(s, info))
		return NULL;
	*error = ENOMEM;
	data = malloc(CIM_MAX_BLOB);
	t = calloc(1, sizeof(*t));
	if (!data || !t)
		goto out;
	status = cim_image_get_file_blob(s->image, info, CIM_BLOB_REPARSE, data, CIM_MAX_BLOB,
					 &size, &err);
	if (status) {
		*error = log_status(status, &err, info->file_id);
		goto out;
	}
	if (!get_target(s, t, data, size, depth))
		goto out;
	if (!t->unfit)
		result = strdup(t->text);
	*error = t->unfit || result ? 0 : ENOMEM;
out:
	free(t);
	free(data);
	return result;
}
