# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The unit tests of core and os, and the tests of what the Makefile and the scripts promise.

# What everything else in core stands on
TESTS_NATIVE += t_utf t_path t_record t_guid t_names t_error t_mem t_compare
$(call test-scripts,cimfs_shim/tests/gen_upcase.py)
TESTS_WINE += build/win64/tests/t_upcase.exe
$(call windows-program,win64,tests/t_upcase.exe,cimfs_shim/tests/t_upcase.c,libcimcore.a)

# The room os: one test program, natively and under Wine, and both against each other. The test stands
# in for an older or a fickle system where it wants to.
TESTS_NATIVE += t_os
$(B)/tests/t_os: LDLIBS += $(addprefix -Wl$(comma)--wrap=,renameat2 linkat pread64 pwrite64 fcntl64 flock fstat64)
# Likewise, and each call of the system's fails once.
TESTS_NATIVE += t_osfaults
$(B)/tests/t_osfaults: LDLIBS += $(addprefix -Wl$(comma)--wrap=,open64 openat64 fcntl64 readdir64 flock fsync \
	fdopendir fstat64 fstatat64 pread64 pwrite64 ftruncate64 lseek64 renameat renameat2 linkat unlinkat malloc \
	getrandom nanosleep newlocale)
TESTS_WINE += build/win64/tests/t_os.exe
$(call windows-program,win64 win32,tests/t_os.exe,cimfs_shim/tests/t_os.c,libcimcore.a)
TESTS_WINE += build/win64/tests/t_win32faults.exe
$(call windows-program,win64 win32,tests/t_win32faults.exe,cimfs_shim/tests/t_win32faults.c,libcimcore.a -lntdll \
	$(addprefix -Wl$(comma)--wrap=,malloc calloc free))
$(call test-scripts,cimfs_shim/tests/os_locks.sh,\
	$(B)/tests/t_os build/win64/tests/t_os.exe build/win32/tests/t_os.exe)

# On images and directories in a file system in memory: an image's structures as they lie in its files;
# the reader: what it reads, what it refuses, and several threads at once; the writer; the store
MEMFS_TESTS := t_budget t_owners t_links t_check_io t_read_io t_io t_progress t_sized t_structs t_reader t_reader_hostile t_reader_threads t_nameindex t_base_region t_merged t_marks t_merge t_mergemarks t_mergesources t_runs t_objectid t_null \
	t_writer t_keep t_writer_data t_writer_base t_writer_commit t_writer_faults t_writer_random t_consistent \
	t_collisions t_store t_refusals t_container t_container_faults t_seal t_seal_broken t_seal_faults t_copy t_append
TESTS_NATIVE += t_metavalid t_sort t_hash t_hashtable t_limits t_verity t_writer_threads t_rebuild t_check $(MEMFS_TESTS)
TESTS_IN_PARTS += t_reader_hostile t_writer_faults t_container_faults t_copy
TESTS_NATIVE += t_container_os
TESTS_WINE += build/win64/tests/t_rebuild.exe build/win64/tests/t_container_os.exe
$(call windows-program,win64,tests/t_rebuild.exe,cimfs_shim/tests/t_rebuild.c,libcimcore.a)
$(call windows-program,win64,tests/t_container_os.exe,cimfs_shim/tests/t_container_os.c,libcimcore.a)
$(MEMFS_TESTS:%=$(B)/tests/%): $(B)/native/cimfs_shim/tests/memfs.o

# What the native programs share
TESTS_NATIVE += t_idset t_host
$(B)/tests/t_idset $(B)/tests/t_host: $(B)/libhost.a
$(B)/tests/t_idset $(B)/tests/t_host: LDLIBS += $(B)/libhost.a $(B)/libcim.a
$(B)/tests/t_host: LDLIBS += -Wl,--wrap=statx,--wrap=fopen64,--wrap=openat64
$(B)/native/cimfs_shim/tests/t_host.o: NATIVE_CFLAGS += $(HOST_CFLAGS)

# Hash trees, ours and veritysetup's
$(call test-scripts,cimfs_shim/tests/verity.py,$(B)/tests/t_verity $(B)/cimtool)

# A world in which all digests are the same.
$(B)/tests/t_collisions: LDLIBS += \
	$(addprefix -Wl$(comma)--wrap=,cim_hasher_final cim_digest_of)

# What file(1) says of our files
$(call test-scripts,cimfs_shim/tests/magic.py,$(B)/cimtool)

# The hand-made images (scripts/lib/imagebuilder.py, malformed/), and byte-exact images of our own writer,
# through cimtool
$(call test-scripts,cimfs_shim/tests/check_images.py cimfs_shim/tests/golden/golden.py,$(B)/cimtool)

# The examples
EXAMPLES := list extract create
$(foreach e,$(EXAMPLES),$(call native-program,examples/$(e),cimfs_shim/doc/examples/$(e).c,libcim.so))
$(call test-scripts,cimfs_shim/tests/examples.py,$(EXAMPLES:%=$(B)/examples/%) $(B)/cimtool)

# What architecture.md and the Makefile and the scripts promise
$(call test-scripts,cimfs_shim/tests/arrows.py,\
	$(B)/libcim.a $(B)/cimfs-mount $(B)/cimtool build/win64/cimfs.dll)
$(call test-scripts,cimfs_shim/tests/abi.py cimfs_shim/tests/exports.sh,$(B)/libcim.so)
$(call test-scripts,cimfs_shim/tests/install.sh,all)
$(call test-scripts,cimfs_shim/tests/man.py,$(MAN_NATIVE) $(MAN_WINDOWS))
$(call test-scripts,cimfs_shim/tests/completions.py,$(COMPLETIONS))
$(call test-scripts,cimfs_shim/tests/reproducible.sh,\
	build/libcim.so build/libcim.a build/win64/cimfs.dll build/win64/libcimfs.a)
$(call test-scripts,$(addprefix cimfs_shim/tests/,\
	citations.py reference.py run_tests.py faults.py find_wine.sh wine_start.sh setup.sh check_wines.sh dist.sh deb.sh release_check.py))
