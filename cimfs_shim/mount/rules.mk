# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimfs-mount, the FUSE server; mount.cimfs is a link to it. Needs libfuse3-dev.
MOUNT_SRCS := $(sort $(wildcard cimfs_shim/mount/*.c))
MOUNT_CFLAGS := $(shell pkg-config --cflags fuse3 2>/dev/null)
MOUNT := $(B)/cimfs-mount $(B)/mount.cimfs

NATIVE += $(MOUNT) $(B)/installed/cimfs-mount
$(call installed-program,cimfs-mount,$(MOUNT_SRCS),\
	$(or $(shell pkg-config --libs fuse3 2>/dev/null),-lfuse3))

$(MOUNT_SRCS:%.c=$(B)/native/%.o): NATIVE_CFLAGS += $(HOST_CFLAGS) $(MOUNT_CFLAGS)

$(B)/mount.cimfs: $(B)/cimfs-mount
	$(Q)ln -sfn $(<F) $@
