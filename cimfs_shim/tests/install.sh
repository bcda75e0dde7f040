#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
#
# "make install" puts everything where a program finds it, "make uninstall" takes it away, and a make
# after a make has nothing to do. The variables given to the outer make come along in MAKEFLAGS.
. "$(dirname "$0")/../../scripts/lib/tap.bash"

root=$TEST_TMP/root
prefix=/opt/cim
# What this script started must not wait for the outer make's job slots.
MAKE="make -j1 DESTDIR=$root PREFIX=$prefix"
pc() { PKG_CONFIG_PATH=$root$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root pkg-config "$@" libcim; }
cc=${CC:-gcc}
[ "$BUILD" = build ] || [ "$BUILD" = build/clang ] || cc="$cc -fsanitize=address,undefined"

check "a make after a make has nothing to do" \
	sh -c 'make -j1 -q all || { make -j1 -n all | head -n 5; exit 1; }'
check "make install" $MAKE install || { echo "Bail out! nothing is installed"; exit 1; }
for file in bin/cimtool lib/libcim.a lib/libcim.so lib/libcim.so.0 lib/pkgconfig/libcim.pc \
	include/libcim.h include/cimfs.h bin/cimfs-install-wine lib/cimfs/wine.sh \
	lib/cimfs/x86_64-windows/cimfs.dll lib/cimfs/x86_64-windows/libcimfs.a \
	lib/cimfs/i686-windows/cimfs.dll lib/cimfs/i686-windows/cimfs.lib; do
	check "$file is there" test -e "$root$prefix/$file"
done
check "cimtool runs from there" "$root$prefix/bin/cimtool" --version

cat >"$TEST_TMP/use.c" <<'END'
#include <libcim.h>
#include <string.h>
int main(void)
{
	struct cim_image *image;

	if (strcmp(cim_version(), VERSION) != 0)
		return 1;
	return cim_image_open(0, "no-such.cim", &image, 0) == CIM_E_FILE_NOT_FOUND ? 0 : 2;
}
END
cp "$TEST_TMP/use.c" "$TEST_TMP/use.cc"
version=$(pc --modversion)
define="-DVERSION=\"$version\""
check "a C program is built with pkg-config's flags" \
	$cc "$define" -Wall -Wextra -Werror $(pc --cflags) -o "$TEST_TMP/use" "$TEST_TMP/use.c" $(pc --libs)
check "it runs with libcim.so" env LD_LIBRARY_PATH="$root$prefix/lib" "$TEST_TMP/use"
check "it is built with libcim.a, for C++, too" \
	g++ $(echo "$cc" | sed 's/^[^ ]*//') "$define" -Wall -Wextra -Werror $(pc --cflags) \
	-o "$TEST_TMP/use" "$TEST_TMP/use.cc" "$root$prefix/lib/libcim.a" -pthread
check "it runs with libcim.a" "$TEST_TMP/use"

for line in 'libdir=${prefix}/lib' 'includedir=${prefix}/include'; do
	check "libcim.pc says $line" grep -qx "$line" "$root$prefix/lib/pkgconfig/libcim.pc"
done
check "and where that is" test "$(pc --variable=includedir)" = "$root$prefix/include" \
	-o "$(pc --variable=includedir)" = "$prefix/include"
check "no path of the build is installed" sh -c "! grep -rlF '$TOP/' '$root'"
check "make uninstall" $MAKE uninstall
check "nothing stays" sh -c "find '$root' ! -type d | tee /dev/stderr | wc -l | grep -qx 0"

tap_done
