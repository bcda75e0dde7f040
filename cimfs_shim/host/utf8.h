/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * utf8.h - text that comes from an image or a host, and may be anything
 */
#ifndef HOST_UTF8_H
#define HOST_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the valid UTF-8 character at @s; 0 if there is none. */
size_t utf8_length(const char *s, size_t len);
/* Would that character of @n bytes play tricks with a terminal, or end a line? Control characters,
 * U+007F..U+009F among them, and what is none. */
bool is_harmful(const char *s, size_t n);

#endif
