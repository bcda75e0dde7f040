# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The upcase table is made by the top Makefile's rule for $(UPCASE); it is made again when the
# Unicode data changes, too (the generator refuses data that would give another table, and knows
# which of these places to look at).
$(UPCASE): $(wildcard $(foreach f,UnicodeData.txt DerivedAge.txt,\
	/usr/share/unicode/$(f) /usr/share/unicode/ucd/$(f) /usr/share/unicode-character-database/$(f)))
