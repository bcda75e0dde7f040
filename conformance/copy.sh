#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
# run-tests: plain
#
# copy.sh - what the conformance suite requires of volumes, of those that are extracted copies
#
# Where there is no FUSE, they are that in check.sh.
set -u
unset CDPATH
cd "$(dirname "$0")/.." || exit 3
if ! scripts/lib/fuse.py >/dev/null; then
	printf 'ok 1 - volumes that are copies # SKIP check.sh does it\n1..1\n'
	exit
fi
export CONFORMANCE_QUIET=1 CIMFS_MOUNT_BACKEND=extract
mapfile -t required < <(conformance/run --list --filter 'Mount/*' --filter 'Dismount/*' --filter 'Volume/*' |
	awk '$1 ~ "/" && $2 != "QUESTION" && !seen[$1]++ { print "--filter"; print $1 }')
[ ${#required[@]} != 0 ] || exit 3
conformance/run --tap "${required[@]}" | conformance/limits.py --copy
exit $((PIPESTATUS[0] > 1)) # 1: a case failed, which is told
