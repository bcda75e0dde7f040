/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exchange.h - what the cases about ordinary images and those about containers share when images
 * are written with a manifest, or compared with theirs
 */
#ifndef CIM_CASES_EXCHANGE_H
#define CIM_CASES_EXCHANGE_H

#include "manifest.h"
#include "metadata.h"

/* --export's and --import's directory; without one the case is skipped. */
const WCHAR *export_dir(void);
struct tree *imported(void);

/* An image being written, and what was asked for. */
struct writing
{
    CIMFS_IMAGE_HANDLE image;
    struct tree *tree;
    int count; /* of items: each gets other times */
};

void add_dir(struct writing *writing, const WCHAR *path, UINT32 attributes);
void add_file(struct writing *writing, const WCHAR *path, UINT32 attributes, size_t size,
              uint32_t seed);
void add_stream(struct writing *writing, const WCHAR *path, const WCHAR *name, size_t size,
                uint32_t seed);
void add_link(struct writing *writing, const WCHAR *path, const WCHAR *existing);
void remove_item(struct writing *writing, const WCHAR *path);
void fill_image(struct writing *writing);   /* with whatever an image can hold */
void change_image(struct writing *writing); /* what fill_image() put, in another session */
void finish(struct writing *writing, const char *name);

/* Differences are counted; the first few are told. */
struct tally
{
    int compared, wrong;
};

void compare(struct tally *tally, const struct tree *tree, const struct entry *entry,
             const char *what, UINT64 got, UINT64 want);
void check_tally(const struct tally *tally);

/* What an item says of itself without a mount, and its data. */
void compare_stat(struct tally *tally, struct tree *tree, struct entry *entry);
void compare_times(struct tally *tally, struct tree *tree, struct entry *entry);
void compare_data(struct tally *tally, struct tree *tree, struct entry *entry);
/* What a volume shows: each item, and how many names there are. */
void compare_volume(struct tally *tally, struct tree *tree, const WCHAR *volume);

#endif
