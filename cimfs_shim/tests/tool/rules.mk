# SPDX-License-Identifier: LGPL-2.1-or-later
#
# cimtool: transcripts (*.txt, run by transcript.py) and tests that need a program.
$(call test-scripts,$(addprefix cimfs_shim/tests/tool/,transcript.py capture.py extract.py dump.py \
	blobs.py bombs.py containers.py convert.py eachcall.py failures.py losses.py manifest.py marks.py matrix.py merge.py merged.py ntfs.py \
	oddsystems.py openoptions.py sealed.py \
	signals.py sources.py structs.py summaries.py terminal.py textfiles.py threads.py vhd.py),$(B)/cimtool $(MOUNT) \
	$(B)/tests/faults.so $(B)/tests/nthcall.so $(B)/tests/pack)

# What README shows of a shell
$(call test-scripts,cimfs_shim/tests/tool/readme.py,$(B)/cimtool $(MOUNT) $(DLL_FILES) \
	$(addprefix build/win64/clients/,pack.exe mnt.exe) \
	$(foreach w,win64 win32,build/$(w)/conformance/cimfs-conformance.exe))
