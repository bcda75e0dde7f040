/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ioimage.h - a small image with something of each kind, of which each read is to fail once */
#ifndef CIM_TESTS_IOIMAGE_H
#define CIM_TESTS_IOIMAGE_H

#include "kit.h"

/* The size of a block of an image's cache, which works without. */
enum { CACHE_BLOCK = 4096 };

/* a.cim, with all kinds of what there is: streams, directories, metadata, large and small data, PE.
 */
static inline void make_io_image(struct kit *k)
{
	static const uint8_t ea[12] = {0, 0, 0, 0, 0, 1, 2, 0, 'N', 0, 'v', 'w'};
	static const uint8_t reparse[12] = {0x0c, 0, 0, 0xa0, 4, 0, 0, 0, 1, 2, 3, 4};
	static const uint8_t sd[20] = {1, 0, 4, 0x80};
	static uint8_t bytes[300000];
	struct cim_writer *w = begin(k, NULL, "a.cim");
	struct cim_metadata meta = meta_file(4);

	pattern(bytes, 1, sizeof(bytes));
	put_bytes(k, w, "large", bytes, sizeof(bytes));
	put_bytes(k, w, "small", bytes, 100);
	put_stream(k, w, "small:one", "1");
	put_stream(k, w, "small:two", "22");
	finish(k, w);
	w = begin(k, "a.cim", "a.cim");
	make_dir(k, w, "dir");
	make_dir(k, w, "dir/sub");
	put_bytes(k, w, "dir/sub/other", bytes, 5000);
	meta.ea = ea;
	meta.ea_size = sizeof(ea);
	meta.security = sd;
	meta.security_size = sizeof(sd);
	put_meta(k, w, "dir/with", &meta, "data", 4);
	meta.ea = NULL;
	meta.ea_size = 0;
	meta.attributes = CIM_ATTR_REPARSE;
	meta.reparse = reparse;
	meta.reparse_size = sizeof(reparse);
	put_meta(k, w, "dir/link", &meta, "data", 4);
	finish(k, w);
}

#endif
