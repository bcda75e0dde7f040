#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
#
# What the Makefile promises. "make install" puts everything where a program finds it, "make uninstall"
# takes it away; a make after a make has nothing to do; what is asked for by name builds no more than it
# needs. The variables given to the outer make come along in MAKEFLAGS.
. "$(dirname "$0")/../../scripts/lib/tap.bash"

root=$TEST_TMP/root
prefix=/opt/cim
# What this script started must not wait for the outer make's job slots.
MAKE="make -j1 DESTDIR=$root PREFIX=$prefix"
pc() { PKG_CONFIG_PATH=$root$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root pkg-config "$@" libcim; }
cc=${CC:-gcc}
counts=
case $BUILD in
build | build/clang) ;;
build/coverage) counts="it counts, by clang's library, into the build" ;;
*) cc="$cc -fsanitize=address,undefined" ;;
esac
# uncounted NAME COMMAND...: a check of what can't be so where the library counts what runs
uncounted() {
	if [ -n "$counts" ]; then skip "$counts" "$1"; else check "$@"; fi
}

check "a make after a make has nothing to do" \
	sh -c 'make -j1 -q all || { make -j1 -n all | head -n 5; exit 1; }'
check "make install" $MAKE install || { echo "Bail out! nothing is installed"; exit 1; }
for file in bin/cimtool bin/cimfs-mount sbin/mount.cimfs lib/libcim.a lib/libcim.so lib/libcim.so.0 lib/pkgconfig/libcim.pc \
	include/libcim.h include/libcim_env.h include/cimfs.h bin/cimfs-install-wine lib/cimfs/wine.sh lib/cimfs/cimfs-mount \
	lib/cimfs/x86_64-windows/cimfs.dll lib/cimfs/x86_64-windows/libcimfs.a \
	lib/cimfs/i686-windows/cimfs.dll lib/cimfs/i686-windows/cimfs.lib \
	share/doc/cimfs-shim/{COPYING,README.md,CONTRIBUTING.md,NEWS.md,format.md,magic,examples/list.c,examples/libcim.py} \
	share/man/man1/{cimtool,cimtool-create,cimfs-mount,cimfs-install-wine}.1 share/man/man5/cim.5 \
	share/man/man8/mount.cimfs.8 share/bash-completion/completions/{cimtool,cimfs-mount} \
	share/zsh/site-functions/_cimtool share/fish/vendor_completions.d/{cimtool,cimfs-mount}.fish; do
	check "$file is there" test -e "$root$prefix/$file"
done
is "$(cimfs_shim/tests/citations.py --links "$root$prefix/share/doc/cimfs-shim")" "" "each link of the documents there leads somewhere"
sed -i 's,(format\.md),(cimfs_shim/doc/format.md),' "$root$prefix/share/doc/cimfs-shim/architecture.md"
cimfs_shim/tests/citations.py --links "$root$prefix/share/doc/cimfs-shim" | grep -q 'a link to cimfs_shim/doc/format.md leads nowhere'
result $? "one that doesn't would be noticed"
is "$(readlink "$root$prefix/sbin/mount.cimfs")" ../bin/cimfs-mount "mount.cimfs is a link to it"

# What is installed uses the libcim.so that is installed with it.
runpath() { objdump -p "$1" | awk '$1 == "RUNPATH" || $1 == "RPATH" { print $2 }'; }
for program in cimtool cimfs-mount; do
	file=$root$prefix/bin/$program
	check "$program needs libcim.so.0" sh -c "objdump -p '$file' | grep -q 'NEEDED  *libcim\.so\.0$'"
	is "$(runpath "$file")" "$prefix/lib" "$program looks for it in PREFIX/lib"
	is "$(runpath "$BUILD/$program")" "" "that in the build tree nowhere"
	check "$program runs from there" env LD_LIBRARY_PATH="$root$prefix/lib" "$file" --version
done
is "$(make -n PREFIX=/usr "libdir=/usr/lib/$(uname -m)-linux-gnu" "$BUILD/installed/cimtool" | grep -c rpath)" \
	0 "in the system's own directories they look for it as every program does"

cat >"$TEST_TMP/use.c" <<'END'
#include <libcim.h>
#include <libcim_advanced.h>
#include <libcim_debug.h>
#include <libcim_env.h>
#include <string.h>
int main(void)
{
	struct cim_image *image;
#ifdef __cplusplus
	cim_metadata metadata = cim_sized<cim_metadata>();
#else
	struct cim_metadata metadata = {CIM_SIZED(metadata), .size = 0};
#endif

	if (metadata.struct_size != sizeof(metadata) || metadata.attributes || metadata.reparse)
		return 3;
	if (strcmp(cim_version(), VERSION) != 0)
		return 1;
	return cim_image_open(0, "no-such.cim", &image, 0) == CIM_E_FILE_NOT_FOUND ? 0 : 2;
}
END
cp "$TEST_TMP/use.c" "$TEST_TMP/use.cc"
version=$(pc --modversion)
define="-DVERSION=\"$version\""
check "a C program is built with pkg-config's flags" \
	$cc "$define" -std=c11 -pedantic -Wall -Wextra -Werror $(pc --cflags) -o "$TEST_TMP/use" "$TEST_TMP/use.c" $(pc --libs)
check "it runs with libcim.so" env LD_LIBRARY_PATH="$root$prefix/lib" "$TEST_TMP/use"
uncounted "it is built with libcim.a, for C++, too" \
	g++ $(echo "$cc" | sed 's/^[^ ]*//') "$define" -std=c++11 -pedantic -Wall -Wextra -Werror $(pc --cflags) \
	-o "$TEST_TMP/use" "$TEST_TMP/use.cc" "$root$prefix/lib/libcim.a" \
	$(pc --static --libs | sed 's/-lcim //')
uncounted "it runs with libcim.a" "$TEST_TMP/use"
build_examples() {
	for example in "$root$prefix"/share/doc/cimfs-shim/examples/*.c; do
		$cc -Wall -Wextra -Werror $(pc --cflags) -o "$TEST_TMP/example" "$example" $(pc --libs) || return
	done
}
check "the examples are built with pkg-config's flags, too" build_examples

for line in 'libdir=${prefix}/lib' 'includedir=${prefix}/include'; do
	check "libcim.pc says $line" grep -qx "$line" "$root$prefix/lib/pkgconfig/libcim.pc"
done
check "and where that is" test "$(pc --variable=includedir)" = "$root$prefix/include" \
	-o "$(pc --variable=includedir)" = "$prefix/include"
uncounted "no path of the build is installed" sh -c "! grep -rlF '$TOP/' '$root'"
check "make install-native, to be used where it is put now" $MAKE "RPATH=$root$prefix/lib" install-native
check "cimtool finds libcim.so by itself" "$root$prefix/bin/cimtool" --version

wine=$TEST_TMP/wine
mkdir -p "$wine/drive_c/windows/system32" "$TEST_TMP/mnt"
printf 'WINE REGISTRY Version 2\n\n#arch=win64\n' >"$wine/system.reg"
check "cimfs-install-wine" env WINEPREFIX="$wine" "$root$prefix/bin/cimfs-install-wine"
check "where file looks nothing is put that has no etc" test ! -e "$root/etc"
mkdir "$root/etc"
check "make install-native, with an etc" $MAKE install-native
check "file's magic is there" cmp -s cimfs_shim/doc/magic "$root/etc/magic"
check "make uninstall" $MAKE uninstall
is "$(find "$root" ! -type d -o -name 'cimfs*')" "" "nothing stays"
echo "# somebody's own" >"$root/etc/magic"
check "make install-native, with a magic" $MAKE install-native
check "make uninstall again" $MAKE uninstall
is "$(cat "$root/etc/magic")" "# somebody's own" "which stays as it is"
helper=$wine/cimfs/bin/cimfs-mount
is "$(objdump -p "$helper" | grep -c 'NEEDED *libcim')" 0 "the Wine prefix's cimfs-mount needs none of it"
if no_fuse=$("$TOP/scripts/lib/fuse.py"); then
	check "it mounts all the same" "$helper" \
		"$TOP/cimfs_shim/tests/golden/ours/every-kind/every-kind.cim" "$TEST_TMP/mnt"
	check "and what it mounts can be read" sh -c "ls '$TEST_TMP/mnt' | grep -q ."
	check "until it is unmounted" "$BUILD/cimtool" umount "$TEST_TMP/mnt"
else
	skip "$no_fuse" "it mounts all the same"
fi

# ---- what would be built, in a tree where nothing is ---------------------------------------------

fresh=$TEST_TMP/fresh
mkdir -p "$fresh/$BUILD"
ln -s "$TOP"/{Makefile,include,scripts,cimfs_shim,conformance,wine-tests} "$fresh"
# would ARGUMENTS...: the commands, each in one line
would() { make -C "$fresh" -j1 -n V=1 "$@" 2>&1 | sed ':a; /\\$/ { N; s/\\\n//; ba }'; }
foreign='mingw32-|bin/go|jsmn\.h'

is "$(would native | grep -E "$foreign")" "" "make native needs no mingw-w64, Wine or Go"
is "$(would install-native | grep -E "$foreign")" "" "nor does make install-native"
is "$(would install-native | grep 'install .*/cimfs\.h')" "" "nor installs cimfs.h, which nothing native can include"
is "$(would install-windows | grep -c 'install .*/cimfs\.h')" 1 "install-windows does"
for wrong in PREFIX='/with space' PREFIX=relative "PREFIX=/a'b" libdir=lib; do
	is "$(would install-native "$wrong" | grep -o '[*].*')" "*** ${wrong%%=*} is '${wrong#*=}': it must be an absolute \
path without spaces and special characters.  Stop." "make install-native '$wrong' is refused"
done
is "$(would install | grep -v 'share/' | grep -cE 'install .*(cimfs-mount|/cimfs\.dll)')" 4 "make install installs all where nothing is built"
touch "$fresh/$BUILD/libcim.so"
is "$(would install | grep -E "$foreign")" "" "else what is: the native programs"
is "$(would check-build FILTER=t_path | grep -oE -e "-o $BUILD/(tests/|[a-z-]*\b).*|$foreign" | cut -d' ' -f2 | grep -v '\.o$')" \
	"$BUILD/tests/t_path" "make check FILTER=t_path links that test alone"

# What dpkg-buildflags and the like say is heeded by every compilation and every program.
commands=$(would native CPPFLAGS=-DTHEIR_CPPFLAGS CFLAGS=-DTHEIR_CFLAGS LDFLAGS=-Wl,-z,now)
compiled=$(grep -c -e ' -c -o ' <<<"$commands")
[ "$compiled" -gt 50 ]
result $? "make native compiles files ($compiled)"
is "$(grep -e ' -c -o ' <<<"$commands" | grep -c -e ' -DTHEIR_CPPFLAGS -DTHEIR_CFLAGS ')" "$compiled" \
	"with CPPFLAGS and CFLAGS"
is "$(grep -e ' -o ' <<<"$commands" | grep -v -e ' -c -o ' | grep -vc -e ' -Wl,-z,now ')" 0 "all links have LDFLAGS"

tap_done
