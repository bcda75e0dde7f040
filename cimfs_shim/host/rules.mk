# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What cimtool and cimfs-mount both need; linked into each.
HOST_SRCS := $(sort $(wildcard cimfs_shim/host/*.c))

# All that Linux has, for these and the rooms that use them.
HOST_CFLAGS := -D_GNU_SOURCE
$(HOST_SRCS:%.c=$(B)/native/%.o): NATIVE_CFLAGS += $(HOST_CFLAGS)

$(B)/libhost.a: $(HOST_SRCS:%.c=$(B)/native/%.o) build/.sources
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
