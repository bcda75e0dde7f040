# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimtool: transcripts (*.txt, run by transcript.py) and tests that need a program.
$(call test-scripts,$(addprefix cimfs_shim/tests/tool/,transcript.py capture.py extract.py dump.py \
	blobs.py failures.py losses.py ntfs.py signals.py sources.py structs.py terminal.py \
	threads.py),$(B)/cimtool $(MOUNT))
