# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The test programs of the DLLs: cimfs_shim/tests/dll/t_x.c -> build/win64/tests/dll/t_x.exe, which
# uses cimfs.dll through its import library; copies of the DLLs lie beside it. Programs that only a
# script can set the scene for are run by that script; wine32.sh runs the 32-bit ones.

DLL_TESTS := t_abi t_errors t_handles t_leaks t_metadata t_prefix t_trace
DLL_TEST_HELPERS := t_access t_mount t_volume client
DLL_TEST_PROGRAMS := $(patsubst %,tests/dll/%.exe,$(DLL_TESTS) $(DLL_TEST_HELPERS))

$(foreach t,$(DLL_TESTS) $(DLL_TEST_HELPERS),$(call windows-program,win64 win32,tests/dll/$(t).exe,\
	cimfs_shim/tests/dll/$(t).c,libcimfs.a libcimcore.a -municode -lversion -ladvapi32))

# ($(1) is win64 or win32)
define dll-test-rules
$(DLL_TEST_PROGRAMS:%=build/$(1)/%): | build/$(1)/tests/dll/cimfs.dll build/$(1)/tests/dll/cimwriter.dll

build/$(1)/tests/dll/%.dll: build/$(1)/%.dll
	@mkdir -p $$(@D)
	$$(Q)cp $$< $$@

# It looks at a function of the DLL's own, and at its memory.
build/$(1)/tests/dll/t_prefix.exe: build/$(1)/cimfs_shim/dll/prefix.o
build/$(1)/tests/dll/t_prefix.exe: private LDLIBS += $(addprefix -Wl$(comma)--wrap=,malloc free)

build/$(1)/cimfs_shim/tests/dll/%.o: private MINGW_CFLAGS += -municode
endef
$(foreach w,win64 win32,$(eval $(call dll-test-rules,$(w))))

TESTS_WINE += $(DLL_TESTS:%=build/win64/tests/dll/%.exe)

dll-test-scripts = $(call test-scripts,$(addprefix cimfs_shim/tests/dll/,$(1)),$(2))
$(call dll-test-scripts,captured.sh header.sh objdump.sh)
$(call dll-test-scripts,exports.sh link.sh,$(DLL_FILES))
$(call dll-test-scripts,access.sh,build/win64/tests/dll/t_access.exe)
$(call dll-test-scripts,winedebug.sh,build/win64/tests/dll/client.exe)
$(call dll-test-scripts,wine32.sh,$(DLL_TESTS:%=build/win32/tests/dll/%.exe))
$(call dll-test-scripts,install.sh,$(DLL_FILES) $(MOUNT) build/win64/tests/dll/client.exe)
$(call dll-test-scripts,helpers.sh mount.sh user.sh,$(MOUNT) $(B)/cimtool build/win32/tests/dll/t_mount.exe \
	$(addprefix build/win64/,tests/dll/t_leaks.exe tests/dll/t_mount.exe tests/dll/t_volume.exe conformance/cimfs-conformance.exe))
