# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What goes to a Windows machine, to judge Microsoft's DLL there: one zip file, the same bytes from the
# same sources.

WINDOWS_BUNDLE := build/dist/cimfs-conformance-windows.zip
WINDOWS_BUNDLE_FILES := $(foreach w,win64 win32,$(addprefix build/$(w)/,\
	conformance/cimfs-conformance.exe conformance/cimfs-compare.exe wine-tests/cimfs_test.exe cimfs.dll))

$(WINDOWS_BUNDLE): conformance/windows/bundle.py conformance/windows/run.ps1 \
		conformance/windows/steps.txt conformance/windows/README-WINDOWS.txt COPYING \
		$(WINDOWS_BUNDLE_FILES) $(CONFORMANCE_IMAGES)
	$(call say,ZIP,$@)
	$(Q)$(PYTHON) conformance/windows/bundle.py $@

$(call test-scripts,conformance/windows/test.sh,$(WINDOWS_BUNDLE_FILES) $(CONFORMANCE_IMAGES))
