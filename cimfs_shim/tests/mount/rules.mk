# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimfs-mount: mounts by hand, all golden and hand-made images, broken images, other users, and the volumes of Wine.
$(call test-scripts,$(addprefix cimfs_shim/tests/mount/,mount.py broken.py everyimage.py reparse.py user.py volume.py),\
	$(MOUNT) $(B)/cimtool $(B)/tests/faults.so)

# Preloaded into the server by tests; a sanitizer would have to come first. It doesn't count (COVERAGE=1).
$(B)/tests/faults.so: cimfs_shim/tests/mount/faults.c $(B)/.flags
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(filter-out $(SANFLAGS) $(COUNTFLAGS),$(NATIVE_CFLAGS)) -shared -o $@ $<
