# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The behaviours of cimfs.dll as a test in Wine's own style, and what goes into Wine's tree.
#
#   build/win64/wine-tests/cimfs_test.exe   cimfs.c, with our wine/test.h; a copy of the DLL beside it
#   build/win64/wine-tests/testh.exe        a test of wine/test.h itself
#
# and the same in build/win32. Neither sees anything of ours but include/cimfs.h.

$(call windows-program,win64 win32,wine-tests/cimfs_test.exe,wine-tests/cimfs.c,-ladvapi32)
$(call windows-program,win64 win32,wine-tests/testh.exe,wine-tests/testh.c)
WINE_TESTS := $(foreach w,win64 win32,build/$(w)/wine-tests/cimfs_test.exe)
WINDOWS += $(WINE_TESTS)

# Those of Wine's own warnings that ours don't include. The language is Wine's, gcc's own C.
build/win64/wine-tests/%.o build/win32/wine-tests/%.o: private MINGW_CFLAGS = -std=gnu11 $(OPT) $(WARN) \
	-Wdeclaration-after-statement -Wempty-body -Wignored-qualifiers -Wlogical-op -Wpointer-arith \
	-Wstrict-prototypes -Wvla -Wwrite-strings '-ffile-prefix-map=$(CURDIR)=.' -Iinclude -Iwine-tests

$(WINE_TESTS): | build/win64/wine-tests/cimfs.dll build/win32/wine-tests/cimfs.dll
build/win64/wine-tests/cimfs.dll build/win32/wine-tests/cimfs.dll: build/%/wine-tests/cimfs.dll: build/%/cimfs.dll
	@mkdir -p $(@D)
	$(Q)cp $< $@

WINE_TEST_SCRIPTS := wine-tests/test.sh wine-tests/export.sh
WINE_TESTS_NEED := $(WINE_TESTS) $(WINE_TESTS:%/cimfs_test.exe=%/testh.exe) $(MOUNT) $(DLL_FILES)
$(call test-scripts,$(WINE_TEST_SCRIPTS),$(WINE_TESTS_NEED))
