/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * For Wine (or Windows): is our upcase table what ntdll's RtlUpcaseUnicodeChar answers?
 *
 * All 65,536 entries are compared and every difference is printed. The table follows the Unicode of
 * each Wine, so only where a Wine was measured to have none is a difference a failure; another Wine
 * may have a newer one (11.19 has Unicode 18's), and then the differences are only told.
 *
 * On Windows they are to be expected too, and the list would be long and differ with the
 * release: Windows' table is of an older Unicode (it is known that the $UpCase file of an NTFS
 * volume depends on the Windows that formatted it). They are harmless: an image carries its table.
 */
#include <windows.h>

#include "../core/collate.h"
#include "testenv.h"

/* The Wines whose table is ours. */
static const char *const equal[] = {"8.0", "10.0", "11.10"};

static bool is_equal(const char *version)
{
	for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++) {
		if (!strcmp(version, equal[i]))
			return true;
	}
	return false;
}

int main(void)
{
	typedef WCHAR(WINAPI * upcase_fn)(WCHAR);
	upcase_fn upcase;
	FARPROC address;
	const char *(CDECL * wine_version)(void);
	HMODULE ntdll = GetModuleHandleA("ntdll.dll");
	const char *system = "Windows", *version = "";
	unsigned differing = 0, letters = 0;

	address = GetProcAddress(ntdll, "RtlUpcaseUnicodeChar");
	if (!address)
		bail("ntdll has no RtlUpcaseUnicodeChar");
	memcpy(&upcase, &address, sizeof(upcase));
	address = GetProcAddress(ntdll, "wine_get_version");
	memcpy(&wine_version, &address, sizeof(wine_version));
	if (address) {
		system = "Wine";
		version = wine_version();
	}
	diag("ntdll of %s %s", system, version);

	for (unsigned i = 0; i < CIM_UPCASE_ENTRIES; i++) {
		uint16_t ours = cim_upcase_default[i];
		uint16_t theirs = (uint16_t)upcase((WCHAR)i);

		letters += theirs != i;
		if (ours == theirs)
			continue;
		differing++;
		diag("U+%04X: ours U+%04X, ntdll U+%04X", i, ours, theirs);
	}
	diag("%u of 65536 entries differ; ntdll upcases %u", differing, letters);
	ok(letters > 1000, "ntdll upcases more than a thousand characters (%u)", letters);
	if (!differing || is_equal(version))
		is_int(differing, 0, "our table is that of %s %s", system, version);
	else
		skip("no Wine that was measured to have our Unicode", "our table is that of %s %s",
		     system, version);
	return tap_done();
}
