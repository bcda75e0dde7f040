#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Which Wine is used, for all scripts. Sourced (by sh or bash), it exports WINE and WINESERVER, the
# paths of both; where one isn't found both are empty, and WINE_MISSING says why. WINE_UNDER is what
# to start Wine under: words, or empty. As a program:
#
#   scripts/lib/wine.sh --print          prints the three, a line each, as NAME=VALUE
#   scripts/lib/wine.sh --prefix DIR     has DIR, whose name must begin with "prefix-", be a whole
#                                        Wine prefix of this Wine; one that this made for another Wine
#                                        is made anew, and nothing else is ever removed
#
# WINE        a path or a command; if not set, the command wine, else wine64
# WINESERVER  a path or a command; if not set, the one that belongs to that Wine, for two Wines would
#             fight over a prefix: beside the program, beside what it is a link to, in a build tree's
#             server/; where there is none, that of the PATH, or where distributions put it

unset CDPATH # with which cd goes elsewhere, and prints where

# wine_command NAME: prints the absolute path of a command, or of a file that can be run
wine_command() {
	case $1 in
	*/*) wine_path=$(cd "${1%/*}/" 2>/dev/null && pwd)/${1##*/} ;;
	*)
		wine_path=$(command -v "$1")
		case $wine_path in
		[!/]*/*) wine_path=$(pwd)/$wine_path ;; # by a relative directory in the PATH
		esac
		;;
	esac
	# (What "command" finds may be an alias or a function.)
	[ -f "$wine_path" ] && [ -x "$wine_path" ] && printf '%s\n' "$wine_path"
}

# wine_server_of WINE: prints where its wineserver is
wine_server_of() {
	wine_dir=${1%/*}
	wine_real=$(readlink -f "$1")
	wine_real=${wine_real%/*}
	for wine_path in "$wine_dir/wineserver" "$wine_real/wineserver" \
		"$wine_dir/server/wineserver" "$wine_dir/../server/wineserver" \
		"$wine_real/../server/wineserver" "$(command -v wineserver)" \
		"/usr/lib/$(uname -m)"-*/wine/wineserver /usr/lib/*/wine/wineserver \
		/usr/lib/wine/wineserver /opt/wine-*/bin/wineserver; do
		! wine_command "$wine_path" || return 0
	done
	return 1
}

wine_find() {
	WINE_MISSING=
	wine_server=
	if [ -n "${WINE-}" ]; then
		wine_found=$(wine_command "$WINE") || WINE_MISSING="WINE=$WINE is no program"
	else
		wine_found=$(wine_command wine) || wine_found=$(wine_command wine64) ||
			WINE_MISSING="no wine in the PATH, and WINE is not set"
	fi
	if [ -n "$WINE_MISSING" ]; then
		:
	elif [ -n "${WINESERVER-}" ]; then
		wine_server=$(wine_command "$WINESERVER") ||
			WINE_MISSING="WINESERVER=$WINESERVER is no program"
	else
		wine_server=$(wine_server_of "$wine_found") ||
			WINE_MISSING="no wineserver for $wine_found, and WINESERVER is not set"
	fi
	[ -z "$WINE_MISSING" ] || wine_found=
	WINE=$wine_found
	WINESERVER=$wine_server
	export WINE WINESERVER
	# Wine 8.0's program lies at 0x7d000000, and since Linux 6.9 its heap begins anywhere in the GiB
	# behind it. Where that is at 0x7ffe0000, at which Wine shares data, the process ends without a
	# word: one start in 7,700. In another program CreateProcessW() fails with ERROR_INTERNAL_ERROR.
	# What is started without randomised addresses starts all else so.
	WINE_UNDER=
	! setarch -R true 2>/dev/null || WINE_UNDER="setarch -R"
}

# wine_is_made: the WINEPREFIX is a whole one of this Wine
wine_is_made() {
	[ "$(cat "$WINEPREFIX/.made-by" 2>/dev/null)" = "$wine_stamp" ]
}

# wine_prefix DIR: see above; it is the WINEPREFIX from then on
wine_prefix() {
	case ${1##*/} in
	prefix-*) ;;
	*)
		echo "wine.sh: $1: not named prefix-..., so it may be somebody's own" >&2
		return 1
		;;
	esac
	wine_path=${1%/*}
	[ "$wine_path" != "$1" ] || wine_path=.
	wine_path=$(mkdir -p "$wine_path" && cd "$wine_path/" && pwd) || return 1
	WINEPREFIX=$wine_path/${1##*/}
	export WINEPREFIX
	# A newer Wine changes a prefix so that an older one can't use it.
	wine_stamp="$WINE $(WINEDEBUG=-all timeout 60 "$WINE" --version 2>/dev/null)" || :
	wine_is_made || (
		flock 8 # two at a time would each take away what the other makes
		wine_is_made || wine_make "$1" 8>&-
	) 8<"$wine_path"
}

# wine_make DIR: the WINEPREFIX anew, unless it may be somebody's own; DIR is what it is called
wine_make() {
	# The mark is there from the beginning, so that this knows its own, also half made.
	if [ -L "$WINEPREFIX" ] || { [ -e "$WINEPREFIX" ] && [ ! -e "$WINEPREFIX/.made-by" ]; }; then
		echo "wine.sh: $WINEPREFIX is there, but nothing that this made: remove it first" >&2
		return 1
	fi
	echo "Making the Wine prefix $1 (once, up to half a minute) ..."
	[ ! -d "$WINEPREFIX" ] || timeout 60 "$WINESERVER" -k 2>/dev/null || :
	rm -rf --one-file-system "$WINEPREFIX" && mkdir "$WINEPREFIX" && : >"$WINEPREFIX/.made-by" || return 1
	# No menu entries in the user's desktop, and no question about Mono or Gecko. No pipe of ours is
	# passed on: Wine's services would hold it.
	if ! (
		unset DISPLAY
		export WINEDEBUG=-all WINEDLLOVERRIDES="winemenubuilder.exe,mscoree,mshtml="
		# shellcheck disable=SC2086
		timeout 300 $WINE_UNDER "$WINE" wineboot -i && timeout 60 "$WINESERVER" -w
	) </dev/null >/dev/null 2>&1; then
		echo "wine.sh: '$WINE wineboot -i' failed in $WINEPREFIX" >&2
		timeout 60 "$WINESERVER" -k 2>/dev/null || :
		return 1
	fi
	printf '%s\n' "$wine_stamp" >"$WINEPREFIX/.made-by"
}

wine_find
case ${0##*/} in
wine.sh)
	case $#${1-} in
	1--print | 2--prefix) ;;
	*)
		echo "usage: wine.sh --print | --prefix DIR" >&2
		exit 2
		;;
	esac
	if [ -n "$WINE_MISSING" ]; then
		echo "wine.sh: $WINE_MISSING" >&2
		exit 1
	fi
	if [ "$1" = --print ]; then
		printf 'WINE=%s\nWINESERVER=%s\nWINE_UNDER=%s\n' "$WINE" "$WINESERVER" "$WINE_UNDER"
	else
		wine_prefix "$2"
	fi
	;;
esac
