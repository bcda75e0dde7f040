# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The behaviours of cimfs.dll as a test in Wine's own style, and what goes into Wine's tree.
#
#   build/win64/wine-tests/cimfs_test.exe   cimfs.c, with our wine/test.h; a copy of the DLL beside it
#   build/win64/wine-tests/testh.exe        a test of wine/test.h itself
#
# and the same in build/win32. Neither sees anything of ours but include/cimfs.h.

WINE_TESTS := $(foreach arch,win64 win32,build/$(arch)/wine-tests/cimfs_test.exe \
	build/$(arch)/wine-tests/testh.exe)
WINE_TEST_SCRIPTS := wine-tests/test.sh wine-tests/export.sh

BUILDS += $(filter %/cimfs_test.exe,$(WINE_TESTS))
TESTS_SCRIPT += $(WINE_TEST_SCRIPTS)
CHECK_DEPS += $(WINE_TESTS)

# Those of Wine's own warnings that ours don't include. The language is Wine's, gcc's own C.
WINE_TEST_CFLAGS = -std=gnu11 $(OPT) $(WARN) -Wdeclaration-after-statement -Wempty-body \
	-Wignored-qualifiers -Wlogical-op -Wpointer-arith -Wstrict-prototypes -Wvla -Wwrite-strings \
	'-ffile-prefix-map=$(CURDIR)=.' -Iinclude -Iwine-tests

# ($(1) win64 or win32, $(2) the tools' prefix, $(3) linker flags)
define wine-test-rules
build/$(1)/wine-tests/%.o: wine-tests/%.c build/.flags-mingw
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$$(Q)$(2)gcc $$(WINE_TEST_CFLAGS) -MMD -MP -c -o $$@ $$<

build/$(1)/wine-tests/cimfs.dll: build/$(1)/cimfs.dll
	@mkdir -p $$(@D)
	$$(Q)cp $$< $$@

build/$(1)/wine-tests/cimfs_test.exe: build/$(1)/wine-tests/cimfs.o | build/$(1)/wine-tests/cimfs.dll
	$$(call say,LINK,$$@)
	$$(Q)$(2)gcc $(3) -o $$@ $$< -ladvapi32

build/$(1)/wine-tests/testh.exe: build/$(1)/wine-tests/testh.o
	$$(call say,LINK,$$@)
	$$(Q)$(2)gcc $(3) -o $$@ $$<
endef
$(eval $(call wine-test-rules,win64,$(WIN64),$(WIN64_LDFLAGS)))
$(eval $(call wine-test-rules,win32,$(WIN32),$(WIN32_LDFLAGS)))
