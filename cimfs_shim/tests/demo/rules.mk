# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The demo: the Windows programs pack.exe, which packs C:\windows, and mnt.exe, which mounts what it
# made and compares; and democheck, which compares on the Linux side.

DEMO := cimfs_shim/tests/demo

$(B)/democheck: $(B)/native/$(DEMO)/democheck.o $(B)/libcim.a
	@mkdir -p $(@D)
	$(CC) $(NATIVE_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

build/win64/pack.exe: build/win64/$(DEMO)/pack/pack.o build/win64/libcimfs.a
	$(WIN64)gcc $(WIN64_LDFLAGS) -municode -o $@ $(filter %.o,$^) $(filter %.a,$^) -ladvapi32

build/win64/mnt.exe: build/win64/$(DEMO)/mnt/mnt.o build/win64/libcimfs.a
	$(WIN64)gcc $(WIN64_LDFLAGS) -municode -o $@ $(filter %.o,$^) $(filter %.a,$^) -lrpcrt4

demo-build: $(B)/democheck $(B)/cimtool $(B)/cimfs-mount build/win64/pack.exe build/win64/mnt.exe \
	build/win64/cimfs.dll build/win32/cimfs.dll
CHECK_DEPS += $(B)/democheck build/win64/pack.exe build/win64/mnt.exe build/win64/cimfs.dll

TESTS_SCRIPT += $(DEMO)/quick.sh $(DEMO)/interrupt.py
