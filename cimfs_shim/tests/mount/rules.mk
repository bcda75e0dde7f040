# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimfs-mount: mounts by hand, all golden and hand-made images, broken images, other users, and the volumes of Wine;
# its answers to the kernel, without one.
$(call test-scripts,$(addprefix cimfs_shim/tests/mount/,mount.py broken.py eachcall.py everyimage.py reparse.py user.py \
	volume.py),$(MOUNT) $(B)/cimtool $(B)/tests/faults.so $(B)/tests/nthcall.so)
$(call test-scripts,cimfs_shim/tests/mount/serve.py,$(B)/tests/ask)

$(call test-scripts,cimfs_shim/tests/mount/sealed.py,$(MOUNT) $(B)/cimtool)

# The same on images in containers.
$(call native-program,tests/pack,cimfs_shim/tests/mount/pack.c,libcim.a)
$(call test-scripts,$(addprefix cimfs_shim/tests/mount/in_container_,mount.py volume.py serve.py reparse.py user.py \
	eachcall.py broken.py everyimage.py),$(MOUNT) $(B)/cimtool $(B)/tests/faults.so $(B)/tests/nthcall.so \
	$(B)/tests/ask $(B)/tests/pack)

# Where holes are, of streams of the test's own
TESTS_NATIVE += t_holes
$(B)/tests/t_holes: $(B)/native/cimfs_shim/mount/holes.o
$(B)/tests/t_holes: LDLIBS += $(addprefix -Wl$(comma)--wrap=,cim_image_get_run cim_run_put)
$(B)/native/cimfs_shim/tests/t_holes.o: NATIVE_CFLAGS += $(HOST_CFLAGS) $(MOUNT_CFLAGS)

# Preloaded into our programs by tests; a sanitizer would have to come first. It doesn't count (COVERAGE=1).
$(B)/tests/faults.so: cimfs_shim/tests/mount/faults.c $(B)/.flags
$(B)/tests/nthcall.so: cimfs_shim/tests/tool/nthcall.c $(B)/.flags
$(B)/tests/faults.so $(B)/tests/nthcall.so:
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(filter-out $(SANFLAGS) $(COUNTFLAGS),$(NATIVE_CFLAGS)) \
		$(if $(filter-out 0,$(SANITIZE)),-DSANITIZED) -shared -o $@ $<

# The server's files, in a world of the test's own.
$(call native-program,tests/ask,cimfs_shim/tests/mount/ask.c $(filter-out %/main.c,$(MOUNT_SRCS)),\
	libhost.a libcim.a $(or $(shell pkg-config --libs fuse3 2>/dev/null),-lfuse3))
$(B)/native/cimfs_shim/tests/mount/ask.o: NATIVE_CFLAGS += $(HOST_CFLAGS) $(MOUNT_CFLAGS)
$(B)/tests/ask: private LDLIBS += $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc free strdup vasprintf \
	__vasprintf_chk splice pipe2 ioctl fcntl64 lseek64 geteuid clock_gettime pthread_setspecific)
