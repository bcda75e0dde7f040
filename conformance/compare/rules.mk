# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimfs-compare, which lays two runs of the suite side by side: for Windows, and natively.

COMPARE_SRCS := $(sort $(wildcard conformance/compare/*.c))
BUILDS += $(B)/cimfs-compare build/win64/conformance/cimfs-compare.exe \
	build/win32/conformance/cimfs-compare.exe
TESTS_SCRIPT += conformance/compare/test.sh

$(B)/cimfs-compare: $(COMPARE_SRCS:%.c=$(B)/native/%.o)
	$(call say,LINK,$@)
	$(Q)$(CC) $(NATIVE_LDFLAGS) -o $@ $^

build/win64/conformance/cimfs-compare.exe: $(COMPARE_SRCS:%.c=build/win64/%.o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(WIN64)gcc $(WIN64_LDFLAGS) -o $@ $^

build/win32/conformance/cimfs-compare.exe: $(COMPARE_SRCS:%.c=build/win32/%.o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(WIN32)gcc $(WIN32_LDFLAGS) -o $@ $^

# jsmn's one header, alone, as xxhash.h
build/include/jsmn.h:
	@mkdir -p $(@D)
	@test -e /usr/include/jsmn.h || { echo "jsmn.h is missing: run scripts/setup" >&2; exit 1; }
	$(Q)ln -sfn /usr/include/jsmn.h $@
$(foreach t,$(B)/native build/win64 build/win32,$(t)/conformance/compare/results.o): \
	| build/include/jsmn.h
