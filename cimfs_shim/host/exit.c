/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * exit.c - what a program comes to
 *
 * A script that runs cimtool or cimfs-mount tells by the exit code whether the image is at fault.
 */
#include "exit.h"

int exit_of(enum cim_status status)
{
	switch (status) {
	case CIM_OK:
		return EXIT_OK;
	case CIM_E_CORRUPT:
		return EXIT_CORRUPT;
	case CIM_E_VERSION:
	case CIM_E_UNSUPPORTED:
		return EXIT_UNSUPPORTED;
	default:
		return EXIT_FAILED;
	}
}
