#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# The same sources give the same bytes: built once more in a directory of another name, at another
# time, the library and the DLL are those that were built here.
set -u

names="build/libcim.so.0 build/libcim.a build/win64/cimfs.dll build/win64/libcimfs.a"
n=0
copy="$TEST_TMP/another directory"
mkdir "$copy"
cp -r Makefile include scripts cimfs_shim "$copy"
# shellcheck disable=SC2086
if ! make -C "$copy" -j2 $names >"$TEST_TMP/log" 2>&1; then
	tail -n 20 "$TEST_TMP/log" | sed 's/^/# /'
	echo "Bail out! the copy can't be built"
	exit 1
fi
for name in $names; do
	n=$((n + 1))
	if cmp "$name" "$copy/$name" >"$TEST_TMP/cmp" 2>&1; then
		echo "ok $n - $name is the same"
	else
		echo "not ok $n - $name is the same"
		sed 's/^/#   /' "$TEST_TMP/cmp"
	fi
done
echo "1..$n"
