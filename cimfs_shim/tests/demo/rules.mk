# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The demo: the Windows programs pack.exe, which packs C:\windows, and mnt.exe, which mounts what it
# made and compares; and democheck, which compares on the Linux side.

DEMO := cimfs_shim/tests/demo
$(call native-program,democheck,$(DEMO)/democheck.c,libcim.a)
$(call windows-program,win64,pack.exe,$(DEMO)/pack/pack.c,libcimfs.a -municode -ladvapi32)
$(call windows-program,win64,mnt.exe,$(DEMO)/mnt/mnt.c,libcimfs.a -municode -lrpcrt4)

DEMO_NEEDS := $(B)/democheck $(B)/cimtool $(MOUNT) build/win64/pack.exe build/win64/mnt.exe \
	build/win64/cimfs.dll build/win32/cimfs.dll
$(call test-scripts,$(DEMO)/quick.sh $(DEMO)/interrupt.py,$(DEMO_NEEDS))
