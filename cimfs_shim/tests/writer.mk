# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Tests of the writer and of what it stands on, in an environment in memory.
MEMFS_TESTS := t_objectid t_writer t_writer_data t_writer_base t_writer_commit t_writer_faults \
	t_writer_random t_consistent t_collisions
TESTS_NATIVE += t_metavalid t_sort t_hash t_limits t_writer_threads t_rebuild $(MEMFS_TESTS)
TESTS_IN_PARTS += t_writer_faults
TESTS_WINE += build/win64/tests/t_rebuild.exe
$(MEMFS_TESTS:%=$(B)/tests/%): $(B)/native/cimfs_shim/tests/memfs.o

# A world in which all digests are the same.
$(B)/tests/t_collisions: LDLIBS += \
	$(addprefix -Wl$(comma)--wrap=,cim_hasher_final cim_digest_of)
