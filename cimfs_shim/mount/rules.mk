# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimfs-mount, the FUSE server; mount.cimfs is a link to it. Needs libfuse3-dev.
MOUNT_SRCS := $(sort $(wildcard cimfs_shim/mount/*.c))
MOUNT_CFLAGS := $(shell pkg-config --cflags fuse3 2>/dev/null)
MOUNT_LIBS = $(or $(shell pkg-config --libs fuse3 2>/dev/null),-lfuse3)

BUILDS += $(B)/cimfs-mount $(B)/mount.cimfs

$(MOUNT_SRCS:%.c=$(B)/native/%.o): NATIVE_CFLAGS += $(HOST_CFLAGS) $(MOUNT_CFLAGS)

$(B)/cimfs-mount: $(MOUNT_SRCS:%.c=$(B)/native/%.o) $(HOST_LIB) $(B)/libcim.a $(B)/.sources-mount
	$(call say,LINK,$@)
	$(Q)$(CC) $(NATIVE_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(MOUNT_LIBS) $(LDLIBS)

$(B)/mount.cimfs: $(B)/cimfs-mount
	$(Q)ln -sfn $(<F) $@
