# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The conformance suite: build/win64/conformance/cimfs-conformance.exe and the same in build/win32.
# Nothing of ours is linked in: it judges any cimfs.dll, and knows cimfs.h and Windows only.

CONFORMANCE_SRCS := $(sort $(wildcard conformance/suite/*.c conformance/cases/*.c))
CONFORMANCE_LIBS := -municode -lversion -ladvapi32
CONFORMANCE := $(foreach w,win64 win32,build/$(w)/conformance/cimfs-conformance.exe)
$(call windows-program,win64 win32,conformance/cimfs-conformance.exe,$(CONFORMANCE_SRCS),$(CONFORMANCE_LIBS))
build/win64/conformance/suite/%.o build/win32/conformance/suite/%.o: private MINGW_CFLAGS += -municode
WINDOWS += $(CONFORMANCE)

CONFORMANCE_NEEDS := $(CONFORMANCE) $(MOUNT) build/win64/cimfs.dll build/win32/cimfs.dll
$(call test-scripts,conformance/check.sh conformance/copy.sh conformance/disks.sh,$(CONFORMANCE_NEEDS))

# Images made on Linux, for --import here and on Windows.
CONFORMANCE_IMAGES := build/conformance/images/basic/manifest.txt
$(call test-scripts,conformance/exchange.sh,$(CONFORMANCE_NEEDS) $(CONFORMANCE_IMAGES))
$(CONFORMANCE_IMAGES): conformance/make-images.py $(B)/cimtool \
		scripts/lib/imagebuilder.py scripts/lib/handmade.py
	@mkdir -p build/conformance
	$(call say,GEN,build/conformance/images)
	$(Q)BUILD=$(B) $(PYTHON) $< build/conformance/images
	@touch $@
