#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# find_wine.sh - scripts/lib/wine.sh finds the right Wine among several, and makes prefixes for it
#
# The Wines are trees of scripts that note how they are called.
. "$(dirname "$0")/../../scripts/lib/tap.bash"

script=$TOP/scripts/lib/wine.sh
unset WINE WINESERVER WINEPREFIX

# The programs that wine.sh itself needs, and no Wine. (This setarch can be seen in what it starts.)
tools=$TEST_TMP/tools
mkdir "$tools"
for name in sh bash env cat flock mkdir printf readlink rm sleep timeout true uname; do
	ln -s "$(type -P $name)" "$tools/"
done
printf '#!/bin/sh\n[ "$1" = -R ] && shift && UNDER=setarch exec "$@"\n' >"$tools/setarch"
chmod +x "$tools/setarch"
cd "$TEST_TMP" || exit 1

# program FILE...: each notes its calls in "called"
program() {
	local file
	for file; do
		mkdir -p "${file%/*}"
		printf '#!/bin/sh\necho "%s $*" >>"%s/called"\n' "$file" "$TEST_TMP" >"$file"
		chmod +x "$file"
	done
}

# finds PATH WANT NAME [VARIABLE=VALUE]...: WANT is both paths below $TEST_TMP, or words of the error
finds() {
	local path=$1 want=$2 name=$3 got
	shift 3
	got=$(env PATH="$path:$tools" "$@" "$script" --print 2>&1 | grep -v '^WINE_UNDER=' | sed "s,^[A-Z]*=$TEST_TMP/,," | tr '\n' ' ')
	got=${got% }
	case $got in
	"wine.sh: "*"$want"*) got=$want ;;
	esac
	is "$got" "$want" "$name"
}

a=$TEST_TMP/a/bin
b=$TEST_TMP/b/bin
program a/bin/wine a/bin/wineserver b/bin/wine b/bin/wineserver
finds "$a:$b" "a/bin/wine a/bin/wineserver" "the first in the PATH"
finds "$b:$a" "b/bin/wine b/bin/wineserver" "the other order, the other one"
finds "$a" "b/bin/wine b/bin/wineserver" "WINE: its own wineserver, not that of the PATH" WINE="$b/wine"
finds "$a" "b/bin/wine b/bin/wineserver" "WINE is a relative path" WINE=b/bin/wine
finds "$a" "b/bin/wine a/bin/wineserver" "WINESERVER has the last word" WINE="$b/wine" WINESERVER="$a/wineserver"
finds "$a" "b/bin/wine a/bin/wineserver" "WINESERVER is a command" WINE="$b/wine" WINESERVER=wineserver
program c/bin/wine-devel c/bin/wineserver
finds "$a:$TEST_TMP/c/bin" "c/bin/wine-devel c/bin/wineserver" "WINE is a command" WINE=wine-devel
program d/bin/wine64
finds "$TEST_TMP/d/bin:$b" "b/bin/wine b/bin/wineserver" "wine goes before wine64"
rm b/bin/wine
finds "$TEST_TMP/d/bin:$b" "d/bin/wine64 b/bin/wineserver" \
	"no wine, but wine64; none beside it, so the wineserver of the PATH"
program "of two words/bin/wine" "of two words/bin/wineserver"
finds "$a" "of two words/bin/wine of two words/bin/wineserver" "a path with spaces" \
	WINE="$TEST_TMP/of two words/bin/wine"

# As distributions have it: a link, whose target has the wineserver beside it.
program lib/wine/wine64 lib/wine/wineserver
mkdir -p alternatives linked/bin
ln -s ../lib/wine/wine64 alternatives/wine
ln -s ../../alternatives/wine linked/bin/wine
finds "$TEST_TMP/linked/bin:$a" "linked/bin/wine lib/wine/wineserver" "beside what the program is a link to"

program built/loader/wine built/server/wineserver source/tools/winewrapper
ln -s ../source/tools/winewrapper built/wine
finds "$a" "built/loader/wine built/server/wineserver" "a build tree's loader" WINE=built/loader/wine
finds "$a" "built/wine built/server/wineserver" "a build tree's wine" WINE=built/wine
finds "$TEST_TMP/built" "built/wine built/server/wineserver" "a build tree in the PATH"

touch notes
finds "$a" "WINE=$TEST_TMP/notes is no program" "WINE is no program" WINE="$TEST_TMP/notes"
finds "$a" "WINE=nowhere/wine is no program" "WINE is nowhere" WINE=nowhere/wine
finds "$a" "WINESERVER=nothing is no program" "WINESERVER is nothing" WINESERVER=nothing
finds "$TEST_TMP" "no wine in the PATH" "no Wine at all"
is "$(PATH=$tools sh -uec '. "$1"; echo "$WINE|$WINESERVER|${WINE_MISSING%%,*}"' sh "$script")" \
	"||no wine in the PATH" "sourced: no Wine is no error, and can be asked for"

under() {
	PATH=$1 WINE=$a/wine "$script" --print | sed -n 's/^WINE_UNDER=//p'
}
is "$(under "$tools")" "setarch -R" "addresses aren't to be randomised"
mkdir forbids
printf '#!/bin/sh\nexit 1\n' >forbids/setarch
chmod +x forbids/setarch
is "$(under "$TEST_TMP/forbids:$tools")" "" "where that is forbidden, as in a container: they are"

# Where distributions put it: in a namespace with layers over /usr/lib and /opt, which hide the
# machine's own.
multiarch=$(uname -m)-linux-gnu/wine/wineserver
in_places() { # FILE...: what is found where these are; the first are of /usr/lib, opt/... of /opt
	local file layer=$TEST_TMP/layer
	rm -rf "$layer"
	mkdir -p "$layer/lib/${multiarch%/*}" "$layer/lib/wine" "$layer/opt/opt" || return
	for file in "$multiarch" wine/wineserver; do
		mknod "$layer/lib/$file" c 0 0 || return
	done
	for file; do
		case $file in
		opt/*) file=$layer/opt/$file ;;
		*) file=$layer/lib/$file ;;
		esac
		mkdir -p "${file%/*}" && rm -f "$file" && cp "$TEST_TMP/d/bin/wine64" "$file"
	done
	# (A layer may not lie in the directory that it is laid over.)
	mkdir -p "$TEST_TMP/layers"
	unshare -m bash -c 'mount -t tmpfs none "$3" && cp -a "$1/." "$3" &&
		mount -t overlay none -o "lowerdir=$3/lib:/usr/lib" /usr/lib &&
		mount -t overlay none -o "lowerdir=$3/opt/opt:/opt" /opt && PATH=$2 "$0" --print' \
		"$script" "$layer" "$TEST_TMP/d/bin:$tools" "$TEST_TMP/layers" | sed -n 's/^WINESERVER=//p'
}
all=("$multiarch" wine/wineserver opt/wine-0/bin/wineserver)
wanted=("/usr/lib/$multiarch" /usr/lib/wine/wineserver /opt/wine-0/bin/wineserver)
for n in 0 1 2; do
	name="where distributions put it: ${wanted[n]}"
	if [ -n "$(in_places "${all[@]}" 2>/dev/null)" ]; then
		is "$(in_places "${all[@]:n}" 2>&1)" "${wanted[n]}" "$name"
	else
		count=$((count + 1))
		echo "ok $count - $name # SKIP no right to lay another directory over /usr/lib"
	fi
done

# ---- prefixes ----

rm -f called
cat >a/bin/wine <<'END'
#!/bin/sh
echo "wine $* in $WINEPREFIX${UNDER:+ under $UNDER}" >>"${0%/*}/called"
case $1 in
--version) cat "${0%/*}/version" ;;
*)
	while [ -e "${0%/*}/hold" ]; do sleep 0.05; done
	[ ! -e "${0%/*}/broken" ]
	;;
esac
END
echo wine-8.0 >a/bin/version
prefix() { # NAME WANTED-STATUS WANTED-BOOTS DIR
	local status boots
	rm -f a/bin/called
	PATH=$a:$tools "$script" --prefix "$4" >said 2>&1
	status=$?
	boots=$(grep -c "^wine wineboot -i in $TEST_TMP/$4 under setarch\$" a/bin/called 2>/dev/null)
	is "$status ${boots:-0}" "$2 $3" "$1"
}
prefix "a prefix is made" 0 1 prefix-x
touch prefix-x/something
prefix "once" 0 0 prefix-x
is "$(ls prefix-x)" something "and left alone"
echo wine-11.10 >a/bin/version
prefix "another version: it is made anew" 0 1 prefix-x
is "$(ls prefix-x)" "" "from nothing"
touch a/bin/broken
echo wine-8.0 >a/bin/version
prefix "wineboot fails: that is told" 1 1 prefix-x
rm a/bin/broken
prefix "and it is made anew the next time" 0 1 prefix-x
prefix "its directory is made too" 0 1 "build of mine/prefix-y"
touch a-file
prefix "where there can't be one: refused, and nothing else is touched" 1 0 a-file/prefix-z
mkdir -p prefix-games/drive_c
prefix "somebody's prefix of such a name: refused" 1 0 prefix-games
is "$(ls prefix-games)" drive_c "and left alone"
ln -s prefix-x prefix-link
echo wine-9.0 >a/bin/version
prefix "a link to one: refused" 1 0 prefix-link
is "$(ls -A prefix-x)" .made-by "and left alone, too"
mkdir mine
touch mine/.made-by
prefix "a directory that may be somebody's own: refused" 1 0 mine
is "$(ls -A mine)" .made-by "and left alone"

# Two at a time: the other one comes while the first is at work.
called() { # COUNT WORDS: waits until the stand-in was called so often with them
	local n
	for n in {1..600}; do
		[ "$(grep -c "^wine $2 in .*/prefix-two" a/bin/called 2>/dev/null)" != "$1" ] || return 0
		sleep 0.05
	done
	return 1
}
rm -f a/bin/called
touch a/bin/hold
PATH=$a:$tools "$script" --prefix prefix-two >said 2>&1 &
first=$!
called 1 "wineboot -i"
PATH=$a:$tools "$script" --prefix prefix-two >>said 2>&1 &
called 2 --version
rm a/bin/hold
wait $first
status=$?
wait $!
is "$status $? $(grep -c wineboot a/bin/called)" "0 0 1" "two at a time: one makes it, the other one waits"

# ---- nobody else looks for Wine ----

# A command by its bare name: where a command begins, behind timeout and the like, in a list of Python's.
bare='(^|[;&|(`!]|\b(then|do|if|exec|timeout( --[a-z]+)? [0-9]+|said|ask|env( [A-Z]+=[^ ]*)+))[[:space:]]*(wine|wine64|wineserver|wineboot|winecfg|winepath)([[:space:]]|$)'
python='["'\''](wine|wine64|wineserver|wineboot|winecfg)["'\''], '
found=$(cd "$TOP" && grep -rnE --include='*.sh' --include='*.bash' --include='*.py' --include='rules.mk' \
	--include=run --include=demo --include=bench --include=run-tests --include=install-wine \
	--exclude=find_wine.sh --exclude=wine.sh "$bare|$python" \
	cimfs_shim conformance scripts wine-tests | grep -v '^[^:]*:[0-9]*:[[:space:]]*#')
is "$found" "" "no script calls Wine by its bare name"
# (What run-tests starts begins so, and all that starts.)
found=$(cd "$TOP" && grep -nE '"\$WINE" |WINE"\], ' conformance/run conformance/mutants/run scripts/{bench,demo,run-tests} |
	grep -vE 'WINE_UNDER|wine\.start\(|--version')
is "$found" "" "no script that is called by hand starts it with randomised addresses"

tap_done
