# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Unit tests of the files of core that everything else stands on.
TESTS_NATIVE += t_utf t_path t_record t_guid t_error t_mem t_io t_compare
$(B)/tests/t_io: $(B)/native/cimfs_shim/tests/memfs.o
TESTS_SCRIPT += cimfs_shim/tests/gen_upcase.py
TESTS_WINE += build/win64/tests/t_upcase.exe
