# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The fuzz targets. "make fuzz" has them linked with libFuzzer (SANITIZE=fuzz); "make check" runs them
# over their corpora, by a main() of their own.

FUZZ := cimfs_shim/tests/fuzz
FUZZ_TARGETS := image session story dump mount container merged
fuzzing := $(filter fuzz,$(SANITIZE))

# $(call fuzz-target,NAME,SOURCES,LIBRARIES); those whose inputs are bundles have a mutator of their own
fuzz-target = $(call native-program,fuzz/$(1),$(FUZZ)/$(1).c $(FUZZ)/bundle.c cimfs_shim/tests/memfs.c \
	$(if $(fuzzing),,$(FUZZ)/main.c) $(2),$(3))
mutator := $(if $(fuzzing),$(FUZZ)/mutate.c)

$(call fuzz-target,image,$(mutator),libcim.a)
$(call fuzz-target,session,$(mutator),libcim.a)
$(call fuzz-target,container,$(mutator),libcim.a)
$(call fuzz-target,merged,$(mutator),libcim.a)
$(call fuzz-target,story,$(RT_NATIVE_SRCS),libcim.a)
$(call fuzz-target,dump,$(addprefix cimfs_shim/tool/,$(addsuffix .c,fromdump lines progress queue report sha256 signals sink \
	text times windows worker)),\
	libhost.a libcim.a -ljansson -lcrypto)
$(call fuzz-target,mount,$(mutator) $(filter-out %/main.c,$(MOUNT_SRCS)),\
	libhost.a libcim.a $(or $(shell pkg-config --libs fuse3 2>/dev/null),-lfuse3))

FUZZ_PROGRAMS := $(FUZZ_TARGETS:%=$(B)/fuzz/%)
$(B)/native/$(FUZZ)/%.o: NATIVE_CFLAGS += $(HOST_CFLAGS) $(MOUNT_CFLAGS)
$(B)/native/$(FUZZ)/main.o: NATIVE_CFLAGS += $(if $(SANFLAGS),,-DFUZZ_LIMITS)
# What belongs to the tests is no place to look for more of.
$(if $(fuzzing),$(eval $(B)/native/cimfs_shim/tests/%.o: NATIVE_CFLAGS += -fno-sanitize=fuzzer-no-link))
$(FUZZ_PROGRAMS): private NATIVE_LDFLAGS += $(if $(fuzzing),-fsanitize=fuzzer)

$(call test-scripts,$(FUZZ)/replay.py,$(FUZZ_PROGRAMS))
