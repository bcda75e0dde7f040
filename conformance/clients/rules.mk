# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Clients of cimfs.dll as they are in the field: one in Go, and in C the pair pack.exe and mnt.exe, which is
# the demo's too. clients.sh runs them.
# They use nothing of this project but cimfs.h and the import library.
#
# Go's module has no requirements, so nothing is fetched; its caches are in build/go. The binary has
# no path of this machine and no build ID that depends on one: the same sources give the same bytes.
# Of several Gos of Debian's the oldest: an old Wine can't run what Go 1.22 and later make.

CLIENTS := conformance/clients
GO ?= $(firstword $(sort $(wildcard /usr/lib/go-1.[1-9][0-9]/bin/go)) go)
GO_ENV := env -u GOROOT GOENV=off GOOS=windows GOARCH=amd64 GOAMD64=v1 CGO_ENABLED=0 GO111MODULE=on \
	GOFLAGS=-mod=mod GOPROXY=off GOSUMDB=off GOTOOLCHAIN=local GOWORK=off GOEXPERIMENT= \
	'GOCACHE=$(CURDIR)/build/go/cache' 'GOPATH=$(CURDIR)/build/go/path'

build/win64/clients/go-client.exe: $(sort $(wildcard $(CLIENTS)/go/*.go)) $(CLIENTS)/go/go.mod \
		$(CLIENTS)/rules.mk
	@mkdir -p $(@D)
	$(call say,GO,$@)
	$(Q)cd $(CLIENTS)/go && $(GO_ENV) '$(GO)' build -trimpath -buildvcs=false \
		-ldflags='-buildid= -s -w' -o '$(CURDIR)/$@' .

CLIENT_LIBS := libcimfs.a -municode -lrpcrt4 -ladvapi32
$(call windows-program,win64 win32,clients/pack.exe,$(CLIENTS)/c/pack.c $(CLIENTS)/c/program.c,$(CLIENT_LIBS))
$(call windows-program,win64 win32,clients/mnt.exe,$(CLIENTS)/c/mnt.c $(CLIENTS)/c/program.c,$(CLIENT_LIBS))
build/win64/$(CLIENTS)/%.o build/win32/$(CLIENTS)/%.o: private MINGW_CFLAGS += -municode

$(call test-scripts,$(CLIENTS)/clients.sh,build/win64/clients/go-client.exe \
	$(foreach w,win64 win32,build/$(w)/clients/pack.exe build/$(w)/clients/mnt.exe) $(DLL_FILES) $(MOUNT) $(B)/cimtool)
