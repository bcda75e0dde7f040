# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The conformance suite: build/win64/conformance/cimfs-conformance.exe and the same in build/win32.
# Nothing of ours is linked in: it judges any cimfs.dll, and knows cimfs.h and Windows only.

CONFORMANCE_SRCS := $(sort $(wildcard conformance/suite/*.c conformance/cases/*.c))
CONFORMANCE_LIBS := -lversion -ladvapi32
CONFORMANCE := $(foreach w,win64 win32,build/$(w)/conformance/cimfs-conformance.exe)
BUILDS += $(CONFORMANCE)
build/win64/conformance/cimfs-conformance.exe: $(CONFORMANCE_SRCS:%.c=build/win64/%.o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(WIN64)gcc $(WIN64_LDFLAGS) -municode -o $@ $(filter %.o,$^) $(CONFORMANCE_LIBS)

build/win32/conformance/cimfs-conformance.exe: $(CONFORMANCE_SRCS:%.c=build/win32/%.o)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(WIN32)gcc $(WIN32_LDFLAGS) -municode -o $@ $(filter %.o,$^) $(CONFORMANCE_LIBS)

build/win64/conformance/suite/%.o build/win32/conformance/suite/%.o: MINGW_CFLAGS += -municode

TESTS_SCRIPT += conformance/check.sh
CHECK_DEPS += $(CONFORMANCE)

# Images made on Linux, for --import here and on Windows.
CONFORMANCE_IMAGES := build/conformance/images/basic/manifest.txt
TESTS_SCRIPT += conformance/exchange.sh
CHECK_DEPS += $(CONFORMANCE_IMAGES)
$(CONFORMANCE_IMAGES): conformance/make-images.py $(B)/cimtool \
		scripts/lib/imagebuilder.py scripts/lib/handmade.py
	@mkdir -p build/conformance
	$(call say,GEN,build/conformance/images)
	$(Q)BUILD=$(B) $(PYTHON) $< build/conformance/images
	@touch $@
