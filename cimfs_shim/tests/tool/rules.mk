# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimtool: transcripts (*.txt, run by transcript.py) and tests that need a program.
TESTS_SCRIPT += cimfs_shim/tests/tool/transcript.py cimfs_shim/tests/tool/capture.py \
	cimfs_shim/tests/tool/extract.py cimfs_shim/tests/tool/dump.py \
	cimfs_shim/tests/tool/blobs.py cimfs_shim/tests/tool/failures.py \
	cimfs_shim/tests/tool/ntfs.py cimfs_shim/tests/tool/signals.py \
	cimfs_shim/tests/tool/structs.py cimfs_shim/tests/tool/threads.py
CHECK_DEPS += $(B)/cimtool
