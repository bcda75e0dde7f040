/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/owners.c: the first bytes of a file, and whether it is an image by them. */
#include "../core/owners.h"
#include "kit.h"

static struct kit k;

/* A file of so many bytes of a header, which calls itself of a type. */
static void head_of(size_t size, unsigned type, bool image)
{
	uint8_t bytes[64] = {0};
	struct cim_file_head head;
	cim_vfs_dir *dir = NULL;
	long os_error;
	unsigned other = 0;

	memcpy(bytes, CIM_MAGIC, CIM_MAGIC_SIZE);
	bytes[CIM_OFF(common_header, type)] = (uint8_t)type;
	memfs_put(k.m, "file", bytes, size);
	if (k.m->vfs.open_dir(k.m, "mem", 0, &dir, &os_error))
		bail("no directory");
	memset(&head, 0xee, sizeof(head));
	must(&k, cim_read_head(&k.env, dir, "file", &head, &k.err));
	k.m->vfs.close_dir(k.m, dir);
	is_int((int64_t)head.size, (int64_t)size, "%zu bytes: its size", size);
	is_int((int64_t)head.got, size < 32 ? (int64_t)size : 32, "%zu bytes: what was read", size);
	for (size_t i = head.got; i < sizeof(head.bytes); i++)
		other += head.bytes[i] != 0;
	is_int(other, 0, "%zu bytes: the rest is zero", size);
	is_int(cim_head_is_image(&head), image, "%zu bytes, type %u: an image", size, type);
}

static void missing(void)
{
	struct cim_file_head head;
	cim_vfs_dir *dir = NULL;
	long os_error;

	if (k.m->vfs.open_dir(k.m, "mem", 0, &dir, &os_error))
		bail("no directory");
	memset(&head, 0xee, sizeof(head));
	gives(&k, cim_read_head(&k.env, dir, "none", &head, &k.err), CIM_E_FILE_NOT_FOUND);
	ok(!head.size && !head.got && !cim_head_is_image(&head), "of no file there is nothing");
	k.m->vfs.close_dir(k.m, dir);
}

/* A file that goes, or can't be opened, when it is its turn. */
static const char *victim;
static enum cim_status fate;

static void before_open(struct memfs *m, enum mem_op op, const char *name)
{
	if (op != MEM_OPEN || strcmp(name, victim))
		return;
	m->fail_at = m->ops + (fate == CIM_E_FILE_NOT_FOUND ? 0 : 1);
	m->fail_status = fate;
	if (fate == CIM_E_FILE_NOT_FOUND)
		memfs_unlink(m, name);
}

/* Is the set of owner.cim owned, when something befalls @name? */
static void owned(const char *name, enum cim_status what, enum cim_status want, bool is_owned)
{
	struct kit copy = kit_copy(&k);
	cim_vfs_dir *dir = NULL;
	struct cim_image *image;
	struct cim_guid guid;
	bool got = !is_owned;
	long os_error;

	image = open_image(&k, "owner.cim");
	guid = cim_image_get_set(image, 0)->guid;
	cim_image_close(image);
	if (copy.m->vfs.open_dir(copy.m, "mem", 0, &dir, &os_error))
		bail("no directory");
	victim = name;
	fate = what;
	copy.m->before = before_open;
	is_int(cim_set_is_owned(&copy.env, dir, &guid, &got, &copy.err), want, "%s: %s: the search",
	       name, cim_status_name(what));
	is_int(got, is_owned, "%s: %s: the set is owned", name, cim_status_name(what));
	is_int(copy.err.status, want, "%s: %s: the detail is that of the answer", name,
	       cim_status_name(what));
	copy.m->before = NULL;
	copy.m->fail_at = 0;
	copy.m->vfs.close_dir(copy.m, dir);
	kit_free(&copy);
}

/* The owner is found before and behind what can't be asked; without it, that is the answer, but for
 * a file that is gone. */
static void search(void)
{
	struct cim_writer *w;

	memfs_unlink(k.m, "file"); /* which is a broken image, and such may own any */
	w = begin(&k, NULL, "owner.cim");
	put(&k, w, "file", "text");
	finish(&k, w);
	memfs_put(k.m, "aside", "text", 4);
	owned("none", CIM_OK, CIM_OK, true);
	owned("aside", CIM_E_FILE_NOT_FOUND, CIM_OK, true);
	owned("owner.cim", CIM_E_FILE_NOT_FOUND, CIM_OK, false);
	owned("owner.cim", CIM_E_IO, CIM_E_IO, false);
	owned("owner.cim", CIM_E_ACCESS, CIM_E_ACCESS, false);
}

int main(void)
{
	const size_t type = CIM_OFF(common_header, type);

	k = kit_new();
	head_of(0, 0, false);
	head_of(CIM_MAGIC_SIZE - 1, CIM_FILE_FILESYSTEM, false);
	head_of(CIM_MAGIC_SIZE, CIM_FILE_REGION, true); /* it is cut before it says its type */
	head_of(type, CIM_FILE_REGION, true);
	head_of(type + 1, CIM_FILE_REGION, false);
	head_of(type + 1, CIM_FILE_OBJECT_ID, false);
	head_of(type + 1, CIM_FILE_FILESYSTEM, true);
	head_of(type + 1, 9, true);
	head_of(31, CIM_FILE_FILESYSTEM, true);
	head_of(33, CIM_FILE_FILESYSTEM, true);
	missing();
	search();
	kit_free(&k);
	return tap_done();
}
