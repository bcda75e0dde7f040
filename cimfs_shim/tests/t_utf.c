/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Unit test of core/utf.c: WTF-8 is strict and loses nothing.
 *
 * Two properties make a bijection between strings of code units and well-formed WTF-8: whatever is
 * encoded decodes to what it was, and whatever is decoded encodes to what it was. The first is
 * tried for every code unit and every pair, the second for every sequence of up to three bytes and
 * for those of four bytes on all borders.
 */
#include "testenv.h"

/* The bytes of a code point by the definition, apart from the code under test. */
static size_t expected_length(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/* Do these units come back, and take that many bytes? */
static bool round_trip(const uint16_t *units, size_t count, size_t want_bytes)
{
	char text[64];
	uint16_t back[64];
	size_t bytes, got;

	bytes = cim_utf8_from_utf16(units, count, text, sizeof(text));
	return bytes == want_bytes && text[bytes] == 0 &&
	       cim_utf16_from_utf8(text, bytes, back, 64, &got) == CIM_OK && got == count &&
	       !memcmp(back, units, count * sizeof(*units));
}

static void every_unit(void)
{
	unsigned alone = 0, inside = 0, pairs = 0, reversed = 0;

	for (uint32_t c = 0; c < 0x10000; c++) {
		uint16_t one[1] = {(uint16_t)c};
		uint16_t three[3] = {'a', (uint16_t)c, 'b'};

		alone += !round_trip(one, 1, expected_length(c));
		inside += !round_trip(three, 3, expected_length(c) + 2);
	}
	is_int(alone, 0, "each of the 65536 code units alone comes back, surrogates included");
	is_int(inside, 0, "each of the 65536 code units between letters comes back");
	for (uint32_t high = 0xd800; high < 0xdc00; high++) {
		for (uint32_t low = 0xdc00; low < 0xe000; low++) {
			uint16_t pair[2] = {(uint16_t)high, (uint16_t)low};

			pairs += !round_trip(pair, 2, 4);
		}
		for (uint32_t low = 0xdc00; low < 0xe000; low += 37) {
			uint16_t pair[2] = {(uint16_t)low, (uint16_t)high};

			reversed += !round_trip(pair, 2, 6);
		}
	}
	is_int(pairs, 0, "each of the 1048576 surrogate pairs takes four bytes and comes back");
	is_int(reversed, 0, "surrogates in the wrong order take three bytes each and come back");
}

/* Is it refused, or else exactly what its units are encoded as? */
static bool strict(const unsigned char *bytes, size_t len, unsigned *taken)
{
	uint16_t units[8];
	char back[32];
	size_t count;

	if (cim_utf16_from_utf8((const char *)bytes, len, units, 8, &count))
		return count == 0;
	++*taken;
	return cim_utf8_from_utf16(units, count, back, sizeof(back)) == len &&
	       !memcmp(back, bytes, len);
}

static void every_sequence(void)
{
	static const unsigned char edges[] = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
					      0x9f, 0xa0, 0xbf, 0xc0, 0xed, 0xff};
	unsigned wrong = 0, taken = 0;
	unsigned char b[4];

	for (unsigned i = 0; i < 0x100; i++) {
		b[0] = (unsigned char)i;
		wrong += !strict(b, 1, &taken);
	}
	is_int(wrong, 0, "one byte: refused, or the one spelling");
	is_int(taken, 128, "one byte: the 128 of ASCII are taken");
	taken = 0;
	for (unsigned i = 0; i < 0x10000; i++) {
		b[0] = (unsigned char)(i >> 8);
		b[1] = (unsigned char)i;
		wrong += !strict(b, 2, &taken);
	}
	is_int(wrong, 0, "two bytes: refused, or the one spelling");
	is_int(taken, 128 * 128 + 1920, "two bytes: two of ASCII or U+0080 to U+07FF are taken");
	taken = 0;
	for (unsigned i = 0x80; i < 0x100; i++) {
		for (unsigned j = 0; j < 0x10000; j++) {
			b[0] = (unsigned char)i;
			b[1] = (unsigned char)(j >> 8);
			b[2] = (unsigned char)j;
			wrong += !strict(b, 3, &taken);
		}
	}
	is_int(wrong, 0, "three bytes behind a non-ASCII one: refused, or the one spelling");
	is_int(taken, (0x10000 - 0x800) + 1920 * 128,
	       "three bytes: U+0800 to U+FFFF with surrogates, or a two-byte one and ASCII");
	taken = 0;
	for (unsigned i = 0xe0; i < 0x100; i++) {
		for (unsigned j = 0; j < 0x100; j++) {
			for (unsigned k = 0; k < sizeof(edges) * sizeof(edges); k++) {
				b[0] = (unsigned char)i;
				b[1] = (unsigned char)j;
				b[2] = edges[k / sizeof(edges)];
				b[3] = edges[k % sizeof(edges)];
				wrong += !strict(b, 4, &taken);
			}
		}
	}
	is_int(wrong, 0, "four bytes, the last two on every border: refused, or the one spelling");
	ok(taken > 0, "four bytes: some are taken (%u)", taken);
}

struct bad {
	const char *what;
	const char *bytes;
};

static const struct bad malformed[] = {
	{"a continuation byte alone", "\x80"},
	{"the last continuation byte alone", "\xbf"},
	{"a continuation byte behind ASCII", "a\x80"},
	{"C0 80, an overlong NUL", "\xc0\x80"},
	{"C1 BF, an overlong DEL", "\xc1\xbf"},
	{"C0 AF, an overlong slash", "\xc0\xaf"},
	{"E0 80 AF, an overlong slash", "\xe0\x80\xaf"},
	{"E0 9F BF, an overlong U+07FF", "\xe0\x9f\xbf"},
	{"F0 80 80 AF, an overlong slash", "\xf0\x80\x80\xaf"},
	{"F0 8F BF BF, an overlong U+FFFF", "\xf0\x8f\xbf\xbf"},
	{"F4 90 80 80, U+110000", "\xf4\x90\x80\x80"},
	{"F5 80 80 80, beyond Unicode", "\xf5\x80\x80\x80"},
	{"F8 88 80 80 80, five bytes", "\xf8\x88\x80\x80\x80"},
	{"FC 84 80 80 80 80, six bytes", "\xfc\x84\x80\x80\x80\x80"},
	{"FE", "\xfe"},
	{"FF", "\xff"},
	{"a pair as two surrogates", "\xed\xa0\x80\xed\xb0\x80"},
	{"the last pair as two surrogates", "\xed\xaf\xbf\xed\xbf\xbf"},
	{"a pair as two surrogates inside text", "ab\xed\xa0\xbd\xed\xb8\x80z"},
	{"two high surrogates and a low one", "\xed\xa0\x80\xed\xa0\x80\xed\xb0\x80"},
	{"C3 cut short", "\xc3"},
	{"E2 82 cut short", "\xe2\x82"},
	{"E2 cut short", "\xe2"},
	{"F0 9F 98 cut short", "\xf0\x9f\x98"},
	{"F0 9F cut short", "\xf0\x9f"},
	{"C3 before ASCII", "\xc3z"},
	{"E2 82 before ASCII", "\xe2\x82z"},
	{"F0 9F 98 before ASCII", "\xf0\x9f\x98z"},
	{"E2 before a whole character", "\xe2\xc3\xa4"},
};

static const struct bad wellformed[] = {
	{"nothing", ""},
	{"U+0080", "\xc2\x80"},
	{"U+07FF", "\xdf\xbf"},
	{"U+0800", "\xe0\xa0\x80"},
	{"U+D7FF", "\xed\x9f\xbf"},
	{"a high surrogate", "\xed\xa0\x80"},
	{"a low surrogate", "\xed\xb0\x80"},
	{"a high and, behind a letter, a low surrogate", "\xed\xa0\x80-\xed\xb0\x80"},
	{"a low, then a high surrogate", "\xed\xb0\x80\xed\xa0\x80"},
	{"a high surrogate, then a pair", "\xed\xa0\x80\xf0\x90\x80\x80"},
	{"a pair, then a low surrogate", "\xf0\x90\x80\x80\xed\xb0\x80"},
	{"U+E000", "\xee\x80\x80"},
	{"U+FFFF", "\xef\xbf\xbf"},
	{"U+10000", "\xf0\x90\x80\x80"},
	{"U+10FFFF", "\xf4\x8f\xbf\xbf"},
};

/* A copy of its own size, so that the sanitizers see a read past the end. */
static enum cim_status decode_exactly(const char *bytes, size_t len, uint16_t *dst, size_t size,
				      size_t *units)
{
	char *copy = malloc(len ? len : 1);
	enum cim_status status;

	if (!copy)
		bail("out of memory");
	memcpy(copy, bytes, len);
	status = cim_utf16_from_utf8(copy, len, dst, size, units);
	free(copy);
	return status;
}

static void edge_cases(void)
{
	for (size_t i = 0; i < sizeof(malformed) / sizeof(*malformed); i++) {
		uint16_t units[16];
		size_t count = 99;

		is_int(decode_exactly(malformed[i].bytes, strlen(malformed[i].bytes), units, 16,
				      &count),
		       CIM_E_INVALID, "refused: %s", malformed[i].what);
		is_int(count, 0, "refused: %s: 0 units", malformed[i].what);
		is_int(decode_exactly(malformed[i].bytes, strlen(malformed[i].bytes), NULL, 0,
				      &count),
		       CIM_E_INVALID, "refused when counting: %s", malformed[i].what);
	}
	for (size_t i = 0; i < sizeof(wellformed) / sizeof(*wellformed); i++) {
		const char *bytes = wellformed[i].bytes;
		uint16_t units[16];
		char back[64];
		size_t count, counted;

		is_int(decode_exactly(bytes, strlen(bytes), units, 16, &count), CIM_OK, "taken: %s",
		       wellformed[i].what);
		cim_utf8_from_utf16(units, count, back, sizeof(back));
		is_str(back, bytes, "taken: %s: and comes back", wellformed[i].what);
		decode_exactly(bytes, strlen(bytes), NULL, 0, &counted);
		is_int(counted, count, "taken: %s: counting gives the same", wellformed[i].what);
	}
}

/* "aä€😀" and an unpaired surrogate: 1, 2, 3, 4 and 3 bytes, 6 units. */
static const uint16_t mixed[6] = {'a', 0xe4, 0x20ac, 0xd83d, 0xde00, 0xd800};
#define MIXED "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xed\xa0\x80"

static void small_rooms(void)
{
	static const size_t ends[] = {0, 1, 3, 6, 10, 13}; /* of characters */
	unsigned wrong_total = 0, wrong_text = 0, overrun = 0;
	size_t count;

	for (size_t size = 0; size <= 20; size++) {
		char text[24];
		size_t fits = 0;

		memset(text, '!', sizeof(text));
		wrong_total += cim_utf8_from_utf16(mixed, 6, text, size) != 13;
		for (size_t i = 0; i < 6; i++) {
			if (ends[i] + 1 <= size)
				fits = ends[i];
		}
		if (size)
			wrong_text += memcmp(text, MIXED, fits) != 0 || text[fits] != 0;
		for (size_t i = size; i < sizeof(text); i++)
			overrun += text[i] != '!';
	}
	is_int(wrong_total, 0, "to WTF-8: any room: the whole length is returned");
	is_int(wrong_text, 0, "to WTF-8: any room: cut at a character's end and terminated");
	is_int(overrun, 0, "to WTF-8: any room: nothing is written past it");
	is_int(cim_utf8_from_utf16(mixed, 6, NULL, 0), 13, "to WTF-8: NULL counts");
	is_int(cim_utf8_from_utf16(mixed, 6, NULL, 100), 13, "to WTF-8: NULL counts, any room");
	is_int(cim_utf8_from_utf16(NULL, 0, NULL, 0), 0, "to WTF-8: nothing is 0 bytes");

	wrong_total = wrong_text = overrun = 0;
	for (size_t size = 0; size <= 8; size++) {
		uint16_t units[9];
		size_t fits = size >= 6 ? 6 : size == 4 ? 3 : size;
		enum cim_status status;

		memset(units, 0x7e, sizeof(units));
		status = cim_utf16_from_utf8(MIXED, 13, units, size, &count);
		wrong_total += count != 6 || status != (size < 6 ? CIM_E_LIMIT : CIM_OK);
		wrong_text += memcmp(units, mixed, fits * 2) != 0;
		for (size_t i = fits; i < 9; i++)
			overrun += units[i] != 0x7e7e;
	}
	is_int(wrong_total, 0, "from WTF-8: any room: the whole length, CIM_E_LIMIT if it is less");
	is_int(wrong_text, 0, "from WTF-8: any room: what fits is there");
	is_int(overrun, 0, "from WTF-8: any room: nothing more is written, no half of a pair");
	is_int(cim_utf16_from_utf8("abc\xff", 4, (uint16_t[1]){0}, 1, &count), CIM_E_INVALID,
	       "from WTF-8: malformed behind what fits is still malformed");
	is_int(cim_utf16_from_utf8("a\0b", 3, NULL, 0, &count), CIM_OK,
	       "from WTF-8: NUL is a unit");
	is_int(count, 3, "from WTF-8: NUL is counted");
	is_int(cim_utf16_from_utf8(NULL, 0, NULL, 0, &count), CIM_OK,
	       "from WTF-8: nothing is fine");
}

/* A unit that is often an edge: ASCII, surrogates, the limits of the lengths. */
static uint16_t random_unit(void)
{
	static const uint16_t edges[] = {0,	 0x7f,	 0x80,	 0x7ff,	 0x800,	 0xd7ff, 0xd800,
					 0xdbff, 0xdc00, 0xdfff, 0xe000, 0xffff, '\\',	 '/'};

	switch (test_below(5)) {
	case 0:
		return edges[test_below(sizeof(edges) / sizeof(*edges))];
	case 1:
		return (uint16_t)(0xd800 + test_below(0x400));
	case 2:
		return (uint16_t)(0xdc00 + test_below(0x400));
	case 3:
		return (uint16_t)test_below(0x80);
	default:
		return (uint16_t)test_random();
	}
}

static void random_strings(void)
{
	unsigned forth = 0, back_wrong = 0;

	test_seed();
	for (unsigned i = 0; i < 50000; i++) {
		uint16_t units[40], back[40];
		size_t count = test_below(41), got, bytes;
		char text[40 * 3 + 1];

		for (size_t j = 0; j < count; j++)
			units[j] = random_unit();
		bytes = cim_utf8_from_utf16(units, count, text, sizeof(text));
		forth += bytes >= sizeof(text) ||
			 cim_utf16_from_utf8(text, bytes, back, 40, &got) != CIM_OK ||
			 got != count || memcmp(units, back, count * 2) != 0;
		/* Damage it: what is then taken must still be the one spelling. */
		if (!bytes || bytes >= sizeof(text))
			continue;
		text[test_below(bytes)] = (char)test_random();
		if (!cim_utf16_from_utf8(text, bytes, NULL, 0, &got) && got <= 120) {
			uint16_t other[120];
			char again[120 * 3 + 1];

			cim_utf16_from_utf8(text, bytes, other, 120, &got);
			back_wrong += cim_utf8_from_utf16(other, got, again, sizeof(again)) !=
					      bytes ||
				      memcmp(text, again, bytes) != 0;
		}
	}
	is_int(forth, 0, "50000 random strings of code units come back");
	is_int(back_wrong, 0, "damaged text is refused, or comes back as it is");
}

static void strings(void)
{
	static const uint16_t units[] = {'a', 0xd800, 0};
	struct cim_str s = cim_str8("a\xc3\xa4");

	ok(s.utf8 && !s.utf16 && s.units == 3, "cim_str8 counts bytes");
	s = cim_str16(units);
	ok(!s.utf8 && s.utf16 == units && s.units == 2, "cim_str16 counts code units");
	s = cim_str8(NULL);
	ok(!s.utf8 && !s.utf16 && !s.units, "cim_str8(NULL) stays NULL");
	s = cim_str16(NULL);
	ok(!s.utf8 && !s.utf16 && !s.units, "cim_str16(NULL) stays NULL");
	s = cim_str8("");
	ok(s.utf8 && !s.units, "cim_str8 of nothing is not NULL");
}

int main(void)
{
	strings();
	edge_cases();
	small_rooms();
	every_unit();
	every_sequence();
	random_strings();
	return tap_done();
}
