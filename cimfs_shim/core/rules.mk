# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The upcase table is made by the top Makefile's rule for $(UPCASE); it is made again when the
# Unicode data changes, too (the generator refuses data that would give another table).
$(UPCASE): $(wildcard /usr/share/unicode/UnicodeData.txt /usr/share/unicode/DerivedAge.txt)
