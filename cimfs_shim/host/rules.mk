# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What cimtool and cimfs-mount both need; linked into each.
HOST_SRCS := $(sort $(wildcard cimfs_shim/host/*.c))
HOST_LIB := $(B)/libhost.a

$(HOST_LIB): $(HOST_SRCS:%.c=$(B)/native/%.o) $(B)/.sources-host
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
