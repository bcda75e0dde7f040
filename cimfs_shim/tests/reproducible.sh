#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# The same sources give the same bytes: built once more in a directory of another name, at another
# time, the library and the DLL are those that were built here.
. "$(dirname "$0")/../../scripts/lib/tap.bash"

names="build/libcim.so.0 build/libcim.a build/win64/cimfs.dll build/win64/libcimfs.a"
copy="$TEST_TMP/another directory"
mkdir "$copy"
cp -r Makefile include scripts cimfs_shim conformance wine-tests "$copy"
# shellcheck disable=SC2086
if ! make -C "$copy" -j2 $names >"$TEST_TMP/log" 2>&1; then
	tail -n 20 "$TEST_TMP/log" | sed 's/^/# /'
	echo "Bail out! the copy can't be built"
	exit 1
fi
for name in $names; do
	check "$name is the same" cmp "$name" "$copy/$name"
done
tap_done
