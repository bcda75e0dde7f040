# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Man pages, of what the programs' help says and the texts here; each page has one. That of
# cimfs-install-wine belongs to the DLLs, and is made without the native programs.
MAN_TEXTS := $(sort $(wildcard cimfs_shim/man/*.md))
MAN_PAGES := $(MAN_TEXTS:cimfs_shim/man/%.md=%)
MAN_WINDOWS := build/man/cimfs-install-wine.1
MAN_NATIVE := $(addprefix $(B)/man/,$(filter-out $(notdir $(MAN_WINDOWS)),$(MAN_PAGES)))

NATIVE += $(MAN_NATIVE)
WINDOWS += $(MAN_WINDOWS)
$(MAN_NATIVE): $(B)/cimtool $(MOUNT)
$(MAN_WINDOWS): scripts/install-wine cimfs_shim/doc/using-wine.md
$(MAN_NATIVE) $(MAN_WINDOWS): $(addprefix cimfs_shim/man/,manpages.py helptext.py) $(MAN_TEXTS) \
		include/libcim.h cimfs_shim/doc/NEWS.md
$(MAN_NATIVE) &:
	$(call say,GEN,$(B)/man)
	$(Q)$(PYTHON) cimfs_shim/man/manpages.py $(VERSION) $(B) $(MAN_NATIVE)
$(MAN_WINDOWS):
	$(call say,GEN,$@)
	$(Q)$(PYTHON) cimfs_shim/man/manpages.py $(VERSION) $(B) $@

# Completions. bash and zsh take one file for both programs; bash looks for it by either name.
COMPLETIONS := $(addprefix $(B)/completions/,bash/cimtool zsh/_cimtool fish/cimtool.fish fish/cimfs-mount.fish)
NATIVE += $(COMPLETIONS)
$(COMPLETIONS): $(addprefix cimfs_shim/man/,completions.py helptext.py $(addprefix completions.,bash zsh fish)) \
		$(B)/cimtool $(MOUNT)
$(COMPLETIONS) &:
	$(call say,GEN,$(B)/completions)
	$(Q)$(PYTHON) cimfs_shim/man/completions.py $(B) $(COMPLETIONS)
