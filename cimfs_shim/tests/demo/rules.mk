# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The demo: conformance/clients' pack.exe packs C:\windows, and mnt.exe mounts what it made and compares;
# packed.py compares without Wine.

DEMO := cimfs_shim/tests/demo

DEMO_NEEDS := $(B)/cimtool $(MOUNT) build/win64/clients/pack.exe build/win64/clients/mnt.exe \
	build/win64/cimfs.dll build/win32/cimfs.dll
$(call test-scripts,$(DEMO)/quick.sh $(DEMO)/interrupt.py,$(DEMO_NEEDS))
