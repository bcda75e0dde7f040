# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test of the suite itself: the suite with cases that crash, hang and say odd things, and a DLL
# of the oldest kind that may be broken. Only run under Wine.

SELFTEST := build/win64/conformance/selftest.exe build/win64/conformance/bad.dll
TESTS_SCRIPT += conformance/tests/run.sh
CHECK_DEPS += $(SELFTEST) build/win64/cimfs.dll build/win32/cimfs.dll

build/win64/conformance/selftest.exe: \
		$(patsubst %.c,build/win64/%.o,$(filter-out %/wine_limits.c,$(wildcard conformance/suite/*.c)) \
		conformance/tests/cases.c conformance/tests/limits.c)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(WIN64)gcc $(WIN64_LDFLAGS) -municode -o $@ $(filter %.o,$^) $(CONFORMANCE_LIBS)

build/win64/conformance/bad.dll: build/win64/conformance/tests/bad.o conformance/tests/bad.def
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(WIN64)gcc $(WIN64_LDFLAGS) -shared -o $@ $^
