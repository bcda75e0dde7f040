#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# run-tests: no-wine
# run-tests: plain
#
# objdump.sh - windows.bash reads what "objdump -p" prints of a PE file, in each form that it had
#
# A DLL that exports two functions and imports two by name and one by number, as two versions of
# binutils show it; and by the one that is here.
. "$(dirname "$0")/../../../scripts/lib/windows.bash"

# (a tab stands as "~")
old=$(tr '~' '\t' <<'END'
Entry 1 0000000000006000 00000050 Import Directory [parts of .idata]

There is an import table in .idata at 0x26806000

The Import Tables (interpreted .idata section contents)
 vma:            Hint    Time      Forward  DLL       First
                 Table   Stamp     Chain    Name      Thunk
 00006000~00006028 00000000 00000000 0000607c 00006048

~DLL Name: OTHER.dll
~vma:  Hint/Ord Member-Name Bound-To
~6068~    8  byname
~8000000000000007~    000000007  <none>

 00006014~00006058 00000000 00000000 0000608c 00006060

~DLL Name: third.dll
~vma:  Hint/Ord Member-Name Bound-To
~6072~ 1805  second

 00006028~00000000 00000000 00000000 00000000 00000000

There is an export table in .edata at 0x26805000

Export Address Table -- Ordinal Base 1
~[   0] +base[   1] 1000 Export RVA
~[   1] +base[   2] 1010 Export RVA

[Ordinal/Name Pointer] Table
~[   0] first
~[   1] two

The Function Table (interpreted .pdata section contents)
vma:~~~BeginAddress~EndAddress~UnwindData
 0000000026803000:~0000000026801000 000000002680101b 0000000026804000
END
)
new=$(tr '~' '\t' <<'END'
Entry 1 0000000000006000 00000050 Import Directory [parts of .idata]

There is an import table in .idata at 0x26806000

The Import Tables (interpreted .idata section contents)
 vma:            Hint    Time      Forward  DLL       First
                 Table   Stamp     Chain    Name      Thunk
 00006000~00006028 00000000 00000000 0000607c 00006048

~DLL Name: OTHER.dll
~vma:     Ordinal  Hint  Member-Name  Bound-To
~00006048  <none>  0008  byname
~00006050      7  <none> <none>

 00006014~00006058 00000000 00000000 0000608c 00006060

~DLL Name: third.dll
~vma:     Ordinal  Hint  Member-Name  Bound-To
~00006060  <none>  070d  second

 00006028~00000000 00000000 00000000 00000000 00000000

There is an export table in .edata at 0x26805000

Export Address Table -- Ordinal Base 1
~          Ordinal  Address  Type
~[   0] +base[   1] 00001000 Export RVA
~[   1] +base[   2] 00001010 Export RVA

[Ordinal/Name Pointer] Table -- Ordinal Base 1
~          Ordinal   Hint Name
~[   0] +base[   1]  0000 first
~[   1] +base[   2]  0001 two

The Function Table (interpreted .pdata section contents)
vma:~~~BeginAddress~EndAddress~UnwindData
 0000000026803000:~0000000026801000 000000002680101b 0000000026804000
END
)
imports=$(printf '%s\n' "other.dll <none>" "other.dll byname" "third.dll second")
exports=$(printf '%s\n' first two)

is "$(pe_imports <<<"$old")" "$imports" "binutils 2.40's form: imports"
is "$(pe_exports <<<"$old")" "$exports" "binutils 2.40's form: exports"
is "$(pe_imports <<<"$new")" "$imports" "binutils 2.44's form: imports"
is "$(pe_exports <<<"$new")" "$exports" "binutils 2.44's form: exports"

cd "$TEST_TMP" || exit 1
printf '%s\n' "LIBRARY OTHER.dll" EXPORTS byname "bynumber @7 NONAME" >other.def
printf '%s\n' "LIBRARY third.dll" EXPORTS second >third.def
cat >first.c <<'END'
int byname(void), bynumber(void), second(void);
__declspec(dllexport) int first(void) { return byname() + bynumber(); }
__declspec(dllexport) int two(void) { return second(); }
END
for tool in x86_64 i686; do
	for dll in other third; do
		$tool-w64-mingw32-dlltool -d $dll.def -l $tool-$dll.a
	done
	check "$tool: a DLL is made" $tool-w64-mingw32-gcc -shared -nostdlib -Wl,-e,0 -o $tool.dll first.c \
		$tool-other.a $tool-third.a
	is "$(pe_headers $tool.dll | pe_imports)" "$imports" "$tool: the installed objdump's form: imports"
	is "$(pe_headers $tool.dll | pe_exports)" "$exports" "$tool: the installed objdump's form: exports"
done
tap_done
