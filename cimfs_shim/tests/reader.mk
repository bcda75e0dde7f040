# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The reader: what it reads, what it refuses, and several threads at once. The images are made by
# minicim.h.
TESTS_NATIVE += t_reader t_reader_hostile t_reader_threads t_runs
$(addprefix $(B)/tests/,t_reader t_reader_hostile t_reader_threads t_runs): \
	$(B)/native/cimfs_shim/tests/memfs.o
TESTS_IN_PARTS += t_reader_hostile
