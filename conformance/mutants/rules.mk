# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The mutants: build/win64/conformance/mutants/cimfs.dll, the same in build/win32 (built, so that it
# compiles; there is no 32-bit run), and the lister of their table.

MUTANT_SRCS := $(filter-out conformance/mutants/list.c,$(sort $(wildcard conformance/mutants/*.c)))
$(call windows-program,win64 win32,conformance/mutants/cimfs.dll,$(MUTANT_SRCS) \
	conformance/mutants/version.rc conformance/mutants/cimfs.def)
$(call native-program,conformance/mutant-list,conformance/mutants/list.c)

MUTANTS_NEED := $(foreach w,win64 win32,build/$(w)/conformance/mutants/cimfs.dll) \
	$(B)/conformance/mutant-list $(CONFORMANCE_NEEDS)
$(call test-scripts,conformance/mutants/check.sh,$(MUTANTS_NEED))
