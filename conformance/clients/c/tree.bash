# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A tree for pack.exe that has a bit of everything; for scripts that source scripts/lib/tap.bash.

# make_tree DIR: hard links, odd sizes, odd names, a long path, a stream as Wine has them, read-only
# and hidden files, times of the past. Its largest file is b/largest.
make_tree() {
	local deep=$1/long n size
	for n in 1 2 3 4 5 6; do
		deep=$deep/$(printf "%0120d" "$n")
	done
	mkdir -p "$1/empty directory" "$1/Größe 漢字 😀" "$1/b/c/d" "$deep"
	# Read once before anything else: pack.exe reads in pieces of 1 MiB, and this ends with one.
	head -c 3145728 /dev/urandom >"$1/b/largest"
	for size in 0 1 4095 4096 4097 65536 196625 1048576 1048577; do
		head -c $size /dev/urandom >"$1/b/size $size"
	done
	cp "$1/b/size 65536" "$1/b/c/the same"
	ln "$1/b/size 4097" "$1/b/c/linked"
	ln "$1/b/size 4097" "$1/Größe 漢字 😀/ändern.TXT"
	printf 'in a stream' >"$1/b/size 4096:first"
	echo deep >"$deep/file"
	echo hidden >"$1/b/hidden"
	echo fixed >"$1/b/fixed"
	# of the past, so that a clock's "now" can't stand in for them
	find "$1" -depth -exec touch -a -d '2020-03-11 01:02:03.1234563 UTC' {} + \
		-exec touch -m -d '2019-03-04 05:06:07.1234567 UTC' {} +
	touch -d '1601-01-02 00:00:00 UTC' "$1/b/size 1"
	touch -d '2100-02-28 12:34:56.1234567 UTC' "$1/b/size 4095"
	chmod 444 "$1/b/fixed"
	python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.DOSATTRIB", b"0x6")' \
		"$1/b/hidden" 2>/dev/null
}
