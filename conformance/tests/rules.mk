# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test of the suite itself: the suite with cases that crash, hang and say odd things, and a DLL
# of the oldest kind that may be broken. Only run under Wine.

$(call windows-program,win64,conformance/selftest.exe,\
	$(filter-out %/wine_limits.c,$(filter conformance/suite/%,$(CONFORMANCE_SRCS))) \
	conformance/tests/cases.c conformance/tests/limits.c,$(CONFORMANCE_LIBS))
$(call windows-program,win64,conformance/bad.dll,conformance/tests/bad.c conformance/tests/bad.def)

$(call test-scripts,conformance/tests/run.sh,build/win64/conformance/selftest.exe \
	build/win64/conformance/bad.dll $(B)/cimfs-compare $(MUTANTS_NEED))
