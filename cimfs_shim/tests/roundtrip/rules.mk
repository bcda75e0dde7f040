# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The round trip: one story told to libcim (rt_libcim) and, under Wine, to cimfs.dll (rt_cimfs.exe).

RT := cimfs_shim/tests/roundtrip
RT_SRCS := $(RT)/model.c $(RT)/content.c $(RT)/story.c
RT_NATIVE := $(RT_SRCS) $(RT)/verify.c $(RT)/rt_libcim.c
RT_WINDOWS := $(RT_SRCS) $(RT)/win/rt_cimfs.c

$(B)/tests/rt_libcim: $(RT_NATIVE:%.c=$(B)/native/%.o) $(B)/libcim.a
	@mkdir -p $(@D)
	$(CC) $(NATIVE_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

build/win64/tests/rt_cimfs.exe: $(RT_WINDOWS:%.c=build/win64/%.o) build/win64/libcimfs.a
	@mkdir -p $(@D)
	$(WIN64)gcc $(WIN64_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^)

CHECK_DEPS += $(B)/tests/rt_libcim build/win64/tests/rt_cimfs.exe build/win64/cimfs.dll
TESTS_SCRIPT += $(RT)/roundtrip.py
