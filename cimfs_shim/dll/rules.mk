# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimfs.dll and cimwriter.dll, and the import libraries for programs that use them:
#
#   build/win64/cimfs.dll  build/win64/cimwriter.dll  build/win64/libcimfs.a  build/win64/cimfs.lib
#
# and the same in build/win32. Both DLLs are linked from the same objects; a .def file says what
# each exports. What a debugger needs goes to cimfs.dll.debug.

DLL_SRCS := $(sort $(wildcard cimfs_shim/dll/*.c))
DLL_FILES := $(foreach w,win64 win32,$(addprefix build/$(w)/,cimfs.dll cimwriter.dll libcimfs.a cimfs.lib))
WINDOWS += $(DLL_FILES)

win64.machine := i386:x86-64
win32.machine := i386

# ($(1) is win64 or win32)
define dll-rules
build/$(1)/cimfs_shim/dll/%.res.o: cimfs_shim/dll/version.rc include/libcim.h
	@mkdir -p $$(@D)
	$$(call say,RC,$$@)
	$$(Q)$$($(1).tools)windres $$(join -DV1= -DV2= -DV3=,$$(subst ., ,$$(VERSION))) \
		$$(if $$(filter cimwriter,$$*),-DCIMWRITER) -i $$< -o $$@

build/$(1)/cimfs.dll build/$(1)/cimwriter.dll: build/$(1)/%.dll: $(DLL_SRCS:%.c=build/$(1)/%.o) \
		build/$(1)/cimfs_shim/dll/%.res.o build/$(1)/cimfs_shim/dll/%.def \
		build/$(1)/libcimcore.a build/.flags-mingw build/.sources
	$$(call say,LINK,$$@)
	$$(Q)$$(link-$(1)-dll) -ladvapi32
	$$(Q)$$($(1).tools)objcopy -p --only-keep-debug $$@ $$@.debug
	$$(Q)$$($(1).tools)strip -p $$@
	$$(Q)cd $$(@D) && $$($(1).tools)objcopy -p --add-gnu-debuglink=$$(@F).debug $$(@F)

build/$(1)/libcimfs.a: build/$(1)/cimfs_shim/dll/cimfs.def
	$$(call say,IMPLIB,$$@)
	$$(Q)$$($(1).tools)dlltool -m $$($(1).machine) --kill-at --deterministic-libraries \
		--temp-prefix build_$(1)_cimfs -d $$< -l $$@

build/$(1)/cimfs.lib: build/$(1)/libcimfs.a
	$$(Q)cp $$< $$@
endef
$(foreach w,win64 win32,$(eval $(call dll-rules,$(w))))
