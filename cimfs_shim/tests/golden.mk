# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Byte-exact images of our own writer.
TESTS_SCRIPT += cimfs_shim/tests/golden/golden.py
CHECK_DEPS += $(B)/cimtool
