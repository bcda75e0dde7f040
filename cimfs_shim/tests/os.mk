# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The room os: one test program, natively and under Wine, and both against each other.
TESTS_NATIVE += t_os
TESTS_WINE += build/win64/tests/t_os.exe
TESTS_SCRIPT += cimfs_shim/tests/os_locks.sh
CHECK_DEPS += build/win32/tests/t_os.exe

# The test stands in for an older or a fickle system where it wants to.
$(B)/tests/t_os: LDLIBS += $(addprefix -Wl$(comma)--wrap=,renameat2 linkat pread64 pwrite64 fcntl64 fstat64)
