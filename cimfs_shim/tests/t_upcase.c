/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For Wine (or Windows): is our upcase table what ntdll's RtlUpcaseUnicodeChar answers?
 *
 * All 65,536 entries are compared and every difference is printed. A difference that is known and
 * has a reason stands in `known`; one that is not there is a failure, and so is an entry there
 * that doesn't differ any more. With Wine 8.0 there is none.
 *
 * On Windows differences are to be expected, and the list would be long and differ with the
 * release: Windows' table is of an older Unicode (it is known that the $UpCase file of an NTFS
 * volume depends on the Windows that formatted it). They are harmless: an image carries its table.
 */
#include <windows.h>

#include "testenv.h"

struct difference {
	uint16_t unit;
	uint16_t ours;
	uint16_t theirs;
	const char *why;
};

/* The last entry only ends the list. */
static const struct difference known[] = {
	{0, 0, 0, NULL},
};

static const struct difference *find_known(unsigned unit)
{
	for (const struct difference *d = known; d->why; d++) {
		if (d->unit == unit)
			return d;
	}
	return NULL;
}

int main(void)
{
	typedef WCHAR(WINAPI * upcase_fn)(WCHAR);
	upcase_fn upcase;
	FARPROC address;
	const char *(CDECL * wine_version)(void);
	HMODULE ntdll = GetModuleHandleA("ntdll.dll");
	unsigned differing = 0, unexplained = 0, letters = 0;

	address = GetProcAddress(ntdll, "RtlUpcaseUnicodeChar");
	if (!address)
		bail("ntdll has no RtlUpcaseUnicodeChar");
	memcpy(&upcase, &address, sizeof(upcase));
	address = GetProcAddress(ntdll, "wine_get_version");
	memcpy(&wine_version, &address, sizeof(wine_version));
	diag("ntdll of %s %s", address ? "Wine" : "Windows", address ? wine_version() : "");

	for (unsigned i = 0; i < CIM_UPCASE_ENTRIES; i++) {
		uint16_t ours = cim_upcase_default[i];
		uint16_t theirs = (uint16_t)upcase((WCHAR)i);
		const struct difference *d = find_known(i);

		letters += theirs != i;
		if (ours == theirs)
			continue;
		differing++;
		if (!d || d->ours != ours || d->theirs != theirs)
			unexplained++;
		diag("U+%04X: ours U+%04X, ntdll U+%04X: %s", i, ours, theirs,
		     d ? d->why : "no reason is known");
	}
	diag("%u of 65536 entries differ; ntdll upcases %u", differing, letters);
	ok(letters > 1000, "ntdll upcases more than a thousand characters (%u)", letters);
	is_int(unexplained, 0, "every difference from ntdll's table has a reason");
	for (const struct difference *d = known; d->why; d++)
		ok(upcase((WCHAR)d->unit) != cim_upcase_default[d->unit],
		   "the known difference at U+%04X is still one", d->unit);
	return tap_done();
}
