/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.c - answers for programs
 *
 * One object a line, written as soon as it is known, so that a list of a million files needs the
 * memory of one. JSON can hold no bytes that are not UTF-8: a name with an unpaired surrogate has
 * U+FFFD there, and a second member NAME_escaped with the escaped form, which can be undone.
 */
#include "tool.h"

void json_put_text(json_t *object, const char *key, const char *wtf8)
{
	size_t len = strlen(wtf8);
	struct text clean = {0};
	bool dirty = false;

	text_puts(&clean, "");
	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(wtf8 + i, len - i);

		if (n) {
			text_add(&clean, wtf8 + i, n);
			i += n;
			continue;
		}
		dirty = true;
		text_puts(&clean, "\xEF\xBF\xBD");
		/* The three bytes of a surrogate are one character. */
		if ((unsigned char)wtf8[i] == 0xED && len - i >= 3 &&
		    ((unsigned char)wtf8[i + 1] & 0xE0) == 0xA0)
			i += 3;
		else
			i++;
	}
	json_object_set_new(object, key, json_stringn(clean.s, clean.len));
	text_free(&clean);
	if (dirty) {
		struct text escaped = {0};
		char *name = xasprintf("%s_escaped", key);

		text_escape(&escaped, wtf8, len, 0);
		json_object_set_new(object, name, json_stringn(escaped.s, escaped.len));
		text_free(&escaped);
		free(name);
	}
}

void json_append(json_t *into, const char *key, json_t *object)
{
	json_t *array = json_object_get(into, key);

	if (!array) {
		array = json_array();
		json_object_set_new(into, key, array);
	}
	json_array_append_new(array, object);
}

json_t *json_summary(const struct tool *t)
{
	json_t *o = json_object();

	json_put_text(o, "command", t->command->name);
	return o;
}

void json_put_int(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

void json_put_bool(json_t *object, const char *key, bool value)
{
	json_object_set_new(object, key, json_boolean(value));
}

void json_put_time(json_t *object, const char *key, int64_t filetime)
{
	char buf[TIME_TEXT];

	json_object_set_new(object, key, json_string(filetime_text(filetime, buf)));
}

void json_put_hex(json_t *object, const char *key, const void *data, size_t size)
{
	char *hex = hex_text(data, size);

	json_object_set_new(object, key, json_string(hex));
	free(hex);
}

/* One line. JSON needs no escape for U+007F to U+009F, but a terminal does. */
void json_print(FILE *f, json_t *object)
{
	char *line = json_dumps(object, 0);
	size_t n, left;

	if (!line)
		alloc_failed();
	left = strlen(line);
	for (const char *p = line; left; p += n, left -= n) {
		n = utf8_length(p, left);
		if (is_harmful(p, n))
			fprintf(f, "\\u%04x", (unsigned char)p[n - 1]);
		else
			fwrite(p, 1, n, f);
	}
	fputc('\n', f);
	free(line);
	json_decref(object);
}
