/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/guid.c: the text of GUIDs. */
#include "testenv.h"

static const struct cim_guid sample = {{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99,
					0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
#define SAMPLE "00112233-4455-6677-8899-aabbccddeeff"

static void good(const char *what, const char *text)
{
	struct cim_guid guid;

	memset(&guid, 0x5a, sizeof(guid));
	ok(cim_guid_parse(text, &guid), "parse: %s is taken: %s", what, text);
	is_mem(guid.bytes, sample.bytes, 16, "parse: %s gives the bytes", what);
}

static void bad(const char *what, const char *text)
{
	static const struct cim_guid zero;
	struct cim_guid guid;

	memset(&guid, 0x5a, sizeof(guid));
	ok(!cim_guid_parse(text, &guid), "parse: %s is refused: '%s'", what, text ? text : "NULL");
	ok(!memcmp(&guid, &zero, sizeof(guid)), "parse: %s leaves zeros", what);
}

static void every_position(void)
{
	static const char wrong[] = "gG-{} /:@`z\x80\xff";
	char text[sizeof(SAMPLE)];
	unsigned taken = 0, tried = 0;
	struct cim_guid guid;

	for (size_t i = 0; i < sizeof(SAMPLE) - 1; i++) {
		for (const char *c = wrong; *c; c++) {
			memcpy(text, SAMPLE, sizeof(text));
			if (text[i] == *c)
				continue;
			text[i] = *c;
			tried++;
			taken += cim_guid_parse(text, &guid);
		}
		/* A digit where a dash belongs. */
		memcpy(text, SAMPLE, sizeof(text));
		if (text[i] == '-') {
			text[i] = '0';
			tried++;
			taken += cim_guid_parse(text, &guid);
		}
	}
	is_int(taken, 0, "parse: none of %u wrong characters in any place is taken", tried);
	taken = 0;
	for (size_t len = 0; len < sizeof(SAMPLE) - 1; len++) {
		/* Exactly as long as it is, so that reading past the end is noticed. */
		char *cut = malloc(len + 1);

		if (!cut)
			bail("out of memory");
		memcpy(cut, SAMPLE, len);
		cut[len] = 0;
		taken += cim_guid_parse(cut, &guid);
		free(cut);
	}
	is_int(taken, 0, "parse: no beginning of a GUID is taken");
}

static void round_trips(void)
{
	unsigned wrong = 0;

	test_seed();
	for (unsigned i = 0; i < 10000; i++) {
		struct cim_guid guid, back;
		char text[CIM_GUID_TEXT + 1];

		for (unsigned j = 0; j < 16; j++)
			guid.bytes[j] = (uint8_t)test_random();
		text[CIM_GUID_TEXT] = '!';
		cim_guid_format(&guid, text);
		if (strlen(text) != 36 || text[CIM_GUID_TEXT] != '!' ||
		    !cim_guid_parse(text, &back) || memcmp(&guid, &back, sizeof(guid)) != 0)
			wrong++;
	}
	is_int(wrong, 0, "10000 random GUIDs come back from their text");
}

int main(void)
{
	char text[CIM_GUID_TEXT];

	cim_guid_format(&sample, text);
	is_str(text, SAMPLE, "format: 8-4-4-4-12 in lower case, three numbers little-endian");
	good("lower case", SAMPLE);
	good("upper case", "00112233-4455-6677-8899-AABBCCDDEEFF");
	good("mixed case", "00112233-4455-6677-8899-aAbBcCdDeEfF");
	good("braces", "{" SAMPLE "}");
	bad("NULL", NULL);
	bad("nothing", "");
	bad("an opening brace alone", "{");
	bad("an opening brace without a closing one", "{" SAMPLE);
	bad("a closing brace without an opening one", SAMPLE "}");
	bad("two braces", "{{" SAMPLE "}}");
	bad("round brackets", "(" SAMPLE ")");
	bad("something behind it", SAMPLE "0");
	bad("something behind the brace", "{" SAMPLE "} ");
	bad("a blank in front", " " SAMPLE);
	bad("no dashes", "00112233445566778899aabbccddeeff");
	bad("dashes elsewhere", "001122-334455-6677-8899-aabbccddeeff");
	bad("0x in front", "0x112233-4455-6677-8899-aabbccddeeff");
	every_position();
	round_trips();
	return tap_done();
}
