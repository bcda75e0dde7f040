#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# scripts/setup on each distribution: os-release files, and package managers, that are made up here.
. "$(dirname "$0")/../../scripts/lib/tap.bash"

# The package managers know as installed what is in $INSTALLED, and apt-get puts it there. Nothing
# else is in the PATH, so that what this machine has of its own doesn't matter.
export INSTALLED=$TEST_TMP/installed OS_RELEASE=$TEST_TMP/os-release
bin=$TEST_TMP/bin
mkdir "$bin"
for tool in awk bash cat env grep mktemp rm sed; do
	ln -s "$(command -v "$tool")" "$bin/$tool"
done
cat >"$bin/dpkg-query" <<'END'
#!/bin/bash
shift 3
for name; do
	if grep -qxF "$name" "$INSTALLED"; then echo "ii $name"; else status=1; fi
done
exit "${status:-0}"
END
cat >"$bin/rpm" <<'END'
#!/bin/bash
exec grep -qxF "${*: -1}" "$INSTALLED"
END
cat >"$bin/pacman" <<'END'
#!/bin/bash
[ "$1" = -T ] || exit 3
shift
for name; do
	grep -qxF "$name" "$INSTALLED" || { echo "$name"; status=127; }
done
exit "${status:-0}"
END
cat >"$bin/apt-get" <<'END'
#!/bin/bash
[ ! -e "$INSTALLED.broken" ] || { echo "E: the made-up apt is broken"; exit 100; }
[[ " $* " != *" install "* ]] || printf '%s\n' "$@" >>"$INSTALLED"
END
printf '#!/bin/bash\necho 0\n' >"$bin/id" # root, whoever runs this
chmod +x "$bin"/{dpkg-query,rpm,pacman,apt-get,id}

# on OS-RELEASE LINES...
on() {
	printf '%s\n' "$@" >"$OS_RELEASE"
	: >"$INSTALLED"
}

setup() {
	PATH=$bin "$TOP/scripts/setup" "$@" 2>&1
}

# status_of WANTED NAME ARGUMENTS...: the exit status; what was printed is in $out
status_of() {
	local wanted=$1 name=$2 status=0
	shift 2
	out=$(setup "$@") || status=$?
	is "$status" "$wanted" "$name"
}

one_line() {
	tr '\n' ' ' | sed 's/ $//'
}

# ---- the packages of each ------------------------------------------------------------------------

debian_native="make gcc libc6-dev pkgconf python3 unicode-data libxxhash-dev libjansson-dev libssl-dev libfuse3-dev"
for release in bookworm trixie sid noble resolute; do
	case $release in
	noble | resolute) on ID=ubuntu ID_LIKE=debian "VERSION_CODENAME=$release" ;;
	*) on ID=debian "VERSION_CODENAME=$release" ;;
	esac
	case $release in
	bookworm) go=golang-1.19-go ;;
	noble) go=golang-1.21-go ;;
	*) go=golang-go ;;
	esac
	is "$(setup --list native | one_line)" "$debian_native" "$release: what native needs"
	is "$(setup --list | grep -E '^(go|clang|libclang|gcc-|wine|libwine)' | one_line)" \
		"clang clang-format libclang-rt-dev gcc-mingw-w64-x86-64-win32 gcc-mingw-w64-i686-win32 wine wine64 libwine-dev wine64-tools $go" \
		"$release: compilers, Wine and Go"
	is "$(setup --list | head -n 10 | one_line)" "$debian_native" "$release: native is a part of all"
done
on ID=linuxmint 'ID_LIKE="ubuntu debian"' VERSION_CODENAME=wilma UBUNTU_CODENAME=noble
is "$(setup --list | grep ^golang)" golang-1.21-go "a descendant of Ubuntu's has Ubuntu's packages"

on ID=fedora VERSION_ID=43
is "$(setup --list native | one_line)" \
	"make gcc glibc-devel pkgconf-pkg-config python3 unicode-ucd xxhash-devel jansson-devel openssl-devel fuse3-devel" \
	"Fedora: what native needs"
on ID=manjaro ID_LIKE=arch
is "$(setup --list native | one_line)" \
	"make gcc glibc pkgconf python unicode-character-database xxhash jansson openssl fuse3" \
	"Arch: what native needs"
on ID=opensuse-tumbleweed 'ID_LIKE="opensuse suse"'
is "$(setup --list native | one_line)" \
	"make gcc glibc-devel pkgconf-pkg-config python3 unicode-ucd xxhash-devel libjansson-devel libopenssl-devel fuse3-devel" \
	"openSUSE: what native needs"

on ID=debian VERSION_CODENAME=trixie
all=$(setup --list)
is "$(setup --list | sort | uniq -d)" "" "no package is named twice"
is "$(setup --bench --list | grep -vxF -e "$all" | one_line)" "squashfs-tools squashfuse time" \
	"--bench: what comes on top"
is "$(setup --list wines | one_line)" "mmdebstrap git util-linux uidmap debian-archive-keyring" \
	"wines: its own only"
# make deb's are those that the packages say they are built with, and what makes packages.
build_depends=$(sed -n '/^Build-Depends:/,/^[^ B]/p' "$TOP/scripts/debian/control" |
	sed -nE 's/^(Build-Depends:)? *(debhelper|[a-z0-9-]+).*/\2/p')
# (make, a compiler and the C library's headers are build-essential.)
is "$(setup --list native deb | grep -vxE 'make|gcc|libc6-dev|dpkg-dev|lintian' | sort | one_line)" \
	"$(sort <<<"$build_depends" | one_line)" "native and deb: what debian/control names"

# ---- what it does about them ---------------------------------------------------------------------

status_of 0 "Debian: installs" native
is "$out" "Installing: $debian_native" "and says what"
status_of 0 "nothing is missing then" native
is "$out" "" "and nothing is said"
on ID=debian
touch "$INSTALLED.broken"
status_of 1 "Debian: apt-get fails" native
is "$(head -n 1 <<<"$out" | cut -d : -f 1)$(grep -c 'made-up apt is broken' <<<"$out")" Installing1 \
	"and what it said is shown"
rm "$INSTALLED.broken"

while read -r id command; do
	on "ID=$id"
	status_of 1 "$id: what is missing is a failure" native
	is "$(sed -n 2p <<<"$out")" "  sudo $command $(setup --list native | one_line)" "$id: the command"
	setup --list native | sed '$d' >"$INSTALLED.but-one"
	last=$(setup --list native | tail -n 1)
	mv "$INSTALLED.but-one" "$INSTALLED"
	status_of 1 "$id: one is missing" native
	is "$(sed -n 2p <<<"$out")" "  sudo $command $last" "$id: only that is named"
	echo "$last" >>"$INSTALLED"
	status_of 0 "$id: nothing is missing" native
	is "$out" "" "$id: and nothing is said"
done <<'END'
fedora dnf install
arch pacman -S --needed
opensuse-leap zypper install
END

# Elsewhere the things themselves are looked for.
on ID=made-up 'PRETTY_NAME="Made Up 1"'
status_of 1 "another system: what isn't found is a failure"
for thing in x86_64-w64-mingw32-gcc wine go python3:yaml; do
	[[ " $out " == *" $thing "* ]]
	result $? "another system: $thing is named ($(head -c 120 <<<"$out")...)"
done
rm "$OS_RELEASE"
status_of 1 "without an os-release file too"
status_of 2 "an unknown word" gizmo
is "$out" 'scripts/setup: what is "gizmo"? See scripts/setup --help.' "and it is named"
status_of 0 "--help" --help
[[ $out == "What building"*"scripts/setup native"* ]]
result $? "tells what there is"
tap_done
