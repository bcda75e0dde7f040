#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# What "make dist" makes: the same bytes whoever made it, and all that the Linux programs are built of,
# where there is no git.
. "$(dirname "$0")/../../scripts/lib/tap.bash"

if ! git ls-files --error-unmatch Makefile >/dev/null 2>&1; then
	skip "no checkout of git" "make dist"
	tap_done
fi
unset MAKEFLAGS MFLAGS MAKELEVEL # they are those of the outer make

version=$(sed -n 's/^#define CIM_VERSION[[:space:]]*"\(.*\)"/\1/p' include/libcim.h)
name=cimfs-shim-$version
tarball=build/dist/$name.tar.gz
check "make dist" make dist
is "$(tar -tf "$tarball" | sort)" "$(git ls-files | sed "s|^|$name/|" | LC_ALL=C sort | sort)" "it holds what git tracks"

clone=$TEST_TMP/clone
git clone -q . "$clone" && git diff --binary HEAD | git -C "$clone" apply --index --allow-empty
(umask 077 && chmod -R go= "$clone" && TZ=Asia/Tokyo make -C "$clone" dist) >"$TEST_TMP/log" 2>&1
check "made of another checkout, with another umask, it is the same" cmp "$tarball" "$clone/$tarball"

# A git that is called says so.
mkdir "$TEST_TMP/bin" "$TEST_TMP/from"
printf '#!/bin/sh\necho "git $*" >>"%s/called"\nexit 127\n' "$TEST_TMP" >"$TEST_TMP/bin/git"
chmod +x "$TEST_TMP/bin/git"
PATH=$TEST_TMP/bin:$PATH
tar -xf "$tarball" -C "$TEST_TMP/from"
cd "$TEST_TMP/from/$name" || exit 1
check "make native, without git" make -j2 OPT=-O0 native
is "$(build/cimtool version)" "cimtool $version" "what it builds has the version"
check "and makes an image" build/cimtool create "$TEST_TMP/docs.cim" cimfs_shim/doc
check "that is right" build/cimtool verify --deep "$TEST_TMP/docs.cim"
is "$(make -n format | grep -c 'cimfs_shim/core/writer\.c')" 1 "make format knows the sources"
is "$(cat "$TEST_TMP/called" 2>/dev/null)" "" "nothing asks git"
is "$(make dist 2>&1 | sed -n 1p)" "make dist: this is no checkout of git" "make dist says what it wants"

tap_done
