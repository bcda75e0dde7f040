# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything by name: "make help" lists it. GNU make 4.3, Debian 12.
#
# How it is put together: this file has the variables, the generic rules and the targets; what one
# room alone needs is in that room's rules.mk, included below. A rules.mk may
#
#   BUILDS += FILE         have FILE built by plain "make"
#   WIN64_FILES, WIN32_FILES += FILE
#                          the same for a DLL or an import library, which "make install" installs
#   TESTS_NATIVE += t_x    cimfs_shim/tests/t_x.c, linked with libcim.a, run by "make check"
#   TESTS_WINE += FILE     build/win64/..., a test program for Wine; build/win64/tests/t_x.exe comes
#                          from cimfs_shim/tests/t_x.c and libcimcore.a by a generic rule
#   TESTS_SCRIPT += FILE   an executable test script
#   CHECK_DEPS += FILE     what else the tests need
#
# and refine what the generic rules do: "$(B)/tests/t_x: LDLIBS += -lm", or an object file more as
# a prerequisite. Generic rules make
#
#   $(B)/native/PATH.o     from PATH.c by $(CC)
#   build/win64/PATH.o     from PATH.c by x86_64-w64-mingw32-gcc
#   build/win32/PATH.o     from PATH.c by i686-w64-mingw32-gcc
#
# $(B) is build, or build/clang, build/sanitize, ... for the variants.

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory
SHELL := /bin/sh

VERSION := 0.1.0
SOVERSION := 0

# ---- what may be set on the command line ---------------------------------------------------------

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin AR),default)
AR := ar
endif
PYTHON ?= python3
OPT ?= -O2 -g
# SANITIZE=1: AddressSanitizer, UndefinedBehaviorSanitizer and LeakSanitizer in the native programs
SANITIZE ?=
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

# ---- where things go -----------------------------------------------------------------------------

comma := ,
empty :=
space := $(empty) $(empty)
variant := $(if $(findstring clang,$(CC)),clang) $(if $(filter-out 0,$(SANITIZE)),sanitize)
B := build$(addprefix /,$(subst $(space),-,$(strip $(variant))))

# ---- flags ---------------------------------------------------------------------------------------

WARN := -Wall -Wextra $(if $(filter-out 0,$(WERROR)),-Werror)
INCLUDES := -Iinclude -Ibuild/include
# No path of this machine in what is built, and no time (binutils' strip puts one into a DLL): the
# same sources give the same bytes anywhere.
export SOURCE_DATE_EPOCH ?= 0
COMMON := -std=c11 $(OPT) $(WARN) '-ffile-prefix-map=$(CURDIR)=.' -DCIM_VERSION='"$(VERSION)"' $(INCLUDES)
ifneq ($(filter-out 0,$(SANITIZE)),)
SANFLAGS := -fsanitize=address -fsanitize=undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
endif

NATIVE_CFLAGS = $(COMMON) -pthread -D_FILE_OFFSET_BITS=64 -fPIC -fvisibility=hidden $(SANFLAGS) $(CFLAGS)
NATIVE_LDFLAGS = $(SANFLAGS) -pthread $(LDFLAGS)

# mingw's own printf, which knows C99's formats whatever msvcrt.dll does.
MINGW_CFLAGS := $(COMMON) -D__USE_MINGW_ANSI_STDIO=1
WIN64 := x86_64-w64-mingw32-
WIN32 := i686-w64-mingw32-
# What any PE file is linked with: reproducible, no DLL of mingw's needed.
MINGW_LDFLAGS := -static -static-libgcc -Wl,--no-insert-timestamp,--dynamicbase,--nxcompat
WIN64_LDFLAGS := $(MINGW_LDFLAGS) -Wl,--high-entropy-va
WIN32_LDFLAGS := $(MINGW_LDFLAGS)

# $(call stamp,FILE,TEXT): a file that is written when its text changes, while make reads this, so that
# a second "make" still has nothing to do. Other flags rebuild what was built with the old ones.
# (strip: whether GNU make 4.3 keeps a file's last newline depends on the state of a buffer.)
stamp = $(if $(subst x$(strip $(2)),,x$(strip $(file <$(1))))$(subst \
	x$(strip $(file <$(1))),,x$(strip $(2))),$(shell mkdir -p $(dir $(1)))$(file >$(1),$(2)))

# $(call say,WHAT,FILE) before a command that begins with $(Q): what is done, or the whole command.
Q := $(if $(filter-out 0,$(V)),,@)
say = @$(if $(Q),printf '  %-8s %s\n' '$(1)' '$(2)',:)

# ---- sources -------------------------------------------------------------------------------------

# The upcase table comes from Unicode's data, by a script.
UPCASE := build/gen/upcase_table.c
CORE_SRCS := $(sort $(wildcard cimfs_shim/core/*.c)) \
	$(if $(wildcard cimfs_shim/core/gen-upcase.py),$(UPCASE))
NATIVE_SRCS = $(CORE_SRCS) cimfs_shim/os/posix.c
WINDOWS_SRCS = $(CORE_SRCS) cimfs_shim/os/win32.c
TOOL_SRCS := $(sort $(wildcard cimfs_shim/tool/*.c))
TOOL_LIBS :=

BUILDS := $(B)/libcim.a $(B)/libcim.so.$(SOVERSION) $(B)/libcim.so
ifneq ($(TOOL_SRCS),)
BUILDS += $(B)/cimtool
endif
WIN64_FILES :=
WIN32_FILES :=
TESTS_NATIVE :=
TESTS_SCRIPT :=
TESTS_WINE :=
CHECK_DEPS :=

include $(wildcard cimfs_shim/core/rules.mk cimfs_shim/os/rules.mk cimfs_shim/dll/rules.mk \
	cimfs_shim/host/rules.mk cimfs_shim/tool/rules.mk cimfs_shim/mount/rules.mk \
	cimfs_shim/tests/rules.mk cimfs_shim/tests/*/rules.mk conformance/rules.mk conformance/*/rules.mk \
	wine-tests/rules.mk)

# ---- stamps --------------------------------------------------------------------------------------

no-build-goals := help clean format format-check uninstall check demo bench conformance wine-tests \
	conformance-mutants dist-windows check-wines
ifneq ($(or $(filter-out $(no-build-goals),$(MAKECMDGOALS)),$(if $(MAKECMDGOALS),,all)),)
# (-Werror changes no object.)
$(call stamp,$(B)/.flags,$(CC) $(filter-out -Werror,$(NATIVE_CFLAGS) $(NATIVE_LDFLAGS)))
$(call stamp,build/.flags-mingw,$(filter-out -Werror,$(MINGW_CFLAGS) $(WIN64_LDFLAGS)))
# A source file that is gone must leave the archives.
$(call stamp,$(B)/.sources,$(NATIVE_SRCS))
$(call stamp,$(B)/.sources-host,$(HOST_SRCS))
$(call stamp,$(B)/.sources-tool,$(TOOL_SRCS))
$(call stamp,$(B)/.sources-mount,$(MOUNT_SRCS))
$(call stamp,build/.sources-mingw,$(WINDOWS_SRCS))
endif

# For a stamp that somebody removed since.
$(B)/.flags build/.flags-mingw $(B)/.sources $(B)/.sources-host $(B)/.sources-tool \
		$(B)/.sources-mount build/.sources-mingw:
	@mkdir -p $(@D)
	@touch $@

# ---- generic rules -------------------------------------------------------------------------------

# Only this one header of /usr/include, so that a mingw compiler doesn't meet the others.
build/include/xxhash.h:
	@mkdir -p $(@D)
	@test -e /usr/include/xxhash.h || { echo "xxhash.h is missing: run scripts/setup native" >&2; exit 1; }
	$(Q)ln -sfn /usr/include/xxhash.h $@

$(UPCASE): cimfs_shim/core/gen-upcase.py
	@mkdir -p $(@D)
	$(call say,GEN,$@)
	$(Q)$(PYTHON) $< >$@.tmp
	$(Q)mv -f $@.tmp $@

$(B)/native/%.o: %.c $(B)/.flags | build/include/xxhash.h
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(NATIVE_CFLAGS) -MMD -MP -c -o $@ $<

build/win64/%.o: %.c build/.flags-mingw | build/include/xxhash.h
	@mkdir -p $(@D)
	$(call say,CC64,$<)
	$(Q)$(WIN64)gcc $(MINGW_CFLAGS) -MMD -MP -c -o $@ $<

build/win32/%.o: %.c build/.flags-mingw | build/include/xxhash.h
	@mkdir -p $(@D)
	$(call say,CC32,$<)
	$(Q)$(WIN32)gcc $(MINGW_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/libcim.a: $(NATIVE_SRCS:%.c=$(B)/native/%.o) $(B)/.sources
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

LIBCIM_MAP := cimfs_shim/core/libcim.map
$(B)/libcim.so.$(SOVERSION): $(NATIVE_SRCS:%.c=$(B)/native/%.o) $(LIBCIM_MAP) $(B)/.sources
	$(call say,LINK,$@)
	$(Q)$(CC) $(NATIVE_LDFLAGS) -shared -Wl,-soname,$(@F) -Wl,--version-script=$(LIBCIM_MAP) \
		$(if $(SANFLAGS),,-Wl,-z,defs) -o $@ $(filter %.o,$^)

$(B)/libcim.so: $(B)/libcim.so.$(SOVERSION)
	$(Q)ln -sfn $(<F) $@

$(B)/cimtool: $(TOOL_SRCS:%.c=$(B)/native/%.o) $(HOST_LIB) $(B)/libcim.a $(B)/.sources-tool
	$(call say,LINK,$@)
	$(Q)$(CC) $(NATIVE_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(TOOL_LIBS) $(LDLIBS)

build/win64/libcimcore.a: $(WINDOWS_SRCS:%.c=build/win64/%.o) build/.sources-mingw
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(WIN64)ar rcs $@ $(filter %.o,$^)

build/win32/libcimcore.a: $(WINDOWS_SRCS:%.c=build/win32/%.o) build/.sources-mingw
	@rm -f $@
	$(call say,AR,$@)
	$(Q)$(WIN32)ar rcs $@ $(filter %.o,$^)

$(B)/tests/t_%: $(B)/native/cimfs_shim/tests/t_%.o $(B)/libcim.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(CC) $(NATIVE_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

build/win64/tests/t_%.exe: build/win64/cimfs_shim/tests/t_%.o build/win64/libcimcore.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(WIN64)gcc $(WIN64_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

build/win32/tests/t_%.exe: build/win32/cimfs_shim/tests/t_%.o build/win32/libcimcore.a
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(WIN32)gcc $(WIN32_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDLIBS)

# Keep what only a pattern rule asked for: removing it would have it rebuilt for ever.
.SECONDARY:

-include $(shell find $(wildcard $(B)/native build/win64 build/win32) /dev/null -name '*.d')

# ---- targets -------------------------------------------------------------------------------------

.PHONY: all check check-build check-run check-wines demo bench conformance conformance-mutants wine-tests dist-windows install uninstall format format-check clean help

## all: everything but the tests (the default); CC=clang, SANITIZE=1 build into their own directories
all: $(BUILDS) $(WIN64_FILES) $(WIN32_FILES)

# The set-up may install the compiler, so what needs one happens in a second make.
jobs = $(if $(findstring -j,$(MAKEFLAGS))$(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

## check: install what is missing, build, run all tests (FILTER=TEXT: only some)
check:
	@scripts/setup
	@+$(MAKE) $(jobs) check-build
	@+$(MAKE) check-run

native-tests = $(TESTS_NATIVE:%=$(B)/tests/%)
# The slowest run in two parts, side by side.
native-specs = $(foreach t,$(native-tests),$(if $(filter $(TESTS_IN_PARTS),$(notdir $(t))),\
	native:$(t)+1/2 native:$(t)+2/2,native:$(t)))
# A program for Wine has no sanitizer: nothing new to learn from it in that variant.
wine-tests = $(if $(SANFLAGS),,$(TESTS_WINE))

## check-build: build what "make check" runs
check-build: all $(native-tests) $(wine-tests) $(CHECK_DEPS)

check-run:
	@BUILD=$(B) CC='$(CC)' $(PYTHON) scripts/run-tests $(if $(FILTER),--filter '$(FILTER)') \
		$(native-specs) $(TESTS_SCRIPT:%=script:%) $(wine-tests:%=wine:%)

## demo: install what is missing, build, pack Wine's C:\windows into an image and compare
demo:
	@scripts/setup
	@+$(MAKE) $(jobs) all
	@+$(MAKE) $(jobs) demo-build
	@BUILD=$(B) scripts/demo

## bench: measure next to tar, squashfuse (ROUNDS=N ONLY=WORDS TREE=DIR; see scripts/bench --help)
bench:
	@scripts/setup --bench
	@+$(MAKE) $(jobs) all build/win64/tests/dll/t_mount.exe
	@BUILD=$(B) scripts/bench

# What the demo needs besides; its rules.mk adds prerequisites.
.PHONY: demo-build
demo-build: ;@:

## conformance: run the conformance suite under Wine against our cimfs.dll (ARGS="--filter 'Mount/*'")
conformance:
	@scripts/setup
	@+$(MAKE) $(jobs) all
	@BUILD=$(B) conformance/run $(ARGS)

## conformance-mutants: run it against DLLs that are wrong in one thing each (ALL=1: all, no sample)
conformance-mutants:
	@scripts/setup
	@+$(MAKE) $(jobs) all $(MUTANTS)
	@BUILD=$(B) $(PYTHON) conformance/mutants/run $(if $(ALL),--all) $(ARGS)

## wine-tests: run the tests in Wine's style under Wine, and check what scripts/export-wine writes
wine-tests:
	@scripts/setup
	@+$(MAKE) $(jobs) all $(WINE_TESTS)
	@BUILD=$(B) $(PYTHON) scripts/run-tests $(WINE_TEST_SCRIPTS:%=script:%)

## check-wines: the demo, the suite and wine-tests in clean Debians 12, 13 and sid (ARGS="--all trixie")
check-wines:
	@scripts/check-wines $(ARGS)

## dist-windows: make build/dist/cimfs-conformance-windows.zip, which judges Windows' cimfs.dll
dist-windows:
	@scripts/setup
	@+$(MAKE) $(jobs) $(WINDOWS_BUNDLE)

## install: install to $(DESTDIR)$(PREFIX), /usr/local by default
install: all
	install -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(libdir)/pkgconfig' '$(DESTDIR)$(includedir)' \
		'$(DESTDIR)$(libdir)/cimfs/x86_64-windows' '$(DESTDIR)$(libdir)/cimfs/i686-windows'
	install -m 644 $(wildcard include/*.h) '$(DESTDIR)$(includedir)'
	install -m 644 $(B)/libcim.a '$(DESTDIR)$(libdir)'
	install -m 644 $(B)/libcim.so.$(SOVERSION) '$(DESTDIR)$(libdir)'
	ln -sfn libcim.so.$(SOVERSION) '$(DESTDIR)$(libdir)/libcim.so'
	sed -e 's|@prefix@|$(PREFIX)|' -e 's|@libdir@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(libdir))|' \
		-e 's|@includedir@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(includedir))|' \
		-e 's|@version@|$(VERSION)|' \
		cimfs_shim/core/libcim.pc.in >'$(DESTDIR)$(libdir)/pkgconfig/libcim.pc'
	chmod 644 '$(DESTDIR)$(libdir)/pkgconfig/libcim.pc'
	$(if $(TOOL_SRCS),install -m 755 $(B)/cimtool '$(DESTDIR)$(bindir)')
	$(if $(MOUNT_SRCS),install -m 755 $(B)/cimfs-mount '$(DESTDIR)$(bindir)')
	$(if $(MOUNT_SRCS),install -d '$(DESTDIR)$(sbindir)')
	$(if $(MOUNT_SRCS),ln -sfn '$(bindir)/cimfs-mount' '$(DESTDIR)$(sbindir)/mount.cimfs')
	$(if $(WIN64_FILES),install -m 644 $(WIN64_FILES) '$(DESTDIR)$(libdir)/cimfs/x86_64-windows')
	$(if $(WIN32_FILES),install -m 644 $(WIN32_FILES) '$(DESTDIR)$(libdir)/cimfs/i686-windows')
	$(if $(wildcard scripts/install-wine),install -m 755 scripts/install-wine \
		'$(DESTDIR)$(bindir)/cimfs-install-wine')
	install -m 644 scripts/lib/wine.sh '$(DESTDIR)$(libdir)/cimfs'
	$(if $(DESTDIR),,-[ "$$(id -u)" != 0 ] || ldconfig)

## uninstall: remove what install put there
uninstall:
	rm -f $(foreach h,$(notdir $(wildcard include/*.h)),'$(DESTDIR)$(includedir)/$(h)') \
		$(foreach f,libcim.a libcim.so libcim.so.$(SOVERSION) pkgconfig/libcim.pc \
		cimfs/wine.sh $(addprefix cimfs/x86_64-windows/,$(notdir $(WIN64_FILES))) \
		$(addprefix cimfs/i686-windows/,$(notdir $(WIN32_FILES))),'$(DESTDIR)$(libdir)/$(f)') \
		'$(DESTDIR)$(bindir)/cimtool' '$(DESTDIR)$(bindir)/cimfs-install-wine' \
		'$(DESTDIR)$(bindir)/cimfs-mount' '$(DESTDIR)$(sbindir)/mount.cimfs'
	-rmdir '$(DESTDIR)$(libdir)/cimfs/x86_64-windows' '$(DESTDIR)$(libdir)/cimfs/i686-windows' \
		'$(DESTDIR)$(libdir)/cimfs'

c-files = $(shell git ls-files -co --exclude-standard '*.c' '*.h')

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
