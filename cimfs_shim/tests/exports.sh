#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
#
# libcim.so exports the functions of its headers, no more and no less, and needs the C library only.
. "$(dirname "$0")/../../scripts/lib/tap.bash"

lib=$BUILD/libcim.so.0

# The preprocessor takes the comments out; a name before a parenthesis is a function then.
cat include/libcim*.h | ${CC:-gcc} -Iinclude -E -P -x c - |
	grep -v '^static inline' | grep -oE '\bcim_[a-z0-9_]+\(' | tr -d '(' | sort -u >"$TEST_TMP/declared"
nm -D --defined-only "$lib" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' |
	sort -u >"$TEST_TMP/exported"

count=$(wc -l <"$TEST_TMP/declared")
[ "$count" -ge 40 ]
result $? "the headers declare functions ($count)"
diff "$TEST_TMP/declared" "$TEST_TMP/exported" >"$TEST_TMP/diff"
result $? "libcim.so exports what the headers declare"
sed 's/^</#   declared, not exported:/; s/^>/#   exported, not declared:/; /^#/!d' "$TEST_TMP/diff"

untried=$(while read -r name; do grep -qw "$name" cimfs_shim/tests/t_null.c || echo "$name"; done \
	<"$TEST_TMP/declared")
[ -z "$untried" ]
result $? "t_null.c knows what each does with NULL (not: '$untried')"

twice=$(grep -oE 'cim_[a-z0-9_]+;' cimfs_shim/core/libcim.map | sort | uniq -d | tr '\n' ' ')
[ -z "$twice" ]
result $? "libcim.map names each once (twice: '$twice')"

soname=$(objdump -p "$lib" | awk '$1 == "SONAME" { print $2 }')
[ "$soname" = libcim.so.0 ]
result $? "its name is libcim.so.0 (here: $soname)"

needed=$(objdump -p "$lib" | awk '$1 == "NEEDED" { print $2 }' |
	grep -vE '^(libc|libm|libpthread|libcrypto|libasan|libubsan)\.so\.' | tr '\n' ' ')
[ -z "$needed" ]
result $? "it needs the C library and libcrypto only (besides: '$needed')"

tap_done
