/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unit test of core/collate.c and of the generated upcase table. */
#include "../core/collate.h"
#include "testenv.h"

static int sign(int n)
{
	return (n > 0) - (n < 0);
}

static void compare(const char *a, const char *b, int want, const char *why)
{
	uint16_t x[16], y[16];
	size_t x_units = 0, y_units = 0;

	if (cim_utf16_from_utf8(a, strlen(a), x, 16, &x_units) ||
	    cim_utf16_from_utf8(b, strlen(b), y, 16, &y_units))
		bail("a name of the test is malformed");
	is_int(sign(cim_name_compare(cim_upcase_default, x, x_units, y, y_units)), want,
	       "'%s' against '%s': %s", a, b, why);
	is_int(sign(cim_name_compare(cim_upcase_default, y, y_units, x, x_units)), -want,
	       "'%s' against '%s': the reverse", b, a);
}

static void table(void)
{
	const uint16_t *t = cim_upcase_default;
	unsigned twice = 0, surrogates = 0, ascii = 0;

	for (unsigned i = 0; i < CIM_UPCASE_ENTRIES; i++) {
		uint16_t want = (uint16_t)(i >= 'a' && i <= 'z' ? i - 32 : i);

		twice += t[t[i]] != t[i];
		surrogates += i >= 0xd800 && i < 0xe000 && t[i] != i;
		ascii += i < 128 && t[i] != want;
	}
	is_int(twice, 0, "table: upcasing twice is upcasing once");
	is_int(surrogates, 0, "table: surrogates stay what they are");
	is_int(ascii, 0, "table: ASCII's letters and nothing else");
	is_hex(t[0xe4], 0xc4, "table: a with diaeresis has its capital");
	is_hex(t[0xff], 0x178, "table: y with diaeresis has its capital, outside Latin-1");
	is_hex(t[0xdf], 0xdf, "table: sharp s stays, for its capital is two letters");
	is_hex(t[0xb5], 0xb5, "table: the micro sign stays (shared capital)");
	is_hex(t[0x131], 0x131, "table: the dotless i stays (shared capital)");
	is_hex(t[0x3c2], 0x3c2, "table: the final sigma stays (shared capital)");
	is_hex(t[0x3c3], 0x3a3, "table: sigma has its capital");
	is_hex(t[0x1f80], 0x1f88, "table: a Greek letter with iota has its title case");
	is_hex(t[0x10d0], 0x1c90, "table: Georgian has its Unicode 11 capitals");
	is_hex(t[0xffff], 0xffff, "table: the last entry");
}

int main(void)
{
	static const uint16_t nothing[1];
	uint16_t *swapped;

	table();
	is_int(cim_name_compare_default(NULL, 0, NULL, 0), 0, "two names of nothing");
	is_int(cim_name_compare_default(NULL, 1, nothing, 1), 0, "units that aren't there, left");
	is_int(cim_name_compare_default(nothing, 1, NULL, 1), 0, "and right");
	is_int(cim_name_compare_default(NULL, 0, nothing, 1), -1, "nothing before something");
	is_int(cim_name_compare_default(nothing, 1, NULL, 0), 1, "something behind nothing");
	is_int(cim_name_compare(cim_upcase_default, nothing, 0, nothing, 0), 0,
	       "two empty names are equal");
	compare("", "a", -1, "nothing comes first");
	compare("abc", "ABC", 0, "case makes no difference");
	compare("abc", "abd", -1, "the first difference decides");
	compare("ABD", "abc", 1, "the first difference decides, upcased");
	compare("abc", "abcd", -1, "the shorter name comes first");
	compare("b", "aaaa", 1, "length matters only without a difference");
	compare("_", "a", 1,
		"in upper case: '_' lies behind 'A' ('a' itself would lie behind '_')");
	compare("straße", "STRASSE", 1, "no full case folding");
	compare("\xc3\xa4", "\xc3\x84", 0, "beyond ASCII too");
	compare("\xf0\x90\x90\xa8", "\xf0\x90\x90\x80", 1, "beyond the BMP case does matter");
	compare("\xf0\x9f\x98\x80", "\xef\xbf\xbd", -1,
		"code units, not code points: a pair lies before U+FFFD");
	compare("\xed\xa0\x80", "\xed\xa0\x81", -1, "unpaired surrogates are numbers like others");

	/* The table that is passed counts, not ours. */
	swapped = malloc(CIM_UPCASE_SIZE);
	if (!swapped)
		bail("out of memory");
	for (unsigned i = 0; i < CIM_UPCASE_ENTRIES; i++)
		swapped[i] = (uint16_t)(0xffff - i);
	is_int(sign(cim_name_compare(swapped, (const uint16_t[]){'a'}, 1, (const uint16_t[]){'b'},
				     1)),
	       1, "the order is that of the table that is passed");
	free(swapped);
	return tap_done();
}
