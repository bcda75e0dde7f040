#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# "make deb": lintian finds no error, and what is in the packages works where they are unpacked.
. "$(dirname "$0")/../../scripts/lib/tap.bash"

unset MAKEFLAGS MFLAGS MAKELEVEL # they are those of the outer make
mkdir "$TEST_TMP/bin" "$TEST_TMP/mnt"
printf '#!/bin/sh\nexit 1\n' >"$TEST_TMP/bin/dpkg-query"
chmod +x "$TEST_TMP/bin/dpkg-query"
echo ID=debian >"$TEST_TMP/os-release"
is "$(PATH=$TEST_TMP/bin:$PATH OS_RELEASE=$TEST_TMP/os-release scripts/deb none 2>&1 | sed 's/missing: .* debhelper .*lintian .*(/missing: ... (/')" \
	"make deb: missing: ... ('scripts/setup native deb' installs what is)" "without debhelper it says what is missing, in one line"

missing=$(scripts/setup --list native deb | tr '\n' ' ')
[ -n "$missing" ] || git ls-files --error-unmatch Makefile >/dev/null 2>&1 || missing="a checkout of git"
if [ -n "$missing" ]; then
	skip "not here: $missing" "make deb"
	tap_done
fi

check "make deb" make deb || { echo "Bail out! no packages"; exit 1; }
is "$(grep '^E:' "$tap_said")" "" "lintian says no error"
sed -n 's/^W:/# lintian: W:/p' "$tap_said"
version=$(sed -n 's/^#define CIM_VERSION[[:space:]]*"\(.*\)"/\1/p' include/libcim.h)
root=$TEST_TMP/root
arch=$(dpkg --print-architecture)
packages="libcim0 libcim-dev cimtool cimfs-doc"
[ "$arch" != amd64 ] || packages="$packages cimfs-wine"
deb() { echo build/deb/"$1_$version"-1_*.deb; }
for package in $packages; do
	check "$package is unpacked" dpkg -x "$(deb "$package")" "$root"
	check "$package has its copyright and that of what it is made of" \
		test -s "$root/usr/share/doc/$package/copyright" -a \( "$package" = cimtool -o "$package" = cimfs-doc -o \
		-s "$root/usr/share/doc/$package/copyright.xxhash" -a -s "$root/usr/share/doc/$package/copyright.unicode" \)
done

is "$(for package in $packages; do dpkg-deb -c "$(deb "$package")"; done | awk '/^[^d]/ { print $6 }' | sort | uniq -d)" "" \
	"no file is in two packages"

is "$(cimfs_shim/tests/citations.py --links "$root/usr/share/doc/cimfs-doc")" "" "each link of the documents leads somewhere"
for package in ${packages/libcim0/}; do
	[ "$package" = cimfs-doc ] || [[ "$(dpkg-deb -f "$(deb "$package")" Suggests)" == *cimfs-doc* ]]
	result $? "$package has or suggests them, for its man pages and headers name them"
done

# ---- the library ---------------------------------------------------------------------------------

lib=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
is "$(dpkg-deb -I "$(deb libcim0)" symbols | sed -n 's/^ \(cim_.*\)@.*/\1/p' | sort)" \
	"$(sed -n 's/^function \(.*\)@@.*/\1/p' cimfs_shim/tests/abi.txt | sort)" "libcim0 has the symbols that abi.txt records"
for program in "$lib/libcim.so.0" "$root/usr/bin/cimtool" "$root/usr/bin/cimfs-mount"; do
	check "${program##*/} is hardened: bound at once" sh -c "readelf -d '$program' | grep -q BIND_NOW"
	is "$(readelf -d "$program" | grep -c RUNPATH)" 0 "${program##*/} has no path of its own"
done
echo "$(dpkg-deb -f "$(deb cimtool)" Depends)" | grep -q "libcim0 (>= $version)"
result $? "cimtool depends on libcim0 by the symbols: $(dpkg-deb -f "$(deb cimtool)" Depends)"
cat >"$TEST_TMP/use.c" <<'END'
#include <libcim.h>
#include <string.h>
int main(void) { return strcmp(cim_version(), CIM_VERSION); }
END
flags=$(PKG_CONFIG_LIBDIR=$lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root pkg-config --cflags --libs libcim)
# shellcheck disable=SC2086
check "a program is built with libcim-dev" gcc -o "$TEST_TMP/use" "$TEST_TMP/use.c" $flags -L"$lib" -I"$root/usr/include"
export LD_LIBRARY_PATH=$lib
check "and runs with libcim0" "$TEST_TMP/use"

# ---- the programs --------------------------------------------------------------------------------

PATH=$root/usr/bin:$PATH
is "$(cimtool version)" "cimtool $version" "cimtool is of this version"
check "it makes an image" cimtool create "$TEST_TMP/docs.cim" cimfs_shim/doc
check "that is right" cimtool verify --deep "$TEST_TMP/docs.cim"
if no_fuse=$("$TOP/scripts/lib/fuse.py"); then
	check "mount.cimfs mounts it" "$root/usr/sbin/mount.cimfs" "$TEST_TMP/docs.cim" "$TEST_TMP/mnt"
	check "as it was" diff -r cimfs_shim/doc "$TEST_TMP/mnt"
	check "until it is unmounted" cimtool umount "$TEST_TMP/mnt"
else
	skip "$no_fuse" "mount.cimfs mounts it"
fi

# ---- the DLL -------------------------------------------------------------------------------------

if [ "$arch" = amd64 ]; then
	export WINEPREFIX=$TEST_TMP/wine
	mkdir -p "$WINEPREFIX/drive_c/windows/"{system32,syswow64}
	printf 'WINE REGISTRY Version 2\n\n#arch=win64\n' >"$WINEPREFIX/system.reg"
	check "cimfs-install-wine finds what it installs" cimfs-install-wine
	for file in drive_c/windows/{system32,syswow64}/cimfs.dll cimfs/bin/cimfs-mount; do
		check "$file is in the prefix" test -s "$WINEPREFIX/$file"
	done
	is "$(env -u LD_LIBRARY_PATH "$WINEPREFIX/cimfs/bin/cimfs-mount" --version)" "cimfs-mount $version" \
		"the helper there needs no libcim0"
else
	skip "not on amd64" "cimfs-wine"
fi

tap_done
