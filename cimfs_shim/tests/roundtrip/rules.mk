# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The round trip: one story told to libcim (rt_libcim; in memory t_writer_random) and, under Wine, to
# cimfs.dll (rt_cimfs.exe).

RT := cimfs_shim/tests/roundtrip
RT_SRCS := $(RT)/model.c $(RT)/content.c $(RT)/story.c
RT_NATIVE_SRCS := $(RT_SRCS) $(RT)/verify.c $(RT)/native.c
$(call native-program,tests/rt_libcim,$(RT_NATIVE_SRCS) $(RT)/rt_libcim.c,libcim.a)
$(B)/tests/t_writer_random: $(RT_NATIVE_SRCS:%.c=$(B)/native/%.o)
$(call windows-program,win64,tests/rt_cimfs.exe,$(RT_SRCS) $(RT)/win/rt_cimfs.c,libcimfs.a)

$(call test-scripts,$(RT)/roundtrip.py,$(B)/cimtool $(B)/tests/rt_libcim \
	build/win64/tests/rt_cimfs.exe build/win64/cimfs.dll)
