# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimfs.dll and cimwriter.dll, and the import libraries for programs that use them:
#
#   build/win64/cimfs.dll  build/win64/cimwriter.dll  build/win64/libcimfs.a  build/win64/cimfs.lib
#
# and the same in build/win32. Both DLLs are linked from the same objects; a .def file says what
# each exports. It has the names as the 32-bit compiler decorates them, Name@N, which --kill-at
# takes off the exports again; 64-bit names have no decoration, so the .def loses it there. What a
# debugger needs goes to cimfs.dll.debug.

DLL_SRCS := $(sort $(wildcard cimfs_shim/dll/*.c))
DLL_LIBS := -ladvapi32

WIN64_FILES += build/win64/cimfs.dll build/win64/cimwriter.dll build/win64/libcimfs.a build/win64/cimfs.lib
WIN32_FILES += build/win32/cimfs.dll build/win32/cimwriter.dll build/win32/libcimfs.a build/win32/cimfs.lib

DLL_RC_FLAGS = $(join -DV1= -DV2= -DV3=,$(subst ., ,$(VERSION))) \
	$(if $(filter cimwriter,$*),-DCIMWRITER)

# ($(1) win64 or win32, $(2) the tools' prefix, $(3) linker flags, $(4) dlltool's machine, $(5) sed)
define dll-rules
build/$(1)/%.def: cimfs_shim/dll/%.def cimfs_shim/dll/rules.mk
	@mkdir -p $$(@D)
	$$(call say,DEF,$$@)
	$$(Q)sed '$(5)' $$< >$$@

build/$(1)/%.res.o: cimfs_shim/dll/version.rc cimfs_shim/dll/rules.mk Makefile
	@mkdir -p $$(@D)
	$$(call say,RC,$$@)
	$$(Q)$(2)windres $$(DLL_RC_FLAGS) -i $$< -o $$@

build/$(1)/%.dll: $$(DLL_SRCS:%.c=build/$(1)/%.o) build/$(1)/%.res.o build/$(1)/%.def \
		build/$(1)/libcimcore.a build/.flags-mingw
	$$(call say,LINK,$$@)
	$$(Q)$(2)gcc $(3) -shared -Wl,--kill-at,--disable-auto-image-base -o $$@ \
		$$(filter %.o,$$^) $$(filter %.def,$$^) $$(filter %.a,$$^) $$(DLL_LIBS)
	$$(Q)$(2)objcopy -p --only-keep-debug $$@ $$@.debug
	$$(Q)$(2)strip -p $$@
	$$(Q)cd $$(@D) && $(2)objcopy -p --add-gnu-debuglink=$$(@F).debug $$(@F)

build/$(1)/lib%.a: build/$(1)/%.def
	$$(call say,IMPLIB,$$@)
	$$(Q)$(2)dlltool -m $(4) --kill-at --deterministic-libraries \
		--temp-prefix build_$(1)_$$* -d $$< -l $$@

build/$(1)/%.lib: build/$(1)/lib%.a
	$$(Q)cp $$< $$@
endef
$(eval $(call dll-rules,win64,$(WIN64),$(WIN64_LDFLAGS),i386:x86-64,s/@[0-9]*$$$$//))
$(eval $(call dll-rules,win32,$(WIN32),$(WIN32_LDFLAGS),i386,))
