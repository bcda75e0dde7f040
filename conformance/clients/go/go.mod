// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The standard library only: nothing is ever fetched to build this.

module cimfs_shim/conformance/clients/go

go 1.19
