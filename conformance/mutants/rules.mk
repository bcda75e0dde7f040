# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The mutants: build/win64/conformance/mutants/cimfs.dll, the same in build/win32 (built, so that it
# compiles; there is no 32-bit run), and the lister of their table.

MUTANT_SRCS := $(filter-out conformance/mutants/list.c,$(sort $(wildcard conformance/mutants/*.c)))
MUTANTS := $(foreach w,win64 win32,build/$(w)/conformance/mutants/cimfs.dll) \
	$(B)/conformance/mutant-list
CHECK_DEPS += $(MUTANTS)
TESTS_SCRIPT += conformance/mutants/check.sh

# ($(1) win64 or win32, $(2) the tools' prefix, $(3) linker flags, $(4) sed)
define mutant-rules
build/$(1)/conformance/mutants/cimfs.def: conformance/mutants/cimfs.def conformance/mutants/rules.mk
	@mkdir -p $$(@D)
	$$(Q)sed '$(4)' $$< >$$@

build/$(1)/conformance/mutants/version.res.o: conformance/mutants/version.rc
	@mkdir -p $$(@D)
	$$(call say,RC,$$@)
	$$(Q)$(2)windres -i $$< -o $$@

build/$(1)/conformance/mutants/cimfs.dll: $$(MUTANT_SRCS:%.c=build/$(1)/%.o) \
		build/$(1)/conformance/mutants/version.res.o \
		build/$(1)/conformance/mutants/cimfs.def build/.flags-mingw
	$$(call say,LINK,$$@)
	$$(Q)$(2)gcc $(3) -shared -Wl,--kill-at,--disable-auto-image-base -o $$@ \
		$$(filter %.o,$$^) $$(filter %.def,$$^)
endef
$(eval $(call mutant-rules,win64,$(WIN64),$(WIN64_LDFLAGS),s/@[0-9]*$$$$//))
$(eval $(call mutant-rules,win32,$(WIN32),$(WIN32_LDFLAGS),))

$(B)/conformance/mutant-list: $(B)/native/conformance/mutants/list.o
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(NATIVE_LDFLAGS) -o $@ $^
