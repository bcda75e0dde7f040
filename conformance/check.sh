#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
# run-tests: plain
#
# check.sh - the conformance suite as a test of our DLL under Wine; each case is a check
set -u
unset CDPATH
cd "$(dirname "$0")/.." || exit 3
copy=()
scripts/lib/fuse.py >/dev/null || copy=(--copy)
CONFORMANCE_QUIET=1 conformance/run --tap | conformance/limits.py "${copy[@]}"
exit $((PIPESTATUS[0] > 1)) # 1: a case failed, which is told
