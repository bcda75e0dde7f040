#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: alone
# run-tests: plain
#
# test.sh - the bundle for Windows: what is in it, what its programs import, that they run
#
# No Windows here and no PowerShell: the steps that run.ps1 would run are run under Wine from the
# unpacked bundle, with our DLL in the place of Microsoft's; run.ps1 is looked at by static.py.
. "$(dirname "$0")/../../scripts/lib/windows.bash"
cd "$TOP" || exit 1

bundle=$TEST_TMP/bundle
windows=conformance/windows
export CIMFS_MOUNT_HELPER=$TOP/${BUILD:-build}/cimfs-mount

# ---- the zip file ----

check "the bundle is made" "$windows/bundle.py" "$TEST_TMP/one.zip"
(umask 077 && TZ=Asia/Tokyo LC_ALL=C PYTHONHASHSEED=7 "$windows/bundle.py" "$TEST_TMP/two.zip") >/dev/null
check "and once more with the same bytes" cmp "$TEST_TMP/one.zip" "$TEST_TMP/two.zip"
mkdir "$bundle"
check "it can be unpacked" python3 -m zipfile -e "$TEST_TMP/one.zip" "$bundle"

wanted() {
	printf '%s\n' LICENSE.txt README-WINDOWS.txt run.ps1 steps.txt
	printf '%s\n' {x86_64,i686}/{cimfs-conformance,cimfs-compare,cimfs_test}.exe \
		ours/{x86_64,i686}/{cimfs.dll,cimfs_test.exe}
	(cd build/conformance && find images -type f)
}
is "$(cd "$bundle" && find . -type f | sed 's,^\./,,' | sort)" "$(wanted | sort)" "these files are in it, no others"
check "the images are those that were made" diff -r "$bundle/images" build/conformance/images
is "$(find "$bundle/images" -name manifest.txt | wc -l)" "$(find "$bundle/images" -mindepth 1 -maxdepth 1 | wc -l)" \
	"each set of images has its manifest"
for file in x86_64:win64 i686:win32; do
	check "our DLL is what was built: ${file%:*}" cmp "$bundle/ours/${file%:*}/cimfs.dll" "build/${file#*:}/cimfs.dll"
	for program in conformance/cimfs-conformance conformance/cimfs-compare wine-tests/cimfs_test; do
		check "and ${program#*/}: ${file%:*}" cmp "$bundle/${file%:*}/${program#*/}.exe" "build/${file#*:}/$program.exe"
	done
done
for file in run.ps1 steps.txt README-WINDOWS.txt LICENSE.txt; do
	is "$(grep -c $'\r$' "$bundle/$file")" "$(wc -l <"$bundle/$file")" "lines of $file end as Windows' do"
done
is "$(grep -rlaF "$TOP" "$bundle" | sed "s,$bundle/,,")" "" "no file tells where it was built"

# What is missing is named, in one line.
mkdir -p "$TEST_TMP/none/conformance/windows" "$TEST_TMP/none/build"
cp "$windows"/{run.ps1,steps.txt,README-WINDOWS.txt} "$TEST_TMP/none/conformance/windows/"
cp COPYING "$TEST_TMP/none/"
said=$(cd "$TEST_TMP/none" && "$TOP/$windows/bundle.py" out.zip 2>&1)
is "$? $said" "1 bundle: build/win64/conformance/cimfs-conformance.exe: No such file or directory" \
	"a program that wasn't built is named"
check "and no zip file is left" [ ! -e "$TEST_TMP/none/out.zip" ]

# ---- imports ----

allowed=$(sed '/^#/d; /^$/d' $windows/imports.txt)
is "$(awk 'NF < 4 {print}' <<<"$allowed")" "" "imports.txt: each line has a DLL, a function, a version and a page"
is "$(awk '$3 !~ /^(any|XP|Vista|7|8|8\.1)$/ {print}' <<<"$allowed")" "" "imports.txt: nothing newer than Windows 10 2004"
is "$(awk '{print $1}' <<<"$allowed" | sort -u | tr '\n' ' ')" "advapi32.dll bcrypt.dll kernel32.dll msvcrt.dll version.dll " \
	"imports.txt: of these DLLs of Windows only"
is "$(awk '$3 == "any" && $1 != "msvcrt.dll" {print}' <<<"$allowed")" "" "imports.txt: only C's functions have no version"
# unlisted LIST: what is in $TEST_TMP/imports and not in LIST
unlisted() {
	comm -23 "$TEST_TMP/imports" <(awk '{print $1, $2}' <<<"$1" | sort -u)
}
for file in {x86_64,i686}/{cimfs-conformance,cimfs-compare,cimfs_test}.exe ours/{x86_64,i686}/cimfs.dll; do
	pe_headers "$bundle/$file" >"$TEST_TMP/headers"
	pe_imports <"$TEST_TMP/headers" | sort -u >"$TEST_TMP/imports"
	check "$file: imports were found" [ "$(wc -l <"$TEST_TMP/imports")" -gt 40 ]
	is "$(unlisted "$allowed")" "" "$file imports what imports.txt lists, nothing else"
	is "$(unlisted "$(grep -v ' GetLastError ' <<<"$allowed")")" "kernel32.dll GetLastError" \
		"$file: one that wasn't listed would be noticed"
	is "$(grep -c '<none>' "$TEST_TMP/imports")" 0 "$file imports nothing by number"
	is "$(awk '/^Entry d/ {print $4 + 0}' "$TEST_TMP/headers")" 0 "$file imports nothing later, at run time"
	check "$file asks for no newer Windows than 10" \
		awk '/^Major(OSystem|Subsystem)Version/ {n++; if ($2 > 10) exit 1} END {exit n != 2}' "$TEST_TMP/headers"
done

# ---- run.ps1 and its steps ----

while IFS= read -r line; do
	case $line in
	"ok - "*" # SKIP "*) line=${line#ok - } && skip "${line#* # SKIP }" "${line% # SKIP *}" ;;
	"ok - "*) result 0 "${line#ok - }" ;;
	"not ok - "*) result 1 "${line#not ok - }" ;;
	*) echo "# ${line#\# }" ;;
	esac
done < <("$windows/static.py" "$bundle" 2>&1 || echo "not ok - static.py came to its end")

# One server for all, and one set of Wine's own services: to start those anew for each program takes
# longer than most of them.
"$WINESERVER" -p60 >/dev/null 2>&1
said=$(timeout 120 "$WINE" "$bundle/x86_64/cimfs-conformance.exe" --list 2>/dev/null </dev/null)
is "$?" 0 "--list: exit status"
# (Those of --export and --import are listed with these options.)
cases=$(cat conformance/cases/*.c conformance/suite/*.c | tr '\n' ' ' |
	grep -oE '\b[A-Z_]*CASE[_A-Z]*\( *[a-z0-9_]+, "[^"]+"' | sed 's/.*, "\(.*\)"/\1/')
is "$(awk '{print $1}' <<<"${said//$'\r'/}" | sort)" \
	"$(grep -vE '^(Ex|Im)portImages/' <<<"$cases" | sort)" "--list names each case of the sources"

out=$TEST_TMP/results
temp=$TEST_TMP/temp
filter='CreateFile/*'
mkdir "$out"

# expand TEXT: as run.ps1 does it
expand() {
	local text=$1 place
	for place in arch:"$arch" bundle:"$(dos_path "$bundle")" out:"$(dos_path "$out")" \
		temp:"$(dos_path "$temp")" judged:dll set:"$set"; do
		text=${text//"{${place%%:*}}"/"${place#*:}"}
	done
	printf '%s' "$text"
}

# run_step WORD...: its output is in $said, its exit status the function's
run_step() {
	local program word
	local -a words=()
	program=$bundle/$(expand "${1//\\//}")
	shift
	for word; do
		case $word in
		"{dll}") words+=(--dll "$(dos_path "$bundle/ours/$arch/cimfs.dll")") ;;
		# One set is mounted; the others are by conformance/exchange.sh, which takes longer.
		"{nomount}") [ "$set" = basic ] || words+=(--no-mount) ;;
		"{filter}") words+=(--filter "$filter") ;;
		*) words+=("$(expand "$word")") ;;
		esac
	done
	mkdir "$temp"
	said=$(cd "$temp" && timeout 300 "$WINE" "$program" "${words[@]}" 2>"$TEST_TMP/errors" </dev/null)
	local status=$?
	said=${said//$'\r'/}
	rm -rf "$temp"
	return $status
}

# one_step NAME WHEN VERDICT OUTPUT COMMAND, for $arch and $set
one_step() {
	local name words status json
	name="$(expand "$1") $arch"
	read -ra words <<<"${5//\\/\\\\}"
	case $1 in
	wine-tests)
		# They have a test of their own, which mounts; here: the program starts.
		run_step "${words[0]}" no-such-test
		is "$? ${said%% *} ${said##*[}" "1 Usage: ARGUMENT...]]" "$name: the program starts"
		return
		;;
	wine-tests-ours)
		# As on Windows, where our DLL can't mount.
		CIMFS_MOUNT_HELPER=$TEST_TMP/none WINETEST_PLATFORM=windows run_step "${words[@]}"
		is "$?" 0 "$name: exit status"
		check "$name: it ends with the counts" grep -qE ':cimfs: [0-9]{3,} tests .* 0 failures' <<<"$(tail -1 <<<"$said")"
		is "$(grep -c "Can't mount here, hr 0x80070032" <<<"$said")" 4 "$name: without mounts"
		return
		;;
	esac
	run_step "${words[@]}"
	status=$?
	is "$status" 0 "$name: exit status"
	[ "$status" = 0 ] || sed 's/^/#   /' <<<"$said" - "$TEST_TMP/errors"
	if [ "$1" = parity ]; then
		is "$(head -c 2 <<<"$said") $(grep -c 'CreateFile/' <<<"$said")" "#  0" "$name: one DLL differs in nothing from itself"
	else
		check "$name: it ends with the counts" grep -qE '^[1-9][0-9]* passed, 0 failed, [0-9]+ skipped$' <<<"$(tail -1 <<<"$said")"
	fi
	for json in $(expand "$5" | tr ' ' '\n' | grep '\.json$'); do
		json=${json#Z:}
		check "$name: ${json##*\\}" python3 -m json.tool "${json//\\//}" /dev/null
	done
}

for arch in x86_64 i686; do
	set=
	# (A Wine of 64 bits alone ends without a word, with status 0.)
	if [ "$arch" = i686 ] && ! timeout 60 "$WINE" "$bundle/$arch/cimfs-conformance.exe" --help 2>/dev/null </dev/null |
			grep -q '^usage: '; then
		skip "this Wine has no 32 bits" "the steps of $arch"
		continue
	fi
	while IFS='|' read -r name when verdict output command; do
		read -r name <<<"$name"
		read -r output <<<"$output"
		sets=("")
		[[ $output != *"{set}"* ]] || mapfile -t sets < <(ls "$bundle/images")
		for set in "${sets[@]}"; do
			# The two with thousands of files take longer than all else: EVERY_SET=1 runs them here, too.
			if [ -z "${EVERY_SET-}" ] && [ -n "$(find "$bundle/images/${set:-none}/manifest.txt" -size +200k 2>/dev/null)" ]; then
				skip "conformance/exchange.sh imports it; EVERY_SET=1 does it here" "import-$set $arch"
				continue
			fi
			one_step "$name" "$when" "$verdict" "$output" "$command"
		done
	done < <(sed '/^#/d; /^$/d' "$windows/steps.txt")
	check "$arch: the exported images are there" [ -s "$out/images-$arch/manifest.txt" ]
done
tap_done
