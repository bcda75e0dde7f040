#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
# run-tests: plain
#
# disks.sh - the conformance suite's cases about devices, on block devices (loop) that are linked into
# the prefix; check.sh has them on files that stand for such
. "$(dirname "$0")/../scripts/lib/windows.bash"

# For each case those that it needs at the same time; each size is looked for among all.
sizes="8388608 4194304 4194304 4194304 4194304 1048576 8192"
cases=('Device/*' 'Seal/Device*' Verification/{Device,SealElsewhere} Merge/{HcsshimDevices,KindOfPlace}
	MergeMountVerified/HcsshimDevices Convert/OntoDevice)

devices=()
links=()
options=()
clean_up() {
	local device
	rm -f "${links[@]}"
	for device in "${devices[@]}"; do losetup --detach "$device"; done
} >/dev/null 2>&1
trap clean_up EXIT

for size in $sizes; do
	number=$((900 + ${#devices[@]}))
	truncate -s "$size" "$TEST_TMP/$number"
	if ! device=$(losetup --find --show "$TEST_TMP/$number" 2>/dev/null); then
		skip "no loop device to be had" "images on block devices"
		tap_done
	fi
	devices+=("$device")
	links+=("$WINEPREFIX/dosdevices/physicaldrive$number")
	ln -s "$device" "${links[-1]}"
	options+=(--disk "$number")
done
for case in "${cases[@]}"; do options+=(--filter "$case"); done

CONFORMANCE_QUIET=1 conformance/run --tap "${options[@]}" >"$TEST_TMP/said"
status=$?
# What is skipped for want of a disk is a mistake here.
sed -E 's/^ok ([0-9]+ - .*) # SKIP (no disk more .*)/not ok \1: \2/' "$TEST_TMP/said" | conformance/limits.py
exit $((status > 1)) # 1: a case failed, which is told
