# SPDX-License-Identifier: LGPL-2.1-or-later
#
# An image's structures as they lie in its files (structs.c), and the segments of its streams.
TESTS_NATIVE += t_structs
$(B)/tests/t_structs: $(B)/native/cimfs_shim/tests/memfs.o
