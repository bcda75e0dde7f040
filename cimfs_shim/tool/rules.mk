# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimtool, the command line. The rule that links it is in the top Makefile.

TOOL_LIBS := -ljansson -lcrypto

$(TOOL_SRCS:%.c=$(B)/native/%.o): NATIVE_CFLAGS += $(HOST_CFLAGS)
