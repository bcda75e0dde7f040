# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The checker, the store, and the hand-made images (imagebuilder.py, golden/, malformed/).
TESTS_NATIVE += t_check

# Through cimtool.
TESTS_SCRIPT += cimfs_shim/tests/check_images.py
CHECK_DEPS += $(B)/cimtool
