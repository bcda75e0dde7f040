# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimfs-compare, which lays two runs of the suite side by side: for Windows, and natively.

COMPARE_SRCS := $(sort $(wildcard conformance/compare/*.c))
COMPARE := $(B)/cimfs-compare build/win64/conformance/cimfs-compare.exe build/win32/conformance/cimfs-compare.exe
$(call native-program,cimfs-compare,$(COMPARE_SRCS))
$(call windows-program,win64 win32,conformance/cimfs-compare.exe,$(COMPARE_SRCS))
$(foreach t,$(B)/native build/win64 build/win32,$(t)/conformance/compare/results.o): \
	| build/include/jsmn.h

WINDOWS += $(COMPARE)
$(call test-scripts,conformance/compare/test.sh,$(COMPARE))
