# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the Makefile promises.
TESTS_SCRIPT += cimfs_shim/tests/abi.py cimfs_shim/tests/exports.sh cimfs_shim/tests/install.sh \
	cimfs_shim/tests/run_tests.py cimfs_shim/tests/find_wine.sh cimfs_shim/tests/wine_start.sh \
	cimfs_shim/tests/reproducible.sh cimfs_shim/tests/setup.sh cimfs_shim/tests/check_wines.sh
