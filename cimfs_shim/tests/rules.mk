# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each group of tests registers its own in a file beside this one.
include $(filter-out %/rules.mk,$(sort $(wildcard cimfs_shim/tests/*.mk)))
