#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
"""everyimage.py, of images in containers."""

from mounttest import run_in_containers

run_in_containers("everyimage.py")
