# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test programs of the DLLs: cimfs_shim/tests/dll/t_x.c -> build/win64/tests/dll/t_x.exe, which
# uses cimfs.dll through its import library; copies of the DLLs lie beside it. Programs that only a
# script can set the scene for are run by that script; wine32.sh runs the 32-bit ones.

DLL_TESTS := t_abi t_errors t_handles t_metadata t_prefix t_trace
DLL_TEST_HELPERS := t_access t_mount t_volume client

TESTS_WINE += $(DLL_TESTS:%=build/win64/tests/dll/%.exe)
TESTS_SCRIPT += $(sort $(wildcard cimfs_shim/tests/dll/*.sh))
CHECK_DEPS += $(DLL_TEST_HELPERS:%=build/win64/tests/dll/%.exe) \
	$(DLL_TESTS:%=build/win32/tests/dll/%.exe) build/win32/tests/dll/t_mount.exe

# ($(1) win64 or win32, $(2) the tools' prefix, $(3) linker flags)
define dll-test-rules
build/$(1)/tests/dll/%.dll: build/$(1)/%.dll
	@mkdir -p $$(@D)
	$$(Q)cp $$< $$@

build/$(1)/tests/dll/%.exe: build/$(1)/cimfs_shim/tests/dll/%.o build/$(1)/libcimfs.a \
		build/$(1)/libcimcore.a \
		| build/$(1)/tests/dll/cimfs.dll build/$(1)/tests/dll/cimwriter.dll
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$(2)gcc $(3) -municode -o $$@ $$(filter %.o,$$^) build/$(1)/libcimfs.a build/$(1)/libcimcore.a \
		-lversion -ladvapi32

# It looks at a function of the DLL's own.
build/$(1)/tests/dll/t_prefix.exe: build/$(1)/cimfs_shim/dll/prefix.o

build/$(1)/cimfs_shim/tests/dll/%.o: MINGW_CFLAGS += -municode
endef
$(eval $(call dll-test-rules,win64,$(WIN64),$(WIN64_LDFLAGS)))
$(eval $(call dll-test-rules,win32,$(WIN32),$(WIN32_LDFLAGS)))
