# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything by name: "make help" lists it. GNU make 4.3, Debian 12.
#
# How it is put together: this file has the variables, the generic rules and the targets; what one
# room alone needs is in that room's rules.mk, included below. A rules.mk may
#
#   NATIVE += FILE         have FILE built by "make native": what people who want the tools need
#   WINDOWS += FILE        have it built by "make windows"
#   TESTS_NATIVE += t_x    cimfs_shim/tests/t_x.c, linked with libcim.a, run by "make check"
#   TESTS_IN_PARTS += t_x  one of these that runs in two parts, side by side
#   TESTS_WINE += FILE     a test program for Wine
#   $(call test-scripts,FILES,WHAT THEY NEED)
#                          executable test scripts
#   $(call native-program,...), $(call windows-program,...)
#                          a program or DLL (see "programs" below)
#
# and refine what the generic rules do: "$(B)/tests/t_x: LDLIBS += -lm", or an object file more as
# a prerequisite. Generic rules make
#
#   $(B)/native/PATH.o     from PATH.c by $(CC)
#   build/win64/PATH.o     from PATH.c by x86_64-w64-mingw32-gcc; PATH.res.o and PATH.def too
#   build/win32/PATH.o     by i686-w64-mingw32-gcc
#
# $(B) is build, or build/clang, build/sanitize, ... for the variants.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh

# The one place that says it, for all that has a version.
VERSION := $(shell sed -n 's/.*define CIM_VERSION[[:space:]]*"\(.*\)"/\1/p' include/libcim.h)
SOVERSION := 0
NAME := cimfs-shim

# ---- what may be set on the command line ---------------------------------------------------------

ifeq ($(origin CC),default)
CC := $(if $(filter-out 0,$(COVERAGE)),clang,gcc)
endif
ifeq ($(origin AR),default)
AR := ar
endif
PYTHON ?= python3
OPT ?= -O2 -g
# SANITIZE=1: AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer in the native programs;
# SANITIZE=thread: ThreadSanitizer; SANITIZE=fuzz: the first two, and what libFuzzer wants (make fuzz)
SANITIZE ?=
# COVERAGE=1: the native programs count which of their lines and branches run (make coverage); CC is
# clang then
COVERAGE ?=
# WERROR=1: a warning is an error
WERROR ?=
# V=1: print the commands
V ?=
# FILTER=TEXT: "make check" runs only the tests whose name holds TEXT
FILTER ?=
# WINE=PATH, WINESERVER=PATH: the Wine that runs what is built (scripts/lib/wine.sh)
DESTDIR ?=
PREFIX ?= /usr/local
bindir ?= $(PREFIX)/bin
# mount(8) looks for its helpers in /sbin alone: PREFIX=/usr puts ours there.
sbindir ?= $(PREFIX)/sbin
libdir ?= $(PREFIX)/lib
includedir ?= $(PREFIX)/include
docdir ?= $(PREFIX)/share/doc/$(NAME)
mandir ?= $(PREFIX)/share/man
# Where the shells look for completions
bashcompdir ?= $(PREFIX)/share/bash-completion/completions
zshcompdir ?= $(PREFIX)/share/zsh/site-functions
fishcompdir ?= $(PREFIX)/share/fish/vendor_completions.d
# Where an installed program looks for libcim.so, if it is no place where every program does
RPATH ?= $(filter-out /lib% /usr/lib%,$(libdir))

# ---- where things go -----------------------------------------------------------------------------

comma := ,
empty :=
space := $(empty) $(empty)
variant := $(if $(filter-out 0,$(COVERAGE)),coverage,$(if $(findstring clang,$(CC)),clang)) \
	$(patsubst 1,sanitize,$(filter-out 0,$(SANITIZE)))
B := build$(addprefix /,$(subst $(space),-,$(strip $(variant))))

# ---- flags ---------------------------------------------------------------------------------------

WARN := -Wall -Wextra $(if $(filter-out 0,$(WERROR)),-Werror)
INCLUDES := -Iinclude -Ibuild/include
# No path of this machine in what is built, and no time (binutils' strip puts one into a DLL): the
# same sources give the same bytes anywhere.
export SOURCE_DATE_EPOCH ?= 0
COMMON := -std=c11 $(OPT) $(WARN) '-ffile-prefix-map=$(CURDIR)=.' $(INCLUDES)
sanitizers.1 := address undefined
sanitizers.thread := thread
sanitizers.fuzz := address undefined fuzzer-no-link
ifneq ($(filter-out 0,$(SANITIZE)),)
$(if $(sanitizers.$(SANITIZE)),,$(error SANITIZE is 1, thread or fuzz))
SANFLAGS := $(sanitizers.$(SANITIZE):%=-fsanitize=%) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
ifneq ($(filter-out 0,$(COVERAGE)),)
SANFLAGS += -O1 '-fprofile-instr-generate=$(CURDIR)/$(B)/counts/%m%c.profraw' -fcoverage-mapping
COUNTFLAGS := -fprofile-update=atomic -mllvm -runtime-counter-relocation \
	'-DCOVERAGE_DIR="$(CURDIR)/$(B)/counts"' -include scripts/lib/coverage.h
endif

NATIVE_CFLAGS = $(COMMON) -pthread -D_FILE_OFFSET_BITS=64 -fPIC -fvisibility=hidden $(SANFLAGS) \
	$(COUNTFLAGS) $(CPPFLAGS) $(CFLAGS)
NATIVE_LDFLAGS = $(SANFLAGS) -pthread $(LDFLAGS)
# What libcim itself wants: SHA-256.
NATIVE_LIBS := -Wl,--as-needed -lcrypto
WINDOWS_LIBS := -lbcrypt

# mingw's own printf, which knows C99's formats whatever msvcrt.dll does.
MINGW_CFLAGS := $(COMMON) -D__USE_MINGW_ANSI_STDIO=1
win64.tools := x86_64-w64-mingw32-
win32.tools := i686-w64-mingw32-
# What any PE file is linked with: reproducible, no DLL of mingw's needed.
win32.ldflags := -static -static-libgcc -Wl,--no-insert-timestamp,--dynamicbase,--nxcompat
win64.ldflags := $(win32.ldflags) -Wl,--high-entropy-va
# A .def file has the names as the 32-bit compiler decorates them, Name@N, which --kill-at takes off
# the exports again; 64-bit names have no decoration.
win64.def := s/@[0-9]*$$//

# $(call stamp,FILE,TEXT): a file that is written when its text changes, while make reads this, so that
# a second "make" still has nothing to do. Other flags rebuild what was built with the old ones.
# (strip: whether GNU make 4.3 keeps a file's last newline depends on the state of a buffer.)
stamp = $(if $(subst x$(strip $(2)),,x$(strip $(file <$(1))))$(subst \
	x$(strip $(file <$(1))),,x$(strip $(2))),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(2)))

# $(call say,WHAT,FILE) before a command that begins with $(Q): what is done, or the whole command.
Q := $(if $(filter-out 0,$(V)),,@)
say = @$(if $(Q),printf '  %-8s %s\n' '$(1)' '$(2)',:)

# ---- programs ------------------------------------------------------------------------------------

# $(call native-program,NAME,SOURCES,LIBRARIES): $(B)/NAME. Libraries are archives in $(B), and flags
# for the linker.
native-program = $(eval $(call native-program-rule,$(1),$(2),$(3)))
define native-program-rule
$(B)/$(1): $(2:%.c=$(B)/native/%.o) $(addprefix $(B)/,$(filter %.a %.so,$(3))) build/.sources
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(CC) $$(NATIVE_LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter %.a %.so,$$^) \
		$(filter-out %.a %.so,$(3)) $$(LDLIBS) $$(NATIVE_LIBS)
endef

# $(call installed-program,NAME,SOURCES,LIBRARIES): $(B)/NAME with all of libcim in it, which runs from
# where it lies or from a copy, and $(B)/installed/NAME, which wants the libcim.so that is installed.
define installed-program
$(call native-program,$(1),$(2),libhost.a libcim.a $(3))
$(call native-program,installed/$(1),$(2),libhost.a libcim.so $(3))
$(eval $(B)/installed/$(1): $(B)/.rpath)
$(eval $(B)/installed/$(1): private NATIVE_LDFLAGS += $$(RPATH:%=-Wl,-rpath,%))
endef

# $(call windows-program,ARCHITECTURES,NAME,SOURCES,LIBRARIES): build/win64/NAME, build/win32/NAME, a
# program or a DLL. Sources may be .rc and .def files too.
windows-program = $(foreach w,$(1),$(eval $(call windows-program-rule,$(w),$(2),$(3),$(4))))
define windows-program-rule
build/$(1)/$(2): $(addprefix build/$(1)/,$(patsubst %.rc,%.res.o,$(3:.c=.o)) $(filter %.a,$(4))) \
		build/.flags-mingw build/.sources
build/$(1)/$(2): private LDLIBS = $(filter-out %.a,$(4))
endef

# $(call test-scripts,FILES,NEEDS)
test-scripts = $(eval TESTS_SCRIPT += $(1))$(foreach s,$(1),$(eval NEEDS.$(s) := $(2)))

# ---- rooms ---------------------------------------------------------------------------------------

# The upcase table comes from Unicode's data, by a script.
UPCASE := build/gen/upcase_table.c
CORE_SRCS := $(sort $(wildcard cimfs_shim/core/*.c)) $(UPCASE)
NATIVE_SRCS := $(CORE_SRCS) cimfs_shim/os/posix.c
WINDOWS_SRCS := $(CORE_SRCS) cimfs_shim/os/win32.c

NATIVE := $(B)/libcim.a $(B)/libcim.so.$(SOVERSION) $(B)/libcim.so
WINDOWS :=
TESTS_NATIVE :=
TESTS_IN_PARTS :=
TESTS_SCRIPT :=
TESTS_WINE :=

include cimfs_shim/core/rules.mk
include cimfs_shim/host/rules.mk
include cimfs_shim/tool/rules.mk
include cimfs_shim/mount/rules.mk
include cimfs_shim/man/rules.mk
include cimfs_shim/dll/rules.mk
include cimfs_shim/tests/rules.mk
include cimfs_shim/tests/dll/rules.mk
include cimfs_shim/tests/roundtrip/rules.mk
include cimfs_shim/tests/tool/rules.mk
include cimfs_shim/tests/mount/rules.mk
include cimfs_shim/tests/demo/rules.mk
include cimfs_shim/tests/fuzz/rules.mk
include wine-tests/rules.mk
include conformance/rules.mk
include conformance/compare/rules.mk
include conformance/clients/rules.mk
include conformance/mutants/rules.mk
include conformance/tests/rules.mk
include conformance/windows/rules.mk

# ---- stamps --------------------------------------------------------------------------------------

ifneq ($(or $(filter-out help clean doc format format-check uninstall,$(MAKECMDGOALS)),$(if $(MAKECMDGOALS),,all)),)
# (-Werror changes no object.)
$(call stamp,$(B)/.flags,$(CC) $(filter-out -Werror,$(NATIVE_CFLAGS) $(NATIVE_LDFLAGS)))
$(call stamp,$(B)/.rpath,rpath $(RPATH))
$(call stamp,build/.flags-mingw,$(filter-out -Werror,$(MINGW_CFLAGS) $(win64.ldflags)))
# A source file that is gone must leave the archives and programs.
$(call stamp,build/.sources,$(NATIVE_SRCS) $(WINDOWS_SRCS) $(HOST_SRCS) $(TOOL_SRCS) $(MOUNT_SRCS) \
	$(DLL_SRCS) $(CONFORMANCE_SRCS) $(COMPARE_SRCS) $(MUTANT_SRCS))
endif

# For a stamp that somebody removed since.
$(B)/.flags $(B)/.rpath build/.flags-mingw build/.sources:
	@mkdir -p $(@D)
	@touch $@

# ---- generic rules -------------------------------------------------------------------------------

# Only these headers of /usr/include, so that a mingw compiler doesn't meet the others.
build/include/%.h:
	@mkdir -p $(@D)
	@test -e /usr/include/$(@F) || { echo "$(@F) is missing: run scripts/setup" >&2; exit 1; }
	$(Q)ln -sfn /usr/include/$(@F) $@

$(UPCASE): cimfs_shim/core/gen-upcase.py
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$(PYTHON) $< >$@.tmp
	$(Q)mv -f $@.tmp $@

$(B)/native/%.o: %.c $(B)/.flags | build/include/xxhash.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(NATIVE_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libcim.a: $(NATIVE_SRCS:%.c=$(B)/native/%.o) build/.sources
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

LIBCIM_MAP := cimfs_shim/core/libcim.map
$(B)/libcim.so.$(SOVERSION): $(NATIVE_SRCS:%.c=$(B)/native/%.o) $(LIBCIM_MAP) build/.sources
	$(call say,LINK,$@)
	$(Q)$(CC) $(NATIVE_LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,--version-script=$(LIBCIM_MAP) \
		$(if $(SANFLAGS),,-Wl,-z,defs) -o $@ $(filter %.o,$^) $(NATIVE_LIBS)

$(B)/libcim.so: $(B)/libcim.so.$(SOVERSION)
	$(Q)ln -sfn $(<F) $@

$(foreach t,$(TESTS_NATIVE),$(call native-program,tests/$(t),cimfs_shim/tests/$(t).c,libcim.a))

# ($(1) is win64 or win32)
define windows-rules
build/$(1)/%.o: %.c build/.flags-mingw | build/include/xxhash.h
	@mkdir -p $$(@D)
	$$(call say,CC $(1),$$<)
	$$(Q)$$($(1).tools)gcc $$(MINGW_CFLAGS) -MMD -MP -c -o $$@ $$<

build/$(1)/%.res.o: %.rc Makefile
	@mkdir -p $$(@D)
	$$(call say,RC,$$@)
	$$(Q)$$($(1).tools)windres $$(RC_FLAGS) -i $$< -o $$@

build/$(1)/%.def: %.def Makefile
	@mkdir -p $$(@D)
	$$(Q)sed '$$($(1).def)' $$< >$$@

build/$(1)/libcimcore.a: $(WINDOWS_SRCS:%.c=build/$(1)/%.o) build/.sources
	@rm -f $$@
	$$(call say,AR,$$@)
	$$(Q)$$($(1).tools)ar rcs $$@ $$(filter %.o,$$^)

build/$(1)/%.exe:
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(link-$(1))

build/$(1)/%.dll:
	@mkdir -p $$(@D)
	$$(call say,LINK,$$@)
	$$(Q)$$(link-$(1)-dll)

link-$(1) = $$($(1).tools)gcc $$($(1).ldflags) -o $$@ $$(filter %.o,$$^) $$(filter %.def,$$^) $$(filter %.a,$$^) $$(LDLIBS) $$(WINDOWS_LIBS)
link-$(1)-dll = $$(link-$(1)) -shared -Wl,--kill-at,--disable-auto-image-base
endef
$(foreach w,win64 win32,$(eval $(call windows-rules,$(w))))

# Keep what only a pattern rule asked for: removing it would have it rebuilt for ever.
.SECONDARY:

-include $(shell find $(wildcard $(B)/native build/win64 build/win32) /dev/null -name '*.d')

# ---- targets -------------------------------------------------------------------------------------

.PHONY: all native windows dlls check check-build check-run check-wines list-tests coverage faults fuzz fuzz-build demo bench conformance \
	conformance-mutants wine-tests dist deb release-check dist-windows install install-documents install-native install-windows \
	uninstall doc format format-check clean help

## all: make native and make windows (the default); CC=clang, SANITIZE=1 build into their own directories
all: native windows

## native: libcim, cimtool, cimfs-mount, their man pages and completions alone, which need no mingw-w64
native: $(NATIVE)

## windows: the DLLs, the conformance suite, the tests in Wine's style
windows: $(WINDOWS)

## dlls: cimfs.dll and cimwriter.dll alone, with their import libraries
dlls: $(DLL_FILES)

# The set-up may install the compiler, so what needs one happens in a second make.
jobs = $(if $(findstring -j,$(MAKEFLAGS))$(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

# What FILTER leaves of the tests, as scripts/run-tests knows them, and what these need.
# A program for Wine has no sanitizer and counts nothing: nothing new to learn from it there.
# The slowest run in two parts, side by side.
in-parts := $(foreach p,1/2 2/2,$(TESTS_IN_PARTS:%=native:$(B)/tests/%+$(p)))
tests := $(in-parts) $(patsubst %,native:$(B)/tests/%,$(filter-out $(TESTS_IN_PARTS),$(TESTS_NATIVE))) \
	$(TESTS_SCRIPT:%=script:%) \
	$(if $(SANFLAGS),,$(TESTS_WINE:%=wine:%))
chosen := $(if $(FILTER),$(foreach t,$(tests),$(if $(findstring $(FILTER),$(t)),$(t))),$(tests))
chosen-scripts := $(patsubst script:%,%,$(filter script:%,$(chosen)))
needs := $(sort $(patsubst native:%,%,$(filter native:%,$(patsubst %+1/2,%,$(chosen:%+2/2=%)))) \
	$(patsubst wine:%,%,$(filter wine:%,$(chosen))) $(foreach s,$(chosen-scripts),$(NEEDS.$(s))))

## check: install what is missing, build, run all tests (FILTER=TEXT: only some, and only what they need)
check:
	@scripts/setup $(if $(variant)$(filter-out native:%,$(chosen)),,native)
	@+$(MAKE) $(jobs) check-build
	@+$(MAKE) check-run

## check-build: build what "make check" runs
check-build: $(if $(FILTER),,all) $(needs)

# Each test, and what it needs: for scripts/faults.
list-tests:
	@$(foreach t,$(tests),$(info $(t): $(strip \
		$(if $(filter script:%,$(t)),$(NEEDS.$(t:script:%=%)),$(patsubst wine:%,%,$(patsubst \
		native:%,%,$(patsubst %+1/2,%,$(t:%+2/2=%)))))))):

check-run:
	@BUILD=$(B) CC='$(CC)' $(PYTHON) scripts/run-tests $(if $(FILTER),,--record $(B)/checked) $(chosen)

## coverage: run the tests by programs that count, and tell by room what ran, by llvm-cov (FILTER=TEXT ARGS=--missing)
coverage:
	@scripts/setup
	@scripts/setup coverage
	@+$(MAKE) $(jobs) COVERAGE=1 native check-build
	@scripts/coverage --reset
	@+$(MAKE) COVERAGE=1 check-run; status=$$?; scripts/coverage $(ARGS); exit $$status

## faults: put faults into the sources, one at a time, and tell which the tests miss (ARGS="--per-file=9 core")
faults:
	@scripts/setup
	@scripts/faults $(or $(ARGS),core os)

## fuzz: run the fuzz targets with libFuzzer, about a minute each (TIME=SECONDS SEED=N ARGS="image mount")
fuzz:
	@scripts/setup native fuzz
	@+$(MAKE) $(jobs) CC=clang SANITIZE=fuzz fuzz-build
	@BUILD=build/clang-fuzz TIME='$(TIME)' SEED='$(SEED)' $(PYTHON) scripts/fuzz $(ARGS)

fuzz-build: $(FUZZ_PROGRAMS)

## demo: install what is missing, build, pack Wine's C:\windows into an image and compare
demo:
	@scripts/setup
	@+$(MAKE) $(jobs) $(DEMO_NEEDS)
	@BUILD=$(B) scripts/demo

## bench: measure next to tar, squashfuse (ROUNDS=N ONLY=WORDS TREE=DIR; see scripts/bench --help)
bench:
	@scripts/setup --bench
	@+$(MAKE) $(jobs) native $(B)/tests/faults.so build/win64/tests/dll/t_mount.exe
	@BUILD=$(B) scripts/bench

## conformance: run the conformance suite under Wine against our cimfs.dll (ARGS="--filter 'Mount/*'")
conformance:
	@scripts/setup
	@+$(MAKE) $(jobs) $(CONFORMANCE_NEEDS)
	@BUILD=$(B) conformance/run $(ARGS)

## conformance-mutants: run it against DLLs that are wrong in one thing each (ALL=1: all, no sample)
conformance-mutants:
	@scripts/setup
	@+$(MAKE) $(jobs) $(MUTANTS_NEED)
	@BUILD=$(B) $(PYTHON) conformance/mutants/run $(if $(ALL),--all) $(ARGS)

## wine-tests: run the tests in Wine's style under Wine, and check what scripts/export-wine writes
wine-tests:
	@scripts/setup
	@+$(MAKE) $(jobs) $(WINE_TESTS_NEED)
	@BUILD=$(B) $(PYTHON) scripts/run-tests $(WINE_TEST_SCRIPTS:%=script:%)

## check-wines: the demo, the suite and wine-tests in clean Debians 12, 13 and sid (ARGS="--all trixie")
check-wines:
	@scripts/check-wines $(ARGS)

## dist: make build/dist/cimfs-shim-VERSION.tar.gz of what git tracks; it builds without git
# (The same commit gives the same bytes, whoever checked it out.)
DIST := build/dist/$(NAME)-$(VERSION).tar.gz
dist:
	@git ls-files --error-unmatch Makefile >/dev/null 2>&1 || \
		{ echo "make dist: this is no checkout of git" >&2; exit 1; }
	@git diff --quiet HEAD || echo "make dist: with what isn't committed" >&2
	@mkdir -p $(dir $(DIST))
	@git ls-files -z | tar --null -T - --format=gnu --transform='flags=r;s|^|$(NAME)-$(VERSION)/|' \
		--owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX \
		--mtime="@$$(git log -1 --format=%ct)" -I 'gzip -9n' -cf $(DIST).$$$$ && \
		mv -f $(DIST).$$$$ $(DIST)

## deb: make Debian packages of it in build/deb, and have lintian look at them
deb: dist
	@scripts/deb $(DIST)

## release-check: tell what keeps this tree from being released, a line each
release-check:
	@scripts/release-check

## doc: HTML reference of the headers, by Doxygen, in build/doc/html; a warning is an error
doc:
	@VERSION=$(VERSION) $(PYTHON) scripts/doc

## dist-windows: make build/dist/cimfs-conformance-windows.zip, which judges Windows' cimfs.dll
dist-windows:
	@scripts/setup
	@+$(MAKE) $(jobs) $(WINDOWS_BUNDLE)

# Into a RUNPATH and into libcim.pc, which programs anywhere read, goes a place that is the same from
# everywhere, and without what a shell, sed or pkg-config would take for something else.
ifneq ($(filter install% uninstall,$(MAKECMDGOALS)),)
odd = $(strip $(filter-out 0 1,$(words $(1))) $(foreach c,' " \ | & ; < > ( ),$(findstring $(c),$(1))))
$(foreach v,PREFIX bindir sbindir libdir includedir docdir mandir bashcompdir zshcompdir fishcompdir,\
	$(if $(filter-out /%,$($(v)))$(call odd,$($(v))),\
	$(error $(v) is '$($(v))': it must be an absolute path without spaces and special characters)))
endif

# file(1) has one place for what it isn't shipped with, a file, which is often somebody's already: then ours
# is among the documents only. (In a DESTDIR for packages there is no etc.)
MAGIC := cimfs_shim/doc/magic
sysmagic = $(DESTDIR)/etc/magic
install-magic = [ ! -w "$$(dirname '$(sysmagic)')" ] || [ -e '$(sysmagic)' ] || install -m 644 $(MAGIC) '$(sysmagic)'
uninstall-magic = ! cmp -s $(MAGIC) '$(sysmagic)' || rm -f '$(sysmagic)'

## install: install to $(DESTDIR)$(PREFIX), /usr/local by default, what was built (all, if nothing was)
install: $(or $(strip $(if $(wildcard $(B)/libcim.so),install-native) \
	$(if $(wildcard build/win64/cimfs.dll),install-windows)),install-native install-windows)

install-documents:
	scripts/documents '$(DESTDIR)$(docdir)'

## install-native: libcim, cimtool and cimfs-mount alone
# (The cimfs-mount in lib/cimfs is for cimfs-install-wine to copy: with all of libcim in it, for what is
# in a Wine prefix must outlive this installation.)
install-native: native install-documents
	install -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(sbindir)' '$(DESTDIR)$(libdir)/pkgconfig' \
		'$(DESTDIR)$(libdir)/cimfs' '$(DESTDIR)$(includedir)'
	install -m 644 $(wildcard include/libcim*.h) '$(DESTDIR)$(includedir)'
	install -m 644 $(B)/libcim.a $(B)/libcim.so.$(SOVERSION) '$(DESTDIR)$(libdir)'
	ln -sfn libcim.so.$(SOVERSION) '$(DESTDIR)$(libdir)/libcim.so'
	sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(libdir))|' \
		-e 's|@includedir@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(includedir))|' \
		-e 's|@version@|$(VERSION)|' \
		cimfs_shim/core/libcim.pc.in >'$(DESTDIR)$(libdir)/pkgconfig/libcim.pc'
	chmod 644 '$(DESTDIR)$(libdir)/pkgconfig/libcim.pc'
	install -m 755 $(B)/installed/cimtool $(B)/installed/cimfs-mount '$(DESTDIR)$(bindir)'
	install -m 755 $(B)/cimfs-mount '$(DESTDIR)$(libdir)/cimfs'
	ln -sfnr '$(DESTDIR)$(bindir)/cimfs-mount' '$(DESTDIR)$(sbindir)/mount.cimfs'
	install -D -m 644 -t '$(DESTDIR)$(mandir)/man1' $(filter %.1,$(MAN_NATIVE))
	install -D -m 644 -t '$(DESTDIR)$(mandir)/man5' $(filter %.5,$(MAN_NATIVE))
	install -D -m 644 -t '$(DESTDIR)$(mandir)/man8' $(filter %.8,$(MAN_NATIVE))
	install -D -m 644 -t '$(DESTDIR)$(bashcompdir)' $(filter %/bash/cimtool,$(COMPLETIONS))
	ln -sfn cimtool '$(DESTDIR)$(bashcompdir)/cimfs-mount'
	install -D -m 644 -t '$(DESTDIR)$(zshcompdir)' $(filter %/zsh/_cimtool,$(COMPLETIONS))
	install -D -m 644 -t '$(DESTDIR)$(fishcompdir)' $(filter %.fish,$(COMPLETIONS))
	$(ldconfig)
	$(install-magic)

## install-windows: the DLLs, cimfs.h, the import libraries and cimfs-install-wine
install-windows: $(DLL_FILES) $(MAN_WINDOWS) install-documents
	install -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(libdir)/cimfs/x86_64-windows' \
		'$(DESTDIR)$(libdir)/cimfs/i686-windows' '$(DESTDIR)$(includedir)'
	install -m 644 include/cimfs.h '$(DESTDIR)$(includedir)'
	install -m 644 $(filter build/win64/%,$^) '$(DESTDIR)$(libdir)/cimfs/x86_64-windows'
	install -m 644 $(filter build/win32/%,$^) '$(DESTDIR)$(libdir)/cimfs/i686-windows'
	install -m 755 scripts/install-wine '$(DESTDIR)$(bindir)/cimfs-install-wine'
	install -m 755 scripts/lib/wine.sh '$(DESTDIR)$(libdir)/cimfs'
	install -D -m 644 -t '$(DESTDIR)$(mandir)/man1' $(MAN_WINDOWS)

## uninstall: remove what install put there
uninstall:
	rm -f $(foreach h,$(notdir $(wildcard include/*.h)),'$(DESTDIR)$(includedir)/$(h)') \
		$(foreach f,libcim.a libcim.so libcim.so.$(SOVERSION) pkgconfig/libcim.pc \
		cimfs/wine.sh cimfs/cimfs-mount $(patsubst build/win32/%,cimfs/i686-windows/%,\
		$(DLL_FILES:build/win64/%=cimfs/x86_64-windows/%)),'$(DESTDIR)$(libdir)/$(f)') \
		$(foreach f,cimtool cimfs-mount cimfs-install-wine,'$(DESTDIR)$(bindir)/$(f)') \
		'$(DESTDIR)$(sbindir)/mount.cimfs' $(foreach f,$(shell scripts/documents --list),'$(DESTDIR)$(docdir)/$(f)') \
		$(foreach p,$(MAN_PAGES),'$(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(p)))/$(p)') \
		$(foreach p,cimtool cimfs-mount,'$(DESTDIR)$(bashcompdir)/$(p)' '$(DESTDIR)$(fishcompdir)/$(p).fish') \
		'$(DESTDIR)$(zshcompdir)/_cimtool'
	$(uninstall-magic)
	for dir in '$(DESTDIR)$(libdir)/cimfs' '$(DESTDIR)$(docdir)'; do \
		[ ! -d "$$dir" ] || find "$$dir" -depth -type d -exec rmdir --ignore-fail-on-non-empty {} +; \
	done
	$(ldconfig)

ldconfig = $(if $(DESTDIR),,-[ "$$(id -u)" != 0 ] || ldconfig)

c-files = $(shell find cimfs_shim conformance include scripts wine-tests -name '*.[ch]')

## format: lay out all C files by .clang-format
format:
	clang-format -i $(c-files)

## format-check: fail if a C file is laid out otherwise
format-check:
	clang-format --dry-run --Werror $(c-files)

## clean: remove everything that was built
clean:
	@[ ! -e build/check-wines ] || scripts/check-wines --clean
	rm -rf build

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' Makefile | \
		awk -F '\t' '{ printf "  make %-13s %s\n", $$1, $$2 }'
