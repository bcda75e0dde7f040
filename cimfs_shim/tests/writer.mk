# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of the writer and of what it stands on, in an environment in memory.
MEMFS_TESTS := t_objectid t_writer t_writer_data t_writer_base t_writer_commit t_writer_faults \
	t_writer_random
TESTS_NATIVE += t_meta t_sort t_hash t_writer_threads $(MEMFS_TESTS)
$(MEMFS_TESTS:%=$(B)/tests/%): $(B)/native/cimfs_shim/tests/memfs.o
