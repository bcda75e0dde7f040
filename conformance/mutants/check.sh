#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
# run-tests: plain
#
# check.sh - the mutants as a test: each that the suite doesn't notice is a failure
set -u
unset CDPATH
cd "$(dirname "$0")/../.." || exit 3
exec conformance/mutants/run --tap
