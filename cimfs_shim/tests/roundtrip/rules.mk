# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The round trip: one story told to libcim (rt_libcim) and, under Wine, to cimfs.dll (rt_cimfs.exe).

RT := cimfs_shim/tests/roundtrip
RT_SRCS := $(RT)/model.c $(RT)/content.c $(RT)/story.c
$(call native-program,tests/rt_libcim,$(RT_SRCS) $(RT)/verify.c $(RT)/rt_libcim.c,libcim.a)
$(call windows-program,win64,tests/rt_cimfs.exe,$(RT_SRCS) $(RT)/win/rt_cimfs.c,libcimfs.a)

$(call test-scripts,$(RT)/roundtrip.py,$(B)/cimtool $(B)/tests/rt_libcim \
	build/win64/tests/rt_cimfs.exe build/win64/cimfs.dll)
