# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the test scripts of Windows programs share: tap.bash, where the programs are, Wine, PE files.
#
# A Wine program's stderr goes to a file, never into a pipe or a comparison. Wine's services, which the
# first program of a prefix starts, keep it open as long as they run; and Wine says things there itself.
. "$(dirname "${BASH_SOURCE[0]}")/tap.bash"
. "$TOP/scripts/lib/wine.sh"

WIN64=$TOP/build/win64
WIN32=$TOP/build/win32

# What "objdump -p" says of a PE file, from standard input. binutils 2.40 and older have another
# form than 2.44: there the heads of the tables go on, and numbers stand before the names.

# pe_exports <HEADERS: the names
pe_exports() {
	awk '/^\[Ordinal\/Name Pointer\] Table/ { inside = 1 }
		/^$/ { inside = 0 }
		inside && /^\t\[ *[0-9]+\] / { print $NF }' | LC_ALL=C sort
}

# pe_imports <HEADERS: "dll name", the DLL in lower case; "<none>" for one that has a number only
pe_imports() {
	awk '/^[^ \t]/ { dll = "" }
		/^\tDLL Name: / { dll = tolower($3) }
		/^\tvma: +Hint/ { column = 3 }
		/^\tvma: +Ordinal/ { column = 4 }
		dll != "" && /^\t[0-9a-f]+[ \t]/ { print dll, $column }' | LC_ALL=C sort
}

# The headers of a PE file, for the two above.
pe_headers() {
	x86_64-w64-mingw32-objdump -p "$1"
}

# Volumes of the tests have GUIDs that no other run has (cimtool finds volumes of all prefixes):
# their tails go to the programs as CIMTEST_GUIDS (mounttest.h), and are told.
choose_guids() {
	CIMTEST_GUIDS=${CIMTEST_GUIDS:-$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')}
	export CIMTEST_GUIDS
	echo "# CIMTEST_GUIDS=$CIMTEST_GUIDS"
}

guid_of() { # NUMBER
	printf 'c1f5abcd-%04x-4000-8000-%s00ef' "$1" "$CIMTEST_GUIDS"
}

# The Windows name of a Unix path.
dos_path() {
	printf 'Z:%s' "${1//\//\\}"
}
