# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimtool, the command line.
TOOL_SRCS := $(sort $(wildcard cimfs_shim/tool/*.c))

NATIVE += $(B)/cimtool $(B)/installed/cimtool
$(call installed-program,cimtool,$(TOOL_SRCS),-ljansson -lcrypto)

$(TOOL_SRCS:%.c=$(B)/native/%.o): NATIVE_CFLAGS += $(HOST_CFLAGS)
