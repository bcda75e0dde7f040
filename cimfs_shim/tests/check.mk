# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The checker, the store, and the hand-made images (scripts/lib/imagebuilder.py, malformed/).
TESTS_NATIVE += t_check t_store t_refusals
$(B)/tests/t_store $(B)/tests/t_refusals: $(B)/native/cimfs_shim/tests/memfs.o

# Through cimtool.
TESTS_SCRIPT += cimfs_shim/tests/check_images.py
CHECK_DEPS += $(B)/cimtool
